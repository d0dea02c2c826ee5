//! `getUpdates`: offsets, throttling, waiting, conflicts.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{
    request::{Answer, Failure, Params},
    world::World,
};
use crate::fake::Fake;

/// Updates die this many seconds after their event.
const RETENTION: i64 = 24 * 3600;

/// One poll after its parameters have been read.
struct Poll {
    limit: usize,
    wait: Duration,
}

impl World {
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
pub(super) async fn get_updates(fake: &Arc<Fake<World>>, bot: i64, params: &Params) -> Answer {
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
    fake: &'a Arc<Fake<World>>,
    bot: i64,
    ticket: i64,
}

impl<'a> Waiting<'a> {
    fn take(fake: &'a Arc<Fake<World>>, bot: i64) -> Self {
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
