//! What outlives the process: how far each channel was read, and when this connection was last online.

use std::convert::Infallible;
use std::sync::atomic::Ordering;

use futures::stream::{self, StreamExt as _};
use tokio::time::{Instant, interval_at};

use super::{Listener, locked};
use crate::shard::{ONLINE, place, scope};
use crate::wire;

/// Positions that are kept at the same time.
const KEEPERS: usize = 16;
/// Time to let pass before a newer "online" is worth keeping, in milliseconds.
const ONLINE_STEP: i64 = 30_000;
/// When nobody waits for news of a channel any more, in milliseconds: a week without a message.
const OLD: i64 = 7 * 24 * 3_600_000;

impl Listener<'_> {
    /// Reads how far an earlier process got.
    pub(super) async fn remember(&self) {
        let mut pause = self.pauses().growing();
        let positions = loop {
            match self.edge.positions(self.account()).await {
                Ok(positions) => break positions,
                Err(error) => self.refused_by_core(&error.to_string(), pause.grow()).await,
            }
        };
        let kept = |name: &str| positions.iter().find(|(scope, _)| scope == name);
        // one that was never there begins where the bot was last online before it was split any further
        let online = kept(&self.shard.online()).or(kept(ONLINE));
        self.online.store(online.map_or(0, |(_, at)| snowflake(*at)), Ordering::Relaxed);
        let (mut lanes, mut places, now) = (self.lanes(), self.places(), self.api().now());
        for (scope, at) in &positions {
            let Some((guild, channel)) = place(scope).filter(|(guild, _)| self.shard.hears(*guild)) else {
                continue;
            };
            if guild.is_some() && is_old(snowflake(*at), now) {
                continue;
            }
            // it may be kept under another name too, from when its server was not known
            let at = snowflake(*at).max(lanes.position(channel).unwrap_or(0));
            lanes.remember(channel, at);
            if let Some(guild) = guild {
                places.lies_on(channel, guild);
            }
        }
    }

    /// Keeps positions now and then, and has the channels in use looked through.
    pub(super) async fn keep(&self) -> Infallible {
        let pauses = self.pauses();
        let mut store = interval_at(Instant::now() + pauses.store, pauses.store);
        let mut sweep = interval_at(Instant::now() + pauses.sweep, pauses.sweep);
        let mut kept = self.online.load(Ordering::Relaxed);
        loop {
            tokio::select! {
                _ = store.tick() => {
                    // what was said until then has a position by now, which goes first
                    let online = self.online.load(Ordering::Relaxed);
                    if self.keep_positions().await {
                        self.keep_online(online, &mut kept).await;
                    }
                }
                _ = sweep.tick() => self.sweep(),
            }
        }
    }

    /// Keeps how far the channels were read; `true` if all of it was kept.
    pub(super) async fn keep_positions(&self) -> bool {
        let moved = self.lanes().moved();
        let keep = |(channel, position)| self.keep_position(channel, position);
        let kept = stream::iter(moved).map(keep).buffer_unordered(KEEPERS);
        kept.fold(true, async |all, kept| all && kept).await
    }

    pub(super) async fn keep_position(&self, channel: u64, position: u64) -> bool {
        let position = i64::try_from(position).unwrap_or(i64::MAX);
        let scope = scope(self.places().server(channel), channel);
        let kept = self.edge.advance(self.account(), &scope, position).await;
        if let Err(error) = &kept {
            // the messages are stored, so at worst they are offered again after a restart
            tracing::warn!(discord.connection = %self.connection(), %error, "a position was not kept");
            self.lanes().not_kept(channel);
        }
        kept.is_ok()
    }

    /// Keeps that we were online.
    async fn keep_online(&self, online: u64, kept: &mut u64) {
        if wire::made_at(online) - wire::made_at(*kept) < ONLINE_STEP {
            return;
        }
        let position = i64::try_from(online).unwrap_or(i64::MAX);
        if self.edge.advance(self.account(), &self.shard.online(), position).await.is_ok() {
            *kept = online;
        }
    }

    /// Looks through the channels that were used within the last hour: an event may have been lost. Before the first login
    /// nobody knows which messages are our own.
    pub(super) fn sweep(&self) {
        if self.us().is_none() {
            return;
        }
        locked(&self.members).clear();
        let recent = wire::first_at(self.api().now() - 3_600_000);
        let mut lanes = self.lanes();
        let known = self.within_reach(&lanes);
        for (channel, position) in known.into_iter().filter(|(_, position)| *position > recent) {
            lanes.open(channel, position);
            self.backfill.add(channel);
        }
    }
}

/// Whether a position on a server is of no use any more: what is fetched does not reach that far back, and the server
/// says where there is news since we were last online. Of a private chat nothing else tells.
fn is_old(position: u64, now: i64) -> bool {
    wire::made_at(position) < now - OLD
}

/// What was kept as a position.
fn snowflake(position: i64) -> u64 {
    u64::try_from(position).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_of_use_for_a_week() {
        let now = 1_800_000_000_000;
        let ago = |ms: i64| wire::first_at(now - ms);
        assert_eq!([OLD - 1, OLD, OLD + 1].map(|ms| is_old(ago(ms), now)), [false, false, true]);
    }
}
