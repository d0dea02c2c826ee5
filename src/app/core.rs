//! What a node works with: its engine, its outbox and its accounts. Runs them, and drains them at the end.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::inbound::Account;
use crate::outbox::Outbox;

/// How long the end waits for the database, after the drain.
pub(super) const GOODBYE: Duration = Duration::from_secs(5);

/// How long other nodes wait for the accounts of one that drains while its turns are at work.
const SOON: Duration = Duration::from_secs(1);

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
        self.engine.begin().await;
        let connections =
            futures::future::join_all(self.accounts.iter().map(|account| account.run(stop.clone())));
        tokio::join!(self.engine.run(stop.clone()), connections);
        let until = Instant::now() + drain;
        let enough = CancellationToken::new();
        tokio::select! {
            biased;
            () = self.drained(until, &enough) => {}
            () = self.keep_held(&enough) => {}
        }
        if timeout(GOODBYE, self.engine.release()).await.is_err() {
            tracing::warn!("leases could not be given back in time; they end by themselves");
        }
    }

    /// Ends turns and deliveries. A model may take long: if others are there to listen and to deliver its answer, they
    /// get the accounts meanwhile.
    async fn drained(&self, until: Instant, enough: &CancellationToken) {
        let ended = CancellationToken::new();
        let turns = async {
            self.engine.drained(left(until)).await;
            ended.cancel();
        };
        let hand_over = async {
            let at_work = timeout(SOON.min(left(until)), ended.cancelled()).await.is_err();
            if at_work && timeout(left(until), self.engine.is_one_of_many()).await == Ok(true) {
                self.outbox.drained(left(until)).await;
                enough.cancel();
            }
        };
        tokio::join!(turns, hand_over);
        self.outbox.drained(left(until)).await;
    }

    /// Keeps the accounts while the last answers go out, or until `enough` gives them back. Never returns.
    async fn keep_held(&self, enough: &CancellationToken) {
        futures::future::join_all(self.accounts.iter().map(|account| account.keep_held(enough))).await;
        std::future::pending().await
    }
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}
