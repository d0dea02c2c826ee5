//! Two at once: the meetings that the transactions of ARCHITECTURE.md are made for, each in both orders.

use std::sync::Arc;

use async_trait::async_trait;
use roundtable::engine::{self, Renew, TakeOver, TakenOver};
use roundtable::inbound::{Accept, Edges};
use roundtable::routing::{KnownAgent, Rules};
use roundtable::store::{StoreError, Transaction, Tx, local};
use roundtable_contract::Edge as _;

use super::steps::{Forget, Stop, accept, answer, at_work, claim, edit, finish, message, queued, says, ties};
use super::world::{LEASE, World, claimant, team};
use crate::support::databases::Database;

/// What a test wants to know about the one session it made.
const STATE: &str = "SELECT 'open turns ' || (SELECT COUNT(*) FROM turns WHERE status IN ('running', 'waiting'))
    || ', turns ' || (SELECT COUNT(*) FROM turns) || ', entries ' || (SELECT COUNT(*) FROM entries)
    || ', next ' || (SELECT MAX(next_seq) FROM sessions) || ', step ' || (SELECT COALESCE(MAX(step), 0) FROM turns)
    || ', waiting items ' || (SELECT COUNT(*) FROM inbox WHERE turn_id IS NULL)
    || ', to deliver ' || (SELECT COUNT(*) FROM deliveries WHERE state = 'pending')";

const STATUS: &str = "SELECT status || ' by ' || node || ', token ' || token FROM turns ORDER BY id LIMIT 1";

const ITEMS: &str = "SELECT (SELECT COUNT(*) FROM inbox) || ' items, ' || (SELECT COUNT(*) FROM sessions)
    || ' sessions, ' || (SELECT COUNT(*) FROM conversations) || ' conversations'";

/// Another node goes on with a turn whose lease is over.
fn take_over(turn_id: i64) -> TakeOver {
    TakeOver { turn_id, session_id: 1, by: claimant(1), team: team() }
}

#[tokio::test]
async fn an_event_that_is_being_taken_is_a_duplicate() {
    for database in Database::all() {
        let world = World::new(database).await;
        let (first, second) = world.meet(accept(&world, "c", 1), accept(&world, "c", 1)).await;
        assert!(first.is_ok(), "{database:?}");
        assert!(matches!(second, Err(StoreError::Duplicate)), "{database:?}");
    }
}

#[tokio::test]
async fn an_event_offered_to_two_nodes_at_once_is_one_item() {
    for database in Database::all() {
        let world = World::new(database).await;
        let (here, there) = (world.front(0), world.front(1));
        for number in 1..=10 {
            let (first, second) =
                tokio::join!(here.accept(message("c", number)), there.accept(message("c", number)));
            assert_eq!((first, second), (Ok(()), Ok(())), "{database:?}");
        }
        assert_eq!(world.ask(ITEMS).await, "10 items, 1 sessions, 1 conversations", "{database:?}");
    }
}

#[tokio::test]
async fn first_messages_that_come_together_share_a_session() {
    for database in Database::all() {
        for _ in 0..5 {
            let world = World::new(database).await;
            let (here, there) = (world.front(0), world.front(1));
            let (first, second) = tokio::join!(here.accept(message("c", 1)), there.accept(message("c", 2)));
            assert_eq!((first, second), (Ok(()), Ok(())), "{database:?}");
            assert_eq!(world.ask(ITEMS).await, "2 items, 1 sessions, 1 conversations", "{database:?}");
        }
    }
}

/// Writes a line of the terminal's chat, and reads what stands there then.
struct Writes(&'static str);

#[async_trait]
impl Transaction for Writes {
    type Output = Vec<String>;
    const NAME: &'static str = "writes";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<String>, StoreError> {
        let account = roundtable::local::account();
        local::append(tx, &account, "cli", None, "ann", self.0).await?;
        let lines = local::lines(tx, &account, "cli", 0, 10).await?;
        Ok(lines.into_iter().map(|line| line.text).collect())
    }
}

/// Whoever reads on behind the second would never see the first.
#[tokio::test]
async fn a_line_never_comes_before_one_with_a_lower_number() {
    for database in Database::all() {
        let world = World::new(database).await;
        let (first, second) = world.meet(Writes("first"), Writes("second")).await;
        assert_eq!(first.unwrap(), ["first"], "{database:?}");
        assert_eq!(second.unwrap(), ["first", "second"], "{database:?}");
    }
}

