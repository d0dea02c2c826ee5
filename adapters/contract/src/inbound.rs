//! What comes in: platform events, translated by an adapter and given to [`Edge::accept`](crate::Edge).

use serde::{Deserialize, Serialize};

use crate::{AccountId, ChatId, Conversation, EventKey, MessageId, ThreadId, UserId};

/// One platform event that the core has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Somebody wrote or edited a message.
    Message(Box<Message>),
    /// A chat continues under another id (Telegram: a group became a supergroup).
    Moved {
        /// The name of the event.
        key: EventKey,
        /// The account that saw it.
        account: AccountId,
        /// The id that is gone.
        from: ChatId,
        /// The id to use from now on.
        to: ChatId,
    },
    /// A thread that we asked for is there: the platform's own event about it.
    Opened {
        /// The name of the event.
        key: EventKey,
        /// The thread's conversation.
        conversation: Conversation,
        /// Its name, as we gave it.
        name: String,
    },
}

/// A message of a person (or another bot) as it reached one of our accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The name of the event, for the dedupe.
    pub key: EventKey,
    /// Where it was written and where the answer belongs.
    pub conversation: Conversation,
    /// Private chat or a place with several people.
    pub chat_kind: ChatKind,
    /// The chat's title, for people and for the agent's context.
    pub title: Option<String>,
    /// Discord: the server. Telegram has none.
    pub guild: Option<String>,
    /// The chat that this conversation is a thread of, where a platform gives threads a chat id of
    /// their own (Discord). Telegram's topics share the chat's id and leave it out.
    pub parent: Option<ChatId>,
    /// New message or a new version of an old one.
    pub kind: MessageKind,
    /// Who wrote it.
    pub sender: Sender,
    /// The platform's number of it.
    pub id: MessageId,
    /// The text (or caption), without loss, in the platform's plain form.
    pub text: String,
    /// Marked stretches of `text`.
    pub spans: Vec<Span>,
    /// The platform says that our bot is spoken to: a mention entity, `/command@our_bot`.
    pub mentions_us: bool,
    /// The text was written by somebody else and passed on: labels in it address nobody.
    pub forwarded: bool,
    /// The message this one answers.
    pub reply_to: Option<Quote>,
    /// Files and media that came with it.
    pub attachments: Vec<Attachment>,
    /// Pieces with the same name are one message (Telegram's albums).
    pub album: Option<String>,
    /// When it was written: milliseconds since 1970, the platform's clock.
    pub at: i64,
}

/// The kind of place a conversation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatKind {
    /// One person and the bot.
    Direct,
    /// Any place that several people can read.
    Group,
}

/// Whether a message is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// Written for the first time.
    New,
    /// The text of a message that was seen, or could have been seen, before.
    Edit,
}

/// Who wrote a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The platform's id of the account that wrote.
    pub id: UserId,
    /// The name to show.
    pub name: String,
    /// `@name` without the sign, where the platform has them.
    pub username: Option<String>,
    /// Another bot. Our own messages never become events.
    pub is_bot: bool,
    /// Discord: role ids on the server.
    pub roles: Vec<String>,
}

/// A stretch of a message's text, in bytes (`start..end` are char boundaries of `text`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// First byte after it.
    pub end: usize,
    /// What it is.
    pub kind: SpanKind,
}

/// What a stretch of text is. Kinds the core has no use for are left out by adapters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// Inline code or a code block.
    Code,
    /// An address or a text with an address behind it.
    Link,
    /// A quotation.
    Quote,
    /// A platform mention of our own bot.
    OurMention,
    /// A platform mention of somebody else.
    Mention,
    /// A bot command (`/help`, `/help@bot`).
    Command,
}

/// The message that a message answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// Its number; `None` when it lies in another chat.
    pub id: Option<MessageId>,
    /// It is one of ours.
    pub ours: bool,
    /// Its author's name, where known.
    pub author: Option<String>,
    /// Its text or the quoted piece, where the platform sent it along.
    pub text: Option<String>,
    /// The thread it lies in, where that is another one.
    pub thread: Option<ThreadId>,
}

/// A file, picture or other thing that came with a message. The bytes stay on the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// What it is, in the platform's word: `photo`, `document`, `voice`, or an unknown content's name.
    pub kind: String,
    /// How the adapter finds it again; empty when there is nothing to fetch.
    pub reference: String,
    /// File name, where there is one.
    pub name: Option<String>,
    /// Size in bytes, where known.
    pub size: Option<u64>,
}
