//! The cap of an agent's turns at work, over all nodes.

use roundtable::engine::{ClaimQueued, FindWork, Finish, Resume};
use roundtable_contract::Edge as _;
use serde_json::json;

use super::steps::{self, accept, call, family, finish, message, next, resume, ties};
use super::world::{World, capped, claimant, renamed, team_of};
use crate::support::databases::Database;

const AT_WORK: &str = "SELECT CAST(COUNT(*) AS TEXT) FROM turns WHERE status = 'running'";

const RESULTS: &str = "SELECT CAST(COUNT(*) AS TEXT) FROM entries WHERE role = 'tool' AND turn_id = 1";

/// A claim of an agent that may have one turn at work.
fn claim(session_id: i64, node: usize) -> ClaimQueued {
    ClaimQueued { agents: capped(1), ..steps::claim(session_id, node) }
}

#[tokio::test]
async fn of_two_sessions_claimed_at_once_one_finds_no_room() {
    for database in Database::all() {
        let world = steps::queued(database).await;
        world.front(0).accept(message("d", 2)).await.expect("it is stored");
        let (first, second) = world.meet(claim(1, 0), claim(2, 1)).await;
        assert!(matches!(first, Ok(Some(_))), "{database:?}: {first:?}");
        assert!(matches!(second, Ok(None)), "{database:?}: {second:?}");
        assert_eq!(world.ask(AT_WORK).await, "1", "{database:?}");
    }
}

#[tokio::test]
async fn a_turn_whose_wait_is_over_goes_on_when_there_is_room() {
    for database in Database::all() {
        let (world, parent, [child]) = family(database, ["a"]).await;
        let waits = call(&world, &parent, 2, "sessions_yield", json!({})).await;
        assert!(world.node(0).commit(waits).await.expect("no failure").suspended);
        let end = finish(&child, ties(&world, &child).await);
        assert!(world.node(0).commit(end).await.is_ok(), "{database:?}");
        let other = world.node(1).commit(accept(&world, "d", 2)).await.expect("no failure");
        let other = other.turn.expect("there is room");
        let goes_on = || Resume { team: team_of(capped(1)), ..resume(&parent, None) };
        let resumed = world.node(0).commit(goes_on()).await;
        assert!(matches!(resumed, Ok(None)), "{database:?}: {resumed:?}");
        assert_eq!(world.ask(AT_WORK).await, "1", "{database:?}");
        let (ended, resumed) = world.meet(finish(&other, None), goes_on()).await;
        assert!(ended.is_ok(), "{database:?}");
        // Whoever counts as the other ends may find no room yet; it is woken by that end.
        if matches!(resumed, Ok(None)) {
            let resumed = world.node(0).commit(goes_on()).await;
            assert!(matches!(resumed, Ok(Some(_))), "{database:?}: {resumed:?}");
        }
        assert_eq!(world.ask(RESULTS).await, "2", "{database:?}");
    }
}

#[tokio::test]
async fn a_wait_whose_time_comes_without_room_is_over_and_its_turn_goes_on_later() {
    for database in Database::all() {
        let (world, parent, [child]) = family(database, ["a"]).await;
        let question = json!({"label": "a", "message": "and you?", "timeoutSeconds": 10});
        let asks = call(&world, &parent, 2, "sessions_send", question).await;
        assert!(world.node(0).commit(asks).await.expect("no failure").suspended);
        world.clock.advance(11_000);
        let goes_on = |due| Resume { team: team_of(capped(1)), ..resume(&parent, due) };
        let resumed = world.node(0).commit(goes_on(Some(1))).await;
        assert!(matches!(resumed, Ok(None)), "{database:?}: {resumed:?}");
        let found = |world: &World, max_turns| {
            let (store, agents) = (world.node(0).clone(), capped(max_turns));
            async move { store.read(FindWork { limit: 10, agents }).await.expect("it can be read") }
        };
        let full = found(&world, 1).await;
        assert!(full.due.is_empty() && full.over.is_empty(), "{database:?}: it is looked at in vain");
        assert_eq!(found(&world, 2).await.over, [(parent.id, parent.session_id)], "{database:?}");
        let end = finish(&child, ties(&world, &child).await);
        assert!(world.node(0).commit(end).await.is_ok(), "{database:?}");
        assert_eq!(found(&world, 1).await.over, [(parent.id, parent.session_id)], "{database:?}");
        let resumed = world.node(0).commit(goes_on(None)).await;
        assert!(matches!(resumed, Ok(Some(_))), "{database:?}: {resumed:?}");
    }
}

#[tokio::test]
async fn what_waits_for_room_comes_before_the_next_turn_of_the_session_that_made_it() {
    for database in Database::all() {
        let world = steps::queued(database).await;
        let turn = next(&world, 1).await;
        for (number, chat) in [(2, "d"), (3, "c")] {
            world.front(0).accept(message(chat, number)).await.expect("it is stored");
        }
        let end = Finish { team: team_of(capped(1)), by: Some(claimant(0)), ..finish(&turn, None) };
        let Ok(finished) = world.node(0).commit(end).await else { panic!("the turn ends") };
        assert!(finished.next.is_none(), "{database:?}: the other waits on");
        let claimed = world.node(1).commit(claim(2, 1)).await;
        assert!(matches!(claimed, Ok(Some(_))), "{database:?}: {claimed:?}");
    }
}

#[tokio::test]
async fn sessions_of_a_full_agent_are_not_looked_at() {
    for database in Database::all() {
        let world = steps::queued(database).await;
        let at_work = next(&world, 1).await;
        for (number, chat) in (2..).zip(["d", "e", "f"]) {
            world.front(0).accept(message(chat, number)).await.expect("it is stored");
        }
        let found = |max_turns| FindWork { limit: 2, agents: capped(max_turns) };
        let queued = async |found: FindWork| world.node(0).read(found).await.expect("it can be read").queued;
        assert_eq!(queued(found(0)).await, [2, 3], "{database:?}");
        assert_eq!(queued(found(2)).await, [2, 3], "{database:?}");
        assert!(queued(found(1)).await.is_empty(), "{database:?}");
        let end = finish(&at_work, ties(&world, &at_work).await);
        assert!(world.node(0).commit(end).await.is_ok(), "{database:?}");
        assert_eq!(queued(found(1)).await, [2, 3], "{database:?}");
        let claimed = world.node(1).commit(ClaimQueued { by: claimant(1), ..claim(2, 1) }).await;
        assert!(matches!(claimed, Ok(Some(_))), "{database:?}: {claimed:?}");
    }
}

#[tokio::test]
async fn an_agent_that_is_full_is_passed_over_under_its_former_id_too() {
    for database in Database::all() {
        let world = steps::queued(database).await;
        let at_work = next(&world, 1).await;
        world.front(0).accept(message("d", 2)).await.expect("it is stored");
        let store = world.node(0).clone().with_former_ids([("manager".into(), "chief".into())].into());
        let queued = async || {
            let found = FindWork { limit: 2, agents: renamed("chief", 1) };
            store.read(found).await.expect("it can be read").queued
        };
        assert!(queued().await.is_empty(), "{database:?}");
        assert!(world.node(0).commit(finish(&at_work, None)).await.is_ok(), "{database:?}");
        assert_eq!(queued().await, [2], "{database:?}");
    }
}