#[tokio::test]
async fn of_two_claims_one_opens_the_turn() {
    for database in Database::all() {
        let world = queued(database).await;
        let (first, second) = world.meet(claim(1, 0), claim(1, 1)).await;
        assert!(matches!(first, Ok(Some(_))), "{database:?}: {first:?}");
        assert!(matches!(second, Ok(None)), "{database:?}: {second:?}");
        assert_eq!(world.ask(STATUS).await, "running by node-0, token 1", "{database:?}");
    }
}

#[tokio::test]
async fn a_message_that_comes_as_a_turn_opens_waits_for_it() {
    for database in Database::all() {
        let world = queued(database).await;
        let (claimed, accepted) = world.meet(claim(1, 0), accept(&world, "c", 2)).await;
        assert!(matches!(claimed, Ok(Some(_))), "{database:?}: {claimed:?}");
        assert!(accepted.is_ok_and(|accepted| accepted.turn.is_none()), "{database:?}");
        let state = world.ask(STATE).await;
        assert!(state.starts_with("open turns 1, turns 1, ") && state.contains("waiting items 1"), "{state}");
    }
}

/// What the agent has read, and what is still there for it.
const READ: &str = "SELECT (SELECT CASE WHEN body LIKE '%goodbye%' THEN 'new' ELSE 'old' END FROM entries WHERE seq = 1)
    || ' version read, new ones waiting ' || (SELECT COUNT(*) FROM inbox WHERE turn_id IS NULL AND body LIKE '%goodbye%')";

#[tokio::test]
async fn an_edit_of_a_message_that_a_turn_is_taking_is_another_item() {
    for database in Database::all() {
        let world = queued(database).await;
        let (claimed, edited) = world.meet(claim(1, 0), edit(&world, "c", 1, "goodbye")).await;
        assert!(matches!(claimed, Ok(Some(_))), "{database:?}: {claimed:?}");
        assert!(edited.is_ok(), "{database:?}");
        assert_eq!(world.ask(READ).await, "old version read, new ones waiting 1", "{database:?}");
    }
}

#[tokio::test]
async fn a_turn_that_takes_a_message_that_is_being_edited_reads_the_new_version() {
    for database in Database::all() {
        let world = queued(database).await;
        let (edited, claimed) = world.meet(edit(&world, "c", 1, "goodbye"), claim(1, 0)).await;
        assert!(edited.is_ok(), "{database:?}");
        assert!(matches!(claimed, Ok(Some(_))), "{database:?}: {claimed:?}");
        assert_eq!(world.ask(READ).await, "new version read, new ones waiting 0", "{database:?}");
    }
}

#[tokio::test]
async fn a_stop_that_comes_as_the_turn_ends_stops_nothing() {
    for database in Database::all() {
        let (world, turn) = at_work(database).await;
        let (finished, stopped) = world.meet(finish(&turn, ties(&world, &turn).await), Stop(1)).await;
        assert!(finished.is_ok(), "{database:?}");
        assert!(matches!(stopped, Ok(engine::Stop::Nothing)), "{database:?}: {stopped:?}");
        assert_eq!(world.ask(STATUS).await, "done by node-0, token 1", "{database:?}");
    }
}

#[tokio::test]
async fn a_turn_that_ends_as_it_is_stopped_says_nothing() {
    for database in Database::all() {
        let (world, turn) = at_work(database).await;
        let before = world.ask(STATE).await;
        let (stopped, finished) = world.meet(Stop(1), finish(&turn, ties(&world, &turn).await)).await;
        assert!(matches!(stopped, Ok(engine::Stop::Stopped(_))), "{database:?}: {stopped:?}");
        assert!(matches!(finished, Err(StoreError::Stale)), "{database:?}");
        assert_eq!(world.ask(STATUS).await, "cancelled by node-0, token 2", "{database:?}");
        assert_eq!(world.ask(STATE).await, before.replace("open turns 1", "open turns 0"), "{database:?}");
    }
}

#[tokio::test]
async fn a_stale_token_changes_nothing() {
    for database in Database::all() {
        let (world, old) = at_work(database).await;
        world.clock.advance(LEASE + 1);
        let new = world.node(1).commit(take_over(old.id)).await.expect("no failure");
        let TakenOver::Turn(new) = new else { panic!("its lease is over") };
        let before = world.ask(STATE).await;
        let late = world.node(0).commit(answer(&old, 1, Vec::new())).await;
        assert!(matches!(late, Err(StoreError::Stale)), "{database:?}: {late:?}");
        let finish = world.node(0).commit(finish(&old, None)).await;
        assert!(matches!(finish, Err(StoreError::Stale)), "{database:?}");
        assert_eq!(world.ask(STATE).await, before, "{database:?}");
        assert_eq!(world.ask(STATUS).await, "running by node-1, token 2", "{database:?}");
        world.node(1).commit(answer(&new, 1, Vec::new())).await.expect("the new owner goes on");
        assert_ne!(world.ask(STATE).await, before, "{database:?}");
    }
}

