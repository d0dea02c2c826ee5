//! Whether everything that waited on the platform when the listening began has been given to the core. Before that,
//! the lack of a number or of an event says nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Updates that are there come with the beginning of a poll, in less than this.
const QUIET: Duration = Duration::from_millis(500);

/// How far the listening of one bot has come.
#[derive(Debug)]
pub(crate) struct Listening(Mutex<State>);

#[derive(Debug)]
struct State {
    begun: bool,
    caught_up: bool,
    /// When the poll in flight began.
    polling_since: Option<Instant>,
}

impl Default for Listening {
    /// Nobody listens: nothing is waited for.
    fn default() -> Self {
        Self(Mutex::new(State { begun: false, caught_up: true, polling_since: None }))
    }
}

impl Listening {
    /// The listening begins: nothing is known of what waits.
    pub(crate) fn begin(&self) {
        *self.state() = State { begun: true, caught_up: false, polling_since: None };
    }

    /// A poll begins; all that earlier ones brought is stored.
    pub(crate) fn poll(&self) {
        self.state().polling_since = Some(Instant::now());
    }

    /// It has ended.
    pub(crate) fn polled(&self) {
        self.state().polling_since = None;
    }

    /// All that was waiting is stored.
    pub(crate) fn catch_up(&self) {
        self.state().caught_up = true;
    }

    /// Whether all that there is to tell has been given to the core: everything that was waiting and, since the poll in
    /// flight has brought nothing for a while, everything after it.
    pub(crate) fn is_quiet(&self) -> bool {
        let state = self.state();
        !state.begun || state.polling_since.is_some_and(|since| since.elapsed() >= QUIET)
    }

    /// Whether all that was waiting has been given to the core.
    pub(crate) fn has_caught_up(&self) -> bool {
        let mut state = self.state();
        state.caught_up |= state.polling_since.is_some_and(|since| since.elapsed() >= QUIET);
        state.caught_up
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_has_been_read_when_a_poll_brought_less_than_all_it_could_or_stays_without_answer() {
        let listening = Listening::default();
        assert!(listening.has_caught_up(), "nobody listens");
        listening.begin();
        listening.poll();
        assert!(!listening.has_caught_up(), "it has just begun");
        listening.polled();
        listening.catch_up();
        assert!(listening.has_caught_up() && !listening.is_quiet(), "more may be on its way");
        listening.begin();
        listening.state().polling_since = Instant::now().checked_sub(QUIET);
        assert!(listening.has_caught_up() && listening.is_quiet());
    }
}
