//! A node's clock that stands still, because its machine is suspended (PostgreSQL only: SQLite has one node).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use roundtable::engine::Renew;
use roundtable::store::Store;
use roundtable::time::{Clock, SystemClock};
use sqlx::{Connection, PgConnection};

use super::world::claimant;
use crate::support::databases::{Database, Fresh, open};

/// A suspension, in milliseconds: longer than a lease.
const ASLEEP: i64 = 40_000;

/// What two nodes that agree may differ by, on a machine with much to do.
const NEAR: i64 = 900;

/// A clock that misses the time during which its machine sleeps.
struct Sleepy {
    clock: SystemClock,
    missed: AtomicI64,
}

impl Sleepy {
    fn sleeps(&self, millis: i64) {
        self.missed.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for Sleepy {
    fn now(&self) -> i64 {
        self.clock.now() - self.missed.load(Ordering::SeqCst)
    }

    fn anchor(&self, now: i64) {
        self.clock.anchor(now + self.missed.load(Ordering::SeqCst));
    }

    fn set(&self, now: i64) {
        self.clock.set(now + self.missed.load(Ordering::SeqCst));
    }
}

/// A node as far as its clock goes.
struct Node {
    store: Store,
    clock: Arc<Sleepy>,
    number: usize,
}

impl Node {
    async fn start(fresh: &Fresh, number: usize) -> Self {
        Self::start_ahead(fresh, number, 0).await
    }

    /// One whose machine's clock is ahead by so many milliseconds.
    async fn start_ahead(fresh: &Fresh, number: usize, ahead: i64) -> Self {
        let clock = Arc::new(Sleepy { clock: SystemClock::new(), missed: AtomicI64::new(-ahead) });
        Self { store: open(&fresh.url, clock.clone()).await, clock, number }
    }

    /// What a node does with every renewal of its leases; its time then.
    async fn renews(&self) -> i64 {
        self.store.anchor_clock().await.unwrap();
        let ahead = self.store.ahead();
        self.store
            .commit(Renew { by: claimant(self.number), driven: Vec::new(), draining: false, ahead })
            .await
            .unwrap();
        self.clock.now()
    }
}

/// When nodes were last at work, on their clock.
async fn seen_at(fresh: &Fresh) -> i64 {
    let mut conn = PgConnection::connect(&fresh.url).await.unwrap();
    sqlx::query_scalar("SELECT seen_at FROM attendance WHERE id = 1").fetch_one(&mut conn).await.unwrap()
}

/// How far apart the two times are at which they were: on their clock and on the database's.
async fn ahead(fresh: &Fresh) -> i64 {
    let mut conn = PgConnection::connect(&fresh.url).await.unwrap();
    let both = "SELECT (SELECT seen_at FROM attendance WHERE id = 1) - (SELECT seen_at FROM attendance WHERE id = 2)";
    sqlx::query_scalar(both).fetch_one(&mut conn).await.unwrap()
}

/// Whoever comes next takes the difference for the truth, so it must not grow by what it takes to store the two.
#[tokio::test]
async fn the_two_times_at_which_nodes_were_at_work_are_of_one_moment() {
    if !Database::all().contains(&Database::Postgres) {
        return;
    }
    let fresh = Database::Postgres.fresh().await;
    let node = Node::start(&fresh, 0).await;
    for _ in 0..20 {
        node.renews().await;
        assert_eq!(ahead(&fresh).await, node.store.ahead());
    }
}

#[tokio::test]
async fn a_node_that_was_suspended_goes_by_the_others_time_and_moves_nothing_of_theirs() {
    if !Database::all().contains(&Database::Postgres) {
        return;
    }
    let fresh = Database::Postgres.fresh().await;
    let (first, second) = (Node::start(&fresh, 0).await, Node::start(&fresh, 1).await);
    second.clock.sleeps(ASLEEP);
    let theirs = first.renews().await;
    assert!(second.clock.now() < theirs - NEAR, "the second has missed nothing");
    let ours = second.renews().await;
    assert!((theirs..theirs + NEAR).contains(&ours), "{theirs} and {ours}");
    assert!(seen_at(&fresh).await >= theirs, "what is due was moved back");
    // It stays so.
    let theirs = first.renews().await;
    let ours = second.renews().await;
    assert!((theirs..theirs + NEAR).contains(&ours), "{theirs} and {ours}");
}

/// The attendance is as old as a renewal may be, so that it does not show at once who is behind.
/// The machine is suspended when the clocks have been compared, and before the renewal is stored.
#[tokio::test]
async fn a_node_that_is_suspended_amid_a_renewal_moves_nothing_of_the_others() {
    if !Database::all().contains(&Database::Postgres) {
        return;
    }
    let fresh = Database::Postgres.fresh().await;
    let (first, second) = (Node::start(&fresh, 0).await, Node::start(&fresh, 1).await);
    second.renews().await;
    let ahead = second.store.ahead();
    second.clock.sleeps(ASLEEP);
    let theirs = first.renews().await;
    let renew = Renew { by: claimant(1), driven: Vec::new(), draining: false, ahead };
    assert!(second.store.commit(renew).await.is_err());
    assert!(seen_at(&fresh).await >= theirs - NEAR, "what is due was moved back");
    let ours = second.renews().await;
    assert!((theirs..theirs + NEAR).contains(&ours), "{theirs} and {ours}");
}

#[tokio::test]
async fn a_node_that_was_suspended_for_a_moment_agrees_with_the_others_some_renewals_later() {
    if !Database::all().contains(&Database::Postgres) {
        return;
    }
    let fresh = Database::Postgres.fresh().await;
    let (first, second) = (Node::start(&fresh, 0).await, Node::start(&fresh, 1).await);
    first.renews().await;
    second.clock.sleeps(3_000);
    let mut conn = PgConnection::connect(&fresh.url).await.unwrap();
    sqlx::query("UPDATE attendance SET seen_at = seen_at - 2500").execute(&mut conn).await.unwrap();
    second.renews().await;
    let theirs = first.renews().await;
    let ours = second.renews().await;
    assert!((theirs..theirs + NEAR).contains(&ours), "{theirs} and {ours}");
    // It stays so.
    let ours = second.renews().await;
    let theirs = first.renews().await;
    assert!((ours..ours + NEAR).contains(&theirs), "{ours} and {theirs}");
}

#[tokio::test]
async fn the_clocks_of_the_machines_do_not_matter() {
    if !Database::all().contains(&Database::Postgres) {
        return;
    }
    let fresh = Database::Postgres.fresh().await;
    for (number, ahead) in [(0, 0), (1, 60_000), (2, -60_000)] {
        let node = Node::start_ahead(&fresh, number, ahead).await;
        let mut conn = PgConnection::connect(&fresh.url).await.unwrap();
        let now = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
        let before: i64 = sqlx::query_scalar(now).fetch_one(&mut conn).await.unwrap();
        let ours = node.renews().await;
        assert!((before - NEAR..before + NEAR).contains(&ours), "{ahead}: {before} and {ours}");
        assert!(seen_at(&fresh).await <= ours, "{ahead}: a time was stored that is not yet");
    }
}
