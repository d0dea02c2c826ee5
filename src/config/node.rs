//! `[node]`: this process.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::period;

/// This process: where it keeps its files and how it shares work with other nodes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Node {
    /// Where everything is kept that isn't in the database; relative to the working directory.
    pub data_dir: PathBuf,
    /// The name in logs and in `roundtable nodes`; `None` is the host's name.
    pub name: Option<String>,
    /// How long a claim on an account or a turn lives without renewal.
    #[serde(deserialize_with = "period::read")]
    pub lease: Duration,
    /// How often claims are renewed; at most half of `lease`.
    #[serde(deserialize_with = "period::read")]
    pub renew: Duration,
    /// How often the database is asked for work, in case a wake-up was lost.
    #[serde(deserialize_with = "period::read")]
    pub poll: Duration,
    /// Turns that run at once.
    pub max_turns: u32,
    /// How long a stop waits for running steps and deliveries.
    #[serde(deserialize_with = "period::read")]
    pub drain: Duration,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            data_dir: "data".into(),
            name: None,
            lease: Duration::from_secs(15),
            renew: Duration::from_secs(5),
            poll: Duration::from_secs(2),
            max_turns: 64,
            drain: Duration::from_secs(20),
        }
    }
}
