//! What an inbox item is, stored and new.

use roundtable_contract::{Attachment, MessageId, Sender};
use serde::{Deserialize, Serialize};

use crate::store::sessions::Session;
use crate::store::words;

words!(
    /// Who an item comes from.
    ItemKind {
        /// A person.
        User = "user",
        /// Another agent.
        Agent = "agent",
        /// Another agent, or a person by a command: what a run is to do.
        Task = "task",
        /// The result of a run.
        Announce = "announce",
        /// The program.
        System = "system",
    }
);

/// What an item says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Body {
    /// The text.
    pub text: String,
    /// The message it answers: its author and text, as data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<Quoted>,
    /// What came with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// The text was written by somebody else and passed on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forwarded: bool,
    /// A later version of a message that was read before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub edited: bool,
}

/// A quoted message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quoted {
    /// Its author, where known.
    pub author: Option<String>,
    /// Its text.
    pub text: String,
}

/// A stored item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its row; rises with time within a session.
    pub id: i64,
    /// Who it comes from.
    pub kind: ItemKind,
    /// Whether it starts a turn.
    pub wake: bool,
    /// Where it came from and where the answer belongs.
    pub conversation_id: i64,
    /// The exchange it is a turn of.
    pub exchange_id: Option<i64>,
    /// The run it gives a task to, or brings the outcome of.
    pub run_id: Option<i64>,
    /// The platform's id of the sender, or the key of the session.
    pub sender: String,
    /// The name to show.
    pub sender_name: String,
    /// The platform message it was made from.
    pub message_id: Option<MessageId>,
    /// What restricts the tools of the turn that it starts, as JSON; `None`: nothing.
    pub policy: Option<String>,
    /// What it says.
    pub body: Body,
    /// Items with the same key are pieces of one message.
    pub merge_key: Option<String>,
    /// No turn takes it before this time.
    pub not_before: i64,
}

/// A new item.
#[derive(Debug, Clone)]
pub struct NewItem<'a> {
    /// The session that must react.
    pub session_id: i64,
    /// Its tree.
    pub tree_id: i64,
    /// Who it comes from.
    pub kind: ItemKind,
    /// Whether it starts a turn.
    pub wake: bool,
    /// Where it came from.
    pub conversation_id: i64,
    /// The exchange it is a message of.
    pub exchange_id: Option<i64>,
    /// The run it gives a task to, or brings the outcome of.
    pub run_id: Option<i64>,
    /// The platform's id of the sender, or the key of the session.
    pub sender: &'a str,
    /// The name to show.
    pub sender_name: &'a str,
    /// The platform message.
    pub message_id: Option<MessageId>,
    /// What restricts the tools of the turn that it starts, as JSON; `None`: nothing.
    pub policy: Option<&'a str>,
    /// What it says.
    pub body: &'a Body,
    /// Pieces of one message share it.
    pub merge_key: Option<&'a str>,
    /// No turn takes it before this time.
    pub not_before: i64,
}

impl<'a> NewItem<'a> {
    /// An item that wakes its session at once and is of no exchange or run, without restrictions: what most are.
    pub fn new(
        kind: ItemKind,
        author: Author<'a>,
        to: impl Into<To>,
        conversation_id: i64,
        body: &'a Body,
    ) -> Self {
        let To { session_id, tree_id } = to.into();
        Self {
            session_id,
            tree_id,
            kind,
            wake: true,
            conversation_id,
            exchange_id: None,
            run_id: None,
            sender: author.id,
            sender_name: author.name,
            message_id: None,
            policy: None,
            body,
            merge_key: None,
            not_before: 0,
        }
    }
}

/// Who an item comes from.
#[derive(Debug, Clone, Copy)]
pub struct Author<'a> {
    /// The platform's id of a person, or the key of a session.
    pub id: &'a str,
    /// The name to show.
    pub name: &'a str,
}

impl<'a> Author<'a> {
    /// A person.
    pub fn person(sender: &'a Sender) -> Self {
        Self { id: sender.id.as_str(), name: &sender.name }
    }

    /// An agent, as what it is called.
    pub fn session(session: &'a Session) -> Self {
        Self { id: &session.key, name: session.name() }
    }
}

/// The session that must react to an item.
#[derive(Debug, Clone, Copy)]
pub struct To {
    /// Its row.
    pub session_id: i64,
    /// The tree it belongs to.
    pub tree_id: i64,
}

impl From<&Session> for To {
    fn from(session: &Session) -> Self {
        Self { session_id: session.id, tree_id: session.tree_id }
    }
}
