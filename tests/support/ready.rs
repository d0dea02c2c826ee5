//! What `/readyz` says of the accounts.

use std::collections::BTreeMap;
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

    /// What is wrong with it.
    pub fn reason(&self, account: &str) -> &str {
        self.accounts[account].reason.as_deref().unwrap_or_default()
    }
}

/// Asks the node of the world that was started last, which may still be starting.
pub async fn ready(world: &World) -> Option<Ready> {
    // The in-process node has done the same; whoever comes first does it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let running = Running::find(&world.data_dir())?;
    let answer = reqwest::get(format!("{}/readyz", running.url)).await.ok()?;
    let ok = answer.status().is_success();
    let ready: Ready = answer.json().await.expect("/readyz answers with JSON");
    assert_eq!(ready.ready, ok, "{ready:?}");
    Some(ready)
}

/// Waits until `/readyz` says so.
pub async fn until(world: &World, what: &str, holds: impl Fn(&Ready) -> bool) -> Ready {
    let end = Instant::now() + PATIENCE;
    loop {
        let now = ready(world).await;
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
