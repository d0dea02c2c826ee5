//! Listening: one long poll after the other, confirmed only when the core has stored what it brought.
//!
//! A `getUpdates` with an offset confirms (and deletes) every update below it, so the offset is the
//! lowest update that is not stored yet. Whoever stops, dies or is aborted in between gets the rest again.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use roundtable_contract::{AccountState, Connection, Edge, Pause, Profile, RunError};
use serde::Deserialize;
use serde_json::Value;
use teloxide::payloads::{DeleteWebhook, GetMe, GetUpdates, GetUpdatesSetters as _};
use teloxide::types::AllowedUpdate;
use tokio::time::sleep;

use crate::Telegram;
use crate::api::{ApiError, THROTTLED};
use crate::batch::Batch;
use crate::error::{degraded, is_webhook, wrong_token};
use crate::update::Us;

/// The name under which the core keeps our position.
const SCOPE: &str = "updates";
/// After a week without updates Telegram starts numbering anew at random, and an offset would hide
/// everything below it. Without an offset the poll begins with the oldest update not confirmed.
const OFFSET_LIFE: Duration = Duration::from_secs(6 * 24 * 60 * 60);

/// What we listen to. Sticky at the server, so it is sent with every poll.
fn allowed() -> [AllowedUpdate; 2] {
    [AllowedUpdate::Message, AllowedUpdate::EditedMessage]
}

/// What we need of `getMe`.
#[derive(Deserialize)]
struct Me {
    id: i64,
    username: String,
    #[serde(default)]
    can_read_all_group_messages: bool,
}

/// Listens until it is dropped, or until the account turns out to be of no use.
pub(crate) async fn listen(telegram: &Telegram, edge: &dyn Edge) -> RunError {
    let backoff = telegram.config.backoff;
    let mut poller = Poller {
        telegram,
        edge,
        pause: Pause::new(backoff.first, backoff.most),
        works: false,
        asked: None,
        conflict: None,
        webhook_removed: false,
    };
    let Err(error) = poller.run().await;
    poller.report(AccountState::Stopped(error.reason.clone()));
    error
}

struct Poller<'a> {
    telegram: &'a Telegram,
    edge: &'a dyn Edge,
    pause: Pause,
    /// The last poll was answered.
    works: bool,
    /// The offset that the last poll asked for, and when.
    asked: Option<(Option<i32>, Instant)>,
    /// When somebody else was in the way last.
    conflict: Option<Instant>,
    /// A webhook is removed once; somebody who sets it again wants it.
    webhook_removed: bool,
}

/// The answer to a poll.
struct Polled {
    updates: Vec<Value>,
    /// When it began.
    began: Instant,
    /// It brought all that was waiting then.
    all: bool,
}

