//! Fetching what was missed: channel by channel, from a little before what is known, oldest first.

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt as _};
use roundtable_contract::MessageKind;
use serenity::model::id::ChannelId;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use crate::api::Call;
use crate::error::{MISSING_ACCESS, MISSING_PERMISSIONS, UNKNOWN_CHANNEL};
use crate::listen::Listener;
use crate::update::edited_at;
use crate::wire;

/// Channels fetched at the same time: a small part of the 50 requests a second.
const AT_ONCE: usize = 4;
/// How much before the position is fetched again, in milliseconds: snowflakes are not made by one clock. What
/// the gateway left out lies as much further back as the channels in use are looked through.
pub(crate) const MARGIN: i64 = 5 * 60_000;
/// How far back is fetched at most, in milliseconds.
const WINDOW: i64 = 24 * 60 * 60_000;
/// The most messages that one answer holds.
const PAGE: usize = 100;
/// Refusals after which a channel is not asked for any more. All others pass, as of a token that is being replaced.
const SHUT: [i64; 3] = [MISSING_ACCESS, MISSING_PERMISSIONS, UNKNOWN_CHANNEL];
/// Failed attempts at a channel after which what is said there now waits no longer for what was missed.
const TRIES: u32 = 3;
/// How long a login waits for its servers to come, which say where nothing was missed.
const SETTLING: Duration = Duration::from_secs(5);

/// What is to be fetched.
#[derive(Debug, Default)]
pub(crate) struct Backfill {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Channels with news.
    due: VecDeque<u64>,
    /// Channels of which it is not known whether they have.
    perhaps: VecDeque<u64>,
    running: HashSet<u64>,
    /// Servers that a login has named or that have an outage, and that are still to come.
    away: HashSet<u64>,
    /// When those that may have news are no longer waited for.
    settled: Option<Instant>,
}

impl State {
    fn is_settled(&self) -> bool {
        self.away.is_empty() || self.settled.is_none_or(|at| at <= Instant::now())
    }
}

impl Backfill {
    /// A login: all `channels` may have news, until the servers `away` have come and said. Gives those that might have had
    /// some until now and are out of reach since, which nobody will fetch.
    pub(crate) fn begin(&self, channels: impl Iterator<Item = u64>, away: HashSet<u64>) -> Vec<u64> {
        let mut state = self.state();
        // what was due before the login still is
        let channels = channels.filter(|channel| !state.due.contains(channel)).collect();
        let before = std::mem::replace(&mut state.perhaps, channels);
        state.away = away;
        state.settled = Some(Instant::now() + SETTLING);
        self.news.notify_one();
        let is_left = |channel: &u64| !state.perhaps.contains(channel) && !state.running.contains(channel);
        before.into_iter().filter(is_left).collect()
    }

    /// A channel has news.
    pub(crate) fn add(&self, channel: u64) {
        let mut state = self.state();
        state.perhaps.retain(|other| *other != channel);
        if !state.due.contains(&channel) {
            state.due.push_back(channel);
        }
        drop(state);
        self.news.notify_one();
    }

    /// A channel has no news: `true` if it was thought that it might.
    pub(crate) fn spare(&self, channel: u64) -> bool {
        let mut state = self.state();
        let before = state.perhaps.len();
        state.perhaps.retain(|other| *other != channel);
        state.perhaps.len() < before
    }

    /// A server has an outage: what is said there comes when it comes back.
    pub(crate) fn wait_for(&self, guild: u64) {
        self.state().away.insert(guild);
    }

    /// A server has come, or is none of ours any more.
    pub(crate) fn arrived(&self, guild: u64) {
        self.state().away.remove(&guild);
        self.news.notify_one();
    }

    /// Whether nothing is to be fetched, and no server is still to come that may have news. One may stay away for
    /// hours.
    pub(crate) fn is_done(&self) -> bool {
        let state = self.state();
        state.due.is_empty() && state.perhaps.is_empty() && state.running.is_empty() && state.away.is_empty()
    }

