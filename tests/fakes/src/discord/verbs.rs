//! What people do.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{
    channel::{Kind, Message},
    mentions::Allowed,
    place::Place,
    shard::Shard,
    world::World,
};
use crate::fake::Fake;

/// A person in a place: what they do happens there.
#[derive(Debug, Clone)]
pub struct Seat {
    fake: Arc<Fake<World>>,
    bot: u64,
    user: u64,
    guild: u64,
    spot: Spot,
}

/// Where a seat stands.
#[derive(Debug, Clone)]
enum Spot {
    Channel(u64),
    /// A post of a forum that begins with the first message.
    Post {
        forum: u64,
        name: String,
    },
}

impl Seat {
    pub(super) fn new(fake: &Arc<Fake<World>>, bot: u64, guild: u64, name: &str) -> Self {
        let (user, dm) = fake.change(|world| {
            let user = world.user(name);
            world.join(guild, user);
            (user, world.dm(bot, user))
        });
        Self { fake: Arc::clone(fake), bot, user, guild, spot: Spot::Channel(dm) }
    }

    /// The person's id.
    pub fn id(&self) -> u64 {
        self.user
    }

    /// The same person in the DM with the bot.
    pub fn dm(&self) -> Self {
        self.at(self.fake.change(|world| world.dm(self.bot, self.user)))
    }

    /// The same person in the DM with another bot, made by `add_bot`, and meaning that one with `mentions_bot`.
    pub fn with_bot(&self, name: &str) -> anyhow::Result<Self> {
        let found =
            self.fake.look(|world| world.bots.keys().copied().find(|bot| world.name_of(*bot) == name));
        let Some(bot) = found else { anyhow::bail!("no bot is called {name}") };
        Ok(Self { bot, ..self.clone() }.dm())
    }

    /// The same person as a member of another guild, new on first use; choose a channel there next.
    pub fn in_guild(&self, name: &str) -> Self {
        self.in_guild_of(name, Shard::ALL)
    }

    /// The same, and a new guild is one that shard `number` of `of` hears of.
    pub fn in_guild_of_shard(&self, name: &str, [number, of]: [u64; 2]) -> Self {
        self.in_guild_of(name, Shard::new(number, of).expect("there is such a shard"))
    }

    fn in_guild_of(&self, name: &str, shard: Shard) -> Self {
        let guild = self.fake.change(|world| {
            let guild = world.guild_of(name, shard);
            world.join(guild, self.user);
            guild
        });
        Self { guild, ..self.clone() }
    }

    /// The same person in a text channel of the guild, new on first use.
    pub fn in_channel(&self, name: &str) -> Self {
        self.at(self.fake.change(|world| world.channel_named(self.guild, name, Kind::Text)))
    }

    /// The same person in a thread under a text channel; both are made on first use, by this person.
    pub fn in_thread(&self, channel: &str, thread: &str) -> Self {
        let parent = self.in_channel(channel).place().channel_id();
        self.at(self.fake.change(|world| {
            let known = world.thread_named(parent, thread);
            known.unwrap_or_else(|| world.new_thread(parent, self.user, Kind::Thread, thread, 1440))
        }))
    }

    /// The same person in a forum's post, which begins with what is said first.
    pub fn in_forum_post(&self, forum: &str, post: &str) -> Self {
        let (known, forum) = self.fake.change(|world| {
            let forum = world.channel_named(self.guild, forum, Kind::Forum);
            (world.thread_named(forum, post), forum)
        });
        let spot = known.map_or_else(|| Spot::Post { forum, name: post.to_owned() }, Spot::Channel);
        Self { spot, ..self.clone() }
    }

    /// The same person in the channel or thread of that id.
    pub fn at(&self, channel: u64) -> Self {
        Self { spot: Spot::Channel(channel), ..self.clone() }
    }

    /// Where the person is, to read what the bot writes there. A post that is not there yet begins with its name.
    pub fn place(&self) -> Place {
        let channel = match self.channel() {
            Some(channel) => channel,
            None => self.posts(Message::new(self.user, "…")).channel,
        };
        Place::new(&self.fake, channel)
    }

    /// Writes a message.
    pub fn says(&self, text: &str) -> Message {
        self.posts(self.typed(text, None))
    }

    /// Writes a message that has other fields too, as Discord would show them: attachments, an unknown type.
    pub fn says_with(&self, text: &str, fields: Map<String, Value>) -> Message {
        let mut message = self.typed(text, None);
        message.extra = fields;
        self.posts(message)
    }

    /// Writes `<@bot> text`.
    pub fn mentions_bot(&self, text: &str) -> Message {
        self.says(&format!("<@{}> {text}", self.bot))
    }

    /// Answers a message; its author is called.
    pub fn replies_to(&self, message: &Message, text: &str) -> Message {
        self.posts(self.typed(text, Some((message, true))))
    }

