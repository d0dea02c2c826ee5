//! Pruning and a message that comes at the same moment: the session stays, or the message begins a new one.

use roundtable::control::retention::{Old, Prune};
use roundtable::store::turns::Turn;

use super::steps::{accept, at_work, finish, ties};
use super::world::World;
use crate::support::databases::Database;

const STATE: &str = "SELECT (SELECT COUNT(*) FROM sessions WHERE erase_at IS NULL) || ' in use, '
    || (SELECT COUNT(*) FROM sessions WHERE erase_at IS NOT NULL) || ' not, '
    || (SELECT COUNT(*) FROM turns t JOIN sessions s ON s.id = t.session_id
        WHERE t.status = 'running' AND s.erase_at IS NULL) || ' at work'";

/// A session at rest, and the transaction that takes it out of use.
async fn old(database: Database) -> (World, Prune) {
    let (world, turn): (World, Turn) = at_work(database).await;
    let end = finish(&turn, ties(&world, &turn).await);
    world.node(0).commit(end).await.expect("the turn ends");
    world.clock.advance(60_000);
    let before = world.node(0).now() - 1_000;
    let old = world.node(0).read(Old { before, after: None, limit: 10 }).await.expect("it can be read");
    assert_eq!(old.len(), 1, "{database:?}");
    (world, Prune { old, before })
}

#[tokio::test]
async fn a_message_that_comes_as_its_session_is_pruned_begins_a_new_one() {
    for database in Database::all() {
        let (world, prune) = old(database).await;
        let (pruned, accepted) = world.meet(prune, accept(&world, "c", 2)).await;
        assert_eq!(pruned.expect("no failure").len(), 1, "{database:?}");
        assert!(accepted.expect("no failure").turn.is_some(), "{database:?}");
        assert_eq!(world.ask(STATE).await, "1 in use, 1 not, 1 at work", "{database:?}");
    }
}

#[tokio::test]
async fn a_session_that_is_written_to_as_it_would_be_pruned_stays() {
    for database in Database::all() {
        let (world, prune) = old(database).await;
        let (accepted, pruned) = world.meet(accept(&world, "c", 2), prune).await;
        assert!(accepted.expect("no failure").turn.is_some(), "{database:?}");
        assert!(pruned.expect("no failure").is_empty(), "{database:?}");
        assert_eq!(world.ask(STATE).await, "1 in use, 0 not, 1 at work", "{database:?}");
    }
}
