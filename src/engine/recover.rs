//! Taking up what was left: turns whose worker died, waits whose time has come, sessions that queue.

use std::sync::Arc;

use async_trait::async_trait;
use roundtable_contract::Outgoing;

use super::claim::claim_next;
use super::outlet::Outlet;
use crate::agents::Agents;
use crate::phrases;
use crate::store::deliveries::{self, NewAnswer};
use crate::store::turns::{self, Claimant, Turn, TurnStatus};
use crate::store::waits::{self, Due};
use crate::store::{Read, StoreError, Transaction, Tx, conversations, inbox, leases, sessions};

/// Claims in a row in which a turn committed nothing and its process died, before it is given up.
const CLAIMS: i64 = 3;

/// What there is to do, as far as `limit` goes.
pub struct Waiting {
    /// Abandoned turns with their sessions.
    pub abandoned: Vec<(i64, i64)>,
    /// Waits whose time has come.
    pub due: Vec<Due>,
    /// Sessions with something to do and no turn.
    pub queued: Vec<i64>,
    /// When the next held item or wait is due.
    pub next_due: Option<i64>,
}

/// Looks for work.
pub struct FindWork {
    /// At most so much of each kind.
    pub limit: i64,
}

#[async_trait]
impl Read for FindWork {
    type Output = Waiting;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Waiting, StoreError> {
        let held = inbox::next_due(tx).await?;
        let waited = waits::next_due(tx).await?;
        Ok(Waiting {
            abandoned: turns::abandoned(tx, self.limit).await?,
            due: waits::due(tx, self.limit).await?,
            queued: inbox::claimable(tx, self.limit).await?,
            next_due: [held, waited].into_iter().flatten().min(),
        })
    }
}

/// Takes over an abandoned turn, or gives it up when it has killed its process too often.
pub struct TakeOver {
    /// The turn.
    pub turn_id: i64,
    /// Its session.
    pub session_id: i64,
    /// Who takes over.
    pub by: Claimant,
    /// For the words that tell people of a turn that is given up.
    pub outlet: Arc<dyn Outlet>,
}

/// What became of an abandoned turn.
pub enum TakenOver {
    /// It goes on here.
    Turn(Turn),
    /// It is a dead letter; its conversation has something to deliver.
    Dead {
        /// The conversation.
        conversation_id: i64,
    },
    /// Somebody else was faster.
    Gone,
}

#[async_trait]
impl Transaction for TakeOver {
    type Output = TakenOver;
    const NAME: &'static str = "take_over";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<TakenOver, StoreError> {
        sessions::lock(tx, self.session_id).await?;
        let Some(turn) = turns::take(tx, self.turn_id, TurnStatus::Running, &self.by).await? else {
            return Ok(TakenOver::Gone);
        };
        if turn.claims <= CLAIMS {
            return Ok(TakenOver::Turn(turn));
        }
        turns::leave(tx, &turn, TurnStatus::Failed, Some("dead_letter")).await?;
        let place = conversations::get(tx, turn.conversation_id).await?;
        let notice = Outgoing::of_program(phrases::dead_letter(&turn.agent));
        let parts = self.outlet.render(&place, &notice);
        let name = format!("turn:{}", turn.id);
        let notice = NewAnswer {
            conversation_id: turn.conversation_id,
            turn: Some(&turn),
            kind: "notice",
            name: &name,
            parts: &parts,
            send_within: None,
        };
        deliveries::insert(tx, &notice).await?;
        Ok(TakenOver::Dead { conversation_id: turn.conversation_id })
    }
}

/// Resumes a turn whose wait is over.
pub struct Resume {
    /// The wait.
    pub due: Due,
    /// Who goes on with the turn.
    pub by: Claimant,
}

#[async_trait]
impl Transaction for Resume {
    type Output = Option<Turn>;
    const NAME: &'static str = "resume";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Turn>, StoreError> {
        sessions::lock(tx, self.due.session_id).await?;
        if !waits::resolve(tx, self.due.id, "due").await? {
            return Ok(None);
        }
        turns::take(tx, self.due.turn_id, TurnStatus::Waiting, &self.by).await
    }
}

/// Claims the next turn of a session that queues (T2).
pub struct ClaimQueued {
    /// The session.
    pub session_id: i64,
    /// The team.
    pub agents: Arc<Agents>,
    /// Who claims.
    pub by: Claimant,
}

#[async_trait]
impl Transaction for ClaimQueued {
    type Output = Option<Turn>;
    const NAME: &'static str = "claim";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Turn>, StoreError> {
        let session = sessions::lock(tx, self.session_id).await?;
        claim_next(tx, &session, &self.agents, &self.by).await
    }
}

/// Keeps what this node holds.
pub struct Renew {
    /// The node.
    pub by: Claimant,
}

#[async_trait]
impl Transaction for Renew {
    type Output = ();
    const NAME: &'static str = "renew";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        turns::renew(tx, &self.by).await
    }
}

/// Gives back what this node holds, at the end of its drain.
pub struct Release {
    /// The node.
    pub node: String,
}

#[async_trait]
impl Transaction for Release {
    type Output = ();
    const NAME: &'static str = "release";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        turns::release_all(tx, &self.node).await?;
        leases::release_all(tx, &self.node).await
    }
}

/// Gives back one turn whose task panicked: the next claim counts as one more without progress.
pub struct Abandon {
    /// The turn.
    pub turn_id: i64,
    /// This node.
    pub node: String,
}

#[async_trait]
impl Transaction for Abandon {
    type Output = ();
    const NAME: &'static str = "abandon";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        turns::abandon(tx, self.turn_id, &self.node).await
    }
}

/// At the start of SQLite's only node: nobody else holds anything.
pub struct VoidLeases {
    /// This node.
    pub node: String,
}

#[async_trait]
impl Transaction for VoidLeases {
    type Output = ();
    const NAME: &'static str = "void_leases";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        leases::void_others(tx, &self.node).await
    }
}
