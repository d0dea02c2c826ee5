//! Servers that come and go: where something was missed on them.

use std::sync::atomic::Ordering;

use serde_json::Value;

use super::{Listener, locked};
use crate::backfill::MARGIN;
use crate::lane::Lanes;
use crate::places::Kind;
use crate::wire;

impl Listener<'_> {
    /// A server has come. What is newer than what we know of it is fetched, but nothing from before we joined it, not even
    /// where we have read before we were put out.
    pub(super) fn arrived(&self, guild: u64, data: &Value, channels: &[u64]) {
        let joined = locked(&self.guilds).insert(guild);
        // the last number that was before it
        let came = wire::time(data, "/joined_at").map_or(0, |at| wire::first_at(at).saturating_sub(1));
        let (mut lanes, places) = (self.lanes(), self.places());
        let read = lanes.positions().map(|(channel, _)| channel);
        let read = read.filter(|channel| places.server(*channel) == Some(guild));
        for channel in read.chain(channels.iter().copied()).collect::<Vec<_>>() {
            let known = self.known(&lanes, channel);
            // who was never online before has missed nothing on a server that was there; clocks differ
            let last = if known == 0 && !joined {
                let newest = places.get(channel).map_or(0, |place| place.newest);
                newest.max(wire::first_at(self.api().now() - MARGIN))
            } else {
                came
            };
            if last > known {
                lanes.begin(channel, last);
            }
        }
        drop((lanes, places));
        channels.iter().for_each(|channel| self.catch_up(*channel));
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

    /// Up to where there is nothing more to be known of a channel: what was read, or where nothing was, what was said
    /// until a little before we were last online; and what was said before it began for us. 0 is nothing at all.
    fn known(&self, lanes: &Lanes, channel: u64) -> u64 {
        let read = lanes.position(channel).unwrap_or(self.since.load(Ordering::Relaxed));
        read.max(lanes.before(channel))
    }

    /// Has fetched what was missed in a channel of a server that has come, if there is news.
    fn catch_up(&self, channel: u64) {
        let (mut lanes, places) = (self.lanes(), self.places());
        let place = places.get(channel).filter(|place| place.kind != Kind::Container);
        let Some(newest) = place.map(|place| place.newest) else { return };
        let known = self.known(&lanes, channel);
        if newest > known && !places.is_hidden(channel) {
            lanes.open(channel, known);
            self.backfill.add(channel);
        } else if self.backfill.spare(channel) {
            lanes.close(channel);
            self.work.notify_one();
        }
    }
}
