//! Time, injected. All stored times are milliseconds since 1970 on one clock that never steps.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// So many milliseconds. What is longer than any time is some, and can still be added to one.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

/// Where the present comes from. Leases and due times compare values of one clock only.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970; never goes back while the process lives.
    fn now(&self) -> i64;

    /// Follows another clock (PostgreSQL's), which just showed `now`. Never makes time go back.
    fn anchor(&self, now: i64);

    /// Sets the clock for the first time, before anybody goes by it: also back, if what it was made with is ahead.
    fn set(&self, now: i64) {
        self.anchor(now);
    }
}

/// A steady clock that was set once, at start, by the wall clock, and may later be set by the
/// database's. Steps of the wall clock do not reach it.
pub struct SystemClock {
    /// [`steady`] at the start.
    start: Duration,
    offset: AtomicI64,
    last: AtomicI64,
}

impl SystemClock {
    /// A clock that shows the wall clock's time of now.
    pub fn new() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        Self {
            start: steady(),
            offset: AtomicI64::new(i64::try_from(wall).unwrap_or(i64::MAX)),
            last: AtomicI64::new(0),
        }
    }

    fn elapsed(&self) -> i64 {
        millis(steady().saturating_sub(self.start))
    }
}

/// What has passed since some moment, on a clock that nobody sets and that goes on while the machine is suspended
/// (clock_gettime(2), `CLOCK_BOOTTIME`): a laptop that is opened in the morning has slept through the night.
#[cfg(target_os = "linux")]
fn steady() -> Duration {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has had it since 2.6.39").into()
}

/// What has passed since the first call, where no clock is known that goes on while the machine is suspended.
#[cfg(not(target_os = "linux"))]
fn steady() -> Duration {
    static FIRST: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    FIRST.get_or_init(std::time::Instant::now).elapsed()
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> i64 {
        let now = self.offset.load(Ordering::Relaxed).saturating_add(self.elapsed());
        self.last.fetch_max(now, Ordering::Relaxed).max(now)
    }

    fn anchor(&self, now: i64) {
        self.offset.store(now - self.elapsed(), Ordering::Relaxed);
    }

    fn set(&self, now: i64) {
        self.anchor(now);
        self.last.store(now, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_in_the_past_never_turns_time_back() {
        let clock = SystemClock::new();
        let before = clock.now();
        clock.anchor(before - 60_000);
        assert!(clock.now() >= before);
        clock.anchor(before + 60_000);
        assert!(clock.now() >= before + 60_000);
    }

    #[test]
    fn a_clock_that_is_set_goes_on_from_there() {
        let clock = SystemClock::new();
        let before = clock.now();
        clock.set(before - 60_000);
        assert!(clock.now() < before - 30_000);
    }
}
