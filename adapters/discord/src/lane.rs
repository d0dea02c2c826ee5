//! The messages of every channel until the core has stored them, in the order of their numbers, and how far
//! each channel has been read. Pure: the caller moves things along.
//!
//! A channel's position is a low-water mark: everything up to it is stored. What is newer than a message that
//! waits, is being stored, or may still be fetched, does not move it.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use roundtable_contract::MessageKind;
use serde_json::Value;

/// Messages in memory, over all channels, at which the gateway is read no further: it keeps the rest, and
/// what it drops is fetched later.
const FULL: usize = 10_000;
/// Messages of one channel that may be stored at which no more are fetched.
const FULL_LANE: usize = 500;
/// Stored messages that are remembered, so that one that comes twice is not offered twice.
const REMEMBERED: usize = 4096;

/// The place of a message, or of a new version of it, in its channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) id: u64,
    /// When it was edited; 0 for the message itself.
    pub(crate) version: i64,
}

impl Key {
    fn is_edit(self) -> bool {
        self.version != 0
    }
}

/// A message as Discord sent it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item {
    pub(crate) kind: MessageKind,
    pub(crate) message: Value,
    /// The gateway brought it, with all it says about place and author.
    pub(crate) live: bool,
}

/// All channels.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    lanes: HashMap<u64, Lane>,
    positions: HashMap<u64, u64>,
    /// Channels that were never read before and of which nothing was offered yet.
    new: HashSet<u64>,
    /// Channels that were there before us, with what lies before that.
    begun: HashMap<u64, u64>,
    /// Positions that moved since they were last asked for.
    moved: BTreeSet<u64>,
    /// Channels that may have something to store.
    ready: VecDeque<u64>,
    waiting: usize,
    done: Done,
}

#[derive(Debug, Default)]
struct Lane {
    queue: BTreeMap<Key, Item>,
    /// What is being stored.
    current: Option<Key>,
    /// Somebody takes from the lane, or is about to.
    busy: bool,
    /// The newest that was stored or read.
    high: u64,
    /// Older messages are being fetched.
    gate: Option<Gate>,
}

#[derive(Debug, Clone, Copy)]
struct Gate {
    /// Everything up to here has been fetched.
    read: u64,
    /// Fetching takes too long for newer messages to wait.
    released: bool,
}

impl Lane {
    fn may_go(&self, key: Key) -> bool {
        self.gate.is_none_or(|gate| gate.released || key.id <= gate.read)
    }

    /// What may be stored now.
    fn going(&self) -> impl Iterator<Item = &Key> {
        self.queue.keys().take_while(|key| self.may_go(**key))
    }

    fn low(&self) -> u64 {
        let waiting = self.queue.keys().next().into_iter().chain(&self.current).map(|key| key.id - 1);
        waiting.chain(self.gate.map(|gate| gate.read)).fold(self.high, u64::min)
    }
}

impl Lanes {
    /// Begins where an earlier process got to.
    pub(crate) fn remember(&mut self, channel: u64, position: u64) {
        self.positions.insert(channel, position);
    }

    /// We come to a channel: everything up to `last` was said without us, also where we have been before.
    pub(crate) fn begin(&mut self, channel: u64, last: u64) {
        self.begun.insert(channel, last);
        if self.positions.contains_key(&channel) {
            let lane = self.lanes.entry(channel).or_default();
            lane.high = lane.high.max(last);
            self.settle(channel);
        }
    }

    /// Up to where a channel is no concern of ours.
    pub(crate) fn before(&self, channel: u64) -> u64 {
        self.begun.get(&channel).copied().unwrap_or(0)
    }

    /// How far a channel has been read, if it ever was.
    pub(crate) fn position(&self, channel: u64) -> Option<u64> {
        self.positions.get(&channel).copied()
    }

    /// All channels that have been read, with their positions.
    pub(crate) fn positions(&self) -> impl Iterator<Item = (u64, u64)> {
        self.positions.iter().map(|(channel, position)| (*channel, *position))
    }

    /// A message came. The same one twice is one. From a channel's first one on it is read, whenever that is offered;
    /// an edit may be of one that was said long before.
    pub(crate) fn push(&mut self, channel: u64, key: Key, item: Item) {
        if key.id == 0 || self.done.contains(channel, key) {
            return;
        }
        let lane = self.lanes.entry(channel).or_default();
        if !key.is_edit()
            && let Entry::Vacant(position) = self.positions.entry(channel)
        {
            position.insert(lane.gate.map_or(key.id - 1, |gate| gate.read.min(key.id - 1)));
            self.moved.insert(channel);
            self.new.insert(channel);
        }
        if lane.current != Some(key) && lane.queue.insert(key, item).is_none() {
            self.waiting += 1;
        }
        self.wake(channel);
    }

    fn wake(&mut self, channel: u64) {
        if let Some(lane) = self.lanes.get_mut(&channel)
            && !lane.busy
            && lane.queue.keys().next().is_some_and(|key| lane.may_go(*key))
        {
            lane.busy = true;
            self.ready.push_back(channel);
        }
    }

