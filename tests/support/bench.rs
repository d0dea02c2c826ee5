//! Engines on a bench: a real store, a scripted model, a scripted tool and an outlet that only takes notes.
//! For what sockets can't stage: a stopped clock, a tool that hangs, a panic, a worker that comes too late.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use roundtable::agents::{Agent, Agents, QueueMode};
use roundtable::control::{self, Whose};
use roundtable::engine::{Engine, Outlet, Settings, claim_next};
use roundtable::models::{
    Answer, Completion, ModelClient, ModelError, ModelEvent, Request, ToolCall, ToolSpec, Usage,
};
use roundtable::store::conversations::{self, Place};
use roundtable::store::deliveries::{self, Delivery};
use roundtable::store::inbox::{self, Body, ItemKind, NewItem};
use roundtable::store::sessions::{self, Kind, NewSession};
use roundtable::store::turns::{Claimant, Turn};
use roundtable::store::{Access, Read, Store, StoreError, Transaction, Tx};
use roundtable::time::Clock;
use roundtable::tools::{CallContext, Refusal, Tool, Tools};
use roundtable_contract::{AccountId, ChatKind, Conversation, Outgoing, Part};
use roundtable_fakes::PATIENCE;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::look::{self, Rows};

/// What a scripted model or tool does when it is asked.
pub enum Does {
    /// Answers.
    Says(String),
    /// Calls the tool once for each of these arguments.
    Calls(Vec<Value>),
    /// Fails.
    Fails(ModelError),
    /// Never answers.
    Hangs,
    /// Does that when the test says so.
    After(CancellationToken, Box<Does>),
    /// Has a bug.
    Panics,
}

impl Does {
    /// Says this.
    pub fn says(text: &str) -> Self {
        Self::Says(text.to_owned())
    }

    /// Does it when the gate is opened.
    pub fn after(self, gate: &CancellationToken) -> Self {
        Self::After(gate.clone(), Box::new(self))
    }

    /// What it does, once it may.
    async fn begun(mut self) -> Self {
        while let Self::After(gate, does) = self {
            gate.cancelled().await;
            self = *does;
        }
        self
    }
}

type Script = Box<dyn FnMut(&Request) -> Does + Send>;
type ToolScript = Box<dyn FnMut(&Value) -> Does + Send>;

/// A clock that stands still until it is moved.
struct Stopped(AtomicI64);

impl Clock for Stopped {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn anchor(&self, _now: i64) {}
}

/// What the model was asked, and what the tool was given.
#[derive(Default)]
pub struct Log {
    /// Requests, with the time of each.
    pub requests: Vec<(i64, Request)>,
    /// Arguments of calls that were begun.
    pub calls: Vec<Value>,
}

struct Shared {
    clock: Arc<Stopped>,
    model: Mutex<Script>,
    tool: Mutex<ToolScript>,
    repeatable: bool,
    log: watch::Sender<Log>,
}

struct Model(Arc<Shared>);

impl ModelClient for Model {
    fn stream(&self, request: Request) -> BoxStream<'static, Result<ModelEvent, ModelError>> {
        let does = (self.0.model.lock().expect("no script panics"))(&request);
        let number = self.0.log.borrow().requests.len();
        let now = self.0.clock.now();
        self.0.log.send_modify(|log| log.requests.push((now, request)));
        let event = async move {
            let (text, calls) = match does.begun().await {
                Does::Says(text) => (text, Vec::new()),
                Does::Calls(calls) => (String::new(), named(number, calls)),
                Does::Fails(error) => return Err(error),
                Does::Panics => panic!("the model client has a bug, on purpose"),
                Does::Hangs | Does::After(..) => std::future::pending().await,
            };
            let answer = Answer { text, calls, opaque: None };
            Ok(ModelEvent::End(Completion { answer, usage: Usage::default(), model: "bench".into() }))
        };
        stream::once(event).boxed()
    }

    fn name(&self) -> &str {
        "bench"
    }

    fn window(&self) -> u32 {
        1_000_000
    }
}

fn named(request: usize, calls: Vec<Value>) -> Vec<ToolCall> {
    let named = (0..).zip(calls).map(|(index, arguments)| ToolCall {
        id: format!("c{request}-{index}"),
        name: "deed".into(),
        arguments,
    });
    named.collect()
}

struct Deed(Arc<Shared>);

#[async_trait]
impl Tool for Deed {
    fn spec(&self) -> ToolSpec {
        let schema = json!({"type": "object"});
        ToolSpec { name: "deed".into(), description: "Does something.".into(), schema }
    }

    fn group(&self) -> &'static str {
        "sessions"
    }

    fn repeatable(&self) -> bool {
        self.0.repeatable
    }

    async fn call(&self, _context: &CallContext<'_>, arguments: &Value) -> Result<Value, Refusal> {
        let does = (self.0.tool.lock().expect("no script panics"))(arguments);
        self.0.log.send_modify(|log| log.calls.push(arguments.clone()));
        match does.begun().await {
            Does::Says(text) => Ok(json!({"status": "ok", "text": text})),
            Does::Panics => panic!("the tool has a bug, on purpose"),
            Does::Hangs | Does::Calls(_) | Does::Fails(_) | Does::After(..) => std::future::pending().await,
        }
    }
}

