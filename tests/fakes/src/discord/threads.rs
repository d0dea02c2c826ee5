//! The routes about channels and threads.

use serde_json::{Value, json};

use super::{
    channel::{Channel, Kind, Message, rights},
    render::{HAS_THREAD, thread_member},
    request::{Answer, Failure, Request},
    world::World,
};

pub(super) fn create_thread_from_message(world: &mut World, request: &Request) -> Answer {
    let channel = world.allowed(request.bot, request.channel()?, rights::CREATE_PUBLIC_THREADS)?;
    let (_, message) = world.message_of(request)?;
    let (name, minutes) = (required_name(request)?, auto_archive(request)?);
    let found = &world.channels[&channel];
    if found.archived {
        return Err(Failure::archived());
    }
    if found.kind != Kind::Text {
        return Err(Failure::new(400, 50024, "Cannot execute action on this channel type"));
    }
    if world.channels.contains_key(&message) {
        return Err(Failure::new(400, 160_004, "A thread has already been created for this message"));
    }
    world.thread_from(channel, message, request.bot, &name, minutes.unwrap_or(1440));
    Ok(world.channel_json(message, request.bot, true))
}

pub(super) fn create_thread(world: &mut World, request: &Request) -> Answer {
    let channel = world.open(request.bot, request.channel()?)?;
    let (name, minutes) = (required_name(request)?, auto_archive(request)?.unwrap_or(1440));
    match world.channels[&channel].kind {
        Kind::Forum => return create_post(world, request, channel, &name, minutes),
        Kind::Text => {}
        _ => return Err(Failure::new(400, 50024, "Cannot execute action on this channel type")),
    }
    let (kind, right) = match request.body.get("type").map(Value::as_u64) {
        Some(Some(11)) => (Kind::Thread, rights::CREATE_PUBLIC_THREADS),
        None | Some(Some(12)) => (Kind::PrivateThread, rights::CREATE_PRIVATE_THREADS),
        _ => return Err(Failure::form("type", "BASE_TYPE_CHOICES", "Value must be one of {10, 11, 12}.")),
    };
    world.allowed(request.bot, channel, right)?;
    let id = world.new_thread(channel, request.bot, kind, &name, minutes);
    Ok(world.channel_json(id, request.bot, true))
}

fn create_post(world: &mut World, request: &Request, forum: u64, name: &str, minutes: u64) -> Answer {
    world.allowed(request.bot, forum, rights::SEND_MESSAGES)?;
    let Some(Value::Object(body)) = request.body.get("message") else {
        return Err(Failure::form("message", "BASE_TYPE_REQUIRED", "This field is required"));
    };
    let known = ["content", "allowed_mentions", "flags"];
    let filled = |value: &Value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty());
    if let Some((field, _)) =
        body.iter().find(|(field, value)| !known.contains(&field.as_str()) && filled(value))
    {
        world.violation(format!("create_thread's message with {field}, which this fake does not know"));
    }
    let inner = Request {
        bot: request.bot,
        route: request.route,
        path: request.path.clone(),
        query: request.query.clone(),
        body: body.clone(),
    };
    let first = world.draft(&inner, forum)?;
    let id = world.new_post(forum, name, first, minutes);
    let mut shown = world.channel_json(id, request.bot, true);
    shown["message"] = world.message_json(&world.channels[&id].messages[&id], world.viewer(request.bot));
    Ok(shown)
}

pub(super) fn edit_channel(world: &mut World, request: &Request) -> Answer {
    let channel = world.open(request.bot, request.channel()?)?;
    let (name, minutes) = (request.name()?, auto_archive(request)?);
    let (archived, locked) = (request.flag("archived")?, request.flag("locked")?);
    let (found, rights) = (&world.channels[&channel], world.rights(channel));
    if !found.kind.is_thread() {
        world.allowed(request.bot, channel, rights::MANAGE_CHANNELS)?;
        if let Some(name) = name {
            world.channel(channel).name = name;
        }
        world.tell_channel(channel, "CHANNEL_UPDATE");
        return Ok(world.channel_json(channel, request.bot, false));
    }
    let manager = rights & rights::MANAGE_THREADS != 0;
    if found.archived && archived != Some(false) {
        return Err(Failure::archived());
    }
    if found.locked && !manager {
        return Err(if found.archived { Failure::archived() } else { Failure::missing_permissions() });
    }
    let reopens_only = name.is_none() && minutes.is_none() && archived == Some(false);
    let may = manager || found.owner == request.bot || reopens_only;
    if !may || (locked.is_some_and(|locked| locked != found.locked) && !manager) {
        return Err(Failure::missing_permissions());
    }
    let returned = found.archived && archived == Some(false);
    let now = world.now_ms();
    let thread = world.channel(channel);
    if archived.is_some_and(|archived| archived != thread.archived) {
        (thread.archived, thread.archived_at) = (!thread.archived, now);
    }
    thread.locked = locked.unwrap_or(thread.locked);
    thread.auto_archive = minutes.unwrap_or(thread.auto_archive);
    if let Some(name) = name {
        thread.name = name;
    }
    world.tell_thread_updated(channel, returned);
    Ok(world.channel_json(channel, request.bot, false))
}