    /// A channel whose messages are to be stored now, by one caller until [`Lanes::take`] gives nothing.
    pub(crate) fn start(&mut self) -> Option<u64> {
        self.ready.pop_front()
    }

    /// The oldest message of a channel that may be stored; nothing ends the work on it.
    pub(crate) fn take(&mut self, channel: u64) -> Option<(Key, Item)> {
        let lane = self.lanes.get_mut(&channel)?;
        let first = lane.queue.keys().next().copied().filter(|key| lane.may_go(*key));
        let Some(item) = first.and_then(|key| lane.queue.remove_entry(&key)) else {
            lane.busy = false;
            self.settle(channel);
            return None;
        };
        lane.current = first;
        self.waiting -= 1;
        Some(item)
    }

    /// What was taken is stored, or of no use.
    pub(crate) fn done(&mut self, channel: u64, key: Key) {
        self.done.insert(channel, key);
        if let Some(lane) = self.lanes.get_mut(&channel) {
            lane.current = None;
            if !key.is_edit() {
                lane.high = lane.high.max(key.id);
            }
        }
        self.settle(channel);
    }

    /// Older messages are going to be fetched; everything up to `read` is there.
    pub(crate) fn open(&mut self, channel: u64, read: u64) {
        let lane = self.lanes.entry(channel).or_default();
        let read = lane.gate.map_or(read, |gate| gate.read.min(read));
        lane.gate = Some(Gate { read, released: false });
    }

    /// Behind what fetching goes on: what [`Lanes::open`] and [`Lanes::read`] said.
    pub(crate) fn read_up_to(&self, channel: u64) -> u64 {
        let gate = self.lanes.get(&channel).and_then(|lane| lane.gate);
        gate.map(|gate| gate.read).or(self.position(channel)).unwrap_or(0)
    }

    /// Fetched up to `read`.
    pub(crate) fn read(&mut self, channel: u64, read: u64) {
        if let Some(gate) = self.lanes.get_mut(&channel).and_then(|lane| lane.gate.as_mut()) {
            gate.read = gate.read.max(read);
        }
        self.wake(channel);
    }

    /// Fetching takes too long: newer messages no longer wait for it.
    pub(crate) fn release(&mut self, channel: u64) {
        if let Some(gate) = self.lanes.get_mut(&channel).and_then(|lane| lane.gate.as_mut()) {
            gate.released = true;
        }
        self.wake(channel);
    }

    /// Everything is fetched.
    pub(crate) fn close(&mut self, channel: u64) {
        if let Some(lane) = self.lanes.get_mut(&channel)
            && let Some(gate) = lane.gate.take()
        {
            lane.high = lane.high.max(gate.read);
        }
        self.wake(channel);
        self.settle(channel);
    }

    /// Whether messages of the channel wait.
    pub(crate) fn waits(&self, channel: u64) -> bool {
        self.lanes.get(&channel).is_some_and(|lane| !lane.queue.is_empty())
    }

    /// Whether there is room for another message of the gateway.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting < FULL
    }

    /// Whether there is room for more fetched messages of the channel, and of all channels together. What waits for them
    /// to be fetched takes none: neither would ever move.
    pub(crate) fn has_room_in(&self, channel: u64) -> bool {
        let is_full = |lane: &Lane| lane.going().nth(FULL_LANE - 1).is_some();
        let all = || self.lanes.values().flat_map(Lane::going);
        !self.lanes.get(&channel).is_some_and(is_full) && (self.has_room() || all().nth(FULL - 1).is_none())
    }

    /// Where a channel begins that was never read before; said once.
    pub(crate) fn beginning(&mut self, channel: u64) -> Option<u64> {
        self.new.remove(&channel).then(|| self.position(channel)).flatten()
    }

    /// The positions that moved since the last call.
    pub(crate) fn moved(&mut self) -> Vec<(u64, u64)> {
        let moved = std::mem::take(&mut self.moved);
        moved.into_iter().filter_map(|channel| Some((channel, self.position(channel)?))).collect()
    }

    /// A position could not be kept: it is given out again.
    pub(crate) fn not_kept(&mut self, channel: u64) {
        self.moved.insert(channel);
    }

    /// Moves the position to where it belongs, and forgets a lane with nothing in it.
    fn settle(&mut self, channel: u64) {
        let Some(lane) = self.lanes.get(&channel) else { return };
        let low = lane.low();
        if low > self.position(channel).unwrap_or(0) {
            self.positions.insert(channel, low);
            self.moved.insert(channel);
        }
        if lane.queue.is_empty() && lane.current.is_none() && !lane.busy && lane.gate.is_none() {
            self.lanes.remove(&channel);
        }
    }
}

/// What was stored last.
#[derive(Debug, Default)]
struct Done {
    keys: HashSet<(u64, Key)>,
    order: VecDeque<(u64, Key)>,
}

impl Done {
    fn contains(&self, channel: u64, key: Key) -> bool {
        self.keys.contains(&(channel, key))
    }

    fn insert(&mut self, channel: u64, key: Key) {
        if self.keys.insert((channel, key)) {
            self.order.push_back((channel, key));
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
