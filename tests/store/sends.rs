//! Calls for deliveries on two nodes: what a node has learned counts only while it is still what there is to know.

use async_trait::async_trait;
use roundtable::engine::Finish;
use roundtable::store::deliveries::{self, Delivery, Shown};
use roundtable::store::{StoreError, Transaction, Tx};
use roundtable_contract::{MessageId, Part};

use super::steps::{at_work, finish};
use super::world::World;
use crate::support::databases::Database;

const STATE: &str =
    "SELECT state || ', attempts ' || attempts || ', number ' || COALESCE(message_id, 0) FROM deliveries";

/// A call begins.
struct Call(Delivery);

#[async_trait]
impl Transaction for Call {
    type Output = Delivery;
    const NAME: &'static str = "sending";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Delivery, StoreError> {
        deliveries::start_call(tx, &self.0, 10_000).await
    }
}

/// Something was learned about a delivery as it was when the node looked.
struct Learned(Delivery, Shown);

#[async_trait]
impl Transaction for Learned {
    type Output = Delivery;
    const NAME: &'static str = "settle";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Delivery, StoreError> {
        deliveries::settle(tx, &self.0, &self.1).await?;
        let open = deliveries::open(tx, self.0.conversation_id, 1).await?;
        Ok(open.into_iter().next().unwrap_or_else(|| self.0.clone()))
    }
}

/// The one delivery that is stored.
struct Only;

#[async_trait]
impl Transaction for Only {
    type Output = Delivery;
    const NAME: &'static str = "settle";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Delivery, StoreError> {
        Ok(deliveries::open(tx, 1, 1).await?.remove(0))
    }
}

/// A message that was sent and not answered; it is looked for.
async fn lost(database: Database) -> (World, Delivery) {
    let (world, turn) = at_work(database).await;
    let part = Part { body: "done".into(), text: "done".into(), stub: None };
    let stored = world.node(0).commit(Finish { parts: vec![part], ..finish(&turn, None) }).await;
    stored.expect("the turn ends");
    let made = world.node(0).commit(Only).await.expect("it is there");
    let sent = world.node(0).commit(Call(made)).await.expect("it is sent");
    let unknown = Shown::Unknown { due_at: 0, error: "no answer".into() };
    let lost = world.node(0).commit(Learned(sent, unknown)).await.expect("its outcome is unknown");
    (world, lost)
}

fn absent() -> Shown {
    Shown::Later { due_at: 0, error: "it was lost on the way".into() }
}

/// A node that hung between a look and its record has lost the account meanwhile: the new owner's call is on its way.
#[tokio::test]
async fn what_was_learned_before_another_call_changes_nothing() {
    for database in Database::all() {
        let (world, lost) = lost(database).await;
        let again = world.node(1).commit(Learned(lost.clone(), absent())).await.expect("it is not there");
        world.node(1).commit(Call(again)).await.expect("it is sent again");
        assert_eq!(world.ask(STATE).await, "sending, attempts 2, number 0", "{database:?}");
        world.node(0).commit(Learned(lost.clone(), absent())).await.expect("it is too late");
        assert_eq!(world.ask(STATE).await, "sending, attempts 2, number 0", "{database:?}");
        let failed = Shown::Failed("nobody is there".into());
        world.node(0).commit(Learned(lost, failed)).await.expect("it is too late");
        assert_eq!(world.ask(STATE).await, "sending, attempts 2, number 0", "{database:?}");
    }
}

/// What is seen is there, whoever has seen it.
#[tokio::test]
async fn a_message_that_was_found_is_visible_however_late_that_is_stored() {
    for database in Database::all() {
        let (world, lost) = lost(database).await;
        let again = world.node(1).commit(Learned(lost.clone(), absent())).await.expect("it is not there");
        world.node(1).commit(Call(again)).await.expect("it is sent again");
        world.node(0).commit(Learned(lost, Shown::Sent(MessageId(7)))).await.expect("it is there");
        assert_eq!(world.ask(STATE).await, "sent, attempts 2, number 7", "{database:?}");
    }
}
