//! One round of the scheduler: all that waits is set going, as far as there are slots.

use std::sync::Arc;

use super::erase::Erase;
use super::recover::{ClaimQueued, Expire, FindWork, Resume, TakeOver, TakenOver, Waiting};
use super::threads::Opened;
use super::{Engine, Slot};
use crate::store::runs::{Opening, Run};
use crate::store::turns::Turn;
use crate::store::waits::Due;
use crate::store::{StoreError, Transaction};

/// So much of each kind of work is looked at in one round.
const ROUND: i64 = 64;

/// So many pieces are erased in one round.
const PIECES: usize = 16;

struct Round<'a> {
    engine: &'a Arc<Engine>,
    /// A turn was set going.
    begun: bool,
    /// Something was passed over.
    failed: bool,
}

impl Engine {
    /// Sets everything going that there are slots for, and what needs none before; returns when the next thing is due.
    /// Without a slot nothing is: the turn that ends first wakes the scheduler.
    pub(super) async fn round(self: &Arc<Self>) -> Result<Option<i64>, StoreError> {
        let found = self.store.read(FindWork { limit: ROUND, agents: self.team.agents.clone() }).await?;
        let next_due = found.next_due;
        let most = [found.abandoned.len(), found.due.len(), found.over.len(), found.queued.len()];
        let most = most.into_iter().max().unwrap_or(0);
        let mut round = Round { engine: self, begun: false, failed: false };
        let all = round.work(found).await?;
        if all && round.begun && i64::try_from(most).is_ok_and(|most| most >= ROUND) {
            // There may be more than one round looks at.
            self.wake();
        }
        // What was passed over is due for ever.
        Ok(next_due.filter(|_| all && !round.failed))
    }
}

impl Round<'_> {
    /// `false`: there were too few slots for all.
    async fn work(&mut self, found: Waiting) -> Result<bool, StoreError> {
        self.end(found.expired, found.openings).await?;
        if found.erase {
            self.erase().await?;
        }
        Ok(self.take_over(found.abandoned).await?
            && self.resume(found.due, found.over).await?
            && self.claim(found.queued).await?)
    }

    /// What fails by itself is passed over, so that it holds up nothing else: the next round tries it again.
    async fn commit<T: Transaction>(&mut self, id: i64, body: T) -> Result<Option<T::Output>, StoreError> {
        match self.engine.store.commit(body).await {
            Ok(output) => Ok(Some(output)),
            Err(error) if error.is_trouble() => Err(error),
            Err(error) => {
                tracing::error!(transaction = T::NAME, id, %error, "a piece of work failed and is passed over");
                self.failed = true;
                Ok(None)
            }
        }
    }

    fn start(&mut self, turn: Turn, slot: Slot) {
        self.begun = true;
        self.engine.start(turn, slot);
    }

    async fn take_over(&mut self, abandoned: Vec<(i64, i64)>) -> Result<bool, StoreError> {
        for (turn_id, session_id) in abandoned {
            // On a machine so busy that the renewal is late, this node's own turns look like that.
            if self.engine.driven.contains(turn_id) {
                continue;
            }
            let Some(slot) = self.engine.slot() else { return Ok(false) };
            let (by, team) = (self.engine.by.clone(), self.engine.team.clone());
            match self.commit(turn_id, TakeOver { turn_id, session_id, by, team }).await? {
                Some(TakenOver::Turn(turn)) => {
                    tracing::info!(turn.id, turn.claims, "a turn is taken up again");
                    self.start(turn, slot);
                }
                Some(TakenOver::Dead(after)) => {
                    tracing::error!(
                        turn.id = turn_id,
                        "a turn is given up: the process died in it again and again"
                    );
                    self.engine.follow(&after);
                }
                Some(TakenOver::Gone) | None => {}
            }
        }
        Ok(true)
    }

    async fn end(&mut self, expired: Vec<Run>, openings: Vec<Opening>) -> Result<(), StoreError> {
        for run in expired {
            let team = self.engine.team.clone();
            if let Some(after) = self.commit(run.id, Expire { run, team }).await? {
                self.engine.follow(&after);
            }
        }
        for opening in openings {
            let team = self.engine.team.clone();
            if let Some(after) = self.commit(opening.run.id, Opened { opening, team }).await? {
                self.engine.follow(&after);
            }
        }
        Ok(())
    }

    /// Erases a few pieces of what is to be erased: other work has its turn in between.
    async fn erase(&mut self) -> Result<(), StoreError> {
        for _ in 0..PIECES {
            let Some(piece) = self.commit(0, Erase).await?.flatten() else { return Ok(()) };
            self.engine.transcripts.forget(piece.session_id);
        }
        self.engine.wake();
        Ok(())
    }

    async fn resume(&mut self, due: Vec<Due>, over: Vec<(i64, i64)>) -> Result<bool, StoreError> {
        let due = due.into_iter().map(|due| (due.turn_id, due.session_id, Some(due.id)));
        let over = over.into_iter().map(|(turn_id, session_id)| (turn_id, session_id, None));
        for (turn_id, session_id, due) in due.chain(over) {
            let Some(slot) = self.engine.slot() else { return Ok(false) };
            let (by, team) = (self.engine.by.clone(), self.engine.team.clone());
            let resume = Resume { turn_id, session_id, due, team, by };
            if let Some(turn) = self.commit(turn_id, resume).await?.flatten() {
                self.start(turn, slot);
            }
        }
        Ok(true)
    }

    async fn claim(&mut self, queued: Vec<i64>) -> Result<bool, StoreError> {
        for session_id in queued {
            let Some(slot) = self.engine.slot() else { return Ok(false) };
            let (agents, by) = (self.engine.team.agents.clone(), self.engine.by.clone());
            let claim = ClaimQueued { session_id, agents, by };
            if let Some(turn) = self.commit(session_id, claim).await?.flatten() {
                self.start(turn, slot);
            }
        }
        Ok(true)
    }
}
