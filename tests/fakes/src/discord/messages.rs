//! The routes about messages.

use serde_json::{Value, json};

use super::{
    channel::{Kind, Message, rights},
    mentions::Allowed,
    render::Viewer,
    request::{Answer, Failure, Request},
    world::World,
};

const HOUR_MS: u64 = 3_600_000;
/// In Unicode code points.
const LONGEST: usize = 2000;

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

/// A text within the limit, trimmed.
pub(super) fn checked(text: &str) -> Result<String, Failure> {
    if text.chars().count() > LONGEST {
        let message = format!("Must be {LONGEST} or fewer in length.");
        return Err(Failure::form("content", "BASE_TYPE_MAX_LENGTH", &message));
    }
    Ok(text.trim().to_owned())
}

pub(super) fn empty() -> Failure {
    Failure::new(400, 50006, "Cannot send an empty message")
}

/// The nonce: a number, or a text of at most 25 characters.
fn nonce(request: &Request) -> Result<Option<Value>, Failure> {
    let Some(nonce) = request.body.get("nonce").filter(|nonce| !nonce.is_null()) else { return Ok(None) };
    match nonce {
        Value::String(text) if text.chars().count() > 25 => {
            Err(Failure::form("nonce", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length."))
        }
        Value::String(_) | Value::Number(_) => Ok(Some(nonce.clone())),
        _ => Err(Failure::invalid("nonce").violation(format!("nonce is {nonce}"))),
    }
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

    /// The bot may post here: an archived thread will come back, a locked one will not.
    pub(super) fn may_write(&self, bot: u64, channel: u64) -> Result<(), Failure> {
        let found = &self.channels[&self.open(bot, channel)?];
        let right =
            if found.kind.is_thread() { rights::SEND_MESSAGES_IN_THREADS } else { rights::SEND_MESSAGES };
        self.allowed(bot, channel, right)?;
        if found.kind == Kind::Forum {
            return Err(Failure::new(400, 40058, "Cannot message this channel until it is a post"));
        }
        if found.locked && self.rights(channel) & rights::MANAGE_THREADS == 0 {
            return Err(if found.archived { Failure::archived() } else { locked() });
        }
        let closed = found.pair.is_some_and(|(_, person)| !self.users[&person].takes_dms);
        if closed { Err(Failure::new(403, 50007, "Cannot send messages to this user")) } else { Ok(()) }
    }

    /// Messages of the thread may be changed.
    fn writable_thread(&self, channel: u64) -> Result<(), Failure> {
        let found = &self.channels[&channel];
        if found.archived {
            return Err(Failure::archived());
        }
        let may = self.rights(channel) & rights::MANAGE_THREADS != 0;
        if found.locked && !may { Err(locked()) } else { Ok(()) }
    }

    /// The message that a body describes.
    pub(super) fn draft(&self, request: &Request, channel: u64) -> Result<Message, Failure> {
        let text = checked(request.text("content")?.unwrap_or_default())?;
        let allowed = Allowed::read(&request.body)?;
        if text.is_empty() {
            return Err(empty());
        }
        let answered = match request.body.get("message_reference").filter(|field| !field.is_null()) {
            None => None,
            Some(reference) => self.answered(channel, reference)?,
        };
        let author = answered.map(|id| self.channels[&channel].messages[&id].from);
        let mut message = Message::new(request.bot, &text);
        message.pings = allowed.pings(&text, author);
        message.flags = request.body.get("flags").and_then(Value::as_u64).unwrap_or(0);
        message.reply_to = answered;
        message.kind = if answered.is_some() { 19 } else { 0 };
        Ok(message)
    }

    /// The message that a `message_reference` means; `None` if it is gone and that was foreseen.
    fn answered(&self, channel: u64, reference: &Value) -> Result<Option<u64>, Failure> {
        let known = ["type", "message_id", "channel_id", "guild_id", "fail_if_not_exists"];
        let unknown =
            reference.as_object().and_then(|fields| fields.keys().find(|k| !known.contains(&k.as_str())));
        if !reference.is_object()
            || unknown.is_some()
            || reference["type"].as_u64().is_some_and(|kind| kind != 0)
        {
            return Err(Failure::invalid("message_reference")
                .violation(format!("message_reference is {reference}, which this fake does not know")));
        }
        if self.rights(channel) & rights::READ_MESSAGE_HISTORY == 0 {
            return Err(Failure::new(
                400,
                160_002,
                "You cannot reply without permission to read message history",
            ));
        }
        let id = reference["message_id"].as_str().and_then(|id| id.parse::<u64>().ok());
        let Some(id) = id else {
            return Err(
                Failure::invalid("message_reference").violation("message_reference without a message_id")
            );
        };
        let elsewhere = reference["channel_id"].as_str().is_some_and(|other| other != channel.to_string());
        let found = self.channels[&channel].message(id).filter(|_| !elsewhere);
        match found {
            Some(message) if message.is_service() => Err(Failure::form(
                "message_reference",
                "REPLIES_CANNOT_REPLY_TO_SYSTEM_MESSAGE",
                "Cannot reply to a system message",
            )),
            Some(_) => Ok(Some(id)),
            None if reference["fail_if_not_exists"] == false => Ok(None),
            None => Err(Failure::form("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")),
        }
    }

    /// Where a nonce of the last minutes has led.
    fn nonce_known(&mut self, bot: u64, nonce: &str) -> Option<(u64, u64)> {
        let window = u64::try_from(self.settings.nonce_window.as_millis()).unwrap_or(u64::MAX);
        let now = self.now_ms();
        let nonces = &mut self.bots.get_mut(&bot)?.nonces;
        while nonces.front().is_some_and(|(.., at)| at.saturating_add(window) <= now) {
            nonces.pop_front();
        }
        nonces.iter().find(|(known, ..)| known == nonce).map(|(_, channel, id, _)| (*channel, *id))
    }

    /// The answer to a nonce that was used before: the old message, whatever the body says now.
    fn sent_before(&mut self, request: &Request, channel: u64, id: u64, text: &str) -> Answer {
        let message = &self.channels[&channel].messages[&id];
        if message.deleted {
            return Err(Failure::unknown_message());
        }
        let original = message.edits.first().unwrap_or(&message.text);
        if original != text || request.channel()? != channel {
            let what = format!("the nonce of message {id} came again with another text or channel");
            self.violation(what);
        }
        self.created_json(request.bot, channel, id)
    }

    fn created_json(&self, bot: u64, channel: u64, id: u64) -> Answer {
        let message = &self.channels[&channel].messages[&id];
        let mut shown = self.message_json(message, self.viewer(bot));
        if let Some(nonce) = &message.nonce {
            shown["nonce"] = nonce.clone();
        }
        Ok(shown)
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

fn locked() -> Failure {
    Failure::new(403, 160_005, "Thread is locked")
}
