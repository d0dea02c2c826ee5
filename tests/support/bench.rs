//! Engines on a bench: a real store, a scripted model, a scripted tool and an outlet that only takes notes.
//! For what sockets can't stage: a stopped clock, a tool that hangs, a panic, a worker that comes too late.

mod chat;
mod script;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use roundtable::agents::{Agent, Agents, QueueMode};
use roundtable::engine::{Engine, Settings, Team};
use roundtable::models::Request;
use roundtable::store::turns::Turn;
use roundtable::store::{Access, Store};
use roundtable::time::Clock;
use roundtable::tools::{Tool, Tools};
use roundtable_fakes::PATIENCE;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::look::{self, Rows};
pub use chat::Notes;
use chat::{Claim, Said, Says, Stop};
use script::{Deed, Model, Shared, Stopped};
pub use script::{Does, Log};

/// How a bench begins.
pub struct Setup {
    /// What happens to messages during a turn.
    pub queue: QueueMode,
    /// The tool may be called again after a crash.
    pub repeatable: bool,
    /// How often nodes renew their claims.
    pub renew: Duration,
}

impl Default for Setup {
    fn default() -> Self {
        Self { queue: QueueMode::Steer, repeatable: false, renew: Duration::from_millis(50) }
    }
}

/// A store, a script, and the nodes that were started on them.
pub struct Bench {
    /// The store of all nodes.
    pub store: Store,
    shared: Arc<Shared>,
    agents: Arc<Agents>,
    renew: Duration,
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
        let clock = Arc::new(Stopped { now: AtomicI64::new(1_000_000), looks: watch::Sender::new(0) });
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
        let manager = Agent::new("manager", "Manager", "You manage.", Arc::new(Model(shared.clone())));
        let agents =
            Arc::new(Agents::new([Agent { queue: setup.queue, turn_timeout: 3_600_000, ..manager }]));
        Self { store, shared, agents, renew: setup.renew, nodes: 0, _folder: folder }
    }

    /// Starts a node; on SQLite it takes everything from those before it.
    pub fn start(&mut self) -> BenchNode {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime can be made");
        let (engine, stop) = (self.idle(), CancellationToken::new());
        let (working, stopped) = (engine.clone(), stop.clone());
        let work = runtime.spawn(async move {
            working.begin().await;
            working.run(stopped).await;
        });
        BenchNode { engine, stop, work, runtime: Some(runtime) }
    }

    /// A node that looks for no work and keeps no leases: it does what the test hands it.
    pub fn idle(&mut self) -> Arc<Engine> {
        self.nodes += 1;
        let settings = Settings {
            node: format!("node-{}", self.nodes),
            lease: Duration::from_secs(10),
            renew: self.renew,
            poll: Duration::from_millis(20),
            max_turns: 8,
        };
        let tools = Tools::new([Arc::new(Deed(self.shared.clone())) as Arc<dyn Tool>]);
        let team = Team { agents: self.agents.clone(), tools, outlet: Arc::new(Notes) };
        Engine::new(self.store.clone(), team, settings, Arc::default())
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
        let stop = Stop(engine.team().clone());
        let after = self.store.commit(stop).await.expect("a turn can be stopped");
        assert!(!after.cancelled.is_empty(), "nothing was at work");
        engine.cancelled(&after.cancelled);
    }

    /// Moves the clock.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).expect("a sensible time");
        self.shared.clock.now.fetch_add(by, Ordering::SeqCst);
    }

    /// Waits until the nodes have looked for work again, several times.
    pub async fn rounds(&self) {
        let mut looks = self.shared.clock.looks.subscribe();
        let enough = *looks.borrow() + 20;
        let seen = tokio::time::timeout(PATIENCE, looks.wait_for(|looks| *looks >= enough)).await;
        let _seen = seen.expect("the nodes look for work").expect("the clock lives");
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
