//! A session is forgotten or pruned as others speak to it: they are told that there will be no answer, and nothing is
//! left with a session that nobody finds any more.

use roundtable::control::retention::{Old, Prune};
use roundtable::engine::{CommitCalls, Erase};
use roundtable::store::turns::Turn;
use roundtable_contract::Edge as _;
use serde_json::json;

use super::steps::{self, Forget, accept, call, family, finish, message, next, queued, resume, says, ties};
use super::world::World;
use crate::support::databases::Database;

/// What would keep anybody busy for ever: items that wake a session which is out of use, and exchanges with one.
const LEFT: &str = "SELECT (SELECT COUNT(*) FROM inbox i JOIN sessions s ON s.id = i.session_id
        WHERE i.turn_id IS NULL AND i.wake = 1 AND s.erase_at IS NOT NULL) || ' items, '
    || (SELECT COUNT(*) FROM exchanges e JOIN sessions s ON s.id IN (e.sender_id, e.target_id)
        WHERE e.ended_at IS NULL AND s.erase_at IS NOT NULL) || ' exchanges, '
    || (SELECT COUNT(*) FROM waits WHERE resolved_at IS NULL) || ' waits open'";

const NOTHING: &str = "0 items, 0 exchanges, 0 waits open";

const SESSIONS: &str = "SELECT CAST(COUNT(*) AS TEXT) FROM sessions";

/// The last result of a call.
const RESULT: &str =
    "SELECT body FROM entries WHERE role = 'tool' ORDER BY created_at DESC, turn_id DESC, seq DESC LIMIT 1";

async fn end(world: &World, turn: &Turn) {
    let end = finish(turn, ties(world, turn).await);
    assert!(world.node(0).commit(end).await.is_ok(), "the turn ends");
}

/// A manager at work in session 1, and session 2 of another conversation at rest.
async fn two_trees(database: Database) -> (World, Turn) {
    let (world, here) = steps::at_work(database).await;
    world.front(0).accept(message("d", 2)).await.expect("it is stored");
    end(&world, &next(&world, 2).await).await;
    (world, here)
}

/// Session 1 asks session 2 and waits.
async fn asks(world: &World, turn: &Turn) -> CommitCalls {
    let key = world.ask("SELECT key FROM sessions WHERE id = 2").await;
    let question = json!({"sessionKey": key, "message": "and you?", "timeoutSeconds": 10});
    call(world, turn, 1, "sessions_send", question).await
}

#[tokio::test]
async fn who_waits_for_a_session_that_was_erased_is_told() {
    for database in Database::all() {
        let (world, parent, [s, t]) = family(database, ["s", "t"]).await;
        end(&world, &parent).await;
        end(&world, &t).await;
        // Its outcome is read at the end of the batch.
        world.clock.advance(61_000);
        end(&world, &next(&world, 1).await).await;
        let question = json!({"label": "t", "message": "and you?", "timeoutSeconds": 10});
        let asks = call(&world, &s, 1, "sessions_send", question).await;
        assert!(world.node(0).commit(asks).await.expect("no failure").suspended);
        world.node(0).commit(Forget(t.session_id)).await.expect("it is forgotten");
        while world.node(0).commit(Erase).await.expect("no failure").is_some() {}
        assert_eq!(world.ask(SESSIONS).await, "2", "{database:?}: it is not erased");
        let resumed = world.node(1).commit(resume(&s, None)).await;
        assert!(matches!(resumed, Ok(Some(_))), "{database:?}: {resumed:?}");
        let result = world.ask(RESULT).await;
        assert!(result.contains("was stopped and will not answer"), "{result}");
    }
}

#[tokio::test]
async fn a_question_to_a_session_that_is_forgotten_at_that_moment() {
    for database in Database::all() {
        let (world, here) = two_trees(database).await;
        let (forgotten, asked) = world.meet(Forget(2), asks(&world, &here).await).await;
        assert!(forgotten.is_ok(), "{database:?}: {forgotten:?}");
        assert!(!asked.expect("no failure").suspended, "{database:?}");
        assert_eq!(world.ask(LEFT).await, NOTHING, "{database:?}");

        let (world, here) = two_trees(database).await;
        let (asked, forgotten) = world.meet(asks(&world, &here).await, Forget(2)).await;
        assert!(forgotten.is_ok(), "{database:?}: {forgotten:?}");
        assert!(asked.expect("no failure").suspended, "{database:?}");
        assert_eq!(world.ask(LEFT).await, NOTHING, "{database:?}");
    }
}

