//! What the suite needs of a platform: the channel, and people who write and read there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::edge::Edge;
use async_trait::async_trait;
use roundtable_contract::{Channel, Conversation, MessageId, Outgoing, Part, Receipt, Speaker};

/// A platform with one account under test.
#[async_trait(?Send)]
pub trait Subject {
    /// A new connection of the account; the contract lets each be listened on once.
    fn channel(&self) -> Arc<dyn Channel>;

    /// Which capabilities the account has: edits, typing, reconcile.
    fn capabilities(&self) -> [bool; 3];

    /// Conversations that exist, of every kind the platform has. The first two share a counter, if any do.
    fn places(&self) -> Vec<Conversation>;

    /// Whether some conversations share a counter.
    fn shares_counters(&self) -> bool {
        true
    }

    /// Somebody writes to a place. Gives the message's number.
    async fn says(&self, at: &Conversation, text: &str) -> MessageId;

    /// What the account has written at a place and is still to be seen, oldest first.
    async fn visible(&self, at: &Conversation) -> Vec<Seen>;

    /// The longest text of one message, in UTF-16 units, if there is a limit.
    fn longest(&self) -> Option<usize>;

    /// The platform goes away; new connections fail until [`Subject::restore`].
    async fn cut_off(&mut self);

    /// It is back. Connections made before may be of no use.
    async fn restore(&mut self);

    /// The end of a test: fails on whatever the platform saw that was wrong or nobody looked at.
    async fn end(self)
    where
        Self: Sized;
}

/// A platform that knows addresses to which nothing can be sent.
pub trait HasNowhere: Subject {
    /// Such addresses.
    fn nowhere(&self) -> Vec<Conversation>;
}

/// A platform on which requests and answers can get lost.
pub trait Loses: Subject {
    /// The ways in which they do.
    fn losses(&self) -> Vec<Loss>;

    /// The next send meets a loss.
    fn lose_send(&self, loss: &Loss);

    /// The answer to the next edit is lost.
    fn lose_answer_to_edit(&self);
}

/// A platform whose people are heard through `run`.
pub trait Heard: Subject {
    /// The account becomes useless for good.
    fn ruin(&self);

    /// A core for the account to talk to: a new one, where the platform keeps what nobody has heard yet, and
    /// otherwise one that was there before it was said.
    fn edge(&self) -> Edge {
        Edge::default()
    }
}

/// A way in which a send ends without an answer.
#[derive(Debug, Clone)]
pub struct Loss {
    /// Whether the platform carried it out.
    pub landed: bool,
    /// What happens, for the platform.
    pub fault: roundtable_fakes::Fault,
}

/// A message as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub id: MessageId,
    /// The name the platform shows with it, if it shows one of ours.
    pub name: Option<String>,
    pub text: String,
}

/// An answer of the program.
pub fn answer(text: &str) -> Outgoing {
    Outgoing::of_program(text)
}

/// An answer of an agent that the conversation does not belong to.
pub fn answer_of(name: &str, text: &str) -> Outgoing {
    Outgoing { speaker: Speaker::Persona(name.to_owned()), ..answer(text) }
}

/// The only part of a short answer.
pub fn part(channel: &dyn Channel, text: &str) -> Part {
    let mut parts = channel.render(&answer(text));
    assert_eq!(parts.len(), 1, "{text:?} is short");
    parts.remove(0)
}

/// A nonce for one part, as long as the contract allows.
pub fn nonce() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{:025}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Shows a part as the core does: by one send and, if that was of a stub, the edit that puts the text in.
pub async fn deliver(channel: &dyn Channel, to: &Conversation, part: &Part) -> MessageId {
    let Receipt { id } = channel.send(to, part, &nonce()).await.expect("the platform takes the part");
    if part.stub.is_some() {
        let edits = channel.edits().expect("a stub needs a second step");
        edits.edit(to, id, part).await.expect("the platform takes the text");
    }
    id
}

/// A reason for people: a few words at least, and not one that a program would say.
pub fn assert_sentence(reason: &str) {
    let words = reason.split_whitespace().count();
    let whole = reason.starts_with(char::is_alphanumeric) || reason.starts_with('`');
    assert!(words >= 4 && whole && !reason.contains("Error("), "no sentence: {reason:?}");
}
