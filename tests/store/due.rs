//! Something falls due while no node is at work: it gets that time, whoever comes first afterwards.

use roundtable::engine::{Expire, FindWork, Renew};
use roundtable::store::turns::Turn;
use serde_json::json;

use super::steps::{call, family, resume};
use super::world::{LEASE, World, claimant, team};
use crate::support::databases::Database;

const RUN: &str = "SELECT status FROM runs";

const WAITS: &str = "SELECT CAST(COUNT(*) AS TEXT) FROM waits WHERE resolved_at IS NULL";

/// What a node does first and again and again.
fn renew() -> Renew {
    Renew { by: claimant(0), driven: Vec::new(), draining: false, ahead: 0 }
}

/// A manager that waits for ten seconds for its child, which may take half an hour, and a node that was there then.
async fn waiting(database: Database) -> (World, Turn) {
    let (world, parent, _) = family(database, ["a"]).await;
    let question = json!({"label": "a", "message": "and you?", "timeoutSeconds": 10});
    let asks = call(&world, &parent, 2, "sessions_send", question).await;
    assert!(world.node(0).commit(asks).await.expect("no failure").suspended);
    world.node(0).commit(renew()).await.expect("it is noted");
    (world, parent)
}

#[tokio::test]
async fn a_wait_that_gets_more_time_as_it_would_be_over_goes_on() {
    for database in Database::all() {
        let (world, parent) = waiting(database).await;
        world.clock.advance(LEASE + 1);
        let (renewed, resumed) = world.meet(renew(), resume(&parent, Some(1))).await;
        assert!(renewed.is_ok() && matches!(resumed, Ok(None)), "{database:?}: {resumed:?}");
        assert_eq!(world.ask(WAITS).await, "1", "{database:?}");
        // With somebody there its time is over like any other.
        world.clock.advance(LEASE);
        let resumed = world.node(0).commit(resume(&parent, Some(1))).await;
        assert!(matches!(resumed, Ok(Some(_))), "{database:?}: {resumed:?}");
    }
}

#[tokio::test]
async fn a_run_that_gets_more_time_as_it_would_be_over_goes_on() {
    const HALF_AN_HOUR: i64 = 30 * 60 * 1000;
    for database in Database::all() {
        let (world, _) = waiting(database).await;
        world.clock.advance(HALF_AN_HOUR + 1);
        let found =
            world.node(0).read(FindWork { limit: 10, agents: team().agents }).await.expect("it can be read");
        let run = found.expired.into_iter().next().expect("its time is over");
        let expire = Expire { run, team: team() };
        let (renewed, expired) = world.meet(renew(), expire).await;
        assert!(renewed.is_ok() && expired.is_ok(), "{database:?}: {expired:?}");
        assert_eq!(world.ask(RUN).await, "running", "{database:?}");
    }
}