#[tokio::test]
async fn a_question_to_a_session_that_is_pruned_at_that_moment() {
    for database in Database::all() {
        for pruned_first in [false, true] {
            let (world, here) = two_trees(database).await;
            let asks = asks(&world, &here).await;
            world.clock.advance(60_000);
            let before = world.node(0).now() - 1_000;
            let mut old =
                world.node(0).read(Old { before, after: None, limit: 10 }).await.expect("it can be read");
            old.retain(|going| going.id == 2);
            assert_eq!(old.len(), 1, "{database:?}");
            let prune = Prune { old, before };
            let (pruned, asked) = if pruned_first {
                world.meet(prune, asks).await
            } else {
                let (asked, pruned) = world.meet(asks, prune).await;
                (pruned, asked)
            };
            assert_eq!(pruned.expect("no failure").len(), usize::from(pruned_first), "{database:?}");
            assert_eq!(asked.expect("no failure").suspended, !pruned_first, "{database:?}");
            let left = format!("0 items, 0 exchanges, {} waits open", u8::from(!pruned_first));
            assert_eq!(world.ask(LEFT).await, left, "{database:?}");
        }
    }
}

/// Focuses, and how many of them are on a session in use.
const FOCUSES: &str = "SELECT COUNT(*) || ' focuses, in use ' || COUNT(s.id) FROM focuses f
    LEFT JOIN sessions s ON s.id = f.session_id AND s.erase_at IS NULL";

#[tokio::test]
async fn a_focus_on_a_session_that_is_forgotten_at_that_moment() {
    for database in Database::all() {
        let world = queued(database).await;
        let (forgotten, chosen) = world.meet(Forget(1), says(&world, "c", 2, "/focus manager")).await;
        assert!(forgotten.is_ok() && chosen.is_ok(), "{database:?}: {forgotten:?}");
        assert_eq!(world.ask(FOCUSES).await, "1 focuses, in use 1", "{database:?}");

        let world = queued(database).await;
        let (chosen, forgotten) = world.meet(says(&world, "c", 2, "/focus manager"), Forget(1)).await;
        assert!(forgotten.is_ok() && chosen.is_ok(), "{database:?}: {forgotten:?}");
        assert_eq!(world.ask(FOCUSES).await, "0 focuses, in use 0", "{database:?}");
    }
}

#[tokio::test]
async fn a_focus_on_a_session_that_is_gone_is_none() {
    const STALE: &str = "INSERT INTO focuses (conversation_id, user_id, session_id, created_at)
        VALUES (1, 'c', 99, 0) RETURNING user_id";
    for database in Database::all() {
        let world = queued(database).await;
        world.ask(STALE).await;
        let accepted = world.node(1).commit(accept(&world, "c", 2)).await;
        assert!(accepted.is_ok(), "{database:?}");
        assert_eq!(world.ask(SESSIONS).await, "1", "{database:?}");
    }
}

#[tokio::test]
async fn a_late_answer_to_a_session_that_is_forgotten_at_that_moment() {
    for database in Database::all() {
        for forgotten_first in [false, true] {
            let (world, here) = two_trees(database).await;
            let asks = asks(&world, &here).await;
            assert!(world.node(0).commit(asks).await.expect("no failure").suspended);
            let there = next(&world, 2).await;
            world.clock.advance(11_000);
            let resumed = world.node(1).commit(resume(&here, Some(1))).await.expect("no failure");
            end(&world, &resumed.expect("its time is over")).await;
            let answers = finish(&there, ties(&world, &there).await);
            let (forgotten, answered) = if forgotten_first {
                world.meet(Forget(1), answers).await
            } else {
                let (answered, forgotten) = world.meet(answers, Forget(1)).await;
                (forgotten, answered)
            };
            assert!(forgotten.is_ok() && answered.is_ok(), "{database:?}: {forgotten:?}");
            assert_eq!(world.ask(LEFT).await, NOTHING, "{database:?}, {forgotten_first}");
        }
    }
}
