//! The routes about messages.

use serde_json::{Value, json};

use super::{
    channel::{Message, rights},
    mentions::Allowed,
    render::Viewer,
    request::{Answer, Failure, Request},
    world::World,
    writing::{checked, empty, nonce},
};

const HOUR_MS: u64 = 3_600_000;
pub(super) fn create_message(world: &mut World, request: &Request) -> Answer {
    let channel = request.channel()?;
    world.may_write(request.bot, channel)?;
    let draft = world.draft(request, channel)?;
    let nonce = nonce(request)?;
    if request.flag("enforce_nonce")?.unwrap_or(false) {
        let key = nonce.as_ref().map(Value::to_string);
        let key =
            key.ok_or_else(|| Failure::form("nonce", "BASE_TYPE_REQUIRED", "This field is required"))?;
        if let Some((channel, id)) = world.nonce_known(request.bot, &key) {
            return world.sent_before(request, channel, id, &draft.text);
        }
    }
    world.unarchive(channel);
    let id = world.post(channel, Message { nonce, ..draft });
    world.tell_created(channel, id);
    world.created_json(request.bot, channel, id)
}

pub(super) fn edit_message(world: &mut World, request: &Request) -> Answer {
    let (channel, id) = world.message_of(request)?;
    if world.channels[&channel].messages[&id].from != request.bot {
        return Err(Failure::new(403, 50005, "Cannot edit a message authored by another user"));
    }
    world.writable_thread(channel)?;
    world.count_old_edit(request.bot, id)?;
    let Some(text) = request.text("content")?.map(checked).transpose()? else {
        return Ok(world.message_json(&world.channels[&channel].messages[&id], world.viewer(request.bot)));
    };
    if text.is_empty() {
        return Err(empty());
    }
    let (allowed, now) = (Allowed::read(&request.body)?, world.now_ms());
    if let Some(message) = world.channel(channel).messages.get_mut(&id) {
        message.pings.add(allowed.pings(&text, None));
        message.edits.push(std::mem::replace(&mut message.text, text));
        message.edited = Some(now);
    }
    world.tell_updated(channel, id);
    Ok(world.message_json(&world.channels[&channel].messages[&id], world.viewer(request.bot)))
}

pub(super) fn delete_message(world: &mut World, request: &Request) -> Answer {
    let (channel, id) = world.message_of(request)?;
    let foreign = world.channels[&channel].messages[&id].from != request.bot;
    if foreign {
        world.allowed(request.bot, channel, rights::MANAGE_MESSAGES)?;
    }
    if let Some(message) = world.channel(channel).messages.get_mut(&id) {
        message.deleted = true;
    }
    world.tell_deleted(channel, id);
    Ok(Value::Null)
}

pub(super) fn get_message(world: &mut World, request: &Request) -> Answer {
    world.allowed(request.bot, request.channel()?, rights::READ_MESSAGE_HISTORY)?;
    let (channel, id) = world.message_of(request)?;
    Ok(world.message_json(&world.channels[&channel].messages[&id], world.viewer(request.bot)))
}

