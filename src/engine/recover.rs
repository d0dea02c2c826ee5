//! Taking up what was left: turns whose worker died, waits whose time has come, sessions that queue.

use std::sync::Arc;

use async_trait::async_trait;
use roundtable_contract::Outgoing;

use super::calls::append_waited;
use super::claim::claim_next;
use super::close::{Said, close, post_unspoken};
use super::effects::Effects;
use super::outcomes::{self, Show};
use super::stop::{Whose, stop};
use super::team::Team;
use crate::agents::Agents;
use crate::phrases;
use crate::store::deliveries::{self, NewAnswer};
use crate::store::runs::{self, Opening, Outcome, Run, RunStatus};
use crate::store::turns::{self, Claimant, Turn, TurnStatus};
use crate::store::waits::{self, Due};
use crate::store::{
    Read, StoreError, Transaction, Tx, attendance, conversations, inbox, leases, nodes, retention, sessions,
    trees,
};

/// Claims in a row in which a turn committed nothing and its process died, before it is given up.
const CLAIMS: i64 = 3;

/// What there is to do, as far as `limit` goes.
pub struct Waiting {
    /// Abandoned turns with their sessions.
    pub abandoned: Vec<(i64, i64)>,
    /// Waits whose time has come.
    pub due: Vec<Due>,
    /// Turns that wait for nothing any more, with their sessions.
    pub over: Vec<(i64, i64)>,
    /// Runs whose time is over.
    pub expired: Vec<Run>,
    /// Runs that wait for their threads no longer.
    pub openings: Vec<Opening>,
    /// A session is to be erased.
    pub erase: bool,
    /// Sessions with something to do and no turn.
    pub queued: Vec<i64>,
    /// When the next held item or wait is due.
    pub next_due: Option<i64>,
}

/// Looks for work.
pub struct FindWork {
    /// At most so much of each kind.
    pub limit: i64,
    /// The team: what waits for one of its agents that is at its cap is looked for when it has room.
    pub agents: Arc<Agents>,
}

impl FindWork {
    /// The agents that have as many turns at work as they may.
    async fn full(&self, tx: &mut Tx<'_>) -> Result<Vec<String>, StoreError> {
        let mut full = Vec::new();
        for agent in self.agents.iter().filter(|agent| agent.max_turns > 0) {
            if turns::count_running(tx, &agent.id).await? >= agent.max_turns {
                full.push(agent.id.clone());
            }
        }
        Ok(full)
    }
}

