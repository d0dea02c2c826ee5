//! `/metrics`: what the node counts, and what waits in the database, as Prometheus reads it (text format 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use roundtable_contract::{AccountId, Connection};

use super::Api;
use super::health::{self, ELSEWHERE, PATIENCE};
use crate::inbound::Health;
use crate::metrics::{Counted, Metrics};
use crate::store::deliveries::{self, Counts};
use crate::store::{Read, StoreError, Tx};

const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `GET /metrics`. A database that does not answer is not waited for: its numbers are left out.
pub(super) async fn text(State(api): State<Arc<Api>>) -> impl IntoResponse {
    let stored = tokio::time::timeout(PATIENCE, api.store.read(Stored));
    let ((connections, trouble), stored) = tokio::join!(health::connections(&api), stored);
    let mut page = Page::default();
    // Whose they are is not known then.
    if trouble.is_none() {
        write_connections(&mut page, &connections);
    }
    let accounts = connections.into_keys().filter(|first| first.shard == 0).map(|first| first.account);
    write_sends(&mut page, &accounts.collect::<Vec<_>>(), &api.metrics);
    if let Ok(Ok(counts)) = stored {
        write_deliveries(&mut page, counts);
    }
    ([(CONTENT_TYPE, FORMAT)], page.text)
}

/// How many deliveries are in each state.
struct Stored;

#[async_trait]
impl Read for Stored {
    type Output = Counts;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Counts, StoreError> {
        deliveries::counts(tx).await
    }
}

fn write_connections(page: &mut Page, connections: &BTreeMap<Connection, Health>) {
    page.begin("roundtable_connection_ready", "gauge", "Whether the account, or its shard, is connected.");
    // Whoever has a connection says how it is.
    for (connection, health) in connections.iter().filter(|(_, health)| health.state != ELSEWHERE.state) {
        page.sample(&[("connection", connection)], u64::from(health.state == "ready"));
    }
}

fn write_sends(page: &mut Page, accounts: &[AccountId], metrics: &Metrics) {
    page.begin("roundtable_deliveries_unknown_total", "counter", "Sends whose outcome became unknown.");
    for account in accounts {
        page.sample(&[("account", account)], metrics.of(account, Counted::Unknown));
    }
    page.begin(
        "roundtable_sends_reconciled_total",
        "counter",
        "How unknown outcomes ended; a message that was repeated may be seen twice.",
    );
    for account in accounts {
        for (found, counted) in [
            ("visible", Counted::Visible),
            ("absent", Counted::Absent),
            ("resent", Counted::Resent),
            ("repeated", Counted::Repeated),
            ("stub_repeated", Counted::StubRepeated),
            ("given_up", Counted::GivenUp),
            ("refused", Counted::Refused),
        ] {
            page.sample(&[("account", account), ("found", &found)], metrics.of(account, counted));
        }
    }
    page.begin("roundtable_deliveries_failed_total", "counter", "Messages that will never be shown.");
    for account in accounts {
        let failed = [Counted::Failed, Counted::Refused].map(|counted| metrics.of(account, counted));
        page.sample(&[("account", account)], failed.iter().sum());
    }
}

fn write_deliveries(page: &mut Page, counts: Counts) {
    page.begin(
        "roundtable_deliveries",
        "gauge",
        "Messages of all nodes that are not shown yet, or never will be.",
    );
    for (state, count) in [
        ("pending", counts.pending),
        ("sending", counts.sending),
        ("unknown", counts.unknown),
        ("given_up", counts.given_up),
        ("failed", counts.failed),
    ] {
        page.sample(&[("state", &state)], count.unsigned_abs());
    }
}

/// The text so far, and whose samples come next.
#[derive(Default)]
struct Page {
    text: String,
    name: &'static str,
}

impl Page {
    fn begin(&mut self, name: &'static str, kind: &str, help: &str) {
        self.name = name;
        self.text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    fn sample(&mut self, labels: &[(&str, &dyn Display)], value: u64) {
        let labels = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(&value.to_string())));
        let labels = labels.collect::<Vec<_>>().join(",");
        self.text.push_str(&format!("{}{{{labels}}} {value}\n", self.name));
    }
}

/// A label's value as it stands between its quotes.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_another_node_has_is_neither_ready_nor_not() {
        let connection = |shard| Connection::new(AccountId::new("discord", "main"), shard);
        let ready = Health { state: "ready", ..ELSEWHERE };
        let connections = [(connection(1), ready), (connection(0), ELSEWHERE)].into();
        let mut page = Page::default();
        write_connections(&mut page, &connections);
        let samples: Vec<_> = page.text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(samples, ["roundtable_connection_ready{connection=\"discord:main/1\"} 1"]);
    }

    #[test]
    fn a_label_keeps_to_its_quotes() {
        assert_eq!(escaped("a\"b\\c\nd"), r#"a\"b\\c\nd"#);
    }
}
