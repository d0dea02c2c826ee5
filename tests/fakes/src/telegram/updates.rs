//! The queue of updates of a bot: who hears what, and the exact rules of `getUpdates`.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{
    Fake,
    chat::{Chat, ChatKey, Membership, Message},
    request::{Answer, Failure, Params},
    world::{Bot, World},
};

/// Kinds that are delivered only when asked for by name.
const OPT_IN: &[&str] = &["chat_member", "message_reaction", "message_reaction_count"];
/// Updates die this many seconds after their event.
const RETENTION: i64 = 24 * 3600;
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
    date: i64,
    chat: Option<ChatKey>,
    handed_out: bool,
}

/// What waits for one bot.
#[derive(Debug)]
pub(crate) struct Queue {
    updates: VecDeque<Update>,
    next_id: i64,
    last_update: i64,
    allowed: Option<Vec<String>>,
    last_poll: Option<(i64, u64)>,
    /// The call that waits now; an older one sees that it is no longer the one.
    waiting: Option<i64>,
    /// Why the last waiting call was sent away.
    sent_away: &'static str,
    last_conflict_ms: Option<u64>,
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
    fn confirm(&mut self, offset: i64) {
        if offset < 0 {
            let keep = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
            self.updates.drain(..self.updates.len().saturating_sub(keep));
        } else if offset <= self.next_id {
            self.updates.retain(|update| update.id >= offset);
        }
    }
}

/// One poll after its parameters have been read.
struct Poll {
    limit: usize,
    wait: Duration,
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

    fn begin_poll(&mut self, id: i64, params: &Params) -> Result<Poll, Failure> {
        let (now, now_ms, throttle) = (self.now(), self.now_ms(), self.settings.hot_loop_throttle);
        let offset = params.int("offset")?.unwrap_or(0);
        let mut limit = params.int("limit")?.unwrap_or(100).clamp(1, 100);
        let mut wait = params.int("timeout")?.unwrap_or(0).clamp(0, 50);
        let allowed: Option<Vec<String>> = params.parsed("allowed_updates")?;
        let bot = self.bots.get_mut(&id).expect("the dispatcher found it by its token");
        if bot.webhook.is_some() {
            return Err(Failure::conflict(
                "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
            ));
        }
        let queue = &mut bot.queue;
        if let Some((last, at)) = queue.last_poll.replace((offset, now_ms))
            && throttle
            && last == offset
        {
            let since = now_ms.saturating_sub(at);
            wait = if since < 3_000 { wait.max(3) } else { wait };
            limit = if since < 500 { 1 } else { limit };
        }
        if allowed.is_some() {
            queue.allowed = allowed;
        }
        queue.confirm(offset);
        queue.updates.retain(|update| update.date + RETENTION > now);
        Ok(Poll {
            limit: usize::try_from(limit).unwrap_or(1),
            wait: Duration::from_secs(wait.unsigned_abs()),
        })
    }

    /// The next updates in the queue; they stay there until they are confirmed.
    fn hand_out(&mut self, bot: i64, limit: usize) -> Vec<Value> {
        let bot = self.bots.get_mut(&bot).expect("the dispatcher found it by its token");
        let (now, mut batch) = (Instant::now(), Vec::new());
        for update in bot.queue.updates.iter_mut().take(limit) {
            if let Some(chat) = update.chat
                && update.kind == "message"
                && !std::mem::replace(&mut update.handed_out, true)
            {
                self.unanswered.entry(chat).or_default().push_back(now);
            }
            batch.push(json!({"update_id": update.id, update.kind.as_str(): update.payload}));
        }
        batch
    }

    fn conflict(&mut self, bot: i64) -> (Duration, Failure) {
        let (now, delay) = (self.now_ms(), self.settings.conflict_delay);
        let bot = self.bots.get_mut(&bot).expect("the dispatcher found it by its token");
        let last = bot.queue.last_conflict_ms.replace(now);
        let again = last.is_some_and(|last| u128::from(now.saturating_sub(last)) < delay.as_millis());
        (if again { delay } else { Duration::ZERO }, Failure::conflict(bot.queue.sent_away))
    }
}

/// `getUpdates`: answers at once when there is something, else waits as long as it was asked to.
pub(super) async fn get_updates(fake: &Arc<Fake>, bot: i64, params: &Params) -> Answer {
    let poll = fake.change(|world| world.begin_poll(bot, params))?;
    let ready = fake.change(|world| world.hand_out(bot, poll.limit));
    if !ready.is_empty() || poll.wait.is_zero() {
        return Ok(Value::Array(ready));
    }
    let place = Waiting::take(fake, bot);
    let over = |world: &World| {
        let queue = &world.bots[&bot].queue;
        queue.waiting != Some(place.ticket) || !queue.updates.is_empty()
    };
    // A time-out is the usual end of a quiet poll.
    let _timed_out = timeout(poll.wait, fake.watch(|world| over(world).then_some(()))).await;
    let outcome = fake.change(|world| {
        let sent_away = world.bots[&bot].queue.waiting != Some(place.ticket);
        if sent_away { Err(world.conflict(bot)) } else { Ok(world.hand_out(bot, poll.limit)) }
    });
    match outcome {
        Ok(batch) => Ok(Value::Array(batch)),
        Err((delay, failure)) => {
            sleep(delay).await;
            Err(failure)
        }
    }
}

/// The place of the one call that waits; given back when the call ends or its client goes away.
struct Waiting<'a> {
    fake: &'a Arc<Fake>,
    bot: i64,
    ticket: i64,
}

impl<'a> Waiting<'a> {
    fn take(fake: &'a Arc<Fake>, bot: i64) -> Self {
        let ticket = fake.change(|world| {
            let ticket = world.fresh();
            let queue = &mut world.bots.get_mut(&bot).expect("the dispatcher found it by its token").queue;
            queue.waiting = Some(ticket);
            queue.sent_away =
                "terminated by other getUpdates request; make sure that only one bot instance is running";
            ticket
        });
        Self { fake, bot, ticket }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.fake.change(|world| {
            if let Some(bot) = world.bots.get_mut(&self.bot)
                && bot.queue.waiting == Some(self.ticket)
            {
                bot.queue.waiting = None;
            }
        });
    }
}
