//! The scheduler: finds work that waits and sets it going, keeps this node's leases, drains at the end.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::erase::Erase;
use super::recover::{
    Abandon, ClaimQueued, Expire, FindWork, Release, Renew, Resume, TakeOver, TakenOver, VoidLeases, Waiting,
};
use super::threads::Opened;
use super::{Engine, lock};
use crate::store::{News, StoreError};

/// So much of each kind of work is looked at in one round.
const ROUND: i64 = 64;

/// So many pieces are erased in one round.
const PIECES: usize = 16;

impl Engine {
    /// Works until `stop` fires. Then no new turn begins; [`Engine::drained`] ends what is at work.
    pub async fn run(self: &Arc<Self>, stop: CancellationToken) {
        if !self.store.shared()
            && let Err(error) = self.store.commit(VoidLeases { node: self.by.node.clone() }).await
        {
            tracing::error!(%error, "leases of an earlier process could not be voided");
        }
        // Before anything can be due: what was to end while nobody was there has more time.
        if let Err(error) = self.renew().await {
            tracing::error!(%error, "leases could not be renewed, it is tried again");
        }
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

    /// Gives back everything this node holds, so that it goes on at once elsewhere. The last thing a node does.
    pub async fn release(&self) {
        match self.store.commit(Release { node: self.by.node.clone() }).await {
            Ok(()) => self.store.tell(News::Free),
            Err(error) => tracing::error!(%error, "leases could not be given back; they end by themselves"),
        }
    }

    async fn schedule(self: &Arc<Self>) {
        loop {
            let sleep = match self.round().await {
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

    fn until(&self, due: Option<i64>) -> Duration {
        let left = due.map(|due| u64::try_from(due - self.store.now()).unwrap_or(0));
        left.map_or(self.settings.poll, |left| Duration::from_millis(left).min(self.settings.poll))
    }

    /// Sets everything going that there are slots for; returns when the next thing is due. Without a slot
    /// nothing is: the turn that ends first wakes the scheduler.
    async fn round(self: &Arc<Self>) -> Result<Option<i64>, StoreError> {
        let Waiting { abandoned, due, over, expired, openings, erase, queued, next_due } =
            self.store.read(FindWork { limit: ROUND }).await?;
        let most = [abandoned.len(), due.len(), over.len(), queued.len()].into_iter().max().unwrap_or(0);
        let mut begun = false;
        for (turn_id, session_id) in abandoned {
            // On a machine so busy that the renewal is late, this node's own turns look like that.
            if self.drives(turn_id) {
                continue;
            }
            let Some(slot) = self.slot() else { return Ok(None) };
            let (by, team) = (self.by.clone(), self.team.clone());
            match self.store.commit(TakeOver { turn_id, session_id, by, team }).await? {
                TakenOver::Turn(turn) => {
                    tracing::info!(turn.id, turn.claims, "a turn is taken up again");
                    begun = true;
                    self.start(turn, slot);
                }
                TakenOver::Dead(after) => {
                    tracing::error!(
                        turn.id = turn_id,
                        "a turn is given up: the process died in it again and again"
                    );
                    self.follow(&after);
                }
                TakenOver::Gone => {}
            }
        }
        for run in expired {
            let after = self.store.commit(Expire { run, team: self.team.clone() }).await?;
            self.follow(&after);
        }
        for opening in openings {
            let after = self.store.commit(Opened { opening, team: self.team.clone() }).await?;
            self.follow(&after);
        }
        if erase {
            self.erase().await?;
        }
        let due = due.into_iter().map(|due| (due.turn_id, due.session_id, Some(due.id)));
        let over = over.into_iter().map(|(turn_id, session_id)| (turn_id, session_id, None));
        for (turn_id, session_id, due) in due.chain(over) {
            let Some(slot) = self.slot() else { return Ok(None) };
            let (by, team) = (self.by.clone(), self.team.clone());
            if let Some(turn) = self.store.commit(Resume { turn_id, session_id, due, team, by }).await? {
                begun = true;
                self.start(turn, slot);
            }
        }
        for session_id in queued {
            let Some(slot) = self.slot() else { return Ok(None) };
            let claim = ClaimQueued { session_id, agents: self.team.agents.clone(), by: self.by.clone() };
            if let Some(turn) = self.store.commit(claim).await? {
                begun = true;
                self.start(turn, slot);
            }
        }
        if begun && i64::try_from(most).is_ok_and(|most| most >= ROUND) {
            // There may be more than one round looks at.
            self.wake();
        }
        Ok(next_due)
    }

    /// Erases a few pieces of what is to be erased: other work has its turn in between.
    async fn erase(&self) -> Result<(), StoreError> {
        for _ in 0..PIECES {
            let Some(piece) = self.store.commit(Erase).await? else { return Ok(()) };
            self.transcripts.forget(piece.session_id);
        }
        self.wake();
        Ok(())
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
        let renew = Renew { by: self.by.clone(), driven: self.driven(), wall: self.store.wall() };
        self.store.commit(renew).await
    }

    pub(super) async fn abandon(&self, turn_id: i64) {
        let node = self.by.node.clone();
        if let Err(error) = self.store.commit(Abandon { turn_id, node }).await {
            tracing::error!(%error, "a turn that panicked could not be given back");
        }
        self.wake();
    }
}
