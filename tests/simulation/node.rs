//! A node of the simulated world: the program's own parts on the world's clock, with channels, models and a disk that
//! are the world's, and wake-ups that get lost.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use roundtable::agents::{Agent, Agents, QueueMode};
use roundtable::app::Core;
use roundtable::engine::{Engine, Outlet, Settings, Team};
use roundtable::inbound::{Account, Edges, Front, States};
use roundtable::models::ModelClient;
use roundtable::outbox::{Outbox, Way};
use roundtable::routing::{DmPolicy, KnownAgent, Policy, Rules};
use roundtable::store::conversations::Place;
use roundtable::store::deliveries::Delivery;
use roundtable::store::{Disk, Fate, Host};
use roundtable::time::Clock as _;
use roundtable::tools::{Tool, Tools};
use roundtable_contract::{AccountId, Channel, Connection, Conversation, Outgoing, Part};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinHandle};
use tokio_util::sync::CancellationToken;

use super::channel::Line;
use super::life::Life;
use super::minds::{Deed, Mind, Thoughts};
use super::rules::Watch;
use super::world::{Late, World};

/// How long what a node holds is its own without renewal.
pub const LEASE: Duration = Duration::from_secs(15);

/// A node that shares its database follows the database's clock, and is behind by less milliseconds than an answer may
/// take: `store::wall`.
pub const SKEW: i64 = 250;

/// Live children that an agent may have.
pub const MAX_CHILDREN: i64 = 4;

/// Levels below the root.
pub const MAX_DEPTH: i64 = 3;

/// Live sessions that a tree may have.
pub const MAX_SESSIONS: i64 = 8;

/// Answers that two agents may give each other in one exchange.
pub const MAX_REPLIES: i64 = 2;

/// How the nodes of a world are set up.
#[derive(Clone)]
pub struct Setup {
    /// The accounts that they connect.
    pub accounts: Vec<AccountId>,
    /// There is more than one node.
    pub shared: bool,
    /// What happens to messages during a turn.
    pub queue: QueueMode,
    /// Turns of the worker that may be at work at once; 0: any number.
    pub max_turns: i64,
    /// Turns that one node may have at work at once.
    pub slots: usize,
    /// Messages that may wait in one session.
    pub inbox_cap: i64,
    /// What can't be found on a platform is sent once more, and may then be seen twice.
    pub repeats: bool,
}

/// A node that lives.
pub struct Node {
    /// Its name.
    pub name: String,
    life: Life,
    stop: CancellationToken,
    work: JoinHandle<()>,
    others: Vec<AbortHandle>,
    stalled_until: Arc<AtomicI64>,
}

impl Node {
    /// Starts a node.
    pub fn start(world: &Arc<World>, host: &Host, watch: &Arc<Watch>, setup: &Setup, name: String) -> Self {
        let life = Life::default();
        let stalled_until = Arc::new(AtomicI64::new(0));
        let by = if setup.shared { world.below(SKEW.unsigned_abs()) } else { 0 };
        let clock = Arc::new(Late { hands: world.clock.clone(), by: by.cast_signed() });
        let (store, writer) = host.store(clock, setup.shared, disk(world, watch, &stalled_until));
        let writer = tokio::spawn(writer).abort_handle();
        let lines = setup.accounts.iter().map(|account| {
            let line: Arc<dyn Channel> = Arc::new(Line::new(world, &life, account.clone(), setup.repeats));
            (account.clone(), line)
        });
        let lines: HashMap<AccountId, Arc<dyn Channel>> = lines.collect();
        let channels: Vec<_> = setup.accounts.iter().map(|account| lines[account].clone()).collect();
        let work = Arc::new(Notify::new());
        let rules = Arc::new(rules());
        let outbox =
            Outbox::new(store.clone(), rules.clone(), channels.clone(), work.clone(), Arc::default());
        let way = Way(outbox.clone());
        let outlet = Arc::new(Leaky { way: Arc::new(way), world: world.clone(), life: life.clone() });
        let tool =
            |looks| Arc::new(Deed { world: world.clone(), life: life.clone(), looks }) as Arc<dyn Tool>;
        let tools = Tools::built_in().and([tool(true), tool(false)]);
        let team = Team { agents: agents(world, &life, setup), tools, outlet };
        let settings = Settings {
            node: name.clone(),
            lease: LEASE,
            renew: Duration::from_secs(5),
            poll: Duration::from_secs(2),
            max_turns: setup.slots,
        };
        let engine = Engine::new(store.clone(), team.clone(), settings.clone(), work.clone());
        let policy = Policy { dm: DmPolicy::Open, groups: vec!["*".into()], ..Policy::default() };
        let policies = setup.accounts.iter().map(|account| (account.clone(), policy.clone())).collect();
        let edges = Arc::new(Edges { rules, policies, team, channels: lines });
        let front = Arc::new(Front::new(
            store.clone(),
            engine.clone(),
            edges,
            Arc::new(States::default()),
            Arc::default(),
        ));
        let accounts = channels.into_iter().map(|channel| Account {
            connection: Connection::new(channel.account().clone(), 0),
            channel,
            front: front.clone(),
            outbox: outbox.clone(),
            store: store.clone(),
            node: name.clone(),
            lease: settings.lease,
            renew: settings.renew,
            poll: settings.poll,
            free: Arc::default(),
        });
        let accounts = accounts.collect();
        let core = Core { engine, outbox, accounts };
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let thief = tokio::spawn(steal(world.clone(), work)).abort_handle();
        let work = tokio::spawn(async move { core.run(&stopped, Duration::from_secs(20)).await });
        Self { name, life, stop, work, others: vec![writer, thief], stalled_until }
    }

