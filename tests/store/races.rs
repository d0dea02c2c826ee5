//! Two at once: the meetings that the transactions of ARCHITECTURE.md are made for, each in both orders.

use roundtable::engine;
use roundtable::local;
use roundtable::store::StoreError;
use roundtable::store::turns::Turn;
use roundtable_contract::{
    ChatKind, Conversation, Edge, Event, EventKey, Message, MessageId, MessageKind, Sender, UserId,
};

use super::bodies::{Accept, Claim, CommitAnswer, Finish, Renew, Stop, TakeEvent, TakeOver};
use super::world::{LEASE, World, claimant};
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

fn message(number: i64) -> Event {
    Event::Message(Box::new(Message {
        key: EventKey::new(format!("msg:c:{number}")),
        conversation: Conversation::chat(local::account(), "c"),
        chat_kind: ChatKind::Direct,
        title: None,
        guild: None,
        parent: None,
        kind: MessageKind::New,
        sender: Sender {
            id: UserId::new("ann"),
            name: "Ann".into(),
            username: None,
            is_bot: false,
            roles: Vec::new(),
        },
        id: MessageId(number),
        text: "hello".into(),
        spans: Vec::new(),
        mentions_us: false,
        forwarded: false,
        reply_to: None,
        attachments: Vec::new(),
        album: None,
        at: 0,
    }))
}

/// A world whose session has one message to react to.
async fn queued(database: Database) -> World {
    let world = World::new(database).await;
    world.front(0).accept(message(1)).await.expect("it is stored");
    world
}

/// The same with a turn at work on node 0.
pub async fn at_work(database: Database) -> (World, Turn) {
    let world = queued(database).await;
    let turn = world.node(0).commit(Claim { by: claimant(0) }).await.expect("it is claimed");
    (world, turn.expect("there is something to do"))
}

#[tokio::test]
async fn an_event_that_is_being_taken_is_a_duplicate() {
    for database in Database::all() {
        let world = World::new(database).await;
        let (first, second) = world.meet(TakeEvent, TakeEvent).await;
        assert!(first.is_ok(), "{database:?}: {first:?}");
        assert!(matches!(second, Err(StoreError::Duplicate)), "{database:?}: {second:?}");
    }
}

#[tokio::test]
async fn an_event_offered_to_two_nodes_at_once_is_one_item() {
    for database in Database::all() {
        let world = World::new(database).await;
        let (here, there) = (world.front(0), world.front(1));
        for number in 1..=10 {
            let (first, second) = tokio::join!(here.accept(message(number)), there.accept(message(number)));
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
            let (first, second) = tokio::join!(here.accept(message(1)), there.accept(message(2)));
            assert_eq!((first, second), (Ok(()), Ok(())), "{database:?}");
            assert_eq!(world.ask(ITEMS).await, "2 items, 1 sessions, 1 conversations", "{database:?}");
        }
    }
}

#[tokio::test]
async fn of_two_claims_one_opens_the_turn() {
    for database in Database::all() {
        let world = queued(database).await;
        let (first, second) = world.meet(Claim { by: claimant(0) }, Claim { by: claimant(1) }).await;
        assert!(matches!(first, Ok(Some(_))), "{database:?}: {first:?}");
        assert!(matches!(second, Ok(None)), "{database:?}: {second:?}");
        assert_eq!(world.ask(STATUS).await, "running by node-0, token 1", "{database:?}");
    }
}

#[tokio::test]
async fn a_message_that_comes_as_a_turn_opens_waits_for_it() {
    for database in Database::all() {
        let world = queued(database).await;
        let (claimed, accepted) = world.meet(Claim { by: claimant(0) }, Accept { by: claimant(1) }).await;
        assert!(matches!(claimed, Ok(Some(_))), "{database:?}: {claimed:?}");
        assert!(matches!(accepted, Ok(None)), "{database:?}: {accepted:?}");
        let state = world.ask(STATE).await;
        assert!(state.starts_with("open turns 1, turns 1, ") && state.contains("waiting items 1"), "{state}");
    }
}

