//! A child whose thread is being opened: it begins with its task when the thread is there, and its run fails when there
//! will be none.

use async_trait::async_trait;
use roundtable::engine::{FindWork, Opened, Waiting};
use roundtable::local;
use roundtable::store::deliveries::{Author, Delivery, NEVER, Shown, THREAD, Thread};
use roundtable::store::{Sql, StoreError, Transaction, Tx};
use roundtable_contract::{Conversation, Edge as _, Event, EventKey};
use serde_json::json;

use super::deliveries::{Learn, Say};
use super::steps::{at_work, call, claim, family, next, says};
use super::world::{World, team};
use crate::support::databases::Database;

/// The child in session 2 waits for a thread.
struct Waits;

#[async_trait]
impl Transaction for Waits {
    type Output = ();
    const NAME: &'static str = "waits";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        for text in [
            "UPDATE runs SET status = 'opening' WHERE session_id = 2",
            "UPDATE sessions SET conversation_id = NULL WHERE id = 2",
            "UPDATE inbox SET not_before = 9223372036854775807 WHERE session_id = 2 AND kind = 'task'",
        ] {
            tx.execute(Sql { lite: text, pg: text }, &[]).await?;
        }
        Ok(())
    }
}

/// The thread of the only child is asked for.
async fn asked(world: &World) -> Delivery {
    world.node(0).commit(Waits).await.expect("no failure");
    asked_for(world, 1).await
}

/// A thread is asked for a run.
async fn asked_for(world: &World, run_id: i64) -> Delivery {
    let author = Author { tree_id: 1, session_id: 2, turn_id: None, run_id: Some(run_id) };
    let said = world.node(0).commit(Say { author: Some(author), kind: THREAD, ..Say::notice() }).await;
    said.expect("no failure").expect("the chat is clear")
}

/// A manager that looks at its child, which has not begun yet.
async fn opening(database: Database) -> (World, Delivery) {
    let (world, parent) = at_work(database).await;
    let spawn = call(&world, &parent, 1, "sessions_spawn", json!({"task": "work", "label": "a"})).await;
    world.node(0).commit(spawn).await.expect("it is spawned");
    let asked = asked(&world).await;
    let looks = call(&world, &parent, 2, "sessions_list", json!({"waitSeconds": 30})).await;
    assert!(world.node(0).commit(looks).await.expect("no failure").suspended);
    (world, asked)
}

/// The platform has shown the thread.
async fn is_there(world: &World, asked: &Delivery) {
    let address = Conversation::chat(local::account(), "c").with_thread("a");
    let shown = Shown::Opened(Thread { address, space: "c".into() });
    world.node(0).commit(Learn(asked.clone(), shown)).await.expect("no failure");
}

/// Nobody looks for the thread any more.
async fn is_given_up(world: &World, asked: &Delivery) {
    let shown = Shown::Unknown { due_at: NEVER, error: "no answer".into() };
    world.node(0).commit(Learn(asked.clone(), shown)).await.expect("no failure");
}

async fn found(world: &World) -> Waiting {
    world.node(0).read(FindWork { limit: 10, agents: team().agents }).await.expect("it can be read")
}

/// What a node does about the thread by what it knows now.
async fn known(world: &World) -> Opened {
    let opening = found(world).await.openings.pop().expect("something is known");
    Opened { opening, team: team() }
}

const RUN: &str = "SELECT status FROM runs WHERE session_id = 2";

#[tokio::test]
async fn a_child_begins_with_its_task_whoever_has_written_to_it_before() {
    for database in Database::all() {
        let (world, asked) = opening(database).await;
        let written = world.node(1).commit(says(&world, "c", 2, "@a hurry up")).await.expect("no failure");
        assert!(written.turn.is_none(), "{database:?}");
        assert!(found(&world).await.queued.is_empty(), "{database:?}: it is looked at in vain");
        let claimed = world.node(1).commit(claim(2, 1)).await;
        assert!(matches!(claimed, Ok(None)), "{database:?}: {claimed:?}");
        is_there(&world, &asked).await;
        world.node(0).commit(known(&world).await).await.expect("no failure");
        assert_eq!(found(&world).await.queued, [2], "{database:?}");
        next(&world, 2).await;
        let first =
            world.ask("SELECT MAX(kind) || ' ' || COUNT(*) FROM inbox WHERE session_id = 2 AND turn_id = 2");
        assert_eq!(first.await, "task 1", "{database:?}");
    }
}

#[tokio::test]
async fn a_thread_that_is_seen_as_its_run_would_fail_is_there() {
    for database in Database::all() {
        let (world, asked) = opening(database).await;
        is_given_up(&world, &asked).await;
        let [one, other] = [known(&world).await, known(&world).await];
        is_there(&world, &asked).await;
        world.node(0).commit(one).await.expect("no failure");
        assert_eq!(world.ask(RUN).await, "opening", "{database:?}");
        world.node(0).commit(known(&world).await).await.expect("no failure");
        world.node(1).commit(other).await.expect("no failure");
        assert_eq!(world.ask(RUN).await, "running", "{database:?}");
        assert_eq!(found(&world).await.queued, [2], "{database:?}: its task is unread");
        let looking = world.ask("SELECT CAST(COUNT(*) AS TEXT) FROM waits WHERE resolved_at IS NULL");
        assert_eq!(looking.await, "0", "{database:?}: it is at work now");
    }
}

#[tokio::test]
async fn a_run_without_its_thread_ends_with_all_below_it() {
    for database in Database::all() {
        let (world, _, [child]) = family(database, ["a"]).await;
        let spawn = call(&world, &child, 1, "sessions_spawn", json!({"task": "work", "label": "b"})).await;
        world.node(0).commit(spawn).await.expect("it is spawned");
        is_given_up(&world, &asked(&world).await).await;
        world.node(0).commit(known(&world).await).await.expect("no failure");
        assert_eq!(world.ask(RUN).await, "failed", "{database:?}");
        let below = world.ask("SELECT status FROM runs WHERE session_id = 3");
        assert_eq!(below.await, "cancelled", "{database:?}");
    }
}

/// The platform tells of the first when the second is asked for already, which has the same name.
#[tokio::test]
async fn a_thread_is_its_run_s_however_late_the_platform_tells_of_it() {
    const THREADS: &str = "SELECT (SELECT CAST(run_id AS TEXT) FROM conversations WHERE thread = 'a')
        || ', ' || (SELECT COUNT(*) FROM deliveries WHERE state = 'sending')";
    for database in Database::all() {
        let (world, _) = at_work(database).await;
        let first = asked_for(&world, 1).await;
        is_there(&world, &first).await;
        asked_for(&world, 2).await;
        let conversation = Conversation::chat(local::account(), "c").with_thread("a");
        let told = Event::Opened { key: EventKey::new("opened"), conversation, name: String::new() };
        world.front(1).accept(told).await.expect("it is stored");
        assert_eq!(world.ask(THREADS).await, "1, 1", "{database:?}");
    }
}