impl Poller<'_> {
    async fn run(&mut self) -> Result<Infallible, RunError> {
        self.report(AccountState::Connecting);
        self.telegram.listening.begin();
        let us = self.connect().await?;
        let account = &self.telegram.config.account;
        let mut cursor = Cursor::new(self.edge.position(account, SCOPE).await, Instant::now());
        loop {
            match self.poll(cursor.offset(Instant::now())).await {
                Ok(Polled { updates, began, all }) => {
                    self.works = true;
                    self.report(AccountState::Ready);
                    self.pause.reset();
                    self.store(&us, updates, &mut cursor).await;
                    if all {
                        self.telegram.listening.told(began);
                    }
                }
                Err(error) => self.recover(error).await?,
            }
        }
    }

    /// Asks who we are until there is an answer.
    async fn connect(&mut self) -> Result<Us, RunError> {
        let account = &self.telegram.config.account;
        loop {
            match self.telegram.api.call::<_, Me>(&GetMe::new()).await {
                Ok(me) => {
                    self.pause.reset();
                    tracing::info!(telegram.account = %account, "connected to Telegram as @{}", me.username);
                    if !me.can_read_all_group_messages {
                        tracing::info!(
                            telegram.account = %account,
                            "privacy mode is on: in groups the bot hears commands and replies to it, and \
                             perhaps not even mentions; switch it off with @BotFather, or make the bot an \
                             administrator"
                        );
                    }
                    let link = Some(format!("https://t.me/{}?start=", me.username));
                    let profile = Profile { name: format!("@{}", me.username), link };
                    self.edge.connected(account, profile);
                    return Ok(Us { account: account.clone(), id: me.id, username: me.username });
                }
                Err(error) => self.recover(error).await?,
            }
        }
    }

    /// One poll: a long one, unless whether it works is to be known first or somebody wants to know that nothing waits.
    async fn poll(&mut self, offset: Option<i32>) -> Result<Polled, ApiError> {
        let longest = self.telegram.config.poll_timeout.as_secs().clamp(1, 50) as u32;
        let mut seconds = if self.works { longest } else { 0 };
        loop {
            let began = Instant::now();
            let last = self.asked.replace((offset, began));
            let throttled = last.is_some_and(|(last, at)| last == offset && began - at < THROTTLED);
            let mut request = GetUpdates::new().timeout(seconds).allowed_updates(allowed());
            request.offset = offset;
            let updates: Vec<Value> = tokio::select! {
                answer = self.telegram.api.call(&request) => answer?,
                // What it would have brought is not confirmed, so the next one brings it.
                () = self.telegram.listening.wanted(), if seconds > 0 => {
                    seconds = 0;
                    continue;
                }
            };
            let all = updates.len() < MOST && !(throttled && updates.len() == 1);
            return Ok(Polled { updates, began, all });
        }
    }

    /// Gives the updates to the core, as often as it takes, and moves the cursor behind what is stored.
    async fn store(&mut self, us: &Us, updates: Vec<Value>, cursor: &mut Cursor) {
        let idle = updates.is_empty();
        let mut batch = Batch::new(us, updates);
        let mut waited = false;
        loop {
            let stored = batch.store(self.edge).await;
            if let Some(last) = batch.stored_up_to() {
                cursor.move_to(last, Instant::now());
            }
            // What was refused may be the last thing for a while.
            if let Some(last) = cursor.due_position(idle || stored.is_err(), Instant::now())
                && let Err(error) = self.edge.advance(&us.account, SCOPE, last.into()).await
            {
                // the updates are stored, so at worst they are offered again after a restart
                tracing::warn!(telegram.account = %us.account, %error, "the position was not stored");
            }
            match stored {
                Ok(()) => break,
                Err(error) => self.degrade(error.to_string(), None).await,
            }
            waited = true;
        }
        if waited {
            self.report(AccountState::Ready);
        }
        if !idle && batch.stored_up_to().is_none() {
            // nothing had a number, so nothing can be confirmed: the same answer would come again at once
            sleep(self.pause.grow()).await;
        }
        self.pause.reset();
    }

    /// Waits as long as the failure calls for. An error means that waiting does not help.
    async fn recover(&mut self, error: ApiError) -> Result<(), RunError> {
        self.works = false;
        if error.is_wrong_token() {
            return Err(wrong_token(&self.telegram.config.account, &error));
        }
        let conflict = matches!(error, ApiError::Refused { code: 409, .. });
        if conflict && is_webhook(&error) && !self.webhook_removed {
            self.report(AccountState::Degraded(degraded(&error)));
            tracing::warn!(telegram.account = %self.telegram.config.account, "{}", degraded(&error));
            match self.telegram.api.call::<_, bool>(&DeleteWebhook::new()).await {
                Ok(_) => self.webhook_removed = true,
                Err(error) => self.degrade(degraded(&error), error.pause()).await,
            }
            return Ok(());
        }
        let pause = if conflict { self.stays_in_the_way() } else { error.pause() };
        self.degrade(degraded(&error), pause).await;
        Ok(())
    }

    /// How long to leave the polls to whoever sent ours away; not at all when it may have been a passing one.
    fn stays_in_the_way(&mut self) -> Option<Duration> {
        let (pause, now) = (self.telegram.config.backoff.conflict, Instant::now());
        let last = self.conflict.replace(now);
        is_lasting(last.map(|last| now - last), pause).then_some(pause)
    }

    /// Says what is wrong and waits, at least for `pause`.
    async fn degrade(&mut self, reason: String, pause: Option<Duration>) {
        let pause = self.pause.grow().max(pause.unwrap_or_default());
        tracing::warn!(
            telegram.account = %self.telegram.config.account, pause_ms = pause.as_millis() as u64, "{reason}"
        );
        self.report(AccountState::Degraded(reason));
        sleep(pause).await;
    }

    fn report(&self, state: AccountState) {
        self.edge.report(&Connection::new(self.telegram.config.account.clone(), 0), state);
    }
}

/// Whether a conflict so long after the last one is with another poller that goes on. A node that wakes up when its
/// lease is over polls once more and then learns of it: that conflict passes.
fn is_lasting(since_last: Option<Duration>, pause: Duration) -> bool {
    since_last.is_some_and(|since| since < 2 * pause)
}

/// The most updates that one poll brings (<https://core.telegram.org/bots/api#getupdates>).
const MOST: usize = 100;

/// The position is stored at most so often while messages come: Telegram itself keeps what was confirmed, so an
/// older one costs nothing but updates that are offered again and recognised.
const STORE_EVERY: Duration = Duration::from_secs(1);

/// The last stored update, and how old that was at some time.
#[derive(Debug)]
struct Cursor {
    last: Option<i32>,
    age: Duration,
    at: Instant,
    /// The position that was stored last, and when.
    kept: Option<(i32, Instant)>,
}

impl Cursor {
    /// Begins where an earlier process got to.
    fn new(position: Option<(i64, Duration)>, now: Instant) -> Self {
        let last = position.and_then(|(last, _)| last.try_into().ok());
        Self { last, age: position.unwrap_or_default().1, at: now, kept: None }
    }

    /// The first update we want, if we can tell.
    fn offset(&self, now: Instant) -> Option<i32> {
        let is_young = self.age + now.duration_since(self.at) < OFFSET_LIFE;
        self.last.filter(|_| is_young).map(|last| last.saturating_add(1))
    }

    /// Everything up to `last` is stored.
    fn move_to(&mut self, last: i32, now: Instant) {
        (self.last, self.age, self.at) = (Some(last), Duration::ZERO, now);
    }

    /// The position, if it is to be stored now: it is news, and either nothing else is to be done or the last time
    /// was long ago.
    fn due_position(&mut self, idle: bool, now: Instant) -> Option<i32> {
        let last = self.last?;
        let wanted = match self.kept {
            None => self.age == Duration::ZERO,
            Some((kept, at)) => kept != last && (idle || now.duration_since(at) >= STORE_EVERY),
        };
        if wanted {
            self.kept = Some((last, now));
        }
        self.kept.filter(|_| wanted).map(|(last, _)| last)
    }
}

#[cfg(test)]
mod tests;
