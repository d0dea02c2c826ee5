//! A connection of an account: it runs while this node holds its lease, and no longer.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use roundtable_contract::{AccountState, Channel, Connection, Edge};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio_util::sync::CancellationToken;

use super::Front;
use crate::outbox::Outbox;
use crate::store::{News, Store, StoreError, Transaction, Tx, leases};
use crate::time::millis;

/// How long a lease that is over is asked for, or one that is not wanted any more given back. Nothing is sent meanwhile.
const LAST_TRY: Duration = Duration::from_secs(1);

/// One of the connections of an account, as this node may have it. Whoever has the first one sends; the others only
/// listen.
pub struct Account {
    /// Which one.
    pub connection: Connection,
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
    /// Told when another node has given its accounts back.
    pub free: Arc<Notify>,
}

impl Account {
    /// Connects whenever the connection is this node's, until `stop` fires.
    pub async fn run(&self, stop: CancellationToken) {
        self.front.report(&self.connection, AccountState::Connecting);
        while !stop.is_cancelled() {
            // What is told while the lease is asked for is heard when there is a pause.
            let mut free = pin!(self.free.notified());
            free.as_mut().enable();
            let taken = tokio::select! {
                biased;
                taken = self.take() => taken,
                () = stop.cancelled() => return,
            };
            match taken {
                Ok(Lease::Ours(until)) => {
                    self.hold(until, &stop).await;
                    self.front.report(&self.connection, AccountState::Connecting);
                    if stop.is_cancelled() && !self.sends() {
                        // If the database does not answer, it ends by itself.
                        let _ = tokio::time::timeout(LAST_TRY, self.give_back()).await;
                    }
                }
                Ok(Lease::Others(until)) => self.pause(Some(until), free, &stop).await,
                Err(error) => {
                    tracing::error!(connection = %self.connection, %error, "the account's lease can't be taken");
                    self.pause(None, free, &stop).await;
                }
            }
        }
    }

    /// Keeps the lease, if this node has it, while the last answers go out; gives it back when `enough` fires. Returns
    /// when it is lost.
    pub async fn keep_held(&self, enough: &CancellationToken) {
        while self.sends() && self.outbox.holds(&self.connection.account) {
            if enough.is_cancelled() {
                self.outbox.hold(&self.connection.account, 0);
                return self.give_back().await;
            }
            if let Err(error) = self.take().await {
                tracing::error!(connection = %self.connection, %error, "the account's lease can't be renewed");
            }
            tokio::select! {
                biased;
                () = enough.cancelled() => {}
                () = tokio::time::sleep(self.renew) => {}
            }
        }
    }

    async fn give_back(&self) {
        let connection = &self.connection;
        let lease = GiveBack { name: leases::of_connection(connection), node: self.node.clone() };
        match self.store.commit(lease).await {
            Ok(()) => self.store.tell(News::Free),
            Err(error) => {
                tracing::error!(%connection, %error, "the account's lease could not be given back; it ends by itself")
            }
        }
    }

    /// Waits until it is time to ask again: when another node's lease is over, if that is soon, or is given back.
    async fn pause(&self, until: Option<i64>, free: Pin<&mut Notified<'_>>, stop: &CancellationToken) {
        let over = until.map_or(self.renew, |until| left(until + 1 - self.store.now()));
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = free => {}
            () = tokio::time::sleep(over.min(self.renew)) => {}
        }
    }

    /// Whether this is the connection with which the account's deliveries go.
    fn sends(&self) -> bool {
        self.connection.shard == 0
    }

    /// Works for the account until the lease is lost or `stop` fires.
    async fn hold(&self, until: i64, stop: &CancellationToken) {
        let over = stop.child_token();
        let connection = async {
            let shard = self.connection.shard;
            if let Err(error) = self.channel.run(shard, self.front.as_ref(), over.clone()).await {
                self.front.report(&self.connection, AccountState::Stopped(error.reason));
                // Its lease is kept: another node would try in vain, and what waits can still be delivered.
                over.cancelled().await;
            }
        };
        let deliveries = async {
            if self.sends() {
                self.outbox.poll(&self.connection.account, self.poll, &over).await;
            }
        };
        let lease = async {
            tokio::select! {
                biased;
                () = self.keep(until) => over.cancel(),
                () = over.cancelled() => {}
            }
        };
        tokio::join!(connection, deliveries, lease);
    }

    /// Renews the lease; returns when it is lost. A database that fails for a moment takes nothing away, and one that
    /// does not answer leaves the rest of the lease.
    async fn keep(&self, mut until: i64) {
        let connection = &self.connection;
        loop {
            tokio::time::sleep(self.renew).await;
            // A process that has slept through its lease may still have it: it is asked for once more.
            let time = left(until - self.store.now()).max(LAST_TRY);
            let taken = tokio::time::timeout(time, self.take()).await;
            match taken {
                Ok(Ok(Lease::Ours(renewed))) => until = renewed,
                Ok(Ok(Lease::Others(_))) => {
                    tracing::warn!(%connection, "another node has it now");
                    return;
                }
                Ok(Err(error)) => {
                    tracing::error!(%connection, %error, "the account's lease can't be renewed")
                }
                Err(_) => tracing::error!(%connection, "the account's lease can't be renewed: no answer"),
            }
            if self.store.now() >= until {
                tracing::warn!(%connection, "the account's lease is over: it may be another node's now");
                return;
            }
        }
    }

    /// Takes or renews the lease.
    async fn take(&self) -> Result<Lease, StoreError> {
        let (name, lease) = (leases::of_connection(&self.connection), millis(self.lease));
        let take = TakeLease { name, node: self.node.clone(), lease };
        let taken = self.store.commit(take).await?;
        if self.sends() {
            self.tell_outbox(taken).await?;
        }
        Ok(taken)
    }

    /// Tells the outbox how long it may call.
    async fn tell_outbox(&self, taken: Lease) -> Result<(), StoreError> {
        let account = &self.connection.account;
        let ours = match taken {
            Lease::Ours(until) => until,
            Lease::Others(_) => 0,
        };
        if ours > 0 && !self.outbox.holds(account) {
            self.outbox.keep_pauses(account).await?;
        }
        self.outbox.hold(account, ours);
        Ok(())
    }
}

fn left(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// Whose a lease is, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lease {
    Ours(i64),
    Others(i64),
}

struct TakeLease {
    name: String,
    node: String,
    lease: i64,
}

#[async_trait]
impl Transaction for TakeLease {
    type Output = Lease;
    const NAME: &'static str = "take_lease";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Lease, StoreError> {
        let until = tx.now() + self.lease;
        Ok(match leases::take(tx, &self.name, &self.node, until).await? {
            Some(_token) => Lease::Ours(until),
            None => Lease::Others(leases::until(tx, &self.name).await?),
        })
    }
}

/// Gives one lease back while this node goes on with what else it holds.
struct GiveBack {
    name: String,
    node: String,
}

#[async_trait]
impl Transaction for GiveBack {
    type Output = ();
    const NAME: &'static str = "give_back";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        leases::release(tx, &self.name, &self.node).await
    }
}
