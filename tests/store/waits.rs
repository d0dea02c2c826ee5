//! Two that would wait for each other, and what may end one wait at the same moment.

use roundtable::engine::{CommitCalls, FindWork};
use roundtable::store::turns::Turn;
use roundtable_contract::Edge as _;
use serde_json::json;

use super::steps::{self, Stop, accept, call, family, finish, message, resume, says, ties};
use super::world::{World, claimant, team};
use crate::support::databases::Database;

/// What the last call of anybody gave.
const RESULT: &str =
    "SELECT body FROM entries WHERE role = 'tool' ORDER BY created_at DESC, turn_id DESC, seq DESC LIMIT 1";

/// What the refused call gave.
const REFUSED: &str =
    "SELECT COALESCE(MAX(body), 'nothing was refused') FROM entries WHERE body LIKE '%would_deadlock%'";

/// Messages of agents that the manager has got, read or not, and open waits.
const STATE: &str = "SELECT (SELECT COUNT(*) FROM inbox WHERE session_id = 1 AND kind = 'agent')
    || ' messages, ' || (SELECT COUNT(*) FROM waits WHERE resolved_at IS NULL) || ' waits open'";

/// A message to another of the tree, whose answer is waited for.
async fn asks(world: &World, turn: &Turn, step: i64, label: &str) -> CommitCalls {
    let message = json!({"label": label, "message": "and you?", "timeoutSeconds": 10});
    call(world, turn, step, "sessions_send", message).await
}

/// The first waits, and the second is told of the circle.
async fn one_is_refused(world: &World, first: CommitCalls, second: CommitCalls, circle: &str) {
    let (first, second) = world.meet(first, second).await;
    assert!(first.expect("no failure").suspended);
    assert!(!second.expect("no failure").suspended, "both wait");
    let refused = world.ask(REFUSED).await;
    assert!(refused.contains(circle), "{refused}");
}

#[tokio::test]
async fn of_two_that_would_wait_for_each_other_one_is_refused() {
    for database in Database::all() {
        let (world, _, [a, b]) = family(database, ["a", "b"]).await;
        let (to_b, to_a) = (asks(&world, &a, 1, "b").await, asks(&world, &b, 1, "a").await);
        one_is_refused(&world, to_b, to_a, "b waits for a waits for b.").await;

        let (world, _, [a, b]) = family(database, ["a", "b"]).await;
        let (to_b, to_a) = (asks(&world, &a, 1, "b").await, asks(&world, &b, 1, "a").await);
        one_is_refused(&world, to_a, to_b, "a waits for b waits for a.").await;
    }
}

#[tokio::test]
async fn a_circle_through_a_third_is_refused() {
    for database in Database::all() {
        for turned in [false, true] {
            let (world, _, [a, b, c]) = family(database, ["a", "b", "c"]).await;
            let first = asks(&world, &a, 1, "b").await;
            assert!(world.node(0).commit(first).await.expect("no failure").suspended);
            let (to_c, to_a) = (asks(&world, &b, 1, "c").await, asks(&world, &c, 1, "a").await);
            if turned {
                one_is_refused(&world, to_a, to_c, "b waits for c waits for a waits for b.").await;
            } else {
                one_is_refused(&world, to_c, to_a, "c waits for a waits for b waits for c.").await;
            }
        }
    }
}

#[tokio::test]
async fn a_circle_across_two_trees_is_refused() {
    for database in Database::all() {
        for turned in [false, true] {
            let (world, here) = steps::at_work(database).await;
            world.front(0).accept(message("d", 2)).await.expect("it is stored");
            let there = steps::next(&world, 2).await;
            let key = |sql| world.ask(sql);
            let ask = |key: String| json!({"sessionKey": key, "message": "and you?", "timeoutSeconds": 10});
            let to_there = ask(key("SELECT key FROM sessions WHERE id = 2").await);
            let to_here = ask(key("SELECT key FROM sessions WHERE id = 1").await);
            let one = call(&world, &here, 1, "sessions_send", to_there).await;
            let other = call(&world, &there, 1, "sessions_send", to_here).await;
            let (first, second) = if turned { (other, one) } else { (one, other) };
            one_is_refused(&world, first, second, "manager waits for manager waits for manager.").await;
        }
    }
}

