//! Two nodes on one database, without connections or turns of their own, and a way to make two
//! transactions meet: the second comes when the first has written and not committed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use roundtable::agents::{Agent, Agents, QueueMode, Visibility};
use roundtable::engine::{Engine, Settings, Team};
use roundtable::inbound::{Edges, Front, States};
use roundtable::local::{self, Local};
use roundtable::models::{ModelClient, ModelError, ModelEvent, Request};
use roundtable::outbox::{Outbox, Way};
use roundtable::routing::{DmPolicy, KnownAgent, Policy, Rules};
use roundtable::store::turns::Claimant;
use roundtable::store::{Store, StoreError, Transaction, Tx};
use roundtable::time::Clock;
use roundtable::tools::Tools;
use roundtable_contract::Channel;
use sqlx::{Connection, PgConnection, SqliteConnection};
use tokio_util::sync::CancellationToken;

use crate::support::bench::Notes;
use crate::support::databases::{Database, Fresh, open};

/// A lease, in milliseconds of the test's clock.
pub const LEASE: i64 = 15_000;

/// A clock that the test sets.
pub struct TestClock(AtomicI64);

impl Default for TestClock {
    fn default() -> Self {
        Self(AtomicI64::new(1_700_000_000_000))
    }
}

impl TestClock {
    pub fn advance(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn anchor(&self, _now: i64) {}
}

/// The only agent's model. No turn is driven here, so nobody asks it.
struct NoModel;

impl ModelClient for NoModel {
    fn stream(&self, _request: Request) -> BoxStream<'static, Result<ModelEvent, ModelError>> {
        futures::stream::empty().boxed()
    }

    fn name(&self) -> &str {
        "none"
    }

    fn window(&self) -> u32 {
        1000
    }
}

/// Two nodes.
pub struct World {
    fresh: Fresh,
    database: Database,
    pub clock: Arc<TestClock>,
    nodes: [Store; 2],
}

/// Who claims on a node.
pub fn claimant(node: usize) -> Claimant {
    Claimant { node: format!("node-{node}"), lease: LEASE }
}

/// The team, with nowhere to speak.
pub fn team() -> Team {
    team_of(agents())
}

/// The same, of other agents.
pub fn team_of(agents: Arc<Agents>) -> Team {
    Team { agents, tools: Tools::built_in(), outlet: Arc::new(Notes) }
}

/// The team: one agent, whose sessions see each other.
pub fn agents() -> Arc<Agents> {
    capped(0)
}

/// The same with so many turns at work at once; 0: as many as there are.
pub fn capped(max_turns: i64) -> Arc<Agents> {
    renamed("manager", max_turns)
}

/// The same team with another id for its agent.
pub fn renamed(id: &str, max_turns: i64) -> Arc<Agents> {
    let manager = Agent::new(id, "Manager", "", Arc::new(NoModel));
    Arc::new(Agents::new([Agent {
        queue: QueueMode::Followup,
        max_turns,
        turn_timeout: 60_000,
        visibility: Visibility::Agent,
        ..manager
    }]))
}

impl World {
    pub async fn new(database: Database) -> Self {
        let fresh = database.fresh().await;
        let clock = Arc::new(TestClock::default());
        let first = open(&fresh.url, clock.clone()).await;
        let second = match database {
            // SQLite has one node: what would be its second is another task of the first.
            Database::Sqlite => first.clone(),
            Database::Postgres => open(&fresh.url, clock.clone()).await,
        };
        Self { fresh, database, clock, nodes: [first, second] }
    }

    pub fn node(&self, node: usize) -> &Store {
        &self.nodes[node]
    }

    /// A node's edge. It has no slot for turns, so that what is accepted waits in the inbox.
    pub fn front(&self, node: usize) -> Front {
        let store = self.node(node).clone();
        let settings = Settings {
            node: claimant(node).node,
            lease: Duration::from_millis(LEASE.unsigned_abs()),
            renew: Duration::from_secs(5),
            poll: Duration::from_secs(2),
            max_turns: 0,
        };
        let edges = self.edges(node);
        let engine = Engine::new(store.clone(), edges.team.clone(), settings, Arc::default());
        Front::new(store, engine, edges, Arc::new(States::default()), Arc::default())
    }

    /// What decides about messages on a node.
    pub fn edges(&self, node: usize) -> Arc<Edges> {
        let store = self.node(node).clone();
        let manager = KnownAgent { id: "manager".into(), name: "Manager".into(), aliases: Vec::new() };
        let rules =
            Arc::new(Rules { bindings: Vec::new(), default_agent: "manager".into(), agents: vec![manager] });
        let channel: Arc<dyn Channel> = Arc::new(Local::new(store.clone()));
        let outbox = Outbox::new(store, rules.clone(), [channel.clone()], Arc::default(), Arc::default());
        let team = Team { outlet: Arc::new(Way(outbox)), ..team() };
        let policy = Policy { dm: DmPolicy::Open, ..Policy::default() };
        Arc::new(Edges {
            rules,
            policies: HashMap::from([(local::account(), policy)]),
            team,
            channels: HashMap::from([(local::account(), channel)]),
        })
    }

    /// The answer to a question that both databases understand, on a connection of its own.
    pub async fn ask(&self, sql: &'static str) -> String {
        match self.database {
            Database::Sqlite => {
                let mut conn = SqliteConnection::connect(&self.fresh.url).await.expect("the file is there");
                sqlx::query_scalar(sql).fetch_one(&mut conn).await.expect(sql)
            }
            Database::Postgres => {
                let mut conn = PgConnection::connect(&self.fresh.url).await.expect("the server runs");
                sqlx::query_scalar(sql).fetch_one(&mut conn).await.expect(sql)
            }
        }
    }

    /// Runs `first` on one node up to its commit, then `second` on the other until it waits for `first`
    /// (or is done), and lets both go on. On SQLite `second` waits in the writer's queue.
    pub async fn meet<A: Transaction, B: Transaction>(
        &self,
        first: A,
        second: B,
    ) -> (Result<A::Output, StoreError>, Result<B::Output, StoreError>) {
        let (written, go) = (CancellationToken::new(), CancellationToken::new());
        let held = Held { body: first, written: written.clone(), go: go.clone() };
        let store = self.node(0).clone();
        let first = tokio::spawn(async move { store.commit(held).await });
        written.cancelled().await;
        let store = self.node(1).clone();
        let second = tokio::spawn(async move { store.commit(second).await });
        if self.database == Database::Postgres {
            let begun = Instant::now();
            while !second.is_finished() && self.ask(WAITING).await == "0" {
                assert!(begun.elapsed() < Duration::from_secs(10), "the second neither waits nor ends");
            }
        }
        go.cancel();
        (first.await.expect("no panic"), second.await.expect("no panic"))
    }
}

/// How many connections to this database wait for a lock.
const WAITING: &str = "SELECT CAST(COUNT(*) AS TEXT) FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";

/// A transaction that stops before its commit.
struct Held<T> {
    body: T,
    written: CancellationToken,
    go: CancellationToken,
}

#[async_trait]
impl<T: Transaction> Transaction for Held<T> {
    type Output = T::Output;
    const NAME: &'static str = T::NAME;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<T::Output, StoreError> {
        let outcome = self.body.run(tx).await;
        self.written.cancel();
        self.go.cancelled().await;
        outcome
    }
}
