//! Opaque identifiers. Only adapters make the inner text or read meaning into it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is no id: says which kind was asked for and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {kind}: write {form}")]
pub struct ParseIdError {
    text: String,
    kind: &'static str,
    form: &'static str,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps a text made by an adapter.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text as the adapter made it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// A chat of one account: a private chat, a group, a channel. Never contains `:`.
    ChatId
);
text_id!(
    /// A thread or topic within a chat. Never contains `:`.
    ThreadId
);
text_id!(
    /// A person or bot on a platform.
    UserId
);
text_id!(
    /// The name of one event of a platform, unique per account: a second event with it is a duplicate.
    ///
    /// `msg:<chat>:<id>`, `edit:<chat>:<id>:<edit time>`, `call:<callback id>`, `member:<update id>`.
    EventKey
);

/// A platform's message number.
///
/// Numbers rise with time within one [id space](crate::Channel::id_space), which is all the core relies
/// on: Discord's snowflakes, Telegram's message ids and the local channel's row numbers all do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub i64);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One bot login on a platform, written `telegram:main`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId {
    /// The platform: `telegram`, `discord`, `local`.
    pub channel: String,
    /// The account's name in the configuration, `main` for the only one.
    pub name: String,
}

impl AccountId {
    /// The account `name` of platform `channel`.
    pub fn new(channel: impl Into<String>, name: impl Into<String>) -> Self {
        Self { channel: channel.into(), name: name.into() }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.channel, self.name)
    }
}

impl FromStr for AccountId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        match text.split(':').collect::<Vec<_>>()[..] {
            [channel, name] if !channel.is_empty() && !name.is_empty() => Ok(Self::new(channel, name)),
            _ => Err(ParseIdError { text: text.into(), kind: "account", form: "<channel>:<account>" }),
        }
    }
}

/// One of the connections that an account is split into. The first is written like the account, another one with its
/// number behind it, `discord:main/1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection {
    /// The bot login.
    pub account: AccountId,
    /// The number of the connection, from 0.
    pub shard: u32,
}

impl Connection {
    /// The connection `shard` of an account.
    pub fn new(account: AccountId, shard: u32) -> Self {
        Self { account, shard }
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shard {
            0 => self.account.fmt(f),
            shard => write!(f, "{}/{shard}", self.account),
        }
    }
}

/// An exact external address: account, chat and perhaps a thread. Written `telegram:main:-100123:42`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Conversation {
    /// The bot login through which the conversation is reached.
    pub account: AccountId,
    /// The chat.
    pub chat: ChatId,
    /// The thread or topic in the chat; `None` is the chat itself (Telegram's General topic included).
    pub thread: Option<ThreadId>,
}

impl Conversation {
    /// The chat as a whole.
    pub fn chat(account: AccountId, chat: impl Into<String>) -> Self {
        Self { account, chat: ChatId::new(chat), thread: None }
    }

    /// The thread `thread` of the same chat.
    pub fn with_thread(mut self, thread: impl Into<String>) -> Self {
        self.thread = Some(ThreadId::new(thread));
        self
    }
}

impl fmt::Display for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.account, self.chat)?;
        match &self.thread {
            Some(thread) => write!(f, ":{thread}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Conversation {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let pieces: Vec<_> = text.split(':').collect();
        if pieces.iter().any(|piece| piece.is_empty()) {
            return Err(Self::wrong(text));
        }
        match pieces[..] {
            [channel, name, chat] => Ok(Self::chat(AccountId::new(channel, name), chat)),
            [channel, name, chat, thread] => {
                Ok(Self::chat(AccountId::new(channel, name), chat).with_thread(thread))
            }
            _ => Err(Self::wrong(text)),
        }
    }
}

impl Conversation {
    fn wrong(text: &str) -> ParseIdError {
        ParseIdError {
            text: text.into(),
            kind: "conversation",
            form: "<channel>:<account>:<chat> or <channel>:<account>:<chat>:<thread>",
        }
    }
}

macro_rules! serde_as_text {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = ParseIdError;
            fn try_from(text: String) -> Result<Self, ParseIdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    };
}

serde_as_text!(AccountId);
serde_as_text!(Conversation);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversations_are_written_and_read() {
        for text in ["telegram:main:-100123", "telegram:main:-100123:42", "local:main:lobby"] {
            assert_eq!(text.parse::<Conversation>().unwrap().to_string(), text);
        }
        for text in ["", "telegram", "telegram:main", "telegram:main:", "a:b:c:d:e", "::x"] {
            assert!(text.parse::<Conversation>().is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn the_first_connection_is_written_like_its_account() {
        let written = |shard| Connection::new(AccountId::new("discord", "main"), shard).to_string();
        assert_eq!([written(0), written(1)], ["discord:main", "discord:main/1"]);
    }

    #[test]
    fn a_wrong_conversation_says_how_to_write_one() {
        let error = "telegram".parse::<Conversation>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`telegram` is no conversation: write <channel>:<account>:<chat> or \
             <channel>:<account>:<chat>:<thread>"
        );
    }
}
