//! Channels, threads and messages as they are stored.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Permission bits, as Discord numbers them.
pub mod rights {
    /// See the channel at all; without it, it is hidden.
    pub const VIEW_CHANNEL: u64 = 1 << 10;
    /// Write; has no effect in threads.
    pub const SEND_MESSAGES: u64 = 1 << 11;
    /// Write in threads.
    pub const SEND_MESSAGES_IN_THREADS: u64 = 1 << 38;
    /// Read what was said before.
    pub const READ_MESSAGE_HISTORY: u64 = 1 << 16;
    /// Be the first with an emoji.
    pub const ADD_REACTIONS: u64 = 1 << 6;
    /// Open public threads.
    pub const CREATE_PUBLIC_THREADS: u64 = 1 << 35;
    /// Open private threads.
    pub const CREATE_PRIVATE_THREADS: u64 = 1 << 36;
    /// Rename, lock and reopen threads of others.
    pub const MANAGE_THREADS: u64 = 1 << 34;
    /// Delete messages of others.
    pub const MANAGE_MESSAGES: u64 = 1 << 13;
    /// Rename channels.
    pub const MANAGE_CHANNELS: u64 = 1 << 4;
    /// What a bot has that nobody gave or took anything.
    pub const USUAL: u64 = VIEW_CHANNEL
        | SEND_MESSAGES
        | SEND_MESSAGES_IN_THREADS
        | READ_MESSAGE_HISTORY
        | ADD_REACTIONS
        | CREATE_PUBLIC_THREADS
        | CREATE_PRIVATE_THREADS;
}

/// The kind of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text channel.
    Text,
    /// Of one person and one bot.
    Dm,
    /// A public thread, or a post in a forum.
    Thread,
    /// A thread for its members only.
    PrivateThread,
    /// Threads only.
    Forum,
}

impl Kind {
    /// Discord's number for it.
    pub fn number(self) -> u8 {
        match self {
            Self::Text => 0,
            Self::Dm => 1,
            Self::Thread => 11,
            Self::PrivateThread => 12,
            Self::Forum => 15,
        }
    }

    /// It hangs under another channel.
    pub fn is_thread(self) -> bool {
        matches!(self, Self::Thread | Self::PrivateThread)
    }
}

#[derive(Debug)]
pub(crate) struct Channel {
    pub id: u64,
    pub kind: Kind,
    pub guild: Option<u64>,
    pub parent: Option<u64>,
    pub name: String,
    /// Who opened the thread.
    pub owner: u64,
    /// The bot and the person of a DM.
    pub pair: Option<(u64, u64)>,
    pub messages: BTreeMap<u64, Message>,
    pub granted: u64,
    pub denied: u64,
    pub archived: bool,
    pub locked: bool,
    /// Minutes.
    pub auto_archive: u64,
    /// The last change of `archived`, in milliseconds since 1970.
    pub archived_at: u64,
    pub created_at: u64,
    /// Who joined the thread.
    pub members: BTreeSet<u64>,
    pub deleted: bool,
}

impl Channel {
    /// An empty channel of a guild, or a DM.
    pub fn new(id: u64, kind: Kind, name: &str, created_at: u64) -> Self {
        Self {
            id,
            kind,
            guild: None,
            parent: None,
            name: name.to_owned(),
            owner: 0,
            pair: None,
            messages: BTreeMap::new(),
            granted: 0,
            denied: 0,
            archived: false,
            locked: false,
            auto_archive: 1440,
            archived_at: created_at,
            created_at,
            members: BTreeSet::new(),
            deleted: false,
        }
    }

    /// The message of that id, unless it was deleted.
    pub fn message(&self, id: u64) -> Option<&Message> {
        self.messages.get(&id).filter(|message| !message.deleted)
    }

    /// The newest message that stands here.
    pub fn last_message(&self) -> Option<u64> {
        self.messages.values().rev().find(|message| !message.deleted).map(|message| message.id)
    }
}

/// Whom a message has called with a sound, now or before an edit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pings {
    /// People and bots.
    pub users: BTreeSet<u64>,
    /// Roles.
    pub roles: BTreeSet<u64>,
    /// `@everyone` or `@here`.
    pub everyone: bool,
}

impl Pings {
    /// Nobody hears it.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.roles.is_empty() && !self.everyone
    }

    /// Calls these too.
    pub(crate) fn add(&mut self, more: Self) {
        self.users.extend(more.users);
        self.roles.extend(more.roles);
        self.everyone |= more.everyone;
    }
}

/// A message as it stands in a channel.
#[derive(Debug, Clone)]
pub struct Message {
    /// The channel's or thread's id.
    pub channel: u64,
    /// Its id; a thread that was opened from it has the same.
    pub id: u64,
    /// Who wrote it: a person's or a bot's id.
    pub from: u64,
    /// Discord's number: 0 said, 19 a reply, 18 and 21 about threads.
    pub kind: u8,
    /// What it says, trimmed.
    pub text: String,
    /// The sender's nonce.
    pub nonce: Option<Value>,
    /// The message it answers, or the one that a thread came from.
    pub reply_to: Option<u64>,
    /// Whom it called, under the mentions that its sender allowed.
    pub pings: Pings,
    /// Flag bits; 32: a thread hangs on it.
    pub flags: u64,
    /// The time of the last edit, in milliseconds since 1970.
    pub edited: Option<u64>,
    /// Earlier texts, oldest first.
    pub edits: Vec<String>,
    /// Emoji and who put them under it.
    pub reactions: BTreeMap<String, BTreeSet<u64>>,
    /// Any other fields that Discord shows of it.
    pub extra: Map<String, Value>,
    /// A test has seen it.
    pub read: bool,
    /// It is no longer there.
    pub deleted: bool,
}

impl Message {
    /// A message to be stored with `World::post`, which fills in the rest.
    pub(crate) fn new(from: u64, text: &str) -> Self {
        Self {
            channel: 0,
            id: 0,
            from,
            kind: 0,
            text: text.trim().to_owned(),
            nonce: None,
            reply_to: None,
            pings: Pings::default(),
            flags: 0,
            edited: None,
            edits: Vec::new(),
            reactions: BTreeMap::new(),
            extra: Map::new(),
            read: false,
            deleted: false,
        }
    }

    /// Something that happened in the channel, rather than something said.
    pub fn is_service(&self) -> bool {
        !matches!(self.kind, 0 | 19)
    }
}