#[tokio::test]
async fn a_stop_that_comes_as_the_turn_ends_stops_nothing() {
    for database in Database::all() {
        let (world, turn) = at_work(database).await;
        let (finished, stopped) = world.meet(Finish { turn }, Stop).await;
        assert!(finished.is_ok(), "{database:?}: {finished:?}");
        assert!(matches!(stopped, Ok(engine::Stop::Nothing)), "{database:?}: {stopped:?}");
        assert_eq!(world.ask(STATUS).await, "done by node-0, token 1", "{database:?}");
    }
}

#[tokio::test]
async fn a_turn_that_ends_as_it_is_stopped_says_nothing() {
    for database in Database::all() {
        let (world, turn) = at_work(database).await;
        let before = world.ask(STATE).await;
        let (stopped, finished) = world.meet(Stop, Finish { turn }).await;
        assert!(matches!(stopped, Ok(engine::Stop::Stopped(_))), "{database:?}: {stopped:?}");
        assert!(matches!(finished, Err(StoreError::Stale)), "{database:?}: {finished:?}");
        assert_eq!(world.ask(STATUS).await, "cancelled by node-0, token 2", "{database:?}");
        assert_eq!(world.ask(STATE).await, before.replace("open turns 1", "open turns 0"), "{database:?}");
    }
}

#[tokio::test]
async fn a_stale_token_changes_nothing() {
    for database in Database::all() {
        let (world, old) = at_work(database).await;
        world.clock.advance(LEASE + 1);
        let new = world.node(1).commit(TakeOver { turn_id: old.id }).await.expect("no failure");
        let new = new.expect("its lease is over");
        let before = world.ask(STATE).await;
        let answer = world.node(0).commit(CommitAnswer { turn: old.clone() }).await;
        assert!(matches!(answer, Err(StoreError::Stale)), "{database:?}: {answer:?}");
        let finish = world.node(0).commit(Finish { turn: old }).await;
        assert!(matches!(finish, Err(StoreError::Stale)), "{database:?}: {finish:?}");
        assert_eq!(world.ask(STATE).await, before, "{database:?}");
        assert_eq!(world.ask(STATUS).await, "running by node-1, token 2", "{database:?}");
        world.node(1).commit(CommitAnswer { turn: new }).await.expect("the new owner goes on");
        assert_ne!(world.ask(STATE).await, before, "{database:?}");
    }
}

#[tokio::test]
async fn a_renewal_in_time_keeps_the_turn() {
    for database in Database::all() {
        let (world, turn) = at_work(database).await;
        world.clock.advance(LEASE + 1);
        let (renewed, taken) = world.meet(Renew, TakeOver { turn_id: turn.id }).await;
        assert!(renewed.is_ok(), "{database:?}: {renewed:?}");
        assert!(matches!(taken, Ok(None)), "{database:?}: {taken:?}");
        world.node(0).commit(CommitAnswer { turn }).await.expect("it is still its owner's");
    }
}

#[tokio::test]
async fn a_renewal_after_a_take_over_keeps_nothing() {
    for database in Database::all() {
        let (world, turn) = at_work(database).await;
        world.clock.advance(LEASE + 1);
        let (taken, renewed) = world.meet(TakeOver { turn_id: turn.id }, Renew).await;
        assert!(matches!(taken, Ok(Some(_))), "{database:?}: {taken:?}");
        assert!(renewed.is_ok(), "{database:?}: {renewed:?}");
        let old = world.node(0).commit(CommitAnswer { turn }).await;
        assert!(matches!(old, Err(StoreError::Stale)), "{database:?}: {old:?}");
        assert_eq!(world.ask(STATUS).await, "running by node-1, token 2", "{database:?}");
    }
}
