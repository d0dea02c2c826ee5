//! Whether a message speaks to the bot. In a group most don't, and those wake nobody.

use std::fmt;

use roundtable_contract::{ChatKind, Message, MessageKind};

use super::commands::Parsed;
use super::words::{self, Words};
use super::{Facts, Mention, Rules};

/// How a message speaks to the bot: the first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressed {
    /// It is written in a private chat.
    Direct,
    /// It is a command.
    Command,
    /// The platform says that the bot is mentioned.
    Mention,
    /// A label in it addresses somebody at this table.
    Label,
    /// It answers one of the bot's messages.
    Reply,
    /// The sender has a focus of their own here.
    Focus,
    /// The bot opened the thread.
    Thread,
    /// A binding asks for no mention.
    Always,
    /// It doesn't.
    No,
}

impl Addressed {
    /// Whether it is the message that speaks to the bot, and not the place it was written in.
    pub fn by_what_was_written(self) -> bool {
        matches!(self, Self::Command | Self::Mention | Self::Label | Self::Reply)
    }
}

impl fmt::Display for Addressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Direct => "a private chat",
            Self::Command => "a command",
            Self::Mention => "the bot is mentioned",
            Self::Label => "a label names somebody here",
            Self::Reply => "a reply to one of our messages",
            Self::Focus => "the sender has a focus here",
            Self::Thread => "the bot opened this thread",
            Self::Always => "the binding asks for no mention",
            Self::No => "no",
        })
    }
}

/// Finds out how a message speaks to the bot.
///
/// What somebody else wrote and was passed on speaks to nobody, a command for another bot speaks to that
/// bot, and an edit speaks to nobody again.
pub(super) fn addressed(
    rules: &Rules,
    facts: &Facts<'_>,
    message: &Message,
    words: &Words<'_>,
    mention: Mention,
) -> Addressed {
    if message.kind == MessageKind::Edit {
        Addressed::No
    } else if message.chat_kind == ChatKind::Direct {
        Addressed::Direct
    } else if words.command == Parsed::OtherBot {
        Addressed::No
    } else if matches!(words.command, Parsed::Ours(_) | Parsed::Misused { .. }) {
        Addressed::Command
    } else if message.mentions_us && !message.forwarded {
        Addressed::Mention
    } else if words.labels.addressees.iter().any(|label| words::find(label, rules, facts).is_some()) {
        Addressed::Label
    } else if message.reply_to.as_ref().is_some_and(|quote| quote.ours) {
        Addressed::Reply
    } else if facts.focus.is_some_and(|focus| focus.own) {
        Addressed::Focus
    } else if facts.our_thread {
        Addressed::Thread
    } else if mention == Mention::Always {
        Addressed::Always
    } else {
        Addressed::No
    }
}
