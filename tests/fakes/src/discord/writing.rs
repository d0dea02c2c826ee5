//! What a message that a bot sends must be like, and nonces that have been seen.

use serde_json::Value;

use super::{
    channel::{Kind, Message, rights},
    mentions::Allowed,
    request::{Answer, Failure, Request},
    world::World,
};

/// In Unicode code points.
const LONGEST: usize = 2000;

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
pub(super) fn nonce(request: &Request) -> Result<Option<Value>, Failure> {
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
    pub(super) fn writable_thread(&self, channel: u64) -> Result<(), Failure> {
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
    pub(super) fn nonce_known(&mut self, bot: u64, nonce: &str) -> Option<(u64, u64)> {
        let window = u64::try_from(self.settings.nonce_window.as_millis()).unwrap_or(u64::MAX);
        let now = self.now_ms();
        let nonces = &mut self.bots.get_mut(&bot)?.nonces;
        while nonces.front().is_some_and(|(.., at)| at.saturating_add(window) <= now) {
            nonces.pop_front();
        }
        nonces.iter().find(|(known, ..)| known == nonce).map(|(_, channel, id, _)| (*channel, *id))
    }

    /// The answer to a nonce that was used before: the old message, whatever the body says now.
    pub(super) fn sent_before(&mut self, request: &Request, channel: u64, id: u64, text: &str) -> Answer {
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

    pub(super) fn created_json(&self, bot: u64, channel: u64, id: u64) -> Answer {
        let message = &self.channels[&channel].messages[&id];
        let mut shown = self.message_json(message, self.viewer(bot));
        if let Some(nonce) = &message.nonce {
            shown["nonce"] = nonce.clone();
        }
        Ok(shown)
    }
}

fn locked() -> Failure {
    Failure::new(403, 160_005, "Thread is locked")
}
