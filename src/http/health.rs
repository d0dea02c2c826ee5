//! Health: whether the process lives, and whether every account is connected.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use roundtable_contract::Connection;
use serde::{Deserialize, Serialize};

use super::Api;
use crate::store::{Read, StoreError, Tx, leases};
use crate::{inbound, local};

/// A poll or heartbeat that is older than this, in milliseconds, is a connection that may be deaf. The longest
/// poll takes 50 s.
const SILENCE: i64 = 90_000;

/// How long a database is given to answer before it counts as silent.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// The answer of `/healthz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Always `ok`: a process that is not says nothing.
    pub status: String,
    /// The process, so that whoever finds another node at an old address notices.
    pub pid: u32,
}

/// The answer of `/readyz`.
#[derive(Serialize)]
pub(super) struct Ready {
    ready: bool,
    accounts: BTreeMap<String, inbound::Health>,
    /// What is wrong with the database.
    database: Option<String>,
}

/// `GET /healthz`.
pub(super) async fn alive() -> Json<Health> {
    Json(Health { status: "ok".into(), pid: std::process::id() })
}

/// `GET /readyz`: 200 when all connections are ready, here or on another node, and the database takes what is given to
/// it; otherwise 503.
pub(super) async fn ready(State(api): State<Arc<Api>>) -> (StatusCode, Json<Ready>) {
    let (connections, trouble) = connections(&api).await;
    let accounts: BTreeMap<_, _> =
        connections.into_iter().map(|(connection, health)| (connection.to_string(), health)).collect();
    let ready = trouble.is_none()
        && accounts.values().all(|health| ["ready", ELSEWHERE.state].contains(&health.state));
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Ready { ready, accounts, database: trouble }))
}

/// How each connection is, and what is wrong with the database.
pub(super) async fn connections(api: &Api) -> (BTreeMap<Connection, inbound::Health>, Option<String>) {
    let mut known = api.states.all();
    let now = api.store.now();
    let trouble = api.store.trouble(api.config.node.lease);
    // A database that can't be asked tells nothing of others; what is known here is said all the same.
    let others = api.store.read(Elsewhere { node: api.node.clone() });
    let (elsewhere, trouble) = match tokio::time::timeout(PATIENCE, others).await {
        Ok(Ok(elsewhere)) => (elsewhere, trouble),
        Ok(Err(error)) => (Vec::new(), Some(error.to_string())),
        Err(_) => (Vec::new(), trouble.or_else(|| Some("it does not answer".into()))),
    };
    let connections = api.edges.connections().map(|connection| {
        let health = known.remove(&connection.to_string()).unwrap_or(STARTING);
        if elsewhere.contains(&leases::of_connection(&connection)) {
            return (connection, ELSEWHERE);
        }
        // The local channel polls nothing: it is ready once and for all.
        let health = if connection.account == local::account() { health } else { fresh(health, now) };
        (connection, health)
    });
    (connections.collect(), trouble)
}

/// The leases of other nodes.
struct Elsewhere {
    node: String,
}

#[async_trait]
impl Read for Elsewhere {
    type Output = Vec<String>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<String>, StoreError> {
        leases::of_others(tx, &self.node).await
    }
}

/// Another node has the connection, and says more about it.
pub(super) const ELSEWHERE: inbound::Health =
    inbound::Health { state: "elsewhere", reason: None, last_ready_at: None };
const STARTING: inbound::Health = inbound::Health { state: "connecting", reason: None, last_ready_at: None };

fn fresh(health: inbound::Health, now: i64) -> inbound::Health {
    match health.last_ready_at {
        Some(at) if health.state == "ready" && now - at > SILENCE => inbound::Health {
            state: "degraded",
            reason: Some(format!("nothing was heard for {} s", (now - at) / 1000)),
            ..health
        },
        _ => health,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_falls_silent_is_degraded() {
        let at = |last| inbound::Health { state: "ready", reason: None, last_ready_at: Some(last) };
        assert_eq!(fresh(at(0), SILENCE).state, "ready");
        let silent = fresh(at(0), SILENCE + 1);
        assert_eq!(
            (silent.state, silent.reason.as_deref()),
            ("degraded", Some("nothing was heard for 90 s"))
        );
        let stopped = inbound::Health { state: "stopped", ..at(0) };
        assert_eq!(fresh(stopped, SILENCE * 2).state, "stopped");
    }
}