#[async_trait]
impl Read for FindWork {
    type Output = Waiting;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Waiting, StoreError> {
        let held = inbox::next_due(tx).await?;
        let waited = waits::next_due(tx).await?;
        let runs = runs::next_due(tx).await?;
        let full = self.full(tx).await?;
        Ok(Waiting {
            abandoned: turns::abandoned(tx, self.limit).await?,
            due: waits::due(tx, self.limit).await?,
            over: waits::over(tx, self.limit, &full).await?,
            expired: runs::due(tx, self.limit).await?,
            openings: runs::openings(tx, self.limit).await?,
            erase: retention::next(tx).await?.is_some(),
            queued: inbox::claimable(tx, self.limit, &full).await?,
            next_due: [held, waited, runs].into_iter().flatten().min(),
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
    /// The team.
    pub team: Team,
}

/// What became of an abandoned turn.
pub enum TakenOver {
    /// It goes on here.
    Turn(Turn),
    /// It is a dead letter; these have to be told.
    Dead(Effects),
    /// Somebody else was faster.
    Gone,
}

#[async_trait]
impl Transaction for TakeOver {
    type Output = TakenOver;
    const NAME: &'static str = "take_over";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<TakenOver, StoreError> {
        let ties = turns::ties(tx, self.turn_id).await?;
        let tree_id = sessions::get(tx, self.session_id).await?.tree_id;
        trees::lock(tx, tree_id).await?;
        sessions::lock(tx, self.session_id).await?;
        let Some(turn) = turns::take(tx, self.turn_id, TurnStatus::Running, &self.by).await? else {
            return Ok(TakenOver::Gone);
        };
        if turn.claims <= CLAIMS {
            return Ok(TakenOver::Turn(turn));
        }
        let mut after = Effects::default();
        turns::leave(tx, &turn, TurnStatus::Failed, Some("dead_letter")).await?;
        let text = phrases::dead_letter(&turn.agent);
        let said = Said { status: TurnStatus::Failed, text: "", failure: Some(&text) };
        post_unspoken(tx, &self.team, &turn, ties.alone, &said, &mut after).await?;
        if ties.bind(&turn) && !close(tx, &self.team, &turn, &ties, &said, &mut after).await? {
            return Ok(TakenOver::Dead(Effects { work: true, ..after }));
        }
        let place = conversations::get(tx, turn.conversation_id).await?;
        let parts = self.team.outlet.render(&place, &Outgoing::of_program(text));
        let name = format!("turn:{}", turn.id);
        let notice = NewAnswer {
            conversation_id: turn.conversation_id,
            author: Some((&turn).into()),
            kind: "notice",
            name: &name,
            parts: &parts,
            send_within: None,
        };
        deliveries::insert(tx, &notice).await?;
        after.said.push(turn.conversation_id);
        // What queued behind it can begin.
        after.work = true;
        Ok(TakenOver::Dead(after))
    }
}

/// Resumes a turn that waits for nothing any more.
pub struct Resume {
    /// The turn.
    pub turn_id: i64,
    /// Its session.
    pub session_id: i64,
    /// A wait of it whose time has come.
    pub due: Option<i64>,
    /// The team.
    pub team: Team,
    /// Who goes on with the turn.
    pub by: Claimant,
}

#[async_trait]
impl Transaction for Resume {
    type Output = Option<Turn>;
    const NAME: &'static str = "resume";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Turn>, StoreError> {
        let session = sessions::lock(tx, self.session_id).await?;
        if let Some(wait) = self.due
            && !waits::time_out(tx, wait).await?
        {
            return Ok(None);
        }
        if !waits::open_of_session(tx, self.session_id).await?.is_empty() {
            return Ok(None);
        }
        let cap = self.team.agents.get(&session.agent).map_or(0, |agent| agent.max_turns);
        if !turns::has_room(tx, &session.agent, cap).await? {
            // It is over, and goes on when another turn of the agent has ended or waits.
            return Ok(None);
        }
        let Some(turn) = turns::take(tx, self.turn_id, TurnStatus::Waiting, &self.by).await? else {
            return Ok(None);
        };
        append_waited(tx, &self.team, &turn, &session).await?;
        Ok(Some(turn))
    }
}

/// Ends a run whose time is over, with all that it started.
pub struct Expire {
    /// The run.
    pub run: Run,
    /// The team.
    pub team: Team,
}

#[async_trait]
impl Transaction for Expire {
    type Output = Effects;
    const NAME: &'static str = "expire";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Effects, StoreError> {
        let mut after = Effects::default();
        trees::lock(tx, self.run.tree_id).await?;
        if !runs::is_due(tx, self.run.id).await? {
            return Ok(after);
        }
        let allowed = self.run.due_at - self.run.created_at;
        let reason = phrases::run_timed_out(allowed);
        let outcome =
            Outcome { status: RunStatus::TimedOut, text: String::new(), reason: Some(reason.clone()) };
        if outcomes::end_run(tx, &self.team, &self.run, outcome, Show::AsAsked, &mut after).await? {
            stop(tx, &self.team, self.run.session_id, Whose::Everybodys, &reason, &mut after).await?;
        }
        Ok(after)
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

/// Keeps the turns that this node drives, and says that it is there: the time during which nobody was is not counted.
///
/// Not all that it has claimed: a claim whose commit was never confirmed has nobody to drive it, and ends by itself.
pub struct Renew {
    /// The node.
    pub by: Claimant,
    /// The turns, by their numbers.
    pub driven: Vec<i64>,
    /// This node was told to stop.
    pub draining: bool,
    /// How far the nodes' time is ahead of the database's own clock.
    pub ahead: i64,
}

#[async_trait]
impl Transaction for Renew {
    type Output = ();
    const NAME: &'static str = "renew";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        attendance::note(tx, self.by.lease, self.ahead).await?;
        nodes::note(tx, &self.by.node, self.by.lease, self.draining).await?;
        turns::renew(tx, &self.by, &self.driven).await
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
        leases::release_all(tx, &self.node).await?;
        nodes::left(tx, &self.node).await
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
