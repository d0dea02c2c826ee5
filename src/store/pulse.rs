//! Whether the database takes what it is given, for `/readyz`: every node writes at every renewal of its leases.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::StoreError;

/// The last word of the database.
pub(super) struct Pulse(Mutex<Last>);

struct Last {
    stored: Instant,
    /// What went wrong since.
    failed: Option<String>,
}

impl Pulse {
    /// That of a database that was just opened.
    pub fn new() -> Self {
        Self(Mutex::new(Last { stored: Instant::now(), failed: None }))
    }

    /// Takes the end of a transaction.
    pub fn feel<T>(&self, outcome: &Result<T, StoreError>) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Err(error) if error.is_trouble() => last.failed = Some(error.to_string()),
            // What was refused for a reason of the program's own has been read at least.
            _ => *last = Last { stored: Instant::now(), failed: None },
        }
    }

    /// What is wrong, if something is; nothing stored for longer than `longest` is.
    pub fn trouble(&self, longest: Duration) -> Option<String> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = last.stored.elapsed();
        let silent = || (since > longest).then(|| format!("it has not answered for {} s", since.as_secs()));
        last.failed.clone().or_else(silent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_well_again_when_it_has_stored_something() {
        let pulse = Pulse::new();
        let soon = Duration::from_secs(600);
        assert_eq!(pulse.trouble(soon), None);
        assert_eq!(pulse.trouble(Duration::ZERO).as_deref(), Some("it has not answered for 0 s"));
        pulse.feel::<()>(&Err(StoreError::Commit("the disk is full".into())));
        assert_eq!(pulse.trouble(soon).as_deref(), Some("database: the disk is full"));
        pulse.feel::<()>(&Err(StoreError::Stale));
        assert_eq!(pulse.trouble(soon), None);
    }
}