pub(super) fn get_messages(world: &mut World, request: &Request) -> Answer {
    let channel = world.open(request.bot, request.channel()?)?;
    let limit = request.number("limit")?.unwrap_or(50);
    if !(1..=100).contains(&limit) {
        return Err(Failure::form("limit", "NUMBER_TYPE_MAX", "int value should be between 1 and 100."));
    }
    let cursors = (request.number("after")?, request.number("before")?, request.number("around")?);
    if [cursors.0, cursors.1, cursors.2].iter().flatten().count() > 1 {
        return Err(
            Failure::invalid("after").violation("get_messages with more than one of after, before, around")
        );
    }
    if world.rights(channel) & rights::READ_MESSAGE_HISTORY == 0 {
        return Ok(json!([]));
    }
    let limit = usize::try_from(limit).unwrap_or(100);
    let messages = &world.channels[&channel].messages;
    let live = |(_, message): (&u64, &'_ Message)| (!message.deleted).then_some(message.id);
    let mut ids: Vec<u64> = match cursors {
        (Some(after), ..) => messages.range(after + 1..).filter_map(live).take(limit).collect(),
        (_, Some(before), _) => messages.range(..before).rev().filter_map(live).take(limit).collect(),
        (.., Some(around)) => {
            let newer = messages.range(around..).filter_map(live).take(limit.div_ceil(2));
            newer.chain(messages.range(..around).rev().filter_map(live).take(limit / 2)).collect()
        }
        (None, None, None) => messages.iter().rev().filter_map(live).take(limit).collect(),
    };
    ids.sort_unstable_by(|one, other| other.cmp(one));
    let shown = ids.iter().map(|id| world.message_json(&messages[id], world.viewer(request.bot)));
    Ok(shown.collect())
}

pub(super) fn typing(world: &mut World, request: &Request) -> Answer {
    let channel = request.channel()?;
    world.may_write(request.bot, channel)?;
    world.tell_typing(channel, request.bot);
    Ok(Value::Null)
}

pub(super) fn create_reaction(world: &mut World, request: &Request) -> Answer {
    let channel = world.allowed(request.bot, request.channel()?, rights::READ_MESSAGE_HISTORY)?;
    let (_, id) = world.message_of(request)?;
    world.writable_thread(channel)?;
    let emoji = request.path.get("emoji").cloned().unwrap_or_default();
    if emoji.is_ascii() && !emoji.contains(':') {
        return Err(Failure::new(400, 10014, "Unknown Emoji"));
    }
    let (may_add, bot) = (world.rights(channel) & rights::ADD_REACTIONS != 0, request.bot);
    let message = world.channel(channel).messages.get_mut(&id).ok_or_else(Failure::unknown_message)?;
    if !message.reactions.contains_key(&emoji) {
        if !may_add {
            return Err(Failure::missing_permissions());
        }
        if message.reactions.len() >= 20 {
            return Err(Failure::new(400, 30010, "Maximum number of reactions reached (20)"));
        }
    }
    if message.reactions.entry(emoji.clone()).or_default().insert(bot) {
        world.tell_reacted(channel, id, bot, &emoji);
    }
    Ok(Value::Null)
}

impl World {
    /// What a bot may read over REST.
    pub(super) fn viewer(&self, bot: u64) -> Viewer {
        Viewer { bot, content: self.settings.message_content }
    }

    /// The message of a path: its channel and id.
    pub(super) fn message_of(&self, request: &Request) -> Result<(u64, u64), Failure> {
        let (channel, id) = (self.open(request.bot, request.channel()?)?, request.id("message_id")?);
        self.channels[&channel].message(id).ok_or_else(Failure::unknown_message)?;
        Ok((channel, id))
    }

    fn count_old_edit(&mut self, bot: u64, id: u64) -> Result<(), Failure> {
        let (made, most) = ((id >> 22) + super::world::EPOCH, self.settings.old_edits);
        if self.now_ms() < made + HOUR_MS {
            return Ok(());
        }
        let Some(account) = self.bots.get_mut(&bot) else { return Ok(()) };
        account.old_edits += 1;
        if account.old_edits <= most {
            return Ok(());
        }
        let text = "Maximum number of edits to messages older than 1 hour reached. Try again later";
        Err(Failure::new(429, 30046, text))
    }

    /// Stores a message under a new id and gives it; it is not told yet.
    pub(super) fn post(&mut self, channel: u64, message: Message) -> u64 {
        let id = self.fresh();
        self.post_as(channel, id, message);
        id
    }

    /// Stores a message under a given id.
    pub(super) fn post_as(&mut self, channel: u64, id: u64, mut message: Message) {
        (message.id, message.channel) = (id, channel);
        let now = self.now_ms();
        if let (Some(bot), Some(nonce)) = (self.bots.get_mut(&message.from), &message.nonce) {
            bot.nonces.push_back((nonce.to_string(), channel, id, now));
        }
        let by = message.from;
        let found = self.channel(channel);
        found.messages.insert(id, message);
        if found.kind.is_thread() {
            found.members.insert(by);
        }
    }
}
