//! What time it is at Discord. Its numbers say when they were made, and a machine's clock may be wrong, or be set while the
//! program runs: what is taken for the time of a message must not be later than it is.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

/// Discord's time, as its last answer told it.
pub(crate) struct Clock(Mutex<Told>);

struct Told {
    /// Milliseconds since 1970.
    at: i64,
    since: Instant,
}

impl Clock {
    /// The machine's time, until an answer tells better.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Told { at: millis(SystemTime::now()), since: Instant::now() }))
    }

    /// Takes the `Date` of an answer: whole seconds, which were not yet over when it was sent
    /// (<https://www.rfc-editor.org/rfc/rfc9110#section-6.6.1>).
    pub(crate) fn told(&self, date: &str) {
        if let Ok(date) = httpdate::parse_http_date(date) {
            *self.state() = Told { at: millis(date), since: Instant::now() };
        }
    }

    /// Milliseconds since 1970, less the second or so that an answer is behind.
    pub(crate) fn now(&self) -> i64 {
        let told = self.state();
        told.at + i64::try_from(told.since.elapsed().as_millis()).unwrap_or(0)
    }

    fn state(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_late_as_the_last_answer_says() {
        let clock = Clock::new();
        clock.told("Sun, 06 Nov 1994 08:49:37 GMT");
        clock.told("soon");
        assert!((784_111_777_000..784_111_807_000).contains(&clock.now()), "{}", clock.now());
    }
}
