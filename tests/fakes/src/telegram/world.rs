//! Everything the fake platform knows. Plain data: it changes only inside `Fake::change`.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{
    chat::{Chat, ChatKey, GroupKind, Membership, Message},
    flood::{Flood, Floods},
    updates::Queue,
};
use crate::{
    call::{Call, Calls},
    clock::Clock,
    fake::Scene,
    faults::Faults,
    rng::Rng,
    sending::{Sending, Sends},
};

/// What the platform, or the owner of a bot in BotFather's menu, can be set to. Change it with `TelegramFake::set`.
#[derive(Debug, Clone)]
pub struct Settings {
    /// A plain `@bot` mention reaches a bot in privacy mode (sources disagree; off is the harder case).
    pub mentions_delivered: bool,
    /// Repeated polls with the same offset are slowed down and shortened.
    pub hot_loop_throttle: bool,
    /// How long the second and later conflict answers within this time are held back.
    pub conflict_delay: Duration,
    /// Flood limits; `None` means none.
    pub flood: Option<Flood>,
    /// A send to a deleted private topic lands in the main chat instead of failing (servers before mid-2026).
    pub lost_topic_falls_back: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mentions_delivered: false,
            hot_loop_throttle: true,
            conflict_delay: Duration::from_secs(3),
            flood: None,
            lost_topic_falls_back: false,
        }
    }
}

/// The state of the fake Telegram.
#[derive(Debug)]
pub struct World {
    pub(crate) settings: Settings,
    pub(crate) bots: BTreeMap<i64, Bot>,
    pub(crate) users: BTreeMap<i64, User>,
    pub(crate) chats: BTreeMap<ChatKey, Chat>,
    pub(crate) calls: Calls,
    pub(crate) violations: Vec<String>,
    pub(crate) faults: Faults,
    pub(crate) floods: Floods,
    /// Sends on their way, by bot, chat and topic.
    pub(crate) sending: Sending<(i64, i64, i64)>,
    /// Updates handed out and not yet answered by a send, by chat.
    pub(crate) unanswered: HashMap<ChatKey, VecDeque<Instant>>,
    pub(crate) latencies: Vec<Duration>,
    /// Wakes whoever waits for a message of one chat: waking all for every change would be most of a bench's work.
    pub(crate) news: HashMap<ChatKey, Arc<Notify>>,
    pub(crate) callbacks: BTreeMap<i64, Callback>,
    pub(crate) rng: Rng,
    pub(crate) next_id: i64,
    pub(crate) clock: Clock,
}

/// A bot account.
#[derive(Debug)]
pub(crate) struct Bot {
    pub id: i64,
    pub username: String,
    pub token: String,
    /// Privacy mode: it hears in groups only what is meant for it.
    pub privacy: bool,
    /// Private chats with it have topics.
    pub topics: bool,
    pub webhook: Option<String>,
    pub commands: Value,
    pub queue: Queue,
    /// Private chats and basic groups count their messages together.
    pub next_message: i64,
}

/// A person.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub id: i64,
    pub name: String,
}

/// A pressed button.
#[derive(Debug)]
pub(crate) struct Callback {
    pub bot: i64,
    pub data: String,
    pub answer: Option<Value>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            bots: BTreeMap::new(),
            users: BTreeMap::new(),
            chats: BTreeMap::new(),
            calls: Calls::default(),
            violations: Vec::new(),
            faults: Faults::default(),
            floods: Floods::default(),
            sending: Sending::default(),
            unanswered: HashMap::new(),
            latencies: Vec::new(),
            news: HashMap::new(),
            callbacks: BTreeMap::new(),
            rng: Rng::any(),
            next_id: 1,
            clock: Clock::default(),
        }
    }
}

impl Sends for World {
    type Key = (i64, i64, i64);

    fn sending(&mut self) -> &mut Sending<Self::Key> {
        &mut self.sending
    }
}

impl Scene for World {
    fn transcript(&self) -> String {
        let chats: Vec<String> = self.chats.keys().map(|key| self.history(*key)).collect();
        chats.join("\n")
    }
}