/// Everything is left in the table of deliveries, where the bench reads it.
struct Notes;

#[async_trait]
impl Outlet for Notes {
    fn render(&self, _place: &Place, outgoing: &Outgoing) -> Vec<Part> {
        vec![Part { body: outgoing.text.clone(), text: outgoing.text.clone(), stub: None }]
    }

    fn bound_agent(&self, _place: &Place) -> Option<String> {
        Some("manager".into())
    }

    fn send_now(&self, _place: &Place) -> Option<i64> {
        None
    }

    fn dispatch(&self, _delivery: Delivery) {}

    fn hint(&self, _conversation_id: i64) {}

    async fn typing(&self, _place: &Place) {
        std::future::pending().await
    }
}

/// How a bench begins.
pub struct Setup {
    /// What happens to messages during a turn.
    pub queue: QueueMode,
    /// The tool may be called again after a crash.
    pub repeatable: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self { queue: QueueMode::Steer, repeatable: false }
    }
}

/// A store, a script, and the nodes that were started on them.
pub struct Bench {
    /// The store of all nodes.
    pub store: Store,
    shared: Arc<Shared>,
    agents: Arc<Agents>,
    nodes: usize,
    _folder: TempDir,
}

/// A node on the bench; dropping it kills it.
pub struct BenchNode {
    /// Its engine.
    pub engine: Arc<Engine>,
    stop: CancellationToken,
    work: JoinHandle<()>,
    runtime: Option<Runtime>,
}

impl Drop for BenchNode {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl BenchNode {
    /// Tells it to stop and waits until it begins no new step.
    pub async fn begin_drain(&mut self) {
        self.stop.cancel();
        (&mut self.work).await.expect("the scheduler does not panic");
    }

    /// Ends all its tasks at whatever they are doing, and waits for that.
    pub async fn kill(mut self) {
        let runtime = self.runtime.take().expect("a node has its runtime until it ends");
        let gone = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(PATIENCE));
        gone.await.expect("a runtime ends");
    }
}

impl Bench {
    /// A bench with this model and no tool to speak of.
    pub async fn model(script: impl FnMut(&Request) -> Does + Send + 'static) -> Self {
        Self::new(Setup::default(), script, |_| Does::Hangs).await
    }

    /// A bench with this model and this tool, called `deed`.
    pub async fn new(
        setup: Setup,
        model: impl FnMut(&Request) -> Does + Send + 'static,
        tool: impl FnMut(&Value) -> Does + Send + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = Arc::new(Stopped(AtomicI64::new(1_000_000)));
        let url = format!("sqlite:{}", folder.path().join("bench.db").display());
        let (store, writer) =
            Store::open(&url, 4, Access::Node, clock.clone()).await.expect("the store opens");
        // It ends with the last copy of the store.
        tokio::spawn(writer);
        let shared = Arc::new(Shared {
            clock,
            model: Mutex::new(Box::new(model)),
            tool: Mutex::new(Box::new(tool)),
            repeatable: setup.repeatable,
            log: watch::Sender::default(),
        });
        let agents = Arc::new(Agents::new([Agent {
            id: "manager".into(),
            name: "Manager".into(),
            soul: "You manage.".into(),
            model: Arc::new(Model(shared.clone())),
            tools: vec!["sessions".into()],
            deny: Vec::new(),
            queue: setup.queue,
            max_turns: 0,
            turn_timeout: 3_600_000,
            inbox_cap: 100,
        }]));
        Self { store, shared, agents, nodes: 0, _folder: folder }
    }

    /// Starts a node; on SQLite it takes everything from those before it.
    pub fn start(&mut self) -> BenchNode {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime can be made");
        let (engine, stop) = (self.idle(), CancellationToken::new());
        let (working, stopped) = (engine.clone(), stop.clone());
        let work = runtime.spawn(async move { working.run(stopped).await });
        BenchNode { engine, stop, work, runtime: Some(runtime) }
    }

    /// A node that looks for no work and keeps no leases: it does what the test hands it.
    pub fn idle(&mut self) -> Arc<Engine> {
        self.nodes += 1;
        let settings = Settings {
            node: format!("node-{}", self.nodes),
            lease: Duration::from_secs(10),
            renew: Duration::from_millis(50),
            poll: Duration::from_millis(20),
            max_turns: 8,
        };
        let tools = Tools::new([Arc::new(Deed(self.shared.clone())) as Arc<dyn Tool>]);
        Engine::new(self.store.clone(), self.agents.clone(), tools, Arc::new(Notes), settings)
    }

