//! Forum topics: the methods, and what people do with topics.

use serde_json::{Value, json};

use super::{
    chat::{ChatKey, GroupKind, Message, Topic},
    request::{Answer, Failure, Params},
    world::World,
};

/// The colours an icon may have.
const COLORS: &[i64] = &[7_322_096, 16_766_590, 13_338_331, 9_367_192, 16_749_490, 16_478_047];

pub(super) fn create(world: &mut World, bot: i64, params: &Params) -> Answer {
    let key = world.writable(bot, params)?;
    let name = params.text("name")?.to_owned();
    let color = params.int("icon_color")?.unwrap_or(COLORS[0]);
    match world.chats[&key].kind {
        None if world.bots[&bot].topics => {}
        Some(GroupKind::Forum) if world.is_admin(bot, key) => {}
        Some(GroupKind::Forum) => return Err(Failure::bad("not enough rights to create a topic")),
        _ => return Err(Failure::bad("the chat is not a forum")),
    }
    if !(1..=128).contains(&name.chars().count()) {
        return Err(Failure::bad("TOPIC_TITLE_EMPTY").violation(format!("topic name {name:?}")));
    }
    if !COLORS.contains(&color) {
        return Err(Failure::bad("TOPIC_ICON_COLOR_INVALID").violation(format!("icon colour {color}")));
    }
    let thread = world.open_topic(key, bot, &name, color, false);
    Ok(json!({"message_thread_id": thread, "name": name, "icon_color": color}))
}

pub(super) fn edit(world: &mut World, bot: i64, params: &Params) -> Answer {
    let (key, thread) = manageable(world, bot, params)?;
    let name = params.text("name")?.to_owned();
    if name.chars().count() > 128 {
        return Err(Failure::bad("TOPIC_TITLE_EMPTY").violation(format!("topic name {name:?}")));
    }
    if name.is_empty() || topic(world, key, thread).name == name {
        return Err(Failure::bad("TOPIC_NOT_MODIFIED"));
    }
    world.rename_topic(key, bot, thread, &name);
    Ok(json!(true))
}

pub(super) fn close(world: &mut World, bot: i64, params: &Params) -> Answer {
    set_closed(world, bot, params, true)
}

pub(super) fn reopen(world: &mut World, bot: i64, params: &Params) -> Answer {
    set_closed(world, bot, params, false)
}

fn set_closed(world: &mut World, bot: i64, params: &Params, closed: bool) -> Answer {
    let (key, thread) = manageable(world, bot, params)?;
    if topic(world, key, thread).closed == closed {
        return Err(Failure::bad("TOPIC_NOT_MODIFIED"));
    }
    world.set_topic_closed(key, bot, thread, closed);
    Ok(json!(true))
}

pub(super) fn delete(world: &mut World, bot: i64, params: &Params) -> Answer {
    let (key, thread) = manageable(world, bot, params)?;
    if !world.is_admin(bot, key) {
        return Err(Failure::bad("not enough rights to delete a topic"));
    }
    world.delete_topic(key, thread);
    Ok(json!(true))
}

/// The live topic that a call names, if the bot may manage it: as an administrator or as the one who opened it.
fn manageable(world: &mut World, bot: i64, params: &Params) -> Result<(ChatKey, i64), Failure> {
    let key = world.writable(bot, params)?;
    let thread = params.int("message_thread_id")?.unwrap_or(0);
    let found = world.chats[&key].topics.get(&thread).filter(|topic| !topic.deleted);
    let creator = found.ok_or_else(|| Failure::bad("TOPIC_ID_INVALID"))?.creator;
    if creator != bot && !world.is_admin(bot, key) {
        return Err(Failure::bad("not enough rights to manage topics"));
    }
    Ok((key, thread))
}

fn topic(world: &mut World, key: ChatKey, thread: i64) -> &mut Topic {
    world.chat(key).topics.get_mut(&thread).expect("the caller has found it")
}

impl World {
    /// Posts a service message and tells the bots of it, the one that caused it included.
    pub(crate) fn serve(&mut self, key: ChatKey, by: i64, name: &str, value: Value) -> i64 {
        self.serve_in(key, by, None, name, value)
    }

    fn serve_in(&mut self, key: ChatKey, by: i64, thread: Option<i64>, name: &str, value: Value) -> i64 {
        let mut message = Message::service(by, name, value);
        message.thread = thread;
        let id = self.post(key, message);
        self.broadcast(key, id, "message");
        id
    }

    /// Opens a topic; its number is that of its root message.
    pub(crate) fn open_topic(
        &mut self,
        key: ChatKey,
        by: i64,
        name: &str,
        color: i64,
        implicit: bool,
    ) -> i64 {
        let mut created = json!({"name": name, "icon_color": color});
        if implicit {
            created["is_name_implicit"] = json!(true);
        }
        let root = self.post(key, Message::service(by, "forum_topic_created", created));
        let topic = Topic { name: name.to_owned(), creator: by, closed: false, deleted: false };
        let chat = self.chat(key);
        chat.topics.insert(root, topic);
        if let Some(message) = chat.messages.get_mut(&root) {
            message.thread = Some(root);
        }
        self.broadcast(key, root, "message");
        root
    }

    /// A person's topic of that name, opened on first use.
    pub(crate) fn topic_of(&mut self, key: ChatKey, by: i64, name: &str) -> i64 {
        match self.chats[&key].topic_named(name) {
            Some(thread) => thread,
            None => self.open_topic(key, by, name, COLORS[0], self.chats[&key].kind.is_none()),
        }
    }

    pub(crate) fn rename_topic(&mut self, key: ChatKey, by: i64, thread: i64, name: &str) {
        name.clone_into(&mut topic(self, key, thread).name);
        self.serve_in(key, by, Some(thread), "forum_topic_edited", json!({"name": name}));
    }

    pub(crate) fn set_topic_closed(&mut self, key: ChatKey, by: i64, thread: i64, closed: bool) {
        topic(self, key, thread).closed = closed;
        let event = if closed { "forum_topic_closed" } else { "forum_topic_reopened" };
        self.serve_in(key, by, Some(thread), event, json!({}));
    }

    /// Deletes a topic with its messages. Nobody is told.
    pub(crate) fn delete_topic(&mut self, key: ChatKey, thread: i64) {
        topic(self, key, thread).deleted = true;
        for message in self.chat(key).messages.values_mut().filter(|message| message.thread == Some(thread)) {
            message.deleted = true;
        }
    }
}
