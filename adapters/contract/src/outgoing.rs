//! What goes out: an answer, rendered once into parts that are stored and sent unchanged.

use serde::{Deserialize, Serialize};

use crate::MessageId;

/// An answer before it is rendered for a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Markdown, as a model writes it. Never empty or blank.
    pub text: String,
    /// Who speaks.
    pub speaker: Speaker,
    /// The message this answers; shown as a reply on its first part, dropped if that message is gone.
    pub reply_to: Option<MessageId>,
}

impl Outgoing {
    /// The program's own words.
    pub fn of_program(text: impl Into<String>) -> Self {
        Self { text: text.into(), speaker: Speaker::Program, reply_to: None }
    }
}

/// Who speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Speaker {
    /// The program itself, as the bot.
    Program,
    /// The agent that the conversation belongs to: it speaks as the bot, and its name is shown only where
    /// there is no bot to be seen (a terminal).
    Bound(String),
    /// Any other agent: its name is always shown.
    Persona(String),
}

/// One platform message, ready to be sent, in the adapter's own form.
///
/// It is stored before it is sent and never rendered again, so that a retry shows the same text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// What the adapter sends, as it likes to write it down (JSON for all of ours).
    pub body: String,
    /// The text people will see, for lists, logs at `trace` and read-back.
    pub text: String,
    /// Two-step delivery: this is sent first, its number stored, and the body then put in by an edit,
    /// which may be repeated freely. `None`: the body is sent at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stub: Option<String>,
}

/// What a platform said when it took a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The number of the message that is now visible.
    pub id: MessageId,
}
