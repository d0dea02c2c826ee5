//! What `/readyz` says of the accounts.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use roundtable::app::Running;
use roundtable_fakes::PATIENCE;
use serde::Deserialize;

use super::world::World;

/// All accounts.
#[derive(Debug, Deserialize)]
pub struct Ready {
    /// All are ready.
    pub ready: bool,
    accounts: BTreeMap<String, Health>,
    database: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Health {
    state: String,
    reason: Option<String>,
}

impl Ready {
    /// `connecting`, `ready`, `degraded` or `stopped`.
    pub fn state(&self, account: &str) -> &str {
        &self.accounts[account].state
    }

    /// What is wrong with the database.
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// What is wrong with it.
    pub fn reason(&self, account: &str) -> &str {
        self.accounts[account].reason.as_deref().unwrap_or_default()
    }
}

/// Asks the node that keeps its files here, which may still be starting.
pub async fn of(data_dir: &Path) -> Option<Ready> {
    // The in-process node has done the same; whoever comes first does it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let running = Running::find(data_dir)?;
    let answer = reqwest::get(format!("{}/readyz", running.url)).await.ok()?;
    let ok = answer.status().is_success();
    let ready: Ready = answer.json().await.expect("/readyz answers with JSON");
    assert_eq!(ready.ready, ok, "{ready:?}");
    Some(ready)
}

/// Waits until `/readyz` says so.
pub async fn until(world: &World, what: &str, holds: impl Fn(&Ready) -> bool) -> Ready {
    until_of(&world.data_dir(), what, holds).await
}

/// Waits until `/readyz` of the node that keeps its files here says so.
pub async fn until_of(data_dir: &Path, what: &str, holds: impl Fn(&Ready) -> bool) -> Ready {
    let end = Instant::now() + PATIENCE;
    loop {
        let now = of(data_dir).await;
        match now {
            Some(now) if holds(&now) => return now,
            now => assert!(Instant::now() < end, "waited {PATIENCE:?} for {what}; it says {now:?}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until all accounts are ready.
pub async fn all(world: &World) {
    until(world, "all accounts to be ready", |ready| ready.ready).await;
}

/// Waits until something is wrong with an account; gives the reason.
pub async fn trouble(world: &World, account: &str) -> String {
    let bad = |ready: &Ready| ready.state(account) == "degraded";
    until(world, &format!("trouble with {account}"), bad).await.reason(account).to_owned()
}