#[tokio::test]
async fn a_child_that_asks_as_its_parent_asks_it() {
    for database in Database::all() {
        let (world, parent, [a]) = family(database, ["a"]).await;
        let (down, up) = (asks(&world, &parent, 2, "a").await, asks(&world, &a, 1, "manager").await);
        one_is_refused(&world, down, up, "a waits for manager waits for a.").await;

        // What a parent says to a child that waits for it is what the child waits for.
        let (world, parent, [a]) = family(database, ["a"]).await;
        let (down, up) = (asks(&world, &parent, 2, "a").await, asks(&world, &a, 1, "manager").await);
        let (asked, said) = world.meet(up, down).await;
        assert!(asked.expect("no failure").suspended && !said.expect("no failure").suspended);
        assert_eq!(world.ask(STATE).await, "1 messages, 0 waits open", "{database:?}");
    }
}

/// A manager that waits for the answer of its child, and the child's turn that will give it.
async fn asked(database: Database) -> (World, Turn, Turn) {
    let (world, parent, [a]) = family(database, ["a"]).await;
    let ask = asks(&world, &parent, 2, "a").await;
    assert!(world.node(0).commit(ask).await.expect("no failure").suspended);
    let mut task = finish(&a, ties(&world, &a).await);
    task.by = Some(claimant(0));
    let finished = world.node(0).commit(task).await;
    let Ok(finished) = finished else { panic!("the task ends") };
    let answers = finished.next.expect("it has a message to read");
    (world, parent, answers)
}

/// The manager's only wait.
const WAIT: &str = "SELECT CAST(MAX(id) AS TEXT) FROM waits";

#[tokio::test]
async fn a_reply_and_the_end_of_its_time() {
    for database in Database::all() {
        for replies_first in [false, true] {
            let (world, parent, answers) = asked(database).await;
            let wait = world.ask(WAIT).await.parse().expect("a number");
            let reply = finish(&answers, ties(&world, &answers).await);
            world.clock.advance(11_000);
            if replies_first {
                let (replied, late) = world.meet(reply, resume(&parent, Some(wait))).await;
                assert!(replied.is_ok() && matches!(late, Ok(None)), "{database:?}: {late:?}");
                let resumed = world.node(0).commit(resume(&parent, None)).await;
                assert!(matches!(resumed, Ok(Some(_))), "{database:?}: {resumed:?}");
            } else {
                let (late, replied) = world.meet(resume(&parent, Some(wait)), reply).await;
                assert!(replied.is_ok() && matches!(late, Ok(Some(_))), "{database:?}: {late:?}");
            }
            let (status, state) = if replies_first {
                ("\"ok\"", "0 messages, 0 waits open")
            } else {
                ("\"timeout\"", "1 messages, 0 waits open")
            };
            one_result(&world, status, state).await;
        }
    }
}

#[tokio::test]
async fn a_reply_and_a_persons_message() {
    for database in Database::all() {
        for replies_first in [false, true] {
            let (world, parent, answers) = asked(database).await;
            let reply = finish(&answers, ties(&world, &answers).await);
            let writes = accept(&world, "c", 2);
            let (replied, written) = if replies_first {
                world.meet(reply, writes).await
            } else {
                let (written, replied) = world.meet(writes, reply).await;
                (replied, written)
            };
            assert!(replied.is_ok() && written.is_ok(), "{database:?}");
            let resumed = world.node(0).commit(resume(&parent, None)).await;
            assert!(matches!(resumed, Ok(Some(_))), "{database:?}: {resumed:?}");
            let (status, state) = if replies_first {
                ("\"ok\"", "0 messages, 0 waits open")
            } else {
                ("\"interrupted\"", "1 messages, 0 waits open")
            };
            one_result(&world, status, state).await;
        }
    }
}

