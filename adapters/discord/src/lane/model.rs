//! A channel in which people speak while the connection breaks, pages are fetched, messages are being stored, and the
//! process dies: whatever happens in whatever order, no position passes what is not stored.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const HERE: u64 = 20;

#[derive(Debug, Clone)]
enum Step {
    /// Somebody speaks.
    Say,
    /// An earlier message is edited.
    Edit(usize),
    Disconnect,
    /// A session goes on: the gateway brings what was missed.
    Resume,
    /// A new one begins: what was missed is fetched.
    Login,
    /// So many messages of it at once.
    Fetch(usize),
    /// That takes too long.
    Release,
    /// A message is taken to be stored.
    Take,
    /// It is stored.
    Store,
    /// Positions are kept.
    Keep,
    /// The process dies, and another begins.
    Die,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => Just(Step::Say),
        1 => (0_usize..20).prop_map(Step::Edit),
        2 => Just(Step::Disconnect),
        2 => Just(Step::Resume),
        2 => Just(Step::Login),
        2 => (1_usize..4).prop_map(Step::Fetch),
        2 => Just(Step::Release),
        6 => Just(Step::Take),
        6 => Just(Step::Store),
        2 => Just(Step::Keep),
        1 => Just(Step::Die),
    ];
    vec(step, 1..80)
}

/// The channel, and a connection to it.
#[derive(Default)]
struct Channel {
    lanes: Lanes,
    /// What was said has the numbers up to this one.
    said: u64,
    /// What the connection has brought has the numbers up to this one, without what is to be fetched.
    heard: u64,
    connected: bool,
    fetching: bool,
    /// A released message may be stored before an older one.
    released: bool,
    /// What is being stored, and by whom.
    working: bool,
    current: Option<Key>,
    stored: BTreeSet<u64>,
    /// What this process has stored.
    by_this: Vec<u64>,
    kept: Option<u64>,
}

impl Channel {
    fn push(&mut self, key: Key) {
        let kind = if key.is_edit() { MessageKind::Edit } else { MessageKind::New };
        self.lanes.push(HERE, key, Item { kind, message: Value::Null, live: true });
    }

    /// What is said now is heard now, if there is a connection.
    fn hear(&mut self) {
        while self.connected && self.heard < self.said {
            self.heard += 1;
            self.push(Key { id: self.heard, version: 0 });
        }
    }

    fn fetch(&mut self, most: usize) {
        let read = self.lanes.read_up_to(HERE);
        let page: Vec<u64> = (read + 1..=self.said).take(most).collect();
        page.iter().for_each(|id| self.push(Key { id: *id, version: 0 }));
        self.lanes.read(HERE, page.last().copied().unwrap_or(read));
        if page.len() < most {
            self.lanes.close(HERE);
            self.fetching = false;
        }
    }

    fn take(&mut self) {
        self.working |= self.current.is_none() && !self.working && self.lanes.start().is_some();
        if self.working && self.current.is_none() {
            self.current = self.lanes.take(HERE).map(|(key, _)| key);
            self.working = self.current.is_some();
        }
    }

    fn store(&mut self) {
        let Some(key) = self.current.take() else { return };
        if !key.is_edit() {
            self.stored.insert(key.id);
            self.by_this.push(key.id);
        }
        self.lanes.done(HERE, key);
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Say => {
                self.said += 1;
                self.hear();
            }
            Step::Edit(ago) if self.connected && self.said > *ago as u64 => {
                self.push(Key { id: self.said - *ago as u64, version: 7 });
            }
            Step::Disconnect => self.connected = false,
            Step::Resume if self.heard > 0 => {
                self.connected = true;
                self.hear();
            }
            Step::Login if !self.connected => {
                if let Some(position) = self.lanes.position(HERE) {
                    self.lanes.open(HERE, position);
                    self.fetching = true;
                }
                (self.connected, self.heard) = (true, self.said);
            }
            Step::Fetch(most) if self.fetching => self.fetch(*most),
            Step::Release if self.fetching => {
                self.lanes.release(HERE);
                self.released = true;
            }
            Step::Take => self.take(),
            Step::Store => self.store(),
            Step::Keep => {
                for (_, position) in self.lanes.moved() {
                    self.kept = Some(position);
                }
            }
            Step::Die => {
                let (said, stored, kept) = (self.said, std::mem::take(&mut self.stored), self.kept);
                *self = Self { said, stored, kept, ..Self::default() };
                if let Some(kept) = kept {
                    self.lanes.remember(HERE, kept);
                }
            }
            _ => {}
        }
    }

    /// Everything is fetched and stored, as after a login where nothing goes wrong.
    fn rest(&mut self) {
        self.connected = false;
        self.run(&Step::Login);
        while self.fetching {
            self.fetch(3);
        }
        loop {
            self.take();
            if self.current.is_none() {
                return;
            }
            self.store();
        }
    }

    /// What nobody has stored; before the first position nothing counts as missed.
    fn left(&self, since: u64) -> Option<u64> {
        (since + 1..=self.said).find(|id| !self.stored.contains(id))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_position_passes_what_is_not_stored(steps in steps()) {
        let mut channel = Channel::default();
        // Who was never here before has missed nothing.
        let mut since = None;
        for step in &steps {
            channel.run(step);
            if since.is_none() {
                since = channel.lanes.position(HERE);
            }
            if channel.kept.is_none() && channel.lanes.position(HERE).is_none() {
                since = None;
            }
            if let (Some(position), Some(since)) = (channel.lanes.position(HERE), since) {
                let left = channel.left(since);
                prop_assert!(left.is_none_or(|left| left > position), "{left:?} is left, behind {position}");
                let kept = channel.kept.unwrap_or(0);
                prop_assert!(left.is_none_or(|left| left > kept), "{left:?} is left, and {kept} is kept");
            }
            let again = channel.by_this.iter().collect::<BTreeSet<_>>().len() < channel.by_this.len();
            prop_assert!(!again, "stored twice by one process: {:?}", channel.by_this);
            prop_assert!(channel.released || channel.by_this.is_sorted(), "out of order: {:?}", channel.by_this);
        }
        channel.rest();
        if let Some(since) = since {
            prop_assert_eq!(channel.left(since), None);
        }
    }
}
