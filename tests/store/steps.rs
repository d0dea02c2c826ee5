//! The engine's own transactions, as a few people and turns make them.

use async_trait::async_trait;
use roundtable::control;
use roundtable::engine::{self, ClaimQueued, CommitAnswer, CommitCalls, Effects, Finish, Resume, Whose};
use roundtable::inbound::Accept;
use roundtable::local;
use roundtable::models::{Answer, Completion, ToolCall, Usage};
use roundtable::store::turns::{self, Ties, Turn, TurnStatus};
use roundtable::store::{Read, StoreError, Transaction, Tx};
use roundtable::time::{Clock as _, SystemClock};
use roundtable::tools::Policy;
use roundtable_contract::{
    ChatKind, Conversation, Edge, Event, EventKey, Message, MessageId, MessageKind, Sender, UserId,
};
use serde_json::{Value, json};

use super::world::{World, agents, claimant, team};
use crate::support::databases::Database;

fn written(chat: &str, number: i64) -> Message {
    Message {
        key: EventKey::new(format!("msg:{chat}:{number}")),
        conversation: Conversation::chat(local::account(), chat),
        chat_kind: ChatKind::Direct,
        title: None,
        guild: None,
        parent: None,
        kind: MessageKind::New,
        sender: Sender {
            // In private a person is their chat.
            id: UserId::new(chat),
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
        at: SystemClock::new().now(),
    }
}

/// A person's message.
pub fn message(chat: &str, number: i64) -> Event {
    Event::Message(Box::new(written(chat, number)))
}

/// The same as the transaction that takes it, on node 1.
pub fn accept(world: &World, chat: &str, number: i64) -> Accept {
    Accept { edges: world.edges(1), message: written(chat, number), by: Some(claimant(1)) }
}

/// The same with another text.
pub fn says(world: &World, chat: &str, number: i64, text: &str) -> Accept {
    Accept { message: Message { text: text.into(), ..written(chat, number) }, ..accept(world, chat, number) }
}

/// A new version of such a message, as the transaction that takes it.
pub fn edit(world: &World, chat: &str, number: i64, text: &str) -> Accept {
    let new = Message {
        key: EventKey::new(format!("edit:{chat}:{number}")),
        kind: MessageKind::Edit,
        text: text.into(),
        ..written(chat, number)
    };
    Accept { message: new, ..accept(world, chat, number) }
}

/// A session's next turn is claimed on a node.
pub fn claim(session_id: i64, node: usize) -> ClaimQueued {
    ClaimQueued { session_id, agents: agents(), by: claimant(node) }
}

fn completion(text: &str, calls: Vec<ToolCall>) -> Completion {
    let answer = Answer { text: text.into(), calls, ..Answer::default() };
    Completion { answer, usage: Usage::default(), model: "none".into(), cut: false }
}

/// A model has answered with these calls.
pub fn answer(turn: &Turn, step: i64, calls: Vec<ToolCall>) -> CommitAnswer {
    CommitAnswer { turn: turn.clone(), step, completion: completion("", calls) }
}

/// A step with one call: its answer is stored, the call is still to be made.
pub async fn call(world: &World, turn: &Turn, step: i64, name: &str, arguments: Value) -> CommitCalls {
    let call = ToolCall { id: "c".into(), name: name.into(), arguments };
    world.node(0).commit(answer(turn, step, vec![call.clone()])).await.expect("an answer is stored");
    CommitCalls { turn: turn.clone(), step, calls: vec![(0, call)], policy: Policy::default(), team: team() }
}

/// The end of a turn that says "done". Who claims the session's next one is said by the caller.
pub fn finish(turn: &Turn, ties: Option<Ties>) -> Finish {
    Finish {
        turn: turn.clone(),
        step: 9,
        completion: Some(completion("done", Vec::new())),
        status: TurnStatus::Done,
        reason: None,
        parts: Vec::new(),
        text: "done".into(),
        ties,
        alone: false,
        kind: "answer",
        send_within: None,
        team: team(),
        by: None,
    }
}

struct TiesOf(i64);

#[async_trait]
impl Read for TiesOf {
    type Output = Ties;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Ties, StoreError> {
        turns::ties(tx, self.0).await
    }
}

/// Whom the end of a turn concerns.
pub async fn ties(world: &World, turn: &Turn) -> Option<Ties> {
    Some(world.node(0).read(TiesOf(turn.id)).await.expect("it is there"))
}

/// A turn goes on; `due`: because the time of this wait has come.
pub fn resume(turn: &Turn, due: Option<i64>) -> Resume {
    Resume { turn_id: turn.id, session_id: turn.session_id, due, team: team(), by: claimant(1) }
}

/// A session is stopped, with all below it.
pub struct Stop(pub i64);

#[async_trait]
impl Transaction for Stop {
    type Output = engine::Stop;
    const NAME: &'static str = "stop";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<engine::Stop, StoreError> {
        engine::stop(tx, &team(), self.0, Whose::Everybodys, "stopped", &mut Effects::default()).await
    }
}

/// A session is forgotten, with all below it.
pub struct Forget(pub i64);

#[async_trait]
impl Transaction for Forget {
    type Output = engine::Stop;
    const NAME: &'static str = "accept";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<engine::Stop, StoreError> {
        control::forget(tx, &team(), self.0, Whose::Everybodys, &mut Effects::default()).await
    }
}

/// A world whose session has one message to react to.
pub async fn queued(database: Database) -> World {
    let world = World::new(database).await;
    world.front(0).accept(message("c", 1)).await.expect("it is stored");
    world
}

/// The same with a turn at work on node 0.
pub async fn at_work(database: Database) -> (World, Turn) {
    let world = queued(database).await;
    let turn = next(&world, 1).await;
    (world, turn)
}

/// The next turn of a session, claimed on node 0.
pub async fn next(world: &World, session_id: i64) -> Turn {
    let turn = world.node(0).commit(claim(session_id, 0)).await.expect("no failure");
    turn.expect("there is something to do")
}

/// A manager at work in session 1, and its children of these labels in sessions 2 and on, at their tasks.
pub async fn family<const N: usize>(database: Database, labels: [&str; N]) -> (World, Turn, [Turn; N]) {
    let (world, parent) = at_work(database).await;
    let mut children = Vec::new();
    for (label, number) in labels.into_iter().zip(1..) {
        let spawn = call(&world, &parent, number, "sessions_spawn", json!({"task": "work", "label": label}));
        world.node(0).commit(spawn.await).await.expect("it is spawned");
        children.push(next(&world, number + 1).await);
    }
    (world, parent, children.try_into().expect("one for each label"))
}
