//! Growing pauses between attempts.

use std::time::Duration;

/// Pauses between attempts that fail: each is twice as long as the one before, up to the longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Pause {
    /// From `first` on, and never longer than `most`.
    pub fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first }
    }

    /// How long to wait now, and longer the next time.
    pub fn grow(&mut self) -> Duration {
        let now = self.next;
        self.next = (now * 2).min(self.most);
        now
    }

    /// An attempt succeeded: the next pause is the first one again.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_begin_again() {
        let second = Duration::from_secs(1);
        let mut pause = Pause::new(second, 3 * second);
        assert_eq!([pause.grow(), pause.grow(), pause.grow()], [second, 2 * second, 3 * second]);
        assert_eq!(pause.grow(), 3 * second);
        pause.reset();
        assert_eq!(pause.grow(), second);
    }
}
