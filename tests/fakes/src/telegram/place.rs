//! A chat or topic as seen by a test: what the bot wrote there, and what its owner does to it.

use std::sync::Arc;

use anyhow::Context as _;

use super::{
    chat::{ChatKey, Draft, Membership, Message},
    world::World,
};
use crate::fake::Fake;

/// A chat, or one topic of it. Without a topic it is the plain chat: in a forum its General topic.
#[derive(Debug, Clone)]
pub struct Place {
    fake: Arc<Fake<World>>,
    bot: i64,
    key: ChatKey,
    thread: Option<i64>,
}

impl Place {
    pub(super) fn new(fake: &Arc<Fake<World>>, bot: i64, key: ChatKey, thread: Option<i64>) -> Self {
        Self { fake: Arc::clone(fake), bot, key, thread }
    }

    /// The chat's id.
    pub fn chat_id(&self) -> i64 {
        self.key.chat
    }

    /// The topic's number.
    pub fn thread_id(&self) -> Option<i64> {
        self.thread
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
        let (key, thread) = (self.key, self.thread);
        let what = format!("{what} in chat {}, topic {thread:?}", key.chat);
        let find = |world: &mut World| {
            let bots: Vec<i64> = world.bots.keys().copied().collect();
            let unread = |message: &&mut Message| {
                message.thread == thread && !message.read && !message.deleted && bots.contains(&message.from)
            };
            // Not by `World::chat`, which says that something has changed.
            let chat = world.chats.get_mut(&key)?;
            let found = chat.messages.values_mut().filter(unread).find(|message| fits(message))?;
            found.read = true;
            Some(found.clone())
        };
        let news = self.fake.change(|world| Arc::clone(world.news.entry(key).or_default()));
        self.fake.take_on(&news, &what, find).await
    }

    /// Waits until a message here, read or not, has become what `fits` says; for edits of messages already read.
    pub async fn wait_for_edit(
        &self,
        message: &Message,
        mut fits: impl FnMut(&Message) -> bool,
    ) -> anyhow::Result<Message> {
        let (key, id) = (self.key, message.id);
        let what = format!("an edit of message {id} in chat {}", key.chat);
        self.fake
            .take(&what, |world| world.chats[&key].messages.get(&id).filter(|now| fits(now)).cloned())
            .await
    }

    /// Waits until the text that is being streamed here `fits`; one that is 30 s old is no longer seen.
    pub async fn wait_for_draft(&self, mut fits: impl FnMut(&str) -> bool) -> anyhow::Result<String> {
        let (key, slot) = (self.key, self.thread.unwrap_or(0));
        let find = |world: &mut World| {
            let draft = world.chats[&key].drafts.get(&slot)?;
            let seen = world.now_ms() < draft.at_ms + Draft::LIFE && fits(&draft.text);
            seen.then(|| draft.text.clone())
        };
        self.fake.take(&format!("a draft in chat {}", key.chat), find).await
    }

    /// Everything that stands here now, of people and bots.
    pub fn messages(&self) -> Vec<Message> {
        self.fake.look(|world| {
            let all = world.chats[&self.key].messages.values();
            all.filter(|message| message.thread == self.thread && !message.deleted).cloned().collect()
        })
    }

    /// The whole chat as lines for people.
    pub fn history(&self) -> String {
        self.fake.look(|world| world.history(self.key))
    }

    /// Another bot, made on first use, writes here, and ours hears it as in bot-to-bot mode.
    pub fn bot_says(&self, username: &str, text: &str) {
        self.fake.change(|world| {
            let known = world.bots.values().find(|bot| bot.username == username).map(|bot| bot.id);
            let bot = known.unwrap_or_else(|| world.add_bot(username));
            let mut message = Message::typed(bot, text);
            (message.thread, message.read) = (self.thread, true);
            let id = world.post(self.key, message);
            world.broadcast(self.key, id, "message");
        });
    }

    /// The owner makes the bot an administrator: it hears everything and may manage topics.
    pub fn promote_bot(&self) {
        self.set_membership(Membership::Admin);
    }

    /// The owner makes the bot a plain member (again).
    pub fn demote_bot(&self) {
        self.set_membership(Membership::Member);
    }

    /// The owner throws the bot out.
    pub fn kick_bot(&self) {
        self.set_membership(Membership::Kicked);
    }

    fn set_membership(&self, new: Membership) {
        self.owner_does(|world, owner| world.membership(self.key, self.bot, owner, new));
    }

    /// The basic group becomes a supergroup: gives the new place; the old one answers with the new id.
    pub fn migrate(&self) -> Self {
        let key = self.owner_does(|world, owner| world.migrate(self.key, owner));
        Self { key, ..self.clone() }
    }

    /// The owner closes this topic.
    pub fn close_topic(&self) -> anyhow::Result<()> {
        let thread = self.topic()?;
        self.owner_does(|world, owner| world.set_topic_closed(self.key, owner, thread, true));
        Ok(())
    }

    /// The owner opens this topic again.
    pub fn reopen_topic(&self) -> anyhow::Result<()> {
        let thread = self.topic()?;
        self.owner_does(|world, owner| world.set_topic_closed(self.key, owner, thread, false));
        Ok(())
    }

    /// The owner gives this topic another name.
    pub fn rename_topic(&self, name: &str) -> anyhow::Result<()> {
        let thread = self.topic()?;
        self.owner_does(|world, owner| world.rename_topic(self.key, owner, thread, name));
        Ok(())
    }

    /// The owner deletes this topic with all its messages; bots are not told.
    pub fn delete_topic(&self) -> anyhow::Result<()> {
        let thread = self.topic()?;
        self.owner_does(|world, _| world.delete_topic(self.key, thread));
        Ok(())
    }

    fn topic(&self) -> anyhow::Result<i64> {
        self.thread.context("this place is not a topic")
    }

    fn owner_does<R>(&self, act: impl FnOnce(&mut World, i64) -> R) -> R {
        self.fake.change(|world| {
            let owner = world.user("owner");
            act(world, owner)
        })
    }
}

impl World {
    /// Bot messages that no test has read.
    pub(super) fn unread(&self) -> Vec<String> {
        let unread = self.bot_messages().filter(|message| !message.read);
        unread
            .map(|message| format!("unread in chat {}: #{} {:?}", message.chat, message.id, message.text))
            .collect()
    }

    /// Everything that a finished test must not leave.
    pub(super) fn left_over(&self) -> Vec<String> {
        let mut left: Vec<String> = self.violations.iter().map(|what| format!("violation: {what}")).collect();
        left.extend(self.unread());
        for chat in self.chats.values() {
            left.extend(
                chat.drafts.values().map(|draft| format!("only drafted in {}: {:?}", chat.title, draft.text)),
            );
        }
        let open = self.callbacks.values().filter(|callback| callback.answer.is_none());
        left.extend(open.map(|callback| format!("the press of {:?} was never answered", callback.data)));
        left.extend(self.faults.unmet());
        left
    }
}
