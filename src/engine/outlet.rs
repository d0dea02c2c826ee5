//! What the engine needs of delivery. The outbox implements it.

use async_trait::async_trait;
use roundtable_contract::{Conversation, Outgoing, Part};

use crate::store::conversations::Place;
use crate::store::deliveries::Delivery;

/// The way out, as turns see it.
#[async_trait]
pub trait Outlet: Send + Sync {
    /// Renders an answer for a conversation. Pure; empty when the account is not configured any more.
    fn render(&self, place: &Place, outgoing: &Outgoing) -> Vec<Part>;

    /// The one agent that a conversation belongs to by the configuration, which speaks as the bot there.
    fn bound_agent(&self, place: &Place) -> Option<String>;

    /// Whether threads can be opened in a conversation.
    fn opens_threads(&self, place: &Place) -> bool;

    /// The conversation in which a thread beside this one is asked for.
    fn thread_home(&self, place: &Place) -> Conversation;

    /// What is sent to open a thread of this name, with these words where it grows out of a message. `None`: the
    /// channel has no threads.
    fn opening(&self, place: &Place, name: &str, outgoing: &Outgoing) -> Option<Part>;

    /// The id space of a conversation.
    fn space(&self, conversation: &Conversation) -> String;

    /// The milliseconds within which a first part would be sent if it were stored as `sending` now;
    /// `None`: this process does not hold the account, or the chat must wait its turn. A `Some` takes the
    /// chat's slot.
    fn send_now(&self, place: &Place) -> Option<i64>;

    /// Sends a delivery that was stored as `sending`.
    fn dispatch(&self, delivery: Delivery);

    /// Says that a conversation has something to deliver.
    fn hint(&self, conversation_id: i64);

    /// Shows that somebody is at work, until it is dropped. Never returns.
    async fn typing(&self, place: &Place);
}
