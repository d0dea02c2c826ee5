//! Servers that come and go: where something was missed on them.

use std::sync::atomic::Ordering;

use super::{Listener, locked, now};
use crate::backfill::MARGIN;
use crate::lane::Lanes;
use crate::places::Kind;
use crate::wire;

impl Listener<'_> {
    /// A server has come. Of one that we were on before, what was written meanwhile is fetched; of one that we
    /// join nothing was missed, not even where we have read before we were put out.
    pub(super) fn arrived(&self, guild: u64, channels: &[u64]) {
        let joined = locked(&self.guilds).insert(guild);
        let since = Some(self.since.load(Ordering::Relaxed)).filter(|since| *since > 0);
        if joined || since.is_none() {
            let (mut lanes, places, now) = (self.lanes(), self.places(), wire::first_at(now() - MARGIN));
            // a server that comes back after an outage has told us before where its channels begin
            let new =
                |channel: &u64| lanes.position(*channel).is_none() && (joined || lanes.before(*channel) == 0);
            let mut begun: Vec<u64> = channels.iter().copied().filter(new).collect();
            if joined {
                let read = lanes.positions().map(|(channel, _)| channel);
                begun.extend(read.filter(|channel| places.server(*channel) == Some(guild)));
            }
            for channel in begun {
                // clocks differ
                let newest = places.get(channel).map_or(0, |place| place.newest);
                lanes.begin(channel, newest.max(now));
            }
        }
        if !joined {
            channels.iter().for_each(|channel| self.catch_up(*channel, since));
        }
        self.backfill.arrived(guild);
    }

    /// We are on a server no more.
    pub(super) fn left(&self, guild: u64) {
        locked(&self.guilds).remove(&guild);
        self.backfill.arrived(guild);
    }

    /// How far the channels were read that may be looked through: in private, and on servers that we are on where we
    /// were not refused.
    pub(super) fn within_reach(&self, lanes: &Lanes) -> Vec<(u64, u64)> {
        let (places, guilds) = (self.places(), locked(&self.guilds));
        let is_ours = |channel| places.server(channel).is_none_or(|guild| guilds.contains(&guild));
        let known = lanes.positions();
        known.filter(|(channel, _)| is_ours(*channel) && !places.is_hidden(*channel)).collect()
    }

    /// Has fetched what was missed in a channel of a server that has come, if there is news behind what was read, or
    /// where nothing was behind `since`, or behind where the channel began for us.
    fn catch_up(&self, channel: u64, since: Option<u64>) {
        let (kind, newest, hidden) = self
            .places()
            .get(channel)
            .map_or((Kind::Container, 0, false), |place| (place.kind, place.newest, place.hidden));
        let mut lanes = self.lanes();
        let before = Some(lanes.before(channel)).filter(|before| *before > 0);
        let read = lanes.position(channel).or(since).or(before);
        match (kind, read) {
            (Kind::Container, _) | (_, None) => {}
            (_, Some(read)) if newest > read && !hidden => {
                lanes.open(channel, read);
                self.backfill.add(channel);
            }
            _ => {
                if self.backfill.spare(channel) {
                    lanes.close(channel);
                    self.work.notify_one();
                }
            }
        }
    }
}
