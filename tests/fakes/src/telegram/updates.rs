//! The queue of updates of a bot: who hears what, and what waits in which order.

use std::collections::VecDeque;

use serde_json::Value;

use super::{
    chat::{Chat, ChatKey, Membership, Message},
    world::{Bot, World},
};

/// Kinds that are delivered only when asked for by name.
const OPT_IN: &[&str] = &["chat_member", "message_reaction", "message_reaction_count"];
/// After so many seconds without an update, the ids start at a random number again.
const SILENCE: i64 = 7 * 24 * 3600;

/// One event for a bot.
#[derive(Debug, Clone)]
pub struct Update {
    /// Its number.
    pub id: i64,
    /// `message`, `callback_query`, ….
    pub kind: String,
    /// The object under that name.
    pub payload: Value,
    pub(super) date: i64,
    pub(super) chat: Option<ChatKey>,
    pub(super) handed_out: bool,
}

/// What waits for one bot.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(super) updates: VecDeque<Update>,
    pub(super) next_id: i64,
    pub(super) last_update: i64,
    pub(super) allowed: Option<Vec<String>>,
    pub(super) last_poll: Option<(i64, u64)>,
    /// The call that waits now; an older one sees that it is no longer the one.
    pub(super) waiting: Option<i64>,
    /// Why the last waiting call was sent away.
    pub(super) sent_away: &'static str,
    pub(super) last_conflict_ms: Option<u64>,
}

impl Queue {
    pub fn new(first: i64) -> Self {
        Self {
            updates: VecDeque::new(),
            next_id: first,
            last_update: 0,
            allowed: None,
            last_poll: None,
            waiting: None,
            sent_away: "",
            last_conflict_ms: None,
        }
    }

    /// How many updates are not confirmed.
    pub fn len(&self) -> usize {
        self.updates.len()
    }

    /// Forgets everything that waits.
    pub fn clear(&mut self) {
        self.updates.clear();
    }

    /// Gives the last update once more under a new number, as servers do after an inner failure.
    pub fn repeat_last(&mut self) {
        if let Some(mut update) = self.updates.back().cloned() {
            update.id = self.next_id;
            update.handed_out = false;
            self.next_id += 1;
            self.updates.push_back(update);
        }
    }

    /// Puts the waiting updates into another order; the numbers stay ascending.
    pub fn reorder(&mut self, order: impl FnOnce(&mut Vec<Update>)) {
        let ids: Vec<i64> = self.updates.iter().map(|update| update.id).collect();
        let mut updates: Vec<Update> = self.updates.drain(..).collect();
        order(&mut updates);
        self.updates = updates.into();
        for (update, id) in self.updates.iter_mut().zip(ids) {
            update.id = id;
        }
    }

    /// Sends the waiting call away because a webhook was set.
    pub fn interrupt_for_webhook(&mut self) {
        self.waiting = None;
        self.sent_away = "terminated by setWebhook request";
    }

    pub fn allowed(&self) -> Option<&[String]> {
        self.allowed.as_deref()
    }

    fn wants(&self, kind: &str) -> bool {
        match self.allowed.as_deref() {
            None | Some([]) => !OPT_IN.contains(&kind),
            Some(kinds) => kinds.iter().any(|allowed| allowed == kind),
        }
    }

    /// Applies an offset: everything below it is confirmed, `-n` keeps the last n, one beyond the queue means its head.
    pub(super) fn confirm(&mut self, offset: i64) {
        if offset < 0 {
            let keep = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
            self.updates.drain(..self.updates.len().saturating_sub(keep));
        } else if offset <= self.next_id {
            self.updates.retain(|update| update.id >= offset);
        }
    }
}

impl World {
    /// Queues an event for a bot, unless it does not want such ones.
    pub(crate) fn enqueue(&mut self, bot: i64, chat: Option<ChatKey>, kind: &str, payload: Value) {
        let now = self.now();
        let restart = 1 + self.rng.below(500_000_000).cast_signed();
        let Some(bot) = self.bots.get_mut(&bot) else { return };
        let queue = &mut bot.queue;
        if !queue.wants(kind) {
            return;
        }
        if queue.updates.is_empty() && queue.last_update != 0 && now - queue.last_update >= SILENCE {
            queue.next_id = restart;
        }
        let date = payload["edit_date"]
            .as_i64()
            .or(payload["date"].as_i64())
            .filter(|date| *date != 0)
            .unwrap_or(now);
        let id = queue.next_id;
        queue.next_id += 1;
        queue.last_update = now;
        queue.updates.push_back(Update { id, kind: kind.to_owned(), payload, date, chat, handed_out: false });
    }

    /// Tells every bot that may hear it of a message.
    pub(crate) fn broadcast(&mut self, key: ChatKey, message: i64, kind: &str) {
        let chat = &self.chats[&key];
        let message = &chat.messages[&message];
        let hearers: Vec<i64> =
            chat.bots.keys().copied().filter(|bot| self.hears(*bot, chat, message)).collect();
        let payload = self.message_json(key, message);
        for bot in hearers {
            self.enqueue(bot, Some(key), kind, payload.clone());
        }
    }

    fn hears(&self, id: i64, chat: &Chat, message: &Message) -> bool {
        let bot = &self.bots[&id];
        match chat.bots.get(&id) {
            Some(Membership::Member) => {}
            Some(Membership::Admin) => return true,
            Some(Membership::Kicked) | None => return false,
        }
        if chat.kind.is_none() || message.is_service() || !bot.privacy {
            return true;
        }
        let answered = message.reply_to.and_then(|id| chat.message(id));
        answered.is_some_and(|answered| answered.from == id) || self.addresses(bot, chat, message)
    }

    fn addresses(&self, bot: &Bot, chat: &Chat, message: &Message) -> bool {
        let units: Vec<u16> = message.text.encode_utf16().collect();
        message.entities.iter().any(|entity| {
            let place =
                |field: &str| entity[field].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
            let (offset, length) = (place("offset"), place("length"));
            let marked = String::from_utf16_lossy(units.get(offset..offset + length).unwrap_or_default());
            match entity["type"].as_str() {
                Some("bot_command") if offset == 0 => match marked.split_once('@') {
                    Some((_, name)) => name.eq_ignore_ascii_case(&bot.username),
                    None => chat.last_bot == Some(bot.id),
                },
                Some("mention") => {
                    self.settings.mentions_delivered && marked[1..].eq_ignore_ascii_case(&bot.username)
                }
                _ => false,
            }
        })
    }
}
