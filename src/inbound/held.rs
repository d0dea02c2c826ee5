//! Why an item waits for others before a turn takes it.

use super::age::{self, Age};
use super::merge;

/// What an accepted message may wait for.
pub(super) struct Held {
    /// The name of the message that it is a piece of.
    pub(super) piece: Option<String>,
    /// How old it is.
    pub(super) age: Age,
}

impl Held {
    /// The name of the message that it is a piece of.
    pub(super) fn piece(&self) -> Option<&str> {
        self.piece.as_deref()
    }

    /// Before when no turn takes it; 0: it need not wait.
    pub(super) fn until(&self, now: i64) -> i64 {
        match (&self.piece, self.age) {
            (_, Age::Late) => now + age::PAUSE,
            (Some(_), _) => now + merge::PAUSE,
            (None, _) => 0,
        }
    }
}
