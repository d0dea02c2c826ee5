//! A node in this process whose models answer when a seeded director says so: the same seed, the same order.
//!
//! The director waits until every running turn waits for its model and nothing else is left to do, and then lets one
//! or several answer. What is delivered stays in the table of deliveries, where the tests read it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use roundtable::agents::{Agent, Agents};
use roundtable::engine::{Engine, Settings, Team};
use roundtable::inbound::{Edges, Front, States};
use roundtable::models::{
    Answer, Completion, ModelClient, ModelError, ModelEvent, ModelMessage, Request, ToolCall, Usage,
};
use roundtable::routing::{DmPolicy, KnownAgent, Policy, Rules};
use roundtable::store::{Access, Audit, Read, Sql, Store, StoreError, Tx};
use roundtable::time::SystemClock;
use roundtable::tools::Tools;
use roundtable_contract::{
    AccountId, ChatKind, Conversation, Edge, Event, EventKey, Message, MessageId, MessageKind, Sender, UserId,
};
use roundtable_fakes::{PATIENCE, Rng};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use crate::support::bench::Notes;

/// What a scripted model answers. Pure, so that it can be asked again.
pub type Brain = fn(&Request) -> Answer;

/// Says this.
pub fn says(text: impl Into<String>) -> Answer {
    Answer { text: text.into(), ..Answer::default() }
}

/// Calls these tools.
pub fn calls(calls: impl IntoIterator<Item = (&'static str, Value)>) -> Answer {
    let call = |(index, (name, arguments)): (usize, (&str, Value))| ToolCall {
        id: format!("call-{index}"),
        name: name.into(),
        arguments,
    };
    Answer { calls: calls.into_iter().enumerate().map(call).collect(), ..Answer::default() }
}

/// All that a model has been told, without what it said itself.
pub fn told(request: &Request) -> impl Iterator<Item = &str> {
    request.messages.iter().filter_map(|message| match message {
        ModelMessage::User(text) | ModelMessage::Tool { content: text, .. } => Some(text.as_str()),
        ModelMessage::Assistant(_) => None,
    })
}

/// A request that waits for the director.
struct Asked {
    request: Request,
    answer: oneshot::Sender<Answer>,
}

/// The model of every agent.
#[derive(Clone)]
struct Puppet(Arc<Mutex<Vec<Asked>>>);

impl ModelClient for Puppet {
    fn stream(&self, request: Request) -> BoxStream<'static, Result<ModelEvent, ModelError>> {
        let (answer, answered) = oneshot::channel();
        self.0.lock().expect("nobody panics with it").push(Asked { request, answer });
        let event = async move {
            let answer = answered.await.unwrap_or_default();
            Ok(ModelEvent::End(Completion { answer, usage: Usage::default(), model: "puppet".into() }))
        };
        stream::once(event).boxed()
    }

    fn name(&self) -> &str {
        "puppet"
    }

    fn window(&self) -> u32 {
        1_000_000
    }
}

/// Names the seed when a test fails.
pub struct Seed(pub u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("ROUNDTABLE_PROVE_SEED={}", self.0);
        }
    }
}

/// The seeds to play: the one of `ROUNDTABLE_PROVE_SEED`, or so many, unless `variable` says how many.
pub fn seeds(variable: &str, count: u64) -> Vec<u64> {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    match number("ROUNDTABLE_PROVE_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number(variable).unwrap_or(count)).collect(),
    }
}

/// Worlds that are played at the same time.
const AT_ONCE: usize = 3;

/// Plays the seeds, each in one of a few worlds with threads of their own.
pub fn in_worlds(seeds: &[u64], play: impl AsyncFn(&[u64]) + Sync) {
    std::thread::scope(|scope| {
        for seeds in seeds.chunks(seeds.len().div_ceil(AT_ONCE)) {
            let play = &play;
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.expect("a runtime can be made").block_on(play(seeds));
            });
        }
    });
}

