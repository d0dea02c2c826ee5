//! A child ends or asks as its requester begins to wait, as a person ends that wait, or as all is stopped: the outcome
//! is in one place.

use async_trait::async_trait;
use roundtable::engine::Finish;
use roundtable::store::turns::Turn;
use roundtable::store::{StoreError, Transaction, Tx, sessions};
use serde_json::json;

use super::steps::{self, Stop, accept, call, resume, says, ties};
use super::world::World;
use crate::support::databases::Database;

/// Where the only outcome is, and whether anybody waits.
const STATE: &str = "SELECT (SELECT COUNT(*) FROM runs WHERE wait_id IS NOT NULL) || ' in a wait, '
    || (SELECT COUNT(*) FROM inbox WHERE kind = 'announce') || ' in the inbox, '
    || (SELECT COUNT(*) FROM waits WHERE resolved_at IS NULL) || ' waits open'";

const RUN: &str = "SELECT status FROM runs";

const RUN_OF_A: &str = "SELECT status FROM runs WHERE session_id = 2";

/// What the manager's last call gave.
const RESULT: &str =
    "SELECT body FROM entries WHERE session_id = 1 AND role = 'tool' ORDER BY seq DESC LIMIT 1";

/// A manager at work, and the end of its only child's only turn.
async fn family(database: Database) -> (World, Turn, Finish) {
    let (world, parent, [child]) = steps::family(database, ["a"]).await;
    let finish = steps::finish(&child, ties(&world, &child).await);
    (world, parent, finish)
}

/// The same, and the manager waits for the child.
async fn waiting(database: Database) -> (World, Turn, Finish) {
    let (world, parent, finish) = family(database).await;
    let waits = call(&world, &parent, 2, "sessions_yield", json!({})).await;
    assert!(world.node(0).commit(waits).await.expect("no failure").suspended);
    (world, parent, finish)
}

#[tokio::test]
async fn a_child_that_ends_as_its_requester_begins_to_wait() {
    for database in Database::all() {
        let (world, parent, finish) = family(database).await;
        let waits = call(&world, &parent, 2, "sessions_yield", json!({})).await;
        let (finished, waited) = world.meet(finish, waits).await;
        assert!(finished.is_ok(), "{database:?}");
        assert!(!waited.expect("no failure").suspended, "{database:?}: there is nothing to wait for");
        assert_eq!(world.ask(STATE).await, "0 in a wait, 1 in the inbox, 0 waits open", "{database:?}");

        let (world, parent, finish) = family(database).await;
        let waits = call(&world, &parent, 2, "sessions_yield", json!({})).await;
        let (waited, finished) = world.meet(waits, finish).await;
        assert!(waited.expect("no failure").suspended && finished.is_ok(), "{database:?}");
        assert_eq!(world.ask(STATE).await, "1 in a wait, 0 in the inbox, 0 waits open", "{database:?}");
    }
}

#[tokio::test]
async fn a_child_that_ends_as_a_person_ends_the_wait_for_it() {
    for database in Database::all() {
        let (world, _, finish) = waiting(database).await;
        let (interrupted, finished) = world.meet(accept(&world, "c", 2), finish).await;
        assert!(interrupted.is_ok() && finished.is_ok(), "{database:?}");
        assert_eq!(world.ask(STATE).await, "0 in a wait, 1 in the inbox, 0 waits open", "{database:?}");

        let (world, _, finish) = waiting(database).await;
        let (finished, interrupted) = world.meet(finish, accept(&world, "c", 2)).await;
        assert!(interrupted.is_ok() && finished.is_ok(), "{database:?}");
        assert_eq!(world.ask(STATE).await, "1 in a wait, 0 in the inbox, 0 waits open", "{database:?}");
    }
}

#[tokio::test]
async fn a_child_that_ends_as_all_is_stopped() {
    for database in Database::all() {
        let (world, parent, finish) = waiting(database).await;
        let (stopped, finished) = world.meet(Stop(1), finish).await;
        assert!(stopped.is_ok(), "{database:?}: {stopped:?}");
        assert!(matches!(finished, Err(StoreError::Stale)), "{database:?}");
        assert_eq!(world.ask(RUN).await, "cancelled", "{database:?}");
        assert_eq!(world.ask(STATE).await, "0 in a wait, 0 in the inbox, 0 waits open", "{database:?}");
        let resumed = world.node(0).commit(resume(&parent, None)).await;
        assert!(matches!(resumed, Ok(None)), "{database:?}: {resumed:?}");

        let (world, parent, finish) = waiting(database).await;
        let (finished, stopped) = world.meet(finish, Stop(1)).await;
        assert!(finished.is_ok() && stopped.is_ok(), "{database:?}: {stopped:?}");
        assert_eq!(world.ask(RUN).await, "done", "{database:?}");
        let resumed = world.node(0).commit(resume(&parent, None)).await;
        assert!(matches!(resumed, Ok(None)), "{database:?}: {resumed:?}");
    }
}

#[tokio::test]
async fn a_childs_question_as_its_parent_begins_to_wait() {
    for database in Database::all() {
        for asks_first in [false, true] {
            let (world, parent, [child]) = steps::family(database, ["a"]).await;
            let waits = call(&world, &parent, 2, "sessions_yield", json!({})).await;
            let question = json!({"label": "manager", "message": "which number?"});
            let asks = call(&world, &child, 1, "sessions_send", question).await;
            let (asked, waited) = if asks_first {
                world.meet(asks, waits).await
            } else {
                let (waited, asked) = world.meet(waits, asks).await;
                (asked, waited)
            };
            assert!(asked.expect("no failure").suspended, "{database:?}");
            assert_eq!(waited.expect("no failure").suspended, !asks_first, "{database:?}");
            if !asks_first {
                let resumed = world.node(0).commit(resume(&parent, None)).await;
                assert!(matches!(resumed, Ok(Some(_))), "{database:?}: {resumed:?}");
            }
            let result = world.ask(RESULT).await;
            assert!(result.contains("which number?"), "{database:?}: {result}");
        }
    }
}

/// Begins a session anew and leaves what it has started, as `/new keep` in its thread does.
struct BeginAnew(i64);

#[async_trait]
impl Transaction for BeginAnew {
    type Output = ();
    const NAME: &'static str = "begin_anew";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        sessions::renew(tx, self.0).await
    }
}

#[tokio::test]
async fn the_last_child_of_a_conversation_before_ends_as_a_person_writes_to_its_requester() {
    for database in Database::all() {
        let (world, _, [middle]) = steps::family(database, ["a"]).await;
        let spawn = call(&world, &middle, 1, "sessions_spawn", json!({"task": "work", "label": "b"})).await;
        world.node(0).commit(spawn).await.expect("it is spawned");
        let last = steps::next(&world, 3).await;
        world.node(0).commit(steps::finish(&middle, ties(&world, &middle).await)).await.expect("it ends");
        world.node(0).commit(BeginAnew(2)).await.expect("no failure");
        let finish = steps::finish(&last, ties(&world, &last).await);
        let (written, finished) = world.meet(says(&world, "c", 2, "@a and now?"), finish).await;
        assert!(written.is_ok() && finished.is_ok(), "{database:?}");
        assert_eq!(world.ask(RUN_OF_A).await, "running", "{database:?}: it has something to read");
    }
}
