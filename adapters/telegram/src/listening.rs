//! What everybody who listens to one bot knows: up to when all that Telegram had to tell has been given to the core.
//! Before that, the lack of a number or of an event says nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How far the listening of one bot has come.
#[derive(Debug, Default)]
pub(crate) struct Listening {
    state: Mutex<State>,
    wanted: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Somebody listens.
    begun: bool,
    /// When the last poll began that left nothing waiting; what it brought is stored.
    told: Option<Instant>,
}

impl Listening {
    /// The listening begins: nothing is known of what waits.
    pub(crate) fn begin(&self) {
        *self.state() = State { begun: true, told: None };
    }

    /// All that was waiting when a poll began, at `began`, is stored.
    pub(crate) fn told(&self, began: Instant) {
        self.state().told = Some(began);
    }

    /// Comes when somebody waits for a poll that begins now and ends at once.
    pub(crate) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Whether all that was there to tell `ago` ago has been given to the core. If not, the next poll is asked for: a
    /// long one would leave whoever waits in the dark for as long as nobody writes.
    pub(crate) fn has_told(&self, ago: Duration) -> bool {
        let state = self.state();
        let told = !state.begun || state.told.is_some_and(|began| began.elapsed() < ago);
        if !told {
            self.wanted.notify_one();
        }
        told
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_to_tell_is_known_from_a_poll_that_began_later_and_is_over() {
        let listening = Listening::default();
        let minute = Duration::from_secs(60);
        assert!(listening.has_told(Duration::ZERO), "nobody listens");
        listening.begin();
        assert!(!listening.has_told(minute));
        let began = Instant::now().checked_sub(minute).expect("the machine runs for longer");
        listening.told(began);
        assert!(!listening.has_told(minute / 2) && !listening.has_told(minute), "more may have come since");
        assert!(listening.has_told(2 * minute));
    }
}