impl World {
    /// The virtual time in milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// The virtual time in seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        i64::try_from(self.now_ms() / 1000).unwrap_or(i64::MAX)
    }

    /// A number that was not given out before.
    pub(crate) fn fresh(&mut self) -> i64 {
        self.next_id += 1;
        self.next_id
    }

    pub(crate) fn violation(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }

    pub(crate) fn add_bot(&mut self, username: &str) -> i64 {
        let id = 8_000_000_000 + self.fresh();
        let secret = self.rng.letters(35);
        let queue = Queue::new(1 + self.rng.below(500_000_000).cast_signed());
        let next_message = 100 + self.rng.below(10_000).cast_signed();
        let bot = Bot {
            id,
            username: username.to_owned(),
            token: format!("{id}:{secret}"),
            privacy: true,
            topics: false,
            webhook: None,
            commands: json!([]),
            queue,
            next_message,
        };
        self.bots.insert(id, bot);
        id
    }

    /// The person called `name`, new on first use. Ids need more than 32 bits, as many real ones do.
    pub(crate) fn user(&mut self, name: &str) -> i64 {
        if let Some(user) = self.users.values().find(|user| user.name == name) {
            return user.id;
        }
        let id = 5_000_000_000 + self.fresh();
        self.users.insert(id, User { id, name: name.to_owned() });
        id
    }

    /// The key of `chat` as `bot` names it.
    pub(crate) fn key(bot: i64, chat: i64) -> ChatKey {
        ChatKey { bot: if chat > 0 { bot } else { 0 }, chat }
    }

    /// The private chat of a person with a bot, opened on first use.
    pub(crate) fn private(&mut self, bot: i64, user: i64) -> ChatKey {
        let key = Self::key(bot, user);
        if !self.chats.contains_key(&key) {
            let title = self.users[&user].name.clone();
            self.chats.insert(key, Chat::new(key, None, title));
            self.chat(key).bots.insert(bot, Membership::Member);
        }
        key
    }

    /// The group of that title as it is now (after a migration: the new one).
    pub(crate) fn group_named(&self, title: &str) -> Option<ChatKey> {
        let mut groups = self.chats.values().filter(|chat| chat.kind.is_some() && chat.migrated_to.is_none());
        groups.find(|chat| chat.title == title).map(|chat| chat.key)
    }

    /// A new group without members.
    pub(crate) fn new_group(&mut self, title: &str, kind: GroupKind) -> ChatKey {
        let number = self.fresh();
        let chat = if kind == GroupKind::Basic { -(4_000_000 + number) } else { -1_002_000_000_000 - number };
        let key = ChatKey { bot: 0, chat };
        self.chats.insert(key, Chat::new(key, Some(kind), title.to_owned()));
        key
    }

    /// A chat that is known to exist, to be changed: the key came from this world.
    pub(crate) fn chat(&mut self, key: ChatKey) -> &mut Chat {
        if let Some(news) = self.news.get(&key) {
            news.notify_waiters();
        }
        self.chats.get_mut(&key).expect("chats are never removed")
    }

    /// Stores a message under its chat's next number and returns the number. `from` and content are the caller's.
    pub(crate) fn post(&mut self, key: ChatKey, mut message: Message) -> i64 {
        let by_bot = self.bots.contains_key(&message.from);
        let counter = match self.chats[&key].kind {
            None => Some(key.bot),
            Some(GroupKind::Basic) => self.chats[&key].bots.keys().next().copied(),
            Some(_) => None,
        };
        let next = match counter.and_then(|bot| self.bots.get_mut(&bot)) {
            Some(bot) => &mut bot.next_message,
            None => &mut self.chat(key).next_message,
        };
        message.id = *next;
        *next += 1;
        message.chat = key.chat;
        message.date = self.now();
        message.at_ms = self.now_ms();
        let chat = self.chat(key);
        let answered = message.reply_to.and_then(|id| chat.messages.get(&id));
        if message.thread.is_none() && !matches!(chat.kind, None | Some(GroupKind::Basic)) {
            message.chain = answered.map(|first| first.chain.unwrap_or(first.id));
        }
        if by_bot {
            chat.last_bot = Some(message.from);
            chat.drafts.remove(&message.thread.unwrap_or(0));
        }
        let id = message.id;
        chat.messages.insert(id, message);
        id
    }

    /// Moves the virtual clock.
    pub(crate) fn advance(&mut self, by: Duration) {
        self.clock.advance(by);
    }

    /// What was called so far, oldest first (the last 100,000).
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter()
    }

    /// Every message a bot has written and not deleted, of all chats.
    pub fn bot_messages(&self) -> impl Iterator<Item = &Message> {
        let all = self.chats.values().flat_map(|chat| chat.messages.values());
        all.filter(|message| self.bots.contains_key(&message.from) && !message.deleted)
    }

    /// How many updates wait for the bots or are not confirmed yet.
    pub fn pending_updates(&self) -> usize {
        self.bots.values().map(|bot| bot.queue.len()).sum()
    }

    /// The name of a user or bot, for transcripts.
    pub fn name_of(&self, id: i64) -> &str {
        let bot = self.bots.get(&id).map(|bot| bot.username.as_str());
        bot.or_else(|| self.users.get(&id).map(|user| user.name.as_str())).unwrap_or("someone")
    }

    /// The title of a chat, for transcripts.
    pub fn title_of(&self, chat: i64) -> &str {
        let found = self.chats.values().find(|known| known.key.chat == chat);
        found.map_or("unknown chat", |known| known.title.as_str())
    }
}
