//! The heartbeat of a connection, which says whether anybody is there.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use tokio::time::Instant;

/// The heartbeat of one connection.
pub(super) struct Pulse {
    interval: Duration,
    /// How long an answer may take. (Discord asks for no more than one before the next beat; who waits that long
    /// is deaf for a minute and a half.)
    patience: Duration,
    last: Instant,
    /// When the next beat is due, or the answer to the last one.
    next: Instant,
    /// The last beat was answered.
    answered: bool,
    /// Nothing was read for a while, an answer neither.
    starved: bool,
}

impl Pulse {
    /// The first beat comes early, at a time of its own for every client.
    pub(super) fn new(interval: Duration, patience: Duration) -> Self {
        let last = Instant::now();
        let (next, patience) = (last + interval.mul_f64(jitter()), patience.min(interval));
        Self { interval, patience, last, next, answered: true, starved: false }
    }

    /// A beat is due; `false` when the last one was not answered in time.
    pub(super) fn may_go_on(&mut self) -> bool {
        let alive = self.answered || self.starved;
        (self.answered, self.starved) = (false, false);
        self.last = Instant::now();
        self.next = self.last + self.patience;
        alive
    }

    /// When it is to be looked after.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// Nothing is read now, an answer neither.
    pub(super) fn starve(&mut self) {
        self.starved = true;
    }

    /// The last beat is answered.
    pub(super) fn answer(&mut self) {
        self.answered = true;
        self.next = self.last + self.interval;
    }
}

/// A number between 0 and 1, of no quality.
pub(super) fn jitter() -> f64 {
    let random = RandomState::new().build_hasher().finish() >> 11;
    random as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_beat_comes_within_the_interval() {
        for _ in 0..100 {
            assert!((0.0..1.0).contains(&jitter()));
        }
    }

    #[test]
    fn a_beat_without_an_answer_is_the_last() {
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        let mut pulse = Pulse::new(minute, second);
        assert!(pulse.may_go_on());
        assert_eq!(pulse.next, pulse.last + second, "an answer is due");
        pulse.answer();
        assert_eq!(pulse.next, pulse.last + minute, "a beat is due");
        assert!(pulse.may_go_on());
        assert!(!pulse.may_go_on());
        pulse.starve();
        assert!(pulse.may_go_on(), "the answer may lie unread");
    }
}