/// A node, and the director of its models.
pub struct Sim {
    store: Store,
    front: Front,
    asked: Puppet,
    brain: Brain,
    stop: CancellationToken,
    messages: AtomicI64,
    _folder: TempDir,
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Sim {
    /// A node with the agents `manager`, which answers everywhere and may spawn all, and `worker`.
    pub async fn new(brain: Brain) -> Self {
        // Where there is memory to write to, its fsync costs nothing: what is proved here is order.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
        let folder = folder.expect("a temporary folder");
        let url = format!("sqlite:{}", folder.path().join("sim.db").display());
        let clock = Arc::new(SystemClock::new());
        let (store, writer) = Store::open(&url, 4, Access::Node, clock).await.expect("the store opens");
        tokio::spawn(writer);
        let asked = Puppet(Arc::default());
        let team = Team { agents: agents(&asked), tools: Tools::built_in(), outlet: Arc::new(Notes) };
        let settings = Settings {
            node: "sim".into(),
            lease: Duration::from_secs(60),
            renew: Duration::from_secs(20),
            // Long: what no hint announces would make the test slow.
            poll: Duration::from_secs(2),
            max_turns: 256,
        };
        let engine = Engine::new(store.clone(), team.clone(), settings, Arc::new(Notify::new()));
        let stop = CancellationToken::new();
        let (working, stopped) = (engine.clone(), stop.clone());
        tokio::spawn(async move { working.run(stopped).await });
        let front = Front::new(store.clone(), engine, Arc::new(edges(team)), Arc::new(States::default()));
        Self { store, front, asked, brain, stop, messages: AtomicI64::new(1), _folder: folder }
    }

    /// A person writes to the bot.
    pub async fn says(&self, conversation: &Conversation, kind: ChatKind, text: &str) {
        let number = self.messages.fetch_add(1, Ordering::Relaxed);
        let message = Message {
            key: EventKey::new(format!("msg:{number}")),
            conversation: conversation.clone(),
            chat_kind: kind,
            title: None,
            guild: None,
            parent: None,
            kind: MessageKind::New,
            sender: Sender {
                // In private a person is their chat.
                id: UserId::new(conversation.chat.as_str()),
                name: "Ann".into(),
                username: None,
                is_bot: false,
                roles: Vec::new(),
            },
            id: MessageId(number),
            text: text.to_owned(),
            spans: Vec::new(),
            mentions_us: true,
            forwarded: false,
            reply_to: None,
            attachments: Vec::new(),
            album: None,
            at: 0,
        };
        self.front.accept(Event::Message(Box::new(message))).await.expect("a message is taken");
    }

    /// Waits until all that is at work waits for its model; says how many do.
    pub async fn quiet(&self) -> usize {
        let begun = Instant::now();
        loop {
            let before = self.waiting();
            let state = self.store.read(Quiet).await.expect("the database can be read");
            if state.queued == 0 && state.running == before && self.waiting() == before {
                return before;
            }
            if begun.elapsed() > PATIENCE {
                panic!("not quiet after {PATIENCE:?}: {before} requests wait; {state:?}");
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn waiting(&self) -> usize {
        let mut asked = self.asked.0.lock().expect("nobody panics with it");
        asked.retain(|asked| !asked.answer.is_closed());
        asked.len()
    }

    /// Lets one or several of the requests that wait and may be answered be so, at the same time. `false`: there was
    /// none.
    pub fn step(&self, rng: &mut Rng, may: impl Fn(&Request) -> bool) -> bool {
        let mut asked = self.asked.0.lock().expect("nobody panics with it");
        // By who asks, and not by when the request came, which is the operating system's to decide.
        asked.sort_by(|one, other| one.request.cache_key.cmp(&other.request.cache_key));
        let fits: Vec<_> = (0..asked.len()).filter(|at| may(&asked[*at].request)).collect();
        let at_once = 1 + usize::try_from(rng.below(3)).expect("it is small");
        let mut chosen: Vec<usize> = Vec::new();
        for _ in 0..at_once.min(fits.len()) {
            let at = usize::try_from(rng.below(fits.len() as u64)).expect("it is below a size");
            if !chosen.contains(&fits[at]) {
                chosen.push(fits[at]);
            }
        }
        chosen.sort_unstable();
        for at in chosen.into_iter().rev() {
            let Asked { request, answer } = asked.remove(at);
            // Whoever has gone away meanwhile needs no answer.
            let _ = answer.send((self.brain)(&request));
        }
        !fits.is_empty()
    }

    /// Plays until nothing is left to do.
    pub async fn play(&self, rng: &mut Rng) {
        while self.quiet().await > 0 {
            self.step(rng, |_| true);
        }
    }

    /// What was said: conversation and text, in order.
    pub async fn said(&self) -> Vec<(String, String)> {
        self.store.read(Said).await.expect("the database can be read")
    }

    /// Every run that has ended: what was asked, and its outcome.
    pub async fn outcomes(&self) -> Vec<(String, Value)> {
        self.store.read(Outcomes).await.expect("the database can be read")
    }

    /// What is wrong with the database, now that nothing is at work. Nobody sends what is to be delivered.
    pub async fn audit(&self) -> Vec<String> {
        let mut broken = self.store.read(Audit).await.expect("the database can be read");
        broken.retain(|rule| !rule.contains("deliveries that are not over"));
        broken
    }
}

fn agents(puppet: &Puppet) -> Arc<Agents> {
    let model = || Arc::new(puppet.clone()) as Arc<dyn ModelClient>;
    let mut manager = Agent::new("manager", "Manager", "You manage.", model());
    manager.subagents.allow = vec!["manager".into(), "worker".into()];
    manager.subagents.max_depth = 4;
    manager.subagents.max_sessions = 64;
    Arc::new(Agents::new([manager, Agent::new("worker", "Worker", "You work.", model())]))
}

/// The account that all conversations are of.
pub fn account() -> AccountId {
    AccountId::new("telegram", "main")
}

fn edges(team: Team) -> Edges {
    let known = |id: &str| KnownAgent { id: id.into(), name: id.into(), aliases: Vec::new() };
    let rules = Arc::new(Rules {
        bindings: Vec::new(),
        default_agent: "manager".into(),
        agents: vec![known("manager"), known("worker")],
    });
    let policy = Policy { dm: DmPolicy::Open, groups: vec!["*".into()], ..Policy::default() };
    Edges { rules, policies: HashMap::from([(account(), policy)]), team, channels: HashMap::new() }
}

fn sql(text: &'static str) -> Sql {
    Sql { lite: text, pg: text }
}

#[derive(Debug)]
struct State {
    running: usize,
    queued: i64,
    #[expect(dead_code, reason = "shown when nothing goes on")]
    all: String,
}

struct Quiet;

#[async_trait]
impl Read for Quiet {
    type Output = State;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<State, StoreError> {
        let row = tx
            .one(
                sql(
                    "SELECT (SELECT COUNT(*) FROM turns WHERE status = 'running') AS running,
                       (SELECT COUNT(*) FROM turns t WHERE status = 'waiting' AND NOT EXISTS (
                            SELECT 1 FROM waits w WHERE w.turn_id = t.id AND w.resolved_at IS NULL))
                       + (SELECT COUNT(*) FROM inbox i WHERE turn_id IS NULL AND wake = 1 AND not_before = 0
                            AND NOT EXISTS (SELECT 1 FROM turns t WHERE t.session_id = i.session_id
                                            AND t.status IN ('running', 'waiting'))) AS queued,
                       (SELECT COUNT(*) FROM turns WHERE status = 'waiting') || ' turns wait, '
                       || (SELECT COUNT(*) FROM runs WHERE ended_at IS NULL) || ' runs live, '
                       || (SELECT COUNT(*) FROM inbox WHERE turn_id IS NULL) || ' items unread' AS all_of_it",
                ),
                &[],
            )
            .await?;
        Ok(State {
            running: usize::try_from(row.get::<i64>("running")?).expect("a count"),
            queued: row.get("queued")?,
            all: row.get("all_of_it")?,
        })
    }
}

struct Said;

#[async_trait]
impl Read for Said {
    type Output = Vec<(String, String)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, StoreError> {
        let rows = tx
            .all(
                sql("SELECT c.chat, c.thread, d.body FROM deliveries d JOIN conversations c ON c.id = d.conversation_id
                     ORDER BY d.id"),
                &[],
            )
            .await?;
        let read = |row: &roundtable::store::Row| {
            let place = format!("{}:{}", row.get::<String>("chat")?, row.get::<String>("thread")?);
            let body: Value = row.json("body")?;
            Ok((place.trim_end_matches(':').to_owned(), body["text"].as_str().unwrap_or_default().to_owned()))
        };
        rows.iter().map(read).collect()
    }
}

struct Outcomes;

#[async_trait]
impl Read for Outcomes {
    type Output = Vec<(String, Value)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, StoreError> {
        let rows = tx.all(sql("SELECT task, outcome FROM runs ORDER BY id"), &[]).await?;
        rows.iter().map(|row| Ok((row.get("task")?, row.json("outcome")?))).collect()
    }
}
