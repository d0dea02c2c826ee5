//! One account's connection: it runs while this node holds the account's lease, and no longer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use roundtable_contract::{AccountState, Channel, Edge};
use tokio_util::sync::CancellationToken;

use super::Front;
use crate::outbox::Outbox;
use crate::store::{Store, StoreError, Transaction, Tx, leases};

/// An account of this node.
pub struct Account {
    /// The channel.
    pub channel: Arc<dyn Channel>,
    /// The way in.
    pub front: Arc<Front>,
    /// The way out.
    pub outbox: Arc<Outbox>,
    /// The database.
    pub store: Store,
    /// This node.
    pub node: String,
    /// How long a lease holds.
    pub lease: Duration,
    /// How often it is renewed.
    pub renew: Duration,
    /// How often deliveries are looked for.
    pub poll: Duration,
}

impl Account {
    /// Connects whenever the account is this node's, until `stop` fires.
    pub async fn run(&self, stop: CancellationToken) {
        self.front.report(self.channel.account(), AccountState::Connecting);
        while !stop.is_cancelled() {
            match self.take().await {
                Ok(Some(until)) => self.hold(until, &stop).await,
                Ok(None) => self.pause(&stop).await,
                Err(error) => {
                    tracing::error!(account = %self.channel.account(), %error, "the account's lease can't be taken");
                    self.pause(&stop).await;
                }
            }
        }
    }

    /// Keeps the lease, if this node has it, while the last answers go out. Returns when it is lost.
    pub async fn keep_held(&self) {
        let account = self.channel.account();
        while self.outbox.holds(account) {
            if let Err(error) = self.take().await {
                tracing::error!(%account, %error, "the account's lease can't be renewed");
            }
            tokio::time::sleep(self.renew).await;
        }
    }

    async fn pause(&self, stop: &CancellationToken) {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = tokio::time::sleep(self.renew) => {}
        }
    }

    /// Works for the account until its lease is lost or `stop` fires.
    async fn hold(&self, until: i64, stop: &CancellationToken) {
        let over = stop.child_token();
        let connection = async {
            if let Err(error) = self.channel.run(self.front.as_ref(), over.clone()).await {
                self.front.report(self.channel.account(), AccountState::Stopped(error.reason));
                // Its lease is kept: another node would try in vain, and what waits can still be delivered.
                over.cancelled().await;
            }
        };
        let deliveries = self.outbox.poll(self.channel.account(), self.poll, &over);
        let lease = async {
            tokio::select! {
                biased;
                () = self.keep(until) => over.cancel(),
                () = over.cancelled() => {}
            }
        };
        tokio::join!(connection, deliveries, lease);
    }

    /// Renews the lease; returns when it is lost. A database that fails for a moment takes nothing away.
    async fn keep(&self, mut until: i64) {
        loop {
            tokio::time::sleep(self.renew).await;
            match self.take().await {
                Ok(Some(renewed)) => until = renewed,
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(account = %self.channel.account(), %error, "the account's lease can't be renewed");
                    if self.store.now() >= until {
                        return;
                    }
                }
            }
        }
    }

    /// Takes or renews the lease and tells the outbox how long it may call.
    async fn take(&self) -> Result<Option<i64>, StoreError> {
        let account = self.channel.account();
        let lease = i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX / 4);
        let take = TakeLease { name: leases::of_account(account), node: self.node.clone(), lease };
        let until = self.store.commit(take).await?;
        self.outbox.hold(account, until.unwrap_or(0));
        Ok(until)
    }
}

struct TakeLease {
    name: String,
    node: String,
    lease: i64,
}

#[async_trait]
impl Transaction for TakeLease {
    type Output = Option<i64>;
    const NAME: &'static str = "take_lease";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<i64>, StoreError> {
        let until = tx.now() + self.lease;
        Ok(leases::take(tx, &self.name, &self.node, until).await?.map(|_token| until))
    }
}