    /// Ends all that it does, at whatever that is.
    pub fn kill(self) {
        self.life.end();
        self.work.abort();
        self.others.iter().for_each(AbortHandle::abort);
    }

    /// Tells it to stop, and waits until it has.
    pub async fn drain(self) {
        self.stop.cancel();
        self.work.await.expect("a node does not panic");
        self.life.end();
        self.others.iter().for_each(AbortHandle::abort);
    }

    /// Its disk hangs for some time: nothing that it asks for is stored before.
    pub fn stall(&self, until: i64) {
        self.stalled_until.store(until, Ordering::Relaxed);
    }
}

/// What a commit waits for, and what becomes of it; and before it comes, the one before it is looked at. A read is
/// answered at once or not at all.
fn disk(world: &Arc<World>, watch: &Arc<Watch>, stalled_until: &Arc<AtomicI64>) -> Disk {
    let unwell = world.clone();
    let deaf = move || {
        let deaf = unwell.fate() < 4;
        if deaf {
            unwell.count(|counts| counts.faults += 1);
            unwell.note("what is to be read now is not answered");
        }
        deaf
    };
    let (world, watch, stalled_until) = (world.clone(), watch.clone(), stalled_until.clone());
    let commits = move || {
        let (world, watch, stalled_until) = (world.clone(), watch.clone(), stalled_until.clone());
        async move {
            let left = stalled_until.load(Ordering::Relaxed) - world.clock.now();
            tokio::time::sleep(Duration::from_millis(u64::try_from(left).unwrap_or(0))).await;
            world.lag(3).await;
            watch.glance().await;
            let fate = match world.fate() {
                0..8 => Fate::Refused,
                8..16 => Fate::Unconfirmed,
                _ => return Fate::Stored,
            };
            world.count(|counts| counts.faults += 1);
            world.note(format_args!("what is to be stored now is {fate:?}"));
            fate
        }
        .boxed()
    };
    Disk { commits: Box::new(commits), deaf: Arc::new(deaf) }
}

/// Takes wake-ups of the scheduler away, and gives back some of them later.
async fn steal(world: Arc<World>, work: Arc<Notify>) {
    loop {
        world.lag(8000).await;
        if world.is_calm() {
            return;
        }
        work.notified().await;
        if world.chance(50) {
            world.lag(3000).await;
            work.notify_one();
        }
    }
}

fn agents(world: &Arc<World>, life: &Life, setup: &Setup) -> Arc<Agents> {
    let thoughts = Arc::new(Thoughts::new(setup.slots));
    let model = || {
        let (world, life, thoughts) = (world.clone(), life.clone(), thoughts.clone());
        Arc::new(Mind { world, life, thoughts }) as Arc<dyn ModelClient>
    };
    let ready = |id: &str, name: &str, max_turns| {
        let mut agent = Agent::new(id, name, "You work.", model());
        agent.queue = setup.queue;
        agent.max_turns = max_turns;
        agent.inbox_cap = setup.inbox_cap;
        agent.turn_timeout = 60_000;
        agent.max_reply_turns = MAX_REPLIES;
        agent.subagents.allow = vec!["manager".into(), "worker".into()];
        agent.subagents.max_depth = MAX_DEPTH;
        agent.subagents.max_children = MAX_CHILDREN;
        agent.subagents.max_sessions = MAX_SESSIONS;
        agent.subagents.run_timeout = 5 * 60_000;
        agent
    };
    Arc::new(Agents::new([ready("manager", "Manager", 0), ready("worker", "Worker", setup.max_turns)]))
}

fn rules() -> Rules {
    let known = |id: &str| KnownAgent { id: id.into(), name: id.into(), aliases: Vec::new() };
    Rules {
        bindings: Vec::new(),
        default_agent: "manager".into(),
        agents: vec![known("manager"), known("worker")],
    }
}

/// The way out, on which wake-ups get lost or come late.
struct Leaky {
    way: Arc<Way>,
    world: Arc<World>,
    life: Life,
}

impl Leaky {
    fn later(&self, tell: impl FnOnce(&Way) + Send + 'static) {
        let (way, world, life) = (self.way.clone(), self.world.clone(), self.life.clone());
        tokio::spawn(async move {
            world.lag(4000).await;
            life.goes_on().await;
            tell(&way);
        });
    }
}

#[async_trait]
impl Outlet for Leaky {
    fn render(&self, place: &Place, outgoing: &Outgoing) -> Vec<Part> {
        self.way.render(place, outgoing)
    }

    fn bound_agent(&self, place: &Place) -> Option<String> {
        self.way.bound_agent(place)
    }

    fn opens_threads(&self, place: &Place) -> bool {
        self.way.opens_threads(place)
    }

    fn thread_home(&self, place: &Place) -> Conversation {
        self.way.thread_home(place)
    }

    fn opening(&self, place: &Place, name: &str, outgoing: &Outgoing) -> Option<Part> {
        self.way.opening(place, name, outgoing)
    }

    fn space(&self, conversation: &Conversation) -> String {
        self.way.space(conversation)
    }

    fn send_now(&self, place: &Place) -> Option<i64> {
        self.way.send_now(place)
    }

    fn dispatch(&self, delivery: Delivery) {
        match self.world.below(100) {
            _ if self.world.is_calm() => self.way.dispatch(delivery),
            0..3 => {}
            3..15 => self.later(|way| way.dispatch(delivery)),
            _ => self.way.dispatch(delivery),
        }
    }

    fn hint(&self, conversation_id: i64) {
        match self.world.below(100) {
            _ if self.world.is_calm() => self.way.hint(conversation_id),
            0..10 => {}
            10..20 => self.later(move |way| way.hint(conversation_id)),
            _ => self.way.hint(conversation_id),
        }
    }

    async fn typing(&self, place: &Place) {
        self.way.typing(place).await;
    }
}
