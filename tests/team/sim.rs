//! A node in this process whose models answer when a seeded director says so: the same seed, the same order.
//!
//! The director waits until every running turn waits for its model and nothing else is left to do, and then lets one
//! or several answer. What is delivered stays in the table of deliveries, where the tests read it.

use std::collections::{BTreeMap, HashMap};
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
use roundtable::models::{Answer, Completion, ModelClient, ModelError, ModelEvent, Request, Usage};
use roundtable::routing::{DmPolicy, KnownAgent, Policy, Rules};
use roundtable::store::{Access, Audit, Param, Read, Row, Sql, Store, StoreError, Tx};
use roundtable::time::Clock;
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
use crate::support::quiet;
pub use crate::support::seeds::{Seed, seeds};
pub use crate::support::words::{answers, calls, results, says, told, who};

/// What a scripted model answers; `None`: nothing yet, it is asked again at the next step.
type Brain = Box<dyn Fn(&Request) -> Option<Answer>>;

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
            Ok(ModelEvent::End(Completion {
                answer,
                usage: Usage::default(),
                model: "puppet".into(),
                cut: false,
            }))
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

/// The chat of the usual group.
const GROUP: &str = "-1";

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

/// A clock that the test moves.
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn anchor(&self, _now: i64) {}
}

/// A node, and the director of its models.
pub struct Sim {
    pub store: Store,
    engine: Arc<Engine>,
    clock: Arc<Hands>,
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
    pub async fn new(brain: impl Fn(&Request) -> Answer + 'static) -> Self {
        Self::with(|_| {}, move |request| Some(brain(request))).await
    }

    /// The same with changes to the agents, by their ids, and models that may take their time.
    pub async fn with(
        change: impl Fn(&mut Agent),
        brain: impl Fn(&Request) -> Option<Answer> + 'static,
    ) -> Self {
        // Where there is memory to write to, its fsync costs nothing: what is proved here is order.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
        let folder = folder.expect("a temporary folder");
        let url = format!("sqlite:{}", folder.path().join("sim.db").display());
        let clock = Arc::new(Hands(AtomicI64::new(1_700_000_000_000)));
        let (store, writer) =
            Store::open(&url, 4, Access::Node, clock.clone()).await.expect("the store opens");
        tokio::spawn(writer);
        let asked = Puppet(Arc::default());
        let team = Team { agents: agents(&asked, change), tools: Tools::built_in(), outlet: Arc::new(Notes) };
        let settings = Settings {
            node: "sim".into(),
            lease: Duration::from_secs(60),
            // Not within a test, whose clock jumps.
            renew: Duration::from_secs(3600),
            // Long: what no hint announces would make the test slow.
            poll: Duration::from_secs(2),
            max_turns: 256,
        };
        let engine = Engine::new(store.clone(), team.clone(), settings, Arc::new(Notify::new()));
        let stop = CancellationToken::new();
        let (working, stopped) = (engine.clone(), stop.clone());
        tokio::spawn(async move { working.run(stopped).await });
        let edges = Arc::new(edges(team));
        let front =
            Front::new(store.clone(), engine.clone(), edges, Arc::new(States::default()), Arc::default());
        let (messages, brain) = (AtomicI64::new(1), Box::new(brain));
        Self { store, engine, clock, front, asked, brain, stop, messages, _folder: folder }
    }

    /// A person, who in private is their chat, writes to the bot.
    pub async fn says(&self, conversation: &Conversation, kind: ChatKind, text: &str) {
        self.writes(conversation.chat.as_str(), conversation, kind, text).await;
    }

