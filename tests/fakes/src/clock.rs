//! A platform's clock: the real one, and as far ahead of it as a test has moved it.

use std::time::{Duration, SystemTime};

/// The clock.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead: Duration,
}

impl Clock {
    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        let real = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from((real + self.ahead).as_millis()).unwrap_or(u64::MAX)
    }

    /// Moves it.
    pub fn advance(&mut self, by: Duration) {
        self.ahead += by;
    }
}