#[tokio::test]
async fn a_renewal_in_time_keeps_the_turn() {
    for database in Database::all() {
        let (world, turn) = at_work(database).await;
        world.clock.advance(LEASE + 1);
        let (renewed, taken) = world
            .meet(
                Renew { by: claimant(0), driven: vec![turn.id], draining: false, ahead: 0 },
                take_over(turn.id),
            )
            .await;
        assert!(renewed.is_ok(), "{database:?}: {renewed:?}");
        assert!(matches!(taken, Ok(TakenOver::Gone)), "{database:?}");
        world.node(0).commit(answer(&turn, 1, Vec::new())).await.expect("it is still its owner's");
    }
}

#[tokio::test]
async fn a_renewal_after_a_take_over_keeps_nothing() {
    for database in Database::all() {
        let (world, turn) = at_work(database).await;
        world.clock.advance(LEASE + 1);
        let (taken, renewed) = world
            .meet(
                take_over(turn.id),
                Renew { by: claimant(0), driven: vec![turn.id], draining: false, ahead: 0 },
            )
            .await;
        assert!(matches!(taken, Ok(TakenOver::Turn(_))), "{database:?}");
        assert!(renewed.is_ok(), "{database:?}: {renewed:?}");
        let old = world.node(0).commit(answer(&turn, 1, Vec::new())).await;
        assert!(matches!(old, Err(StoreError::Stale)), "{database:?}: {old:?}");
        assert_eq!(world.ask(STATUS).await, "running by node-1, token 2", "{database:?}");
    }
}

/// The first commit is heard of so late that the model was asked again.
#[tokio::test]
async fn a_step_has_one_answer() {
    for database in Database::all() {
        let (world, turn) = at_work(database).await;
        let (first, second) = world.meet(answer(&turn, 1, Vec::new()), answer(&turn, 1, Vec::new())).await;
        assert!(first.is_ok(), "{database:?}");
        assert!(matches!(second, Err(StoreError::Duplicate)), "{database:?}: {second:?}");
        let answers = world.ask("SELECT CAST(COUNT(*) AS TEXT) FROM entries WHERE role = 'assistant'").await;
        assert_eq!(answers, "1", "{database:?}");
    }
}

/// Somebody speaks to another agent of the conversation for the first time.
fn speaks_to_coder(world: &World) -> Accept {
    let accept = says(world, "c", 2, "@coder hello");
    let agent = |id: &str| KnownAgent { id: id.into(), name: id.into(), aliases: Vec::new() };
    let rules = Rules {
        bindings: Vec::new(),
        default_agent: "manager".into(),
        agents: vec![agent("manager"), agent("coder")],
    };
    let Edges { policies, team, channels, .. } = &*accept.edges;
    let (policies, team, channels) = (policies.clone(), team.clone(), channels.clone());
    Accept { edges: Arc::new(Edges { rules: Arc::new(rules), policies, team, channels }), ..accept }
}

#[tokio::test]
async fn whoever_is_spoken_to_for_the_first_time_is_not_left_below_what_is_erased() {
    const LEFT: &str = "SELECT COUNT(*) || ', of ' || (SELECT COUNT(*) FROM sessions WHERE agent = 'coder')
        FROM sessions s JOIN sessions p ON p.id = s.parent_id WHERE s.erase_at IS NULL AND p.erase_at IS NOT NULL";
    for database in Database::all() {
        let (world, _) = at_work(database).await;
        let (spoken, erased) = world.meet(speaks_to_coder(&world), Forget(1)).await;
        assert!(spoken.is_ok() && erased.is_ok(), "{database:?}");
        assert_eq!(world.ask(LEFT).await, "0, of 1", "{database:?}: erased after that");
        let (world, _) = at_work(database).await;
        let (erased, spoken) = world.meet(Forget(1), speaks_to_coder(&world)).await;
        assert!(spoken.is_ok() && erased.is_ok(), "{database:?}");
        assert_eq!(world.ask(LEFT).await, "0, of 1", "{database:?}: erased before that");
    }
}
