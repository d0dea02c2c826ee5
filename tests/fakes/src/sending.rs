//! Sends on their way: a client that sends twice at once into one conversation has lost its order.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use crate::fake::{Fake, Scene};

/// How many sends are on their way, by conversation.
#[derive(Debug)]
pub(crate) struct Sending<K>(HashMap<K, u32>);

impl<K> Default for Sending<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Sending<K> {
    /// One more; gives how many there are now.
    pub fn begin(&mut self, key: K) -> u32 {
        let count = self.0.entry(key).or_default();
        *count += 1;
        *count
    }

    fn end(&mut self, key: &K) {
        if let Some(count) = self.0.get_mut(key) {
            *count = count.saturating_sub(1);
        }
    }
}

/// A world in which sends are counted.
pub(crate) trait Sends: Scene {
    /// What tells conversations apart.
    type Key: Eq + Hash + Copy;

    /// The counter.
    fn sending(&mut self) -> &mut Sending<Self::Key>;
}

/// A counted send, until it is answered or its client gives up.
pub(crate) struct InFlight<W: Sends> {
    fake: Arc<Fake<W>>,
    key: W::Key,
}

impl<W: Sends> InFlight<W> {
    /// Ends what `begin` has begun, when it is dropped.
    pub fn new(fake: &Arc<Fake<W>>, key: W::Key) -> Self {
        Self { fake: Arc::clone(fake), key }
    }
}

impl<W: Sends> Drop for InFlight<W> {
    fn drop(&mut self) {
        self.fake.change(|world| world.sending().end(&self.key));
    }
}
