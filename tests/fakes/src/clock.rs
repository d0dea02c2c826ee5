//! A platform's clock: the real one, and as far from it as a test has moved it.

use std::time::{Duration, SystemTime};

/// The clock.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead: Duration,
    behind: Duration,
}

impl Clock {
    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        let real = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from((real + self.ahead).saturating_sub(self.behind).as_millis()).unwrap_or(u64::MAX)
    }

    /// Sets it back. Time must not go backwards: only before anything has happened.
    pub fn set_back(&mut self, by: Duration) {
        self.behind += by;
    }

    /// Moves it.
    pub fn advance(&mut self, by: Duration) {
        self.ahead += by;
    }
}
