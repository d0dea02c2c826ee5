//! A child ends as its requester begins to wait, or as a person ends that wait: the outcome is in one place.

use async_trait::async_trait;
use roundtable::engine::{self, ClaimQueued, CommitCalls, Effects, Finish};
use roundtable::models::{Answer, Completion, ToolCall, Usage};
use roundtable::store::turns::{self, Ties, Turn, TurnStatus};
use roundtable::store::{Read, StoreError, Transaction, Tx};
use roundtable::tools::Policy;
use serde_json::json;

use super::races::at_work;
use super::world::{World, agents, claimant, team};
use crate::support::databases::Database;

/// Where the only outcome is, and whether anybody waits.
const STATE: &str = "SELECT (SELECT COUNT(*) FROM runs WHERE wait_id IS NOT NULL) || ' in a wait, '
    || (SELECT COUNT(*) FROM inbox WHERE kind = 'announce') || ' in the inbox, '
    || (SELECT COUNT(*) FROM waits WHERE resolved_at IS NULL) || ' waits open'";

fn call(turn: &Turn, step: i64, name: &str) -> CommitCalls {
    let arguments = json!({"task": "work"});
    let call = ToolCall { id: "c".into(), name: name.into(), arguments };
    let policy = Policy::default();
    CommitCalls { turn: turn.clone(), step, calls: vec![(0, call)], policy, team: team() }
}

struct TiesOf(i64);

#[async_trait]
impl Read for TiesOf {
    type Output = Ties;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Ties, StoreError> {
        turns::ties(tx, self.0).await
    }
}

/// A manager at work, and the end of its only child's only turn.
async fn family(database: Database) -> (World, Turn, Finish) {
    let (world, parent) = at_work(database).await;
    world.node(0).commit(call(&parent, 1, "sessions_spawn")).await.expect("it is spawned");
    let claim = ClaimQueued { session_id: 2, agents: agents(), by: claimant(1) };
    let child = world.node(1).commit(claim).await.expect("no failure").expect("it has a task");
    let answer = Answer { text: "done".into(), ..Answer::default() };
    let finish = Finish {
        ties: Some(world.node(1).read(TiesOf(child.id)).await.expect("it is there")),
        turn: child,
        step: 1,
        completion: Some(Completion { answer, usage: Usage::default(), model: "none".into() }),
        status: TurnStatus::Done,
        reason: None,
        parts: Vec::new(),
        text: "done".into(),
        kind: "answer",
        send_within: None,
        team: team(),
        by: None,
    };
    (world, parent, finish)
}

/// A person writes.
struct Interrupt;

#[async_trait]
impl Transaction for Interrupt {
    type Output = ();
    const NAME: &'static str = "accept";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        engine::interrupt(tx, 1, 1, &mut Effects::default()).await
    }
}

#[tokio::test]
async fn a_child_that_ends_as_its_requester_begins_to_wait() {
    for database in Database::all() {
        let (world, parent, finish) = family(database).await;
        let (finished, waited) = world.meet(finish, call(&parent, 2, "sessions_yield")).await;
        assert!(finished.is_ok(), "{database:?}");
        assert!(!waited.expect("no failure").suspended, "{database:?}: there is nothing to wait for");
        assert_eq!(world.ask(STATE).await, "0 in a wait, 1 in the inbox, 0 waits open", "{database:?}");

        let (world, parent, finish) = family(database).await;
        let (waited, finished) = world.meet(call(&parent, 2, "sessions_yield"), finish).await;
        assert!(waited.expect("no failure").suspended && finished.is_ok(), "{database:?}");
        assert_eq!(world.ask(STATE).await, "1 in a wait, 0 in the inbox, 0 waits open", "{database:?}");
    }
}

#[tokio::test]
async fn a_child_that_ends_as_a_person_ends_the_wait_for_it() {
    for database in Database::all() {
        let (world, parent, finish) = family(database).await;
        world.node(0).commit(call(&parent, 2, "sessions_yield")).await.expect("it waits");
        let (interrupted, finished) = world.meet(Interrupt, finish).await;
        assert!(interrupted.is_ok() && finished.is_ok(), "{database:?}");
        assert_eq!(world.ask(STATE).await, "0 in a wait, 1 in the inbox, 0 waits open", "{database:?}");

        let (world, parent, finish) = family(database).await;
        world.node(0).commit(call(&parent, 2, "sessions_yield")).await.expect("it waits");
        let (finished, interrupted) = world.meet(finish, Interrupt).await;
        assert!(interrupted.is_ok() && finished.is_ok(), "{database:?}");
        assert_eq!(world.ask(STATE).await, "1 in a wait, 0 in the inbox, 0 waits open", "{database:?}");
    }
}
