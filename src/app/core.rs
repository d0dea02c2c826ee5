//! What a node works with: its engine, its outbox and its accounts. Runs them, and drains them at the end.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::inbound::Account;
use crate::outbox::Outbox;

/// How long the end waits for the database, after the drain.
pub(super) const GOODBYE: Duration = Duration::from_secs(5);

/// The working parts of a node.
pub struct Core {
    /// Its turns.
    pub engine: Arc<Engine>,
    /// Its deliveries.
    pub outbox: Arc<Outbox>,
    /// Its connections.
    pub accounts: Vec<Account>,
}

impl Core {
    /// Works until `stop` fires, then drains within `drain`: no new turns, running steps end or stay to be taken up
    /// again, deliveries that need not wait go out, and what the node holds is given back.
    pub async fn run(&self, stop: &CancellationToken, drain: Duration) {
        let connections =
            futures::future::join_all(self.accounts.iter().map(|account| account.run(stop.clone())));
        tokio::join!(self.engine.run(stop.clone()), connections);
        let until = Instant::now() + drain;
        let drained = async {
            self.engine.drained(left(until)).await;
            self.outbox.drained(left(until)).await;
        };
        tokio::select! {
            biased;
            () = drained => {}
            () = self.keep_held() => {}
        }
        if tokio::time::timeout(GOODBYE, self.engine.release()).await.is_err() {
            tracing::warn!("leases could not be given back in time; they end by themselves");
        }
    }

    /// Keeps the accounts while the last answers go out. Never returns.
    async fn keep_held(&self) {
        futures::future::join_all(self.accounts.iter().map(Account::keep_held)).await;
        std::future::pending().await
    }
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}
