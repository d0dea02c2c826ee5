//! A channel or thread as seen by a test: what the bot wrote there, and what its owner does to it.

use std::sync::Arc;

use super::{channel::Message, world::World};
use crate::fake::{Fake, Scene};

/// A channel, a thread or a DM.
#[derive(Debug, Clone)]
pub struct Place {
    fake: Arc<Fake<World>>,
    channel: u64,
}

impl Place {
    pub(super) fn new(fake: &Arc<Fake<World>>, channel: u64) -> Self {
        Self { fake: Arc::clone(fake), channel }
    }

    /// Its id.
    pub fn channel_id(&self) -> u64 {
        self.channel
    }

    /// The id of its guild; a DM has none.
    pub fn guild_id(&self) -> Option<u64> {
        self.fake.look(|world| world.channels[&self.channel].guild)
    }

    /// Takes the oldest message here that a bot wrote and no test has read, as it stands now; waits for it
    /// [`crate::PATIENCE`] at most. Deleted messages are passed over.
    pub async fn next_message(&self) -> anyhow::Result<Message> {
        self.expect_message("the next message", |_| true).await
    }

    /// Takes the oldest unread message here that `fits`, also after edits; waits for it.
    pub async fn expect_message(
        &self,
        what: &str,
        mut fits: impl FnMut(&Message) -> bool,
    ) -> anyhow::Result<Message> {
        let what = format!("{what} in {}", self.fake.look(|world| world.title_of(self.channel)));
        let find = |world: &mut World| {
            let bots = &world.bots;
            let unread = |message: &&mut Message| {
                !message.read && !message.deleted && bots.contains_key(&message.from)
            };
            let channel = world.channels.get_mut(&self.channel)?;
            let found = channel.messages.values_mut().filter(unread).find(|message| fits(message))?;
            found.read = true;
            Some(found.clone())
        };
        self.fake.take(&what, find).await
    }

    /// Waits until a message here, read or not, has become what `fits` says; for edits of messages already read.
    pub async fn wait_for_edit(
        &self,
        message: &Message,
        mut fits: impl FnMut(&Message) -> bool,
    ) -> anyhow::Result<Message> {
        let (channel, id) = (self.channel, message.id);
        let find =
            |world: &mut World| world.channels[&channel].messages.get(&id).filter(|now| fits(now)).cloned();
        self.fake.take(&format!("an edit of message {id}"), find).await
    }

    /// Everything that stands here now, of people and bots.
    pub fn messages(&self) -> Vec<Message> {
        let live = |message: &&Message| !message.deleted;
        self.fake
            .look(|world| world.channels[&self.channel].messages.values().filter(live).cloned().collect())
    }

    /// Counts every message of a bot here as read.
    pub fn read_everything(&self) {
        self.fake.change(|world| {
            world.channel(self.channel).messages.values_mut().for_each(|message| message.read = true);
        });
    }

    /// The whole channel as lines for people.
    pub fn history(&self) -> String {
        self.fake.look(|world| world.history(self.channel))
    }

    /// Another bot, which is not under test, writes here.
    pub fn bot_says(&self, name: &str, text: &str) -> Message {
        self.fake.change(|world| {
            let bot = world.user(name);
            world.users.entry(bot).and_modify(|user| user.bot = true);
            let mut message = Message::new(bot, text);
            message.read = true;
            let id = world.post(self.channel, message);
            world.tell_created(self.channel, id);
            world.channels[&self.channel].messages[&id].clone()
        })
    }

    /// Gives the bots rights here that they usually do not have ([`super::rights`]).
    pub fn allow(&self, rights: u64) {
        self.fake.change(|world| {
            let channel = world.channel(self.channel);
            (channel.granted, channel.denied) = (channel.granted | rights, channel.denied & !rights);
            world.tell_channel(self.channel, "CHANNEL_UPDATE");
        });
    }

    /// Takes rights from the bots here; without `VIEW_CHANNEL` it is hidden. Threads have their parent's rights.
    pub fn deny(&self, rights: u64) {
        self.fake.change(|world| {
            world.channel(self.channel).denied |= rights;
            world.tell_channel(self.channel, "CHANNEL_UPDATE");
        });
    }