    /// Claims the next turn for a node, as its scheduler would.
    pub async fn claim(&self, engine: &Engine) -> Turn {
        let claim = Claim { agents: self.agents.clone(), by: engine.claimant().clone() };
        let turn = self.store.commit(claim).await.expect("a turn can be claimed");
        turn.expect("somebody has written")
    }

    /// A person writes; the nodes find it by their poll.
    pub async fn says(&self, text: &str) {
        self.store.commit(Says(text.to_owned())).await.expect("a message can be stored");
    }

    /// Somebody says `/stop`.
    pub async fn stop(&self, engine: &Engine) {
        let stopped = self.store.commit(Stop).await.expect("a turn can be stopped");
        let control::Stop::Stopped(stopped) = stopped else { panic!("nothing was at work") };
        engine.cancelled(&[stopped.turn_id]);
    }

    /// Moves the clock.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).expect("a sensible time");
        self.shared.clock.0.fetch_add(by, Ordering::SeqCst);
    }

    /// The time.
    pub fn now(&self) -> i64 {
        self.shared.clock.now()
    }

    /// Waits until model and tool were asked like that.
    pub async fn asked(&self, what: &str, holds: impl Fn(&Log) -> bool) {
        let mut log = self.shared.log.subscribe();
        let asked = tokio::time::timeout(PATIENCE, log.wait_for(|log| holds(log))).await;
        let _seen = asked.unwrap_or_else(|_| panic!("waited for {what}")).expect("the log lives");
    }

    /// What the model was asked so far.
    pub fn requests(&self) -> Vec<(i64, Request)> {
        self.shared.log.borrow().requests.clone()
    }

    /// What the tool was given so far.
    pub fn calls(&self) -> Vec<Value> {
        self.shared.log.borrow().calls.clone()
    }

    /// Waits until the database says so.
    pub async fn until(&self, what: &str, holds: impl FnMut(&Rows) -> bool) -> Rows {
        look::until(&self.store, what, holds).await
    }

    /// What the database says now.
    pub async fn rows(&self) -> Rows {
        look::rows(&self.store).await
    }

    /// Waits until all is done: so many turns have ended, and nothing is left to do.
    pub async fn ended(&self, turns: usize) -> Vec<String> {
        let done = |rows: &Rows| {
            rows.turns.len() == turns && rows.pending == 0 && rows.sessions_that_are("idle") == 1
        };
        self.until(&format!("the end of {turns} turns"), done).await.turns
    }

    /// All that people were told.
    pub async fn said(&self) -> Vec<String> {
        self.store.read(Said).await.expect("the database can be read")
    }
}

fn address() -> Conversation {
    Conversation::chat(AccountId::new("bench", "main"), "1")
}

async fn session(tx: &mut Tx<'_>) -> Result<(Place, i64), StoreError> {
    let place = conversations::find_or_create(tx, &address(), ChatKind::Direct, None, "bench").await?;
    if let Some(id) = sessions::find(tx, place.id, "manager").await? {
        return Ok((place, id));
    }
    let key = "agent:manager:bench:main:dm:1";
    let new =
        NewSession { key, kind: Kind::Direct, agent: "manager", conversation_id: place.id, tree_id: None };
    let id = sessions::create(tx, &new).await?;
    Ok((place, id))
}

struct Says(String);

#[async_trait]
impl Transaction for Says {
    type Output = ();
    const NAME: &'static str = "bench_says";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let (place, session_id) = session(tx).await?;
        let session = sessions::lock(tx, session_id).await?;
        let item = NewItem {
            session_id,
            tree_id: session.tree_id,
            kind: ItemKind::User,
            wake: true,
            conversation_id: place.id,
            sender: "1",
            sender_name: "Ann",
            message_id: None,
            body: &Body { text: self.0.clone(), ..Body::default() },
            merge_key: None,
            not_before: 0,
        };
        inbox::push(tx, &item).await.map(drop)
    }
}

struct Claim {
    agents: Arc<Agents>,
    by: Claimant,
}

#[async_trait]
impl Transaction for Claim {
    type Output = Option<Turn>;
    const NAME: &'static str = "bench_claim";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, StoreError> {
        let (_, session_id) = session(tx).await?;
        let session = sessions::lock(tx, session_id).await?;
        claim_next(tx, &session, &self.agents, &self.by).await
    }
}

struct Stop;

#[async_trait]
impl Transaction for Stop {
    type Output = control::Stop;
    const NAME: &'static str = "bench_stop";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, StoreError> {
        let (_, session_id) = session(tx).await?;
        control::stop(tx, session_id, Whose::Everybodys).await
    }
}

struct Said;

#[async_trait]
impl Read for Said {
    type Output = Vec<String>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<String>, StoreError> {
        let Some(place) = conversations::find(tx, &address()).await? else { return Ok(Vec::new()) };
        let open = deliveries::open(tx, place.id, 1_000).await?;
        Ok(open.into_iter().map(|delivery| delivery.part.text).collect())
    }
}
