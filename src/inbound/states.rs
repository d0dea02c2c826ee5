//! How the accounts' connections are, for `/readyz` and people.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use roundtable_contract::{AccountState, Connection};
use serde::Serialize;

/// The states of all connections of a node.
#[derive(Default)]
pub struct States(Mutex<BTreeMap<String, Health>>);

/// How one connection is.
#[derive(Debug, Clone, Serialize)]
pub struct Health {
    /// `connecting`, `ready`, `degraded` or `stopped`.
    pub state: &'static str,
    /// What is wrong and what to do, when something is.
    pub reason: Option<String>,
    /// When a poll or heartbeat last completed, milliseconds since 1970.
    pub last_ready_at: Option<i64>,
}

impl States {
    /// Takes a report and logs it when it is news.
    pub fn report(&self, connection: &Connection, state: AccountState, now: i64) {
        let (word, reason) = match state {
            AccountState::Connecting => ("connecting", None),
            AccountState::Ready => ("ready", None),
            AccountState::Degraded(reason) => ("degraded", Some(reason)),
            AccountState::Stopped(reason) => ("stopped", Some(reason)),
        };
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = states.get(&connection.to_string());
        if before.is_none_or(|before| before.state != word || before.reason != reason) {
            match &reason {
                Some(reason) => tracing::warn!(%connection, state = word, "{reason}"),
                None => tracing::info!(%connection, "{connection} is {word}"),
            }
        }
        let last_ready_at =
            if word == "ready" { Some(now) } else { before.and_then(|before| before.last_ready_at) };
        states.insert(connection.to_string(), Health { state: word, reason, last_ready_at });
    }

    /// All connections as they are.
    pub fn all(&self) -> BTreeMap<String, Health> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
