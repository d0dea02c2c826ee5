//! Whether the database takes what it is given, for `/readyz`: every node writes at every renewal of its leases.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::StoreError;

/// The last word of the database.
pub(super) struct Pulse(Mutex<Last>);

struct Last {
    stored: Instant,
    /// What went wrong and when, of each transaction that has not been stored since: on a full disk some still are.
    failed: BTreeMap<&'static str, (Instant, String)>,
}

impl Pulse {
    /// That of a database that was just opened.
    pub fn new() -> Self {
        Self(Mutex::new(Last { stored: Instant::now(), failed: BTreeMap::new() }))
    }

    /// Takes the end of a transaction of this name.
    pub fn feel<T>(&self, name: &'static str, outcome: &Result<T, StoreError>) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Err(error) if error.is_trouble() => {
                last.failed.insert(name, (Instant::now(), error.to_string()));
            }
            // What was refused for a reason of the program's own has been read at least.
            _ => {
                last.stored = Instant::now();
                last.failed.remove(name);
            }
        }
    }

    /// What is wrong, if something is: a transaction failed and was not stored within `longest`, in which what matters is
    /// tried again, or nothing at all was stored for longer.
    pub fn trouble(&self, longest: Duration) -> Option<String> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = last.failed.values().max_by_key(|(at, _)| *at).filter(|(at, _)| at.elapsed() <= longest);
        let since = last.stored.elapsed();
        let silent = || (since > longest).then(|| format!("it has not answered for {} s", since.as_secs()));
        failed.map(|(_, why)| why.clone()).or_else(silent)
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
        let full = || Err(StoreError::Commit("database: the disk is full".into()));
        pulse.feel::<()>("accept", &full());
        assert_eq!(pulse.trouble(soon).as_deref(), Some("database: the disk is full"));
        pulse.feel("renew", &Ok(()));
        assert_eq!(pulse.trouble(soon).as_deref(), Some("database: the disk is full"), "of the other");
        pulse.feel::<()>("accept", &Err(StoreError::Stale));
        assert_eq!(pulse.trouble(soon), None);
    }
}
