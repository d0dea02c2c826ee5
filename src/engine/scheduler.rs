//! The scheduler: looks for work round by round, keeps this node's leases, drains at the end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::recover::{Abandon, Release, Renew, VoidLeases};
use super::{Engine, lock};
use crate::store::{News, Read, StoreError, Tx, nodes};

impl Engine {
    /// Says that this node is there, before anything can be due: what was to end while nobody was there has more time,
    /// and what was to end by a clock that was set back since moves with it.
    pub async fn begin(&self) {
        if !self.store.shared()
            && let Err(error) = self.store.commit(VoidLeases { node: self.by.node.clone() }).await
        {
            tracing::error!(%error, "leases of an earlier process could not be voided");
        }
        if let Err(error) = self.renew().await {
            tracing::error!(%error, "leases could not be renewed, it is tried again");
        }
    }

    /// Works until `stop` fires. Then no new turn begins; [`Engine::drained`] ends what is at work.
    pub async fn run(self: &Arc<Self>, stop: CancellationToken) {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.schedule() => {}
            () = self.keep() => {}
        }
        self.drain.cancel();
    }

    /// Ends what is at work: waits up to `grace` for steps to end. What is left is for [`Engine::release`].
    pub async fn drained(&self, grace: Duration) {
        let mut tasks = std::mem::take(&mut *lock(&self.tasks));
        let ended = async {
            tokio::select! {
                biased;
                () = async { while tasks.join_next().await.is_some() {} } => {}
                // A claim that ended meanwhile would have another node do the same work.
                () = self.keep() => {}
            }
        };
        if tokio::time::timeout(grace, ended).await.is_err() {
            tracing::warn!(turns = tasks.len(), "turns did not end in time; they go on at the next start");
            tasks.shutdown().await;
        }
    }

    /// Whether another node is there to go on. A database that can't say so counts as nobody.
    pub async fn is_one_of_many(&self) -> bool {
        let others = self.store.read(Others { node: self.by.node.clone() }).await;
        others.unwrap_or_else(|error| {
            tracing::error!(%error, "the database can't be asked for other nodes");
            false
        })
    }

    /// Gives back everything this node holds, so that it goes on at once elsewhere. The last thing a node does.
    pub async fn release(&self) {
        match self.store.commit(Release { node: self.by.node.clone() }).await {
            Ok(()) => self.store.tell(News::Free),
            Err(error) => tracing::error!(%error, "leases could not be given back; they end by themselves"),
        }
    }

    async fn schedule(self: &Arc<Self>) {
        loop {
            let sleep = match self.look().await {
                Ok(next_due) => self.until(next_due),
                Err(error) => {
                    tracing::error!(%error, "the database can't be asked for work, it is tried again");
                    self.settings.poll
                }
            };
            tokio::select! {
                biased;
                () = self.work.notified() => {}
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    /// A round, after this node has said that it is there.
    async fn look(self: &Arc<Self>) -> Result<Option<i64>, StoreError> {
        self.attend().await?;
        self.round().await
    }

    /// Says that this node is there, before anything is looked for that is due. If it has not for longer than a lease,
    /// perhaps nobody has: then what is due gets that time first.
    pub(super) async fn attend(&self) -> Result<(), StoreError> {
        if self.store.now() - self.renewed.load(Ordering::SeqCst) > self.by.lease {
            self.renew().await?;
        }
        Ok(())
    }

    fn until(&self, due: Option<i64>) -> Duration {
        let left = due.map(|due| u64::try_from(due - self.store.now()).unwrap_or(0));
        left.map_or(self.settings.poll, |left| Duration::from_millis(left).min(self.settings.poll))
    }

    /// Renews this node's claims for ever.
    async fn keep(&self) {
        loop {
            if let Err(error) = self.renew().await {
                tracing::error!(%error, "leases could not be renewed, it is tried again");
            }
            tokio::time::sleep(self.settings.renew).await;
        }
    }

    async fn renew(&self) -> Result<(), StoreError> {
        self.store.anchor_clock().await?;
        let now = self.store.now();
        let (draining, ahead) = (self.drain.is_cancelled(), self.store.ahead());
        let renew = Renew { by: self.by.clone(), driven: self.driven.all(), draining, ahead };
        self.store.commit(renew).await?;
        self.renewed.store(now, Ordering::SeqCst);
        Ok(())
    }

    pub(super) async fn abandon(&self, turn_id: i64) {
        let node = self.by.node.clone();
        if let Err(error) = self.store.commit(Abandon { turn_id, node }).await {
            tracing::error!(%error, "a turn that panicked could not be given back");
        }
        self.wake();
    }
}

/// Whether another node is at work.
struct Others {
    node: String,
}

#[async_trait]
impl Read for Others {
    type Output = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        nodes::others(tx, &self.node).await
    }
}
