//! What people do.

use std::sync::Arc;

use anyhow::ensure;
use serde_json::{Value, json};

use super::{
    chat::{ChatKey, GroupKind, Membership, Message},
    place::Place,
    world::{Callback, World},
};
use crate::fake::Fake;

/// A person in a place: what they do happens there.
#[derive(Debug, Clone)]
pub struct Seat {
    fake: Arc<Fake<World>>,
    bot: i64,
    user: i64,
    key: ChatKey,
    thread: Option<i64>,
    anonymous: bool,
}

impl Seat {
    pub(super) fn private(fake: &Arc<Fake<World>>, bot: i64, name: &str) -> Self {
        let user = fake.change(|world| world.user(name));
        let key = World::key(bot, user);
        Self { fake: Arc::clone(fake), bot, user, key, thread: None, anonymous: false }
    }

    /// The person's id.
    pub fn id(&self) -> i64 {
        self.user
    }

    /// The same person in the private chat with another bot, made by `add_bot`.
    pub fn with_bot(&self, username: &str) -> anyhow::Result<Self> {
        let found = self
            .fake
            .look(|world| world.bots.values().find(|bot| bot.username == username).map(|bot| bot.id));
        let Some(bot) = found else { anyhow::bail!("no bot is called {username}") };
        Ok(Self { bot, key: World::key(bot, self.user), thread: None, ..self.clone() })
    }

    /// The same person in a group (in its General topic, if it is a forum); a supergroup on first use.
    pub fn in_group(&self, title: &str) -> Self {
        let key = self.fake.change(|world| {
            let known = world.group_named(title);
            known.unwrap_or_else(|| world.group_with_bots(title, GroupKind::Supergroup))
        });
        Self { key, thread: None, ..self.clone() }
    }

    /// The same person in a topic of a group; both are made on first use and the group becomes a forum.
    pub fn in_topic(&self, group: &str, topic: &str) -> Self {
        let seat = self.in_group(group);
        let (key, thread) = self.fake.change(|world| {
            let basic = world.chats[&seat.key].kind == Some(GroupKind::Basic);
            let key = if basic { world.migrate(seat.key, self.user) } else { seat.key };
            world.chat(key).kind = Some(GroupKind::Forum);
            (key, world.topic_of(key, self.user, topic))
        });
        Self { key, thread: Some(thread), ..seat }
    }

    /// The same person in a topic of the private chat; switches the bot's topic mode on.
    pub fn in_private_topic(&self, topic: &str) -> Self {
        let key = World::key(self.bot, self.user);
        let thread = self.fake.change(|world| {
            world.private(self.bot, self.user);
            if let Some(bot) = world.bots.get_mut(&self.bot) {
                bot.topics = true;
            }
            world.topic_of(key, self.user, topic)
        });
        Self { key, thread: Some(thread), ..self.clone() }
    }

    /// The same person as an anonymous administrator: messages come from the group itself.
    pub fn anonymously(&self) -> Self {
        Self { anonymous: true, ..self.clone() }
    }

    /// Where the person is, to read what the bot writes there.
    pub fn place(&self) -> Place {
        let user = self.user;
        if self.key.chat == user {
            self.fake.change(|world| world.private(self.bot, user));
        }
        Place::new(&self.fake, self.bot, self.key, self.thread)
    }

    /// Writes a message. Back-ticks make code, mentions and commands are marked, as apps do.
    pub fn says(&self, text: &str) -> Message {
        self.posts(Message::typed(self.user, text))
    }

    /// Writes a message with given entities only.
    pub fn says_with(&self, text: &str, entities: Vec<Value>) -> Message {
        self.posts(Message::new(self.user, text.to_owned(), entities))
    }

    /// Writes `@bot text`.
    pub fn mentions_bot(&self, text: &str) -> Message {
        let name = self.fake.look(|world| world.bots[&self.bot].username.clone());
        self.says(&format!("@{name} {text}"))
    }

    /// Answers a message.
    pub fn replies_to(&self, message: &Message, text: &str) -> Message {
        let mut reply = Message::typed(self.user, text);
        reply.reply_to = Some(message.id);
        self.posts(reply)
    }

    /// Passes a text on that somebody else wrote.
    pub fn forwards(&self, author: &str, text: &str) -> Message {
        let mut message = Message::typed(self.user, text);
        let origin = json!({"type": "hidden_user", "sender_user_name": author, "date": 1_700_000_000});
        message.forwarded = Some(origin);
        self.posts(message)
    }