/// Messages that nobody has read, of exchanges that are open and of those that have ended.
const UNREAD: &str = "SELECT COALESCE(SUM(CASE WHEN e.ended_at IS NULL THEN 1 ELSE 0 END), 0) || ' open, '
    || COALESCE(SUM(CASE WHEN e.ended_at IS NULL THEN 0 ELSE 1 END), 0) || ' ended'
    FROM inbox i JOIN exchanges e ON e.id = i.exchange_id WHERE i.turn_id IS NULL";

#[tokio::test]
async fn an_answer_by_a_message_and_a_stop_of_who_waits_for_it_in_another_tree() {
    for database in Database::all() {
        for stopped_first in [false, true] {
            let (world, here) = steps::at_work(database).await;
            world.front(0).accept(message("d", 2)).await.expect("it is stored");
            let there = steps::next(&world, 2).await;
            assert!(world.node(0).commit(finish(&there, ties(&world, &there).await)).await.is_ok());
            let says = async |turn: &Turn, to: &'static str| {
                let message =
                    json!({"sessionKey": world.ask(to).await, "message": "well", "timeoutSeconds": 10});
                call(&world, turn, 1, "sessions_send", message).await
            };
            let asks = says(&here, "SELECT key FROM sessions WHERE id = 2").await;
            assert!(world.node(0).commit(asks).await.expect("no failure").suspended);
            let answers = says(&steps::next(&world, 2).await, "SELECT key FROM sessions WHERE id = 1").await;
            let (stopped, answered) = if stopped_first {
                world.meet(Stop(1), answers).await
            } else {
                let (answered, stopped) = world.meet(answers, Stop(1)).await;
                (stopped, answered)
            };
            assert!(stopped.is_ok() && answered.is_ok(), "{database:?}: {stopped:?}");
            // What comes after the stop wakes it again.
            let unread = if stopped_first { "1 open, 0 ended" } else { "0 open, 0 ended" };
            assert_eq!(world.ask(UNREAD).await, unread, "{database:?}");
        }
    }
}

/// What the manager got from its message, and what is left.
async fn one_result(world: &World, status: &str, state: &str) {
    let result = world.ask(RESULT).await.replace('\\', "");
    assert!(result.contains(&format!("\"status\":{status}")), "{result}");
    assert_eq!(world.ask(STATE).await, state);
}

#[tokio::test]
async fn a_message_of_which_pieces_are_still_to_come_ends_a_wait_that_begins() {
    for database in Database::all() {
        let (world, parent, _) = family(database, ["a"]).await;
        let long = says(&world, "c", 2, &"wait and ".repeat(400));
        world.node(0).commit(long).await.expect("it is stored");
        let waits = call(&world, &parent, 2, "sessions_yield", json!({})).await;
        assert!(world.node(0).commit(waits).await.expect("no failure").suspended);
        assert_eq!(world.ask(STATE).await, "0 messages, 0 waits open", "{database:?}");
        let over = async || {
            let found = FindWork { limit: 10, agents: team().agents };
            world.node(0).read(found).await.expect("it can be read").over
        };
        assert!(over().await.is_empty(), "{database:?}: it goes on when all is there");
        world.clock.advance(500);
        assert_eq!(over().await, [(parent.id, parent.session_id)], "{database:?}");
    }
}

#[tokio::test]
async fn a_look_ends_as_another_begins_to_wait_for_its_children() {
    for database in Database::all() {
        let (world, parent, [child]) = family(database, ["a"]).await;
        let spawn = call(&world, &child, 1, "sessions_spawn", json!({"task": "work", "label": "b"})).await;
        assert!(world.node(0).commit(spawn).await.is_ok(), "{database:?}");
        for (turn, tool, arguments) in
            [(&parent, "sessions_list", json!({"waitSeconds": 30})), (&child, "sessions_yield", json!({}))]
        {
            let waits = call(&world, turn, 2, tool, arguments).await;
            assert!(world.node(0).commit(waits).await.expect("no failure").suspended, "{database:?}");
        }
        let open = world.ask("SELECT MAX(kind) || ' ' || COUNT(*) FROM waits WHERE resolved_at IS NULL");
        assert_eq!(open.await, "runs 1", "{database:?}");
    }
}