    /// Fetches for ever.
    pub(crate) async fn run(&self, listener: &Listener<'_>) -> Infallible {
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < AT_ONCE
                && let Some(channel) = self.next(listener)
            {
                running.push(fetch(listener, channel));
            }
            let settled = self.state().settled.filter(|at| *at > Instant::now());
            tokio::select! {
                Some(channel) = running.next() => self.end(listener, channel),
                () = self.news.notified() => {}
                () = sleep_until(settled.unwrap_or_else(Instant::now)), if settled.is_some() => {}
            }
        }
    }

    /// The next channel to fetch: before others one in which somebody waits.
    fn next(&self, listener: &Listener<'_>) -> Option<u64> {
        let mut state = self.state();
        let State { due, perhaps, running, .. } = &*state;
        let free = |channel: &&u64| !running.contains(channel);
        let all = due.iter().chain(perhaps.iter().filter(|_| state.is_settled())).filter(free);
        let waits = |channel: &&u64| listener.lanes().waits(**channel);
        let next = all.clone().find(waits).or(all.clone().next()).copied()?;
        state.due.retain(|other| *other != next);
        state.perhaps.retain(|other| *other != next);
        state.running.insert(next);
        Some(next)
    }

    /// A channel is fetched, and its newer messages go on, unless it is to be fetched again.
    fn end(&self, listener: &Listener<'_>, channel: u64) {
        let mut state = self.state();
        state.running.remove(&channel);
        let again = state.due.contains(&channel) || state.perhaps.contains(&channel);
        drop(state);
        if !again {
            listener.lanes().close(channel);
            listener.wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fetches one channel into its lane; gives the channel.
async fn fetch(listener: &Listener<'_>, channel: u64) -> u64 {
    let read = listener.lanes().read_up_to(channel);
    let left_out = i64::try_from(listener.pauses().sweep.as_millis()).unwrap_or(WINDOW).min(WINDOW);
    let mut after = start(read, left_out, listener.api().now()).max(listener.lanes().before(channel));
    let mut pause = listener.pauses().growing();
    let mut failed = 0;
    loop {
        while !listener.lanes().has_room_in(channel) {
            listener.room().await;
        }
        let page = listener.api().patiently(|| Call::history(ChannelId::new(channel), after)).await;
        let mut page = match page {
            Ok(page) => wire::list(&page, "").to_vec(),
            // what is said where we may not look is passed over, so that it is not asked for again and again
            Err(error) if SHUT.iter().any(|code| error.is(*code)) => {
                tracing::debug!(
                    discord.connection = %listener.connection(), channel, %error, "nothing more is to be fetched"
                );
                let newest = listener.places().hide(channel);
                listener.lanes().read(channel, newest);
                return channel;
            }
            Err(error) => {
                tracing::debug!(
                    discord.connection = %listener.connection(), channel, %error, "what was missed is not there yet"
                );
                failed += 1;
                if failed >= TRIES {
                    listener.lanes().release(channel);
                    listener.wake();
                }
                sleep(pause.grow()).await;
                continue;
            }
        };
        let is_last = page.len() < PAGE;
        page.sort_by_key(|message| wire::id(message, "/id"));
        for message in page {
            let Some(id) = wire::id(&message, "/id") else { continue };
            // what lies before may have been left out, or changed since; what comes behind is what it is now
            if id <= read && edited_at(&message).is_some() {
                listener.put(channel, MessageKind::New, message.clone(), false);
                listener.put(channel, MessageKind::Edit, message, false);
            } else {
                listener.put(channel, MessageKind::New, message, false);
            }
            after = after.max(id);
        }
        listener.lanes().read(channel, after);
        listener.wake();
        if is_last {
            return channel;
        }
    }
}

/// Where to begin, behind what was read: a little before, `left_out` milliseconds more, and never too far back.
fn start(read: u64, left_out: i64, now: i64) -> u64 {
    let before = wire::first_at(wire::made_at(read) - MARGIN - left_out);
    before.max(wire::first_at(now - WINDOW))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fetching_begins_a_little_before_and_never_too_far_back() {
        let now = 1_800_000_000_000;
        let read = wire::first_at(now - 60_000);
        assert_eq!(wire::made_at(start(read, 0, now)), now - 60_000 - MARGIN);
        assert_eq!(wire::made_at(start(read, 1_000, now)), now - 61_000 - MARGIN);
        assert_eq!(wire::made_at(start(wire::first_at(now - 3 * WINDOW), 0, now)), now - WINDOW);
        assert_eq!(wire::made_at(start(0, 0, now)), now - WINDOW);
    }

    #[test]
    fn channels_without_news_are_spared() {
        let backfill = Backfill::default();
        assert!(backfill.is_done());
        assert!(backfill.begin([20, 21].into_iter(), HashSet::from([1])).is_empty());
        assert!(!backfill.is_done());
        assert!(backfill.spare(20) && !backfill.spare(20));
        backfill.add(21);
        assert!(!backfill.spare(21), "it is known to have news");
        backfill.arrived(1);
        assert!(!backfill.is_done());
    }

    #[test]
    fn a_login_says_of_which_channels_nothing_is_expected_any_more() {
        let backfill = Backfill::default();
        backfill.begin([20, 21, 22, 23].into_iter(), HashSet::from([1]));
        backfill.add(21);
        backfill.state().running.insert(22);
        assert_eq!(backfill.begin([23].into_iter(), HashSet::new()), [20]);
    }

    #[test]
    fn nothing_is_done_while_a_server_is_away() {
        let backfill = Backfill::default();
        backfill.begin(std::iter::empty(), HashSet::from([1]));
        backfill.state().settled = Some(Instant::now());
        assert!(!backfill.is_done(), "the server is no longer waited for, and may have news all the same");
        backfill.arrived(1);
        assert!(backfill.is_done());
        backfill.wait_for(1);
        assert!(!backfill.is_done());
    }
}
