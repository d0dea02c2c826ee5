//! Two at once: the meetings that the transactions of ARCHITECTURE.md are made for, each in both orders.
//!
//! The bodies here are the engine's, put together from the same functions of the store in the same order.

use async_trait::async_trait;
use roundtable::control::{self, Stopped};
use roundtable::engine::claim_next;
use roundtable::local;
use roundtable::models::{Answer, Usage};
use roundtable::store::deliveries::{self, NewAnswer};
use roundtable::store::inbox::{self, Body, ItemKind, NewItem};
use roundtable::store::turns::{self, Claimant, Turn, TurnStatus};
use roundtable::store::{StoreError, Transaction, Tx, entries, events, sessions};
use roundtable_contract::{
    ChatKind, Conversation, Edge, Event, EventKey, Message, MessageId, MessageKind, Part, Sender, UserId,
};

use super::world::{LEASE, World, agents, claimant};
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

/// The only session: SQL gives its number 1 on both databases.
const SESSION: i64 = 1;

/// A world whose session has one message to react to.
async fn queued(database: Database) -> World {
    let world = World::new(database).await;
    world.front(0).accept(message(1)).await.expect("it is stored");
    world
}

/// The same with a turn at work on node 0.
async fn at_work(database: Database) -> (World, Turn) {
    let world = queued(database).await;
    let turn = world.node(0).commit(Claim { by: claimant(0) }).await.expect("it is claimed");
    (world, turn.expect("there is something to do"))
}

/// T2.
struct Claim {
    by: Claimant,
}

#[async_trait]
impl Transaction for Claim {
    type Output = Option<Turn>;
    const NAME: &'static str = "claim";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Turn>, StoreError> {
        let session = sessions::lock(tx, SESSION).await?;
        claim_next(tx, &session, &agents(), &self.by).await
    }
}

/// T1 of a second message, with T2.
struct Accept {
    by: Claimant,
}

#[async_trait]
impl Transaction for Accept {
    type Output = Option<Turn>;
    const NAME: &'static str = "accept";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Turn>, StoreError> {
        let session = sessions::lock(tx, SESSION).await?;
        let item = NewItem {
            session_id: session.id,
            tree_id: session.tree_id,
            kind: ItemKind::User,
            wake: true,
            conversation_id: 1,
            sender: "ann",
            sender_name: "Ann",
            message_id: Some(MessageId(2)),
            body: &Body::default(),
            merge_key: None,
            not_before: 0,
        };
        inbox::push(tx, &item).await?;
        claim_next(tx, &session, &agents(), &self.by).await
    }
}

/// T3.
struct CommitAnswer {
    turn: Turn,
}

#[async_trait]
impl Transaction for CommitAnswer {
    type Output = ();
    const NAME: &'static str = "answer";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        entries::append_answer(tx, &self.turn, 1, &Answer::default(), "none", &Usage::default()).await?;
        turns::progress(tx, &self.turn, 1).await
    }
}

/// T5.
struct Finish {
    turn: Turn,
}

#[async_trait]
impl Transaction for Finish {
    type Output = ();
    const NAME: &'static str = "finish";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        entries::append_answer(tx, &self.turn, 1, &Answer::default(), "none", &Usage::default()).await?;
        turns::leave(tx, &self.turn, TurnStatus::Done, None).await?;
        let part = Part { body: "{}".into(), text: "hi".into(), stub: None };
        let answer = NewAnswer {
            conversation_id: self.turn.conversation_id,
            turn: Some(&self.turn),
            kind: "answer",
            name: "turn:1",
            parts: &[part],
            send_within: None,
        };
        deliveries::insert(tx, &answer).await?;
        Ok(())
    }
}

/// `/stop`.
struct Stop;

#[async_trait]
impl Transaction for Stop {
    type Output = Option<Stopped>;
    const NAME: &'static str = "stop";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Stopped>, StoreError> {
        control::stop(tx, SESSION).await
    }
}

/// Another node goes on with a turn whose lease is over.
struct TakeOver {
    turn_id: i64,
}

#[async_trait]
impl Transaction for TakeOver {
    type Output = Option<Turn>;
    const NAME: &'static str = "take_over";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Turn>, StoreError> {
        sessions::lock(tx, SESSION).await?;
        turns::take(tx, self.turn_id, TurnStatus::Running, &claimant(1)).await
    }
}

/// The owner keeps what it holds.
struct Renew;

#[async_trait]
impl Transaction for Renew {
    type Output = ();
    const NAME: &'static str = "renew";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        turns::renew(tx, &claimant(0)).await
    }
}

/// The dedupe's half of T1.
struct TakeEvent;

#[async_trait]
impl Transaction for TakeEvent {
    type Output = ();
    const NAME: &'static str = "accept";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        events::take(tx, &local::account(), "msg:c:1", 1, "test").await
    }
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
        assert!(matches!(stopped, Ok(None)), "{database:?}: {stopped:?}");
        assert_eq!(world.ask(STATUS).await, "done by node-0, token 1", "{database:?}");
    }
}

#[tokio::test]
async fn a_turn_that_ends_as_it_is_stopped_says_nothing() {
    for database in Database::all() {
        let (world, turn) = at_work(database).await;
        let before = world.ask(STATE).await;
        let (stopped, finished) = world.meet(Stop, Finish { turn }).await;
        assert!(matches!(stopped, Ok(Some(_))), "{database:?}: {stopped:?}");
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
