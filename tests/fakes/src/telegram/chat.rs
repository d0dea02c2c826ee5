//! Chats, topics and messages as they are stored.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::text;

/// A chat: private ones exist once per bot, groups (`bot` 0) once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ChatKey {
    pub bot: i64,
    pub chat: i64,
}

/// The kind of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupKind {
    /// A small group with a small negative id; may migrate.
    Basic,
    /// A group with ids below -1,000,000,000,000.
    Supergroup,
    /// A supergroup with topics.
    Forum,
}

/// A bot's place in a group, or with a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Membership {
    Member,
    Admin,
    Kicked,
}

#[derive(Debug)]
pub(crate) struct Chat {
    pub key: ChatKey,
    /// `None` for a private chat.
    pub kind: Option<GroupKind>,
    pub title: String,
    pub bots: BTreeMap<i64, Membership>,
    pub messages: BTreeMap<i64, Message>,
    pub next_message: i64,
    pub topics: BTreeMap<i64, Topic>,
    /// Streamed texts that no message has replaced yet, by topic (0: none).
    pub drafts: BTreeMap<i64, Draft>,
    /// The bot that wrote last: plain commands go to it.
    pub last_bot: Option<i64>,
    pub migrated_to: Option<i64>,
}

/// A streamed text: visible for [`Draft::LIFE`], gone with the next message.
#[derive(Debug)]
pub(crate) struct Draft {
    pub text: String,
    /// When it was last written, in milliseconds of the virtual clock.
    pub at_ms: u64,
}

impl Draft {
    /// Apps show a draft for so many milliseconds.
    pub const LIFE: u64 = 30_000;
}

#[derive(Debug)]
pub(crate) struct Topic {
    pub name: String,
    pub creator: i64,
    pub closed: bool,
    pub deleted: bool,
}

/// A message as it stands in a chat.
#[derive(Debug, Clone)]
pub struct Message {
    /// The chat's id.
    pub chat: i64,
    /// Its number in the chat.
    pub id: i64,
    /// Who wrote it: a user's or a bot's id.
    pub from: i64,
    /// It speaks for the group itself: an anonymous administrator wrote it.
    pub anonymous: bool,
    /// Seconds since 1970 on the virtual clock.
    pub date: i64,
    /// The same in milliseconds, for measuring.
    pub at_ms: u64,
    /// The time of the last edit.
    pub edited: Option<i64>,
    /// The topic it is in; `None` in General and in chats without topics.
    pub thread: Option<i64>,
    /// The first message of the chain of replies it belongs to (supergroups, outside topics).
    pub chain: Option<i64>,
    /// The message it answers.
    pub reply_to: Option<i64>,
    /// Text or caption, normalised.
    pub text: String,
    /// The entities of `text`, UTF-16 offsets.
    pub entities: Vec<Value>,
    /// Where it was passed on from.
    pub forwarded: Option<Value>,
    /// Anything but plain text: media, or the fields of a service message.
    pub content: Map<String, Value>,
    /// What is in the document that came with it.
    pub file_text: Option<String>,
    /// The inline keyboard.
    pub markup: Option<Value>,
    /// Earlier texts, oldest first.
    pub edits: Vec<String>,
    /// The emoji that bots have put under it.
    pub reactions: BTreeMap<i64, String>,
    /// A test has seen it.
    pub read: bool,
    /// It is no longer there.
    pub deleted: bool,
}

impl Message {
    /// Something that happened in the chat, rather than something said.
    pub fn is_service(&self) -> bool {
        self.text.is_empty() && !self.content.contains_key("document") && !self.content.contains_key("photo")
    }

    /// The inline buttons as (text, callback data).
    pub fn buttons(&self) -> Vec<(String, String)> {
        let rows = self.markup.as_ref().and_then(|markup| markup["inline_keyboard"].as_array());
        let buttons = rows.into_iter().flatten().filter_map(Value::as_array).flatten();
        let string = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        buttons.map(|button| (string(&button["text"]), string(&button["callback_data"]))).collect()
    }
}

impl Chat {
    /// An empty chat.
    pub fn new(key: ChatKey, kind: Option<GroupKind>, title: String) -> Self {
        Self {
            key,
            kind,
            title,
            bots: BTreeMap::new(),
            messages: BTreeMap::new(),
            next_message: 2,
            topics: BTreeMap::new(),
            drafts: BTreeMap::new(),
            last_bot: None,
            migrated_to: None,
        }
    }

    /// The message of that number, unless it was deleted.
    pub fn message(&self, id: i64) -> Option<&Message> {
        self.messages.get(&id).filter(|message| !message.deleted)
    }

    /// The live topic of that name.
    pub fn topic_named(&self, name: &str) -> Option<i64> {
        let mut live = self.topics.iter().filter(|(_, topic)| !topic.deleted);
        live.find(|(_, topic)| topic.name == name).map(|(id, _)| *id)
    }
}

impl Message {
    /// A message to be stored with [`World::post`], which fills in the rest.
    pub(crate) fn new(from: i64, text: String, entities: Vec<Value>) -> Self {
        Self {
            chat: 0,
            id: 0,
            from,
            anonymous: false,
            date: 0,
            at_ms: 0,
            edited: None,
            thread: None,
            chain: None,
            reply_to: None,
            text,
            entities,
            forwarded: None,
            content: Map::new(),
            file_text: None,
            markup: None,
            edits: Vec::new(),
            reactions: BTreeMap::new(),
            read: false,
            deleted: false,
        }
    }

    /// A service message: `name` with `value`.
    pub(crate) fn service(from: i64, name: &str, value: Value) -> Self {
        let mut message = Self::new(from, String::new(), Vec::new());
        message.content.insert(name.to_owned(), value);
        message.read = true;
        message
    }

    /// A person's typed text.
    pub(crate) fn typed(from: i64, typed: &str) -> Self {
        let (plain, entities) = text::typed(typed);
        Self::new(from, plain, entities)
    }
}