    /// Answers a message with the ping switched off.
    pub fn replies_silently_to(&self, message: &Message, text: &str) -> Message {
        self.posts(self.typed(text, Some((message, false))))
    }

    /// Passes on what somebody wrote elsewhere: a message without a text of its own.
    pub fn forwards(&self, text: &str) -> Message {
        let fields = json!({
            "message_reference": {"type": 1, "channel_id": "1", "message_id": "2"},
            "message_snapshots": [{"message": {"type": 0, "content": text, "attachments": [], "embeds": []}}],
        });
        self.says_with("", fields.as_object().cloned().unwrap_or_default())
    }

    /// Changes the text of a message written here.
    pub fn edits(&self, message: &Message, text: &str) -> Message {
        let new = self.typed(text, None);
        self.fake.change(|world| {
            let (channel, now) = (message.channel, world.now_ms());
            let Some(old) = world.channel(channel).messages.get_mut(&message.id) else {
                return message.clone();
            };
            old.edits.push(std::mem::replace(&mut old.text, new.text));
            old.edited = Some(now);
            world.tell_updated(channel, message.id);
            world.channels[&channel].messages[&message.id].clone()
        })
    }

    /// Has Discord tell of a message again without an edit, as for the preview of a link.
    pub fn link_unfurls(&self, message: &Message) {
        self.fake.change(|world| world.tell_updated(message.channel, message.id));
    }

    /// Removes a message.
    pub fn deletes(&self, message: &Message) {
        self.fake.change(|world| {
            if let Some(message) = world.channel(message.channel).messages.get_mut(&message.id) {
                message.deleted = true;
            }
            world.tell_deleted(message.channel, message.id);
        });
    }

    /// Puts an emoji under a message.
    pub fn reacts(&self, message: &Message, emoji: &str) {
        self.fake.change(|world| {
            if let Some(message) = world.channel(message.channel).messages.get_mut(&message.id) {
                message.reactions.entry(emoji.to_owned()).or_default().insert(self.user);
            }
            world.tell_reacted(message.channel, message.id, self.user, emoji);
        });
    }

    /// Is seen typing.
    pub fn types(&self) {
        let channel = self.place().channel_id();
        self.fake.change(|world| world.tell_typing(channel, self.user));
    }

    /// Opens a thread from a message here and goes there.
    pub fn opens_thread(&self, message: &Message, name: &str) -> Self {
        self.fake.change(|world| world.thread_from(message.channel, message.id, self.user, name, 1440));
        self.at(message.id)
    }

    /// Takes no more DMs of bots.
    pub fn blocks_bot(&self) {
        self.set_takes_dms(false);
    }

    /// Takes the block back.
    pub fn unblocks_bot(&self) {
        self.set_takes_dms(true);
    }

    fn set_takes_dms(&self, takes: bool) {
        self.fake.change(|world| {
            world.users.entry(self.user).and_modify(|user| user.takes_dms = takes);
        });
    }

    /// The oldest unread message of the bot here: [`Place::next_message`].
    pub async fn next_message(&self) -> anyhow::Result<Message> {
        self.place().next_message().await
    }

    /// The oldest unread message of the bot here that fits: [`Place::expect_message`].
    pub async fn expect_message(
        &self,
        what: &str,
        fits: impl FnMut(&Message) -> bool,
    ) -> anyhow::Result<Message> {
        self.place().expect_message(what, fits).await
    }

    /// Everything that stands here now, of people and bots.
    pub fn messages(&self) -> Vec<Message> {
        self.place().messages()
    }

    /// Counts every message of the bot here as read.
    pub fn reads_everything(&self) {
        self.place().read_everything();
    }

    fn typed(&self, text: &str, answers: Option<(&Message, bool)>) -> Message {
        let mut message = Message::new(self.user, text);
        let called = answers.filter(|(_, ping)| *ping).map(|(answered, _)| answered.from);
        message.pings = Allowed::everything().pings(text, called);
        if let Some((answered, _)) = answers {
            (message.kind, message.reply_to) = (19, Some(answered.id));
        }
        message
    }

    fn channel(&self) -> Option<u64> {
        match &self.spot {
            Spot::Channel(channel) => Some(*channel),
            Spot::Post { forum, name } => self.fake.look(|world| world.thread_named(*forum, name)),
        }
    }

    fn posts(&self, mut message: Message) -> Message {
        message.read = true;
        let known = self.channel();
        self.fake.change(|world| match (known, &self.spot) {
            (None, Spot::Post { forum, name }) => {
                let id = world.new_post(*forum, name, message, 1440);
                world.channels[&id].messages[&id].clone()
            }
            (Some(channel), _) | (None, &Spot::Channel(channel)) => {
                world.unarchive(channel);
                let id = world.post(channel, message);
                world.tell_created(channel, id);
                world.channels[&channel].messages[&id].clone()
            }
        })
    }
}