    /// The thread goes to the archive, as after a time without messages.
    pub fn archive(&self) {
        self.fake.change(|world| {
            let now = world.now_ms();
            let thread = world.channel(self.channel);
            (thread.archived, thread.archived_at) = (true, now);
            world.tell_thread_updated(self.channel, false);
        });
    }

    /// A moderator locks the thread, or opens it again.
    pub fn set_locked(&self, locked: bool) {
        self.fake.change(|world| {
            world.channel(self.channel).locked = locked;
            world.tell_thread_updated(self.channel, false);
        });
    }

    /// The owner gives it another name.
    pub fn rename(&self, name: &str) {
        self.fake.change(|world| {
            let channel = world.channel(self.channel);
            name.clone_into(&mut channel.name);
            let thread = channel.kind.is_thread();
            world.tell_channel(self.channel, if thread { "THREAD_UPDATE" } else { "CHANNEL_UPDATE" });
        });
    }

    /// The owner deletes it with all its messages and threads.
    pub fn delete(&self) {
        self.fake.change(|world| {
            world.tell_channel_deleted(self.channel);
            let gone = |id: u64, parent: Option<u64>| id == self.channel || parent == Some(self.channel);
            let all = world.channels.values_mut().filter(|channel| gone(channel.id, channel.parent));
            for channel in all {
                channel.deleted = true;
                channel.messages.values_mut().for_each(|message| message.deleted = true);
            }
        });
    }

    /// The thread is archived.
    pub fn is_archived(&self) -> bool {
        self.fake.look(|world| world.channels[&self.channel].archived)
    }

    /// Its name.
    pub fn name(&self) -> String {
        self.fake.look(|world| world.channels[&self.channel].name.clone())
    }
}

impl Scene for World {
    fn transcript(&self) -> String {
        let told = self.channels.keys().map(|id| self.history(*id)).collect::<Vec<_>>();
        let gateway = format!("{} connected, {} IDENTIFYs", self.connected(), self.identifies);
        format!("{}\n{gateway}, {} RESUMEs", told.join("\n"), self.resumes.len())
    }
}

impl World {
    /// A channel with its history, one line a message.
    pub(super) fn history(&self, channel: u64) -> String {
        let found = &self.channels[&channel];
        let mut title = format!("{} ({channel})", self.title_of(channel));
        let states = [(found.archived, "archived"), (found.locked, "locked"), (found.deleted, "deleted")];
        for (_, word) in states.iter().filter(|(holds, _)| *holds) {
            title += &format!(" ({word})");
        }
        let lines = found.messages.values().map(|message| self.history_line(message));
        std::iter::once(title).chain(lines).collect::<Vec<_>>().join("\n")
    }

    fn history_line(&self, message: &Message) -> String {
        let mut line = format!("  #{} {}", message.id, self.name_of(message.from));
        if let Some(answered) = message.reply_to {
            line += &format!(" -> #{answered}");
        }
        line += &format!(": {:?}", message.text);
        if message.is_service() {
            line += &format!(" (type {})", message.kind);
        }
        if !message.edits.is_empty() {
            line += &format!(" (before: {:?})", message.edits);
        }
        for emoji in message.reactions.keys() {
            line += &format!(" {emoji}");
        }
        if message.deleted {
            line += " (deleted)";
        }
        if self.bots.contains_key(&message.from) && !message.read {
            line += " (unread)";
        }
        line
    }

    /// Bot messages that no test has read.
    pub(super) fn unread(&self) -> Vec<String> {
        let unread = self.bot_messages().filter(|message| !message.read);
        unread
            .map(|message| {
                format!("unread in {}: #{} {:?}", self.title_of(message.channel), message.id, message.text)
            })
            .collect()
    }

    /// Everything that a finished test must not leave.
    pub(super) fn left_over(&self) -> Vec<String> {
        let mut left: Vec<String> = self.violations.iter().map(|what| format!("violation: {what}")).collect();
        left.extend(self.unread());
        left.extend(self.faults.unmet());
        left.extend(self.losses.iter().map(|how| format!("no message was lost: {how:?}")));
        left
    }
}
