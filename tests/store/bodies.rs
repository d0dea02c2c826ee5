//! The bodies of the engine's transactions, put together from the same functions of the store in the same
//! order. (The engine's own are not public, and take a whole engine.)

use async_trait::async_trait;
use roundtable::engine::{self, Effects, Whose, claim_next};
use roundtable::local;
use roundtable::models::{Answer, Usage};
use roundtable::store::deliveries::{self, NewAnswer};
use roundtable::store::inbox::{self, Body, ItemKind, NewItem};
use roundtable::store::turns::{self, Claimant, Turn, TurnStatus};
use roundtable::store::{StoreError, Transaction, Tx, entries, events, sessions};
use roundtable_contract::{MessageId, Part};

use super::world::{agents, claimant, team};

/// The only session: SQL gives its number 1 on both databases.
const SESSION: i64 = 1;

/// T2.
pub struct Claim {
    pub by: Claimant,
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
pub struct Accept {
    pub by: Claimant,
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
            exchange_id: None,
            run_id: None,
            sender: "ann",
            sender_name: "Ann",
            message_id: Some(MessageId(2)),
            policy: None,
            body: &Body::default(),
            merge_key: None,
            not_before: 0,
        };
        inbox::push(tx, &item).await?;
        claim_next(tx, &session, &agents(), &self.by).await
    }
}

/// T3.
pub struct CommitAnswer {
    pub turn: Turn,
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
pub struct Finish {
    pub turn: Turn,
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
            author: Some((&self.turn).into()),
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
pub struct Stop;

#[async_trait]
impl Transaction for Stop {
    type Output = engine::Stop;
    const NAME: &'static str = "stop";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<engine::Stop, StoreError> {
        engine::stop(tx, &team(), SESSION, Whose::Everybodys, "stopped", &mut Effects::default()).await
    }
}

/// Another node goes on with a turn whose lease is over.
pub struct TakeOver {
    pub turn_id: i64,
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
pub struct Renew;

#[async_trait]
impl Transaction for Renew {
    type Output = ();
    const NAME: &'static str = "renew";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        turns::renew(tx, &claimant(0)).await
    }
}

/// The dedupe's half of T1.
pub struct TakeEvent;

#[async_trait]
impl Transaction for TakeEvent {
    type Output = ();
    const NAME: &'static str = "accept";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        events::take(tx, &local::account(), "msg:c:1", 1, "test").await
    }
}