    /// A person writes to the bot.
    async fn writes(&self, who: &str, conversation: &Conversation, kind: ChatKind, text: &str) {
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
                id: UserId::new(who),
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
            at: self.clock.now(),
        };
        self.front.accept(Event::Message(Box::new(message))).await.expect("a message is taken");
    }

    /// Waits until all that is at work waits for its model; says how many do.
    pub async fn quiet(&self) -> usize {
        let begun = Instant::now();
        loop {
            let before = self.waiting();
            let state = self.store.read(quiet::Look).await.expect("the database can be read");
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
        let mut answered = false;
        for at in chosen.into_iter().rev() {
            if let Some(said) = (self.brain)(&asked[at].request) {
                // Whoever has gone away meanwhile needs no answer.
                let _ = asked.remove(at).answer.send(said);
                answered = true;
            }
        }
        answered
    }

    /// Plays until nothing is left to do.
    pub async fn play(&self, rng: &mut Rng) {
        while self.quiet().await > 0 {
            self.step(rng, |_| true);
        }
    }

    /// Answers whatever waits, until no model has anything to say and nothing else is left to do now.
    pub async fn settle(&self) {
        loop {
            self.quiet().await;
            let mut asked = self.asked.0.lock().expect("nobody panics with it");
            let ready = (0..asked.len()).find_map(|at| Some((at, (self.brain)(&asked[at].request)?)));
            let Some((at, said)) = ready else { return };
            let _ = asked.remove(at).answer.send(said);
        }
    }

    /// A person writes to the bot in the usual private chat, and all that follows happens.
    pub async fn hears(&self, text: &str) {
        self.says(&Conversation::chat(account(), "1"), ChatKind::Direct, text).await;
        self.settle().await;
    }

    /// One of several people, none of them an owner, writes to the bot in the usual group, and all that follows happens.
    pub async fn hears_in_group(&self, who: &str, text: &str) {
        self.writes(who, &Conversation::chat(account(), GROUP), ChatKind::Group, text).await;
        self.settle().await;
    }

    /// Time passes, and all that follows happens.
    pub async fn later(&self, by: Duration) {
        self.clock.0.fetch_add(i64::try_from(by.as_millis()).expect("a sensible time"), Ordering::SeqCst);
        let due = self.store.read(Due).await.expect("the database can be read");
        self.engine.wake();
        let begun = Instant::now();
        while due > 0 && self.store.read(Due).await.expect("the database can be read") > 0 {
            assert!(begun.elapsed() < PATIENCE, "what is due is not done");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.settle().await;
    }

    /// What was said in the usual private chat, in order.
    pub async fn heard(&self) -> Vec<String> {
        self.heard_in("1").await
    }

    /// The same of the usual group.
    pub async fn heard_in_group(&self) -> Vec<String> {
        self.heard_in(GROUP).await
    }

    async fn heard_in(&self, place: &str) -> Vec<String> {
        self.said().await.into_iter().filter(|(chat, _)| chat == place).map(|(_, text)| text).collect()
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

fn agents(puppet: &Puppet, change: impl Fn(&mut Agent)) -> Arc<Agents> {
    let model = || Arc::new(puppet.clone()) as Arc<dyn ModelClient>;
    let mut manager = Agent::new("manager", "Manager", "You manage.", model());
    manager.subagents.allow = vec!["manager".into(), "worker".into()];
    manager.subagents.max_depth = 4;
    manager.subagents.max_sessions = 64;
    let mut agents = [manager, Agent::new("worker", "Worker", "You work.", model())];
    agents.iter_mut().for_each(change);
    let others = ["puppet", "other"].map(|id| (id.to_owned(), model()));
    Arc::new(Agents::new(agents).thinking_with(BTreeMap::from(others)))
}

/// The account that conversations are of, if nothing else is said.
pub fn account() -> AccountId {
    AccountId::new("telegram", "main")
}

/// Another, on the other platform.
pub fn discord() -> AccountId {
    AccountId::new("discord", "main")
}

fn edges(team: Team) -> Edges {
    let known = |id: &str| KnownAgent { id: id.into(), name: id.into(), aliases: Vec::new() };
    let rules = Arc::new(Rules {
        bindings: Vec::new(),
        default_agent: "manager".into(),
        agents: vec![known("manager"), known("worker")],
    });
    let policy = Policy { dm: DmPolicy::Open, groups: vec!["*".into()], ..Policy::default() };
    Edges {
        rules,
        policies: [account(), discord()].map(|account| (account, policy.clone())).into(),
        team,
        channels: HashMap::new(),
    }
}

fn sql(text: &'static str) -> Sql {
    Sql { lite: text, pg: text }
}

/// How much is due and not done.
struct Due;

#[async_trait]
impl Read for Due {
    type Output = i64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<i64, StoreError> {
        let now = [Param::from(tx.now())];
        tx.one(
            sql("SELECT (SELECT COUNT(*) FROM waits WHERE resolved_at IS NULL AND due_at <= $1)
                   + (SELECT COUNT(*) FROM runs WHERE ended_at IS NULL AND due_at <= $1)
                   + (SELECT COUNT(*) FROM inbox i WHERE turn_id IS NULL AND wake = 1 AND not_before BETWEEN 1 AND $1
                        AND NOT EXISTS (SELECT 1 FROM turns t WHERE t.session_id = i.session_id
                                        AND t.status IN ('running', 'waiting'))) AS due"),
            &now,
        )
        .await?
        .get("due")
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
        let read = |row: &Row| {
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
        let outcome = |row: &Row| match row.get::<Option<String>>("outcome")? {
            Some(_) => row.json("outcome"),
            None => Ok(Value::Null),
        };
        rows.iter().map(|row| Ok((row.get("task")?, outcome(row)?))).collect()
    }
}