pub(super) fn active_threads(world: &mut World, request: &Request) -> Answer {
    let guild = request.id("guild_id")?;
    let member = world.guilds.get(&guild).is_some_and(|guild| guild.members.contains_key(&request.bot));
    if !member {
        return Err(Failure::new(404, 10004, "Unknown Guild"));
    }
    let threads = world.threads(request.bot, |thread| thread.guild == Some(guild) && !thread.archived);
    Ok(world.thread_list(request.bot, &threads))
}

pub(super) fn archived_threads(world: &mut World, request: &Request) -> Answer {
    let channel = world.allowed(request.bot, request.channel()?, rights::READ_MESSAGE_HISTORY)?;
    let limit = usize::try_from(request.number("limit")?.unwrap_or(50)).unwrap_or(50);
    let before = request.query.get("before");
    let mut threads = world.threads(request.bot, |thread| {
        thread.parent == Some(channel)
            && thread.archived
            && thread.kind == Kind::Thread
            && before.is_none_or(|before| super::render::stamp(thread.archived_at) < *before)
    });
    threads.sort_by_key(|id| std::cmp::Reverse(world.channels[id].archived_at));
    let more = threads.len() > limit;
    threads.truncate(limit);
    let mut list = world.thread_list(request.bot, &threads);
    list["has_more"] = json!(more);
    Ok(list)
}

fn required_name(request: &Request) -> Result<String, Failure> {
    request.name()?.ok_or_else(|| Failure::form("name", "BASE_TYPE_REQUIRED", "This field is required"))
}

fn auto_archive(request: &Request) -> Result<Option<u64>, Failure> {
    let minutes = request.body.get("auto_archive_duration").filter(|minutes| !minutes.is_null());
    let Some(minutes) = minutes else { return Ok(None) };
    let known = minutes.as_u64().filter(|minutes| [60, 1440, 4320, 10080].contains(minutes));
    let wrong = || {
        let message = "Value must be one of {60, 1440, 4320, 10080}.";
        Failure::form("auto_archive_duration", "BASE_TYPE_CHOICES", message)
    };
    known.map(Some).ok_or_else(wrong)
}

impl World {
    fn threads(&self, bot: u64, wanted: impl Fn(&Channel) -> bool) -> Vec<u64> {
        let threads = self.channels.values().filter(|channel| channel.kind.is_thread() && !channel.deleted);
        threads.filter(|thread| wanted(thread) && self.sees(bot, thread.id)).map(|thread| thread.id).collect()
    }

    fn thread_list(&self, bot: u64, threads: &[u64]) -> Value {
        let mine = threads.iter().filter(|id| self.channels[*id].members.contains(&bot));
        json!({
            "threads": threads.iter().map(|id| self.channel_json(*id, bot, false)).collect::<Vec<_>>(),
            "members": mine.map(|id| thread_member(&self.channels[id], bot)).collect::<Vec<_>>(),
        })
    }

    /// A thread with a given id, not told yet.
    fn open_thread(&mut self, id: u64, parent: u64, owner: u64, kind: Kind, name: &str, minutes: u64) {
        let mut thread = Channel::new(id, kind, name, self.now_ms());
        (thread.parent, thread.guild) = (Some(parent), self.channels[&parent].guild);
        (thread.owner, thread.auto_archive) = (owner, minutes);
        thread.members.insert(owner);
        self.channels.insert(id, thread);
    }

    /// A new thread on a message: it has the message's id.
    pub(super) fn thread_from(&mut self, channel: u64, message: u64, by: u64, name: &str, minutes: u64) {
        self.open_thread(message, channel, by, Kind::Thread, name, minutes);
        if let Some(root) = self.channel(channel).messages.get_mut(&message) {
            root.flags |= HAS_THREAD;
        }
        let mut starter = Message::new(by, "");
        (starter.kind, starter.reply_to, starter.read) = (21, Some(message), true);
        let starter = self.post(message, starter);
        self.tell_channel(message, "THREAD_CREATE");
        self.tell_updated(channel, message);
        self.tell_created(message, starter);
    }

    /// A new thread without a first message; its parent says so.
    pub(super) fn new_thread(
        &mut self,
        parent: u64,
        owner: u64,
        kind: Kind,
        name: &str,
        minutes: u64,
    ) -> u64 {
        let id = self.fresh();
        self.open_thread(id, parent, owner, kind, name, minutes);
        self.tell_channel(id, "THREAD_CREATE");
        if kind == Kind::Thread {
            let mut notice = Message::new(owner, name);
            (notice.kind, notice.read) = (18, true);
            notice.extra.insert("message_reference".into(), json!({"type": 0, "channel_id": id.to_string()}));
            let notice = self.post(parent, notice);
            self.tell_created(parent, notice);
        }
        id
    }

    /// A new post of a forum: its first message has its id.
    pub(super) fn new_post(&mut self, forum: u64, name: &str, first: Message, minutes: u64) -> u64 {
        let id = self.fresh();
        self.open_thread(id, forum, first.from, Kind::Thread, name, minutes);
        self.post_as(id, id, first);
        if self.settings.message_before_thread {
            self.tell_created(id, id);
            self.tell_channel(id, "THREAD_CREATE");
        } else {
            self.tell_channel(id, "THREAD_CREATE");
            self.tell_created(id, id);
        }
        id
    }

    /// Brings a thread back before something is posted in it.
    pub(super) fn unarchive(&mut self, channel: u64) {
        let now = self.now_ms();
        let thread = self.channel(channel);
        if thread.archived {
            (thread.archived, thread.archived_at) = (false, now);
            self.tell_thread_updated(channel, true);
        }
    }
}
