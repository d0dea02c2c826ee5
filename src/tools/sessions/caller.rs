//! Who makes a session call, and what one can lead to.

use serde_json::Value;

use crate::agents::{Agent, Agents, Visibility};
use crate::store::sessions::{Kind, Session};
use crate::store::turns::Turn;
use crate::store::waits::{Coverage, WaitKind};
use crate::store::{StoreError, Tx, trees};
use crate::tools::{Policy, Refusal, Secrets};

/// Who calls, within the engine's transaction: the caller's tree and session are locked.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    /// The turn that calls.
    pub turn: &'a Turn,
    /// The step.
    pub step: i64,
    /// Which call of the step.
    pub index: i64,
    /// The caller's session.
    pub session: &'a Session,
    /// Its agent.
    pub agent: &'a Agent,
    /// The team.
    pub agents: &'a Agents,
    /// What restricts the turn's tools.
    pub policy: &'a Policy,
    /// What is not shown of transcripts.
    pub secrets: &'a Secrets,
    /// Threads can be opened in the turn's conversation.
    pub opens_threads: bool,
}

impl Caller<'_> {
    /// What restricts those whom it asks.
    pub fn handed_on(&self) -> Policy {
        self.policy.handed_on(self.agent, self.agents)
    }

    /// Whether its turn is of before `/new keep`: what people write since is not for it.
    pub fn is_of_before(&self) -> bool {
        self.session.generation != self.turn.generation
    }

    /// Which sessions it sees.
    pub fn visibility(&self) -> Visibility {
        let own = self.agent.visibility;
        if self.session.kind == Kind::Main { own.max(Visibility::Agent) } else { own }
    }

    /// Whether it sees a session of a tree and an agent.
    pub async fn sees(
        &self,
        tx: &mut Tx<'_>,
        id: i64,
        tree_id: i64,
        agent: &str,
    ) -> Result<bool, StoreError> {
        let in_tree = tree_id == self.session.tree_id;
        Ok(match self.visibility() {
            _ if id == self.session.id => true,
            Visibility::Own => in_tree && trees::ancestors(tx, id).await?.contains(&self.session.id),
            Visibility::Tree => in_tree,
            Visibility::Agent => in_tree || agent == self.session.agent,
            Visibility::All => true,
        })
    }
}

/// What a call has led to.
#[derive(Debug, Clone, PartialEq)]
pub enum Called {
    /// Its result.
    Done(Value),
    /// It waits; the result comes with the end of the wait.
    Waits(WaitFor),
}

/// What a call waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitFor {
    /// The kind.
    pub kind: WaitKind,
    /// For replies.
    pub exchange_id: Option<i64>,
    /// The session that is waited for.
    pub target_id: Option<i64>,
    /// For runs.
    pub coverage: Option<Coverage>,
    /// When it is over in any case.
    pub due_at: Option<i64>,
}

/// What only the engine can do, in the same transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A session has something to do.
    Work,
    /// The caller says something in its turn's conversation.
    Say {
        /// Markdown.
        text: String,
    },
    /// A session is stopped, with all below it.
    Stop {
        /// The session.
        session_id: i64,
    },
    /// A thread is opened for a run.
    OpenThread {
        /// The run.
        run_id: i64,
        /// The child.
        session_id: i64,
        /// What the thread is called.
        name: String,
    },
}

/// Why a call has led to nothing.
#[derive(Debug)]
pub enum Failure {
    /// It is not to be; the model is told why. Nothing was changed.
    Refused(Refusal),
    /// The database failed: the transaction is repeated or given up.
    Store(StoreError),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