    /// Sends pictures as one album, one update each; the caption is on the first.
    pub fn sends_album<const N: usize>(&self, files: [&str; N], caption: &str) -> Vec<Message> {
        let album = self.fake.change(World::fresh).to_string();
        let mut caption = Some(caption);
        let sent = files.map(|file| {
            let mut message = Message::typed(self.user, caption.take().unwrap_or_default());
            let size =
                json!({"file_id": file, "file_unique_id": file, "width": 9, "height": 9, "file_size": 10});
            message.content.insert("photo".into(), json!([size]));
            message.content.insert("media_group_id".into(), json!(album));
            self.posts(message)
        });
        sent.into()
    }

    /// Changes the text of a message written here.
    pub fn edits(&self, message: &Message, text: &str) -> Message {
        let new = Message::typed(self.user, text);
        self.fake.change(|world| {
            let (key, now) = (self.key, world.now());
            let Some(old) = world.chat(key).messages.get_mut(&message.id) else { return message.clone() };
            old.edits.push(std::mem::replace(&mut old.text, new.text));
            old.entities = new.entities;
            old.edited = Some(now);
            world.broadcast(key, message.id, "edited_message");
            world.chats[&key].messages[&message.id].clone()
        })
    }

    /// Removes a message; bots are not told.
    pub fn deletes(&self, message: &Message) {
        self.fake.change(|world| {
            if let Some(message) = world.chat(self.key).messages.get_mut(&message.id) {
                message.deleted = true;
            }
        });
    }

    /// Presses a button under the message as it stands now. Gives the number for `callback_answer`.
    pub fn presses(&self, message: &Message, data: &str) -> anyhow::Result<i64> {
        self.fake.change(|world| {
            let key = self.key;
            let found = world.chats[&key].message(message.id);
            let offered = found.map(Message::buttons).unwrap_or_default();
            ensure!(offered.iter().any(|(_, known)| known == data), "no button {data:?} among {offered:?}");
            let shown = found.map(|message| world.message_json(key, message));
            let id = world.fresh();
            world.callbacks.insert(id, Callback { bot: message.from, data: data.to_owned(), answer: None });
            let query = json!({
                "id": id.to_string(), "from": world.user_json(self.user), "chat_instance": key.chat.to_string(),
                "data": data, "message": shown,
            });
            world.enqueue(message.from, Some(key), "callback_query", query);
            Ok(id)
        })
    }

    /// Puts an emoji under a message; bots hear it as administrators that asked for it.
    pub fn reacts(&self, message: &Message, emoji: &str) {
        self.fake.change(|world| {
            let reaction = json!({
                "chat": world.chat_json(self.key), "message_id": message.id, "user": world.user_json(self.user),
                "date": world.now(), "old_reaction": [], "new_reaction": [{"type": "emoji", "emoji": emoji}],
            });
            let bots = world.chats[&self.key].bots.keys().copied();
            let admins: Vec<i64> = bots.filter(|bot| world.is_admin(*bot, self.key)).collect();
            for bot in admins {
                world.enqueue(bot, Some(self.key), "message_reaction", reaction.clone());
            }
        });
    }

    /// Blocks the bot in the private chat.
    pub fn blocks_bot(&self) {
        self.set_membership(Membership::Kicked);
    }

    /// Takes the block back.
    pub fn unblocks_bot(&self) {
        self.set_membership(Membership::Member);
    }

    fn set_membership(&self, new: Membership) {
        self.fake.change(|world| {
            let key = world.private(self.bot, self.user);
            world.membership(key, self.bot, self.user, new);
        });
    }

    /// The oldest unread message of the bot here: [`Place::next_message`].
    pub async fn next_message(&self) -> anyhow::Result<Message> {
        self.place().next_message().await
    }

    fn posts(&self, mut message: Message) -> Message {
        message.anonymous = self.anonymous;
        message.thread = self.thread;
        message.read = true;
        self.fake.change(|world| {
            let key = if self.key.chat == self.user { world.private(self.bot, self.user) } else { self.key };
            let id = world.post(key, message);
            world.broadcast(key, id, "message");
            world.chats[&key].messages[&id].clone()
        })
    }
}

impl World {
    /// A new group in which all bots are plain members; they are told.
    pub(super) fn group_with_bots(&mut self, title: &str, kind: GroupKind) -> ChatKey {
        let (key, owner) = (self.new_group(title, kind), self.user("owner"));
        for bot in self.bots.keys().copied().collect::<Vec<_>>() {
            self.membership(key, bot, owner, Membership::Member);
        }
        key
    }
}
