//! Runs: pieces of work that one session gave to a child of its own.

use serde::{Deserialize, Serialize};

use super::{Row, StoreError, Tx, params, sql, turns, words};

words!(
    /// Where a run stands. Whether a live one is queued, at work or waiting is its session's status.
    RunStatus {
        /// Its thread is being opened; its first turn waits for it.
        Opening = "opening",
        /// Its session works, or will.
        Running = "running",
        /// It has a result.
        Done = "done",
        /// It could not.
        Failed = "failed",
        /// Somebody stopped it.
        Cancelled = "cancelled",
        /// Its time was over.
        TimedOut = "timed_out",
    }
);

words!(
    /// Who learns of a run's outcome, and how.
    Announce {
        /// The conversation it was asked for in, and the requester.
        Post = "post",
        /// The requester; the conversation only if the requester says nothing.
        Parent = "parent",
        /// The requester.
        Silent = "silent",
    }
);

words!(
    /// What becomes of a child once its run has ended.
    Mode {
        /// It has done what it was made for.
        Run = "run",
        /// It is kept for more.
        Session = "session",
    }
);

words!(
    /// What becomes of a child's session.
    Cleanup {
        /// It stays and can be spoken to.
        Keep = "keep",
        /// It is archived with the run's end. Nothing is ever deleted, but models know this by that word.
        Archive = "archive" | "delete",
    }
);

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// How.
    pub status: RunStatus,
    /// The final text; empty when there is none.
    pub text: String,
    /// Why it is not `done`, for people and models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A stored run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its row.
    pub id: i64,
    /// Its tree.
    pub tree_id: i64,
    /// The child.
    pub session_id: i64,
    /// Who asked for it.
    pub requester_id: i64,
    /// The requester's generation then.
    pub requester_generation: i64,
    /// The turn that asked; 0: a person did.
    pub turn_id: i64,
    /// Where it was asked for, and where its outcome belongs.
    pub conversation_id: i64,
    /// Where it stands.
    pub status: RunStatus,
    /// Who learns of its outcome.
    pub announce: Announce,
    /// What becomes of the child.
    pub mode: Mode,
    /// What becomes of the child's session.
    pub cleanup: Cleanup,
    /// What restricts the child's tools, as JSON.
    pub policy: String,
    /// What was asked.
    pub task: String,
    /// How it ended, when it has.
    pub outcome: Option<Outcome>,
    /// When its time is over.
    pub due_at: i64,
    /// When it began.
    pub created_at: i64,
    /// When it ended.
    pub ended_at: Option<i64>,
}

impl Run {
    /// How long it took, or 0 while it is live.
    pub fn seconds(&self) -> i64 {
        (self.ended_at.unwrap_or(self.created_at) - self.created_at) / 1000
    }
}

fn read(row: &Row) -> Result<Run, StoreError> {
    Ok(Run {
        id: row.get("id")?,
        tree_id: row.get("tree_id")?,
        session_id: row.get("session_id")?,
        requester_id: row.get("requester_id")?,
        requester_generation: row.get("requester_generation")?,
        turn_id: row.get("turn_id")?,
        conversation_id: row.get("conversation_id")?,
        status: RunStatus::read(&row.get::<String>("status")?)?,
        announce: Announce::read(&row.get::<String>("announce")?)?,
        mode: Mode::read(&row.get::<String>("mode")?)?,
        cleanup: Cleanup::read(&row.get::<String>("cleanup")?)?,
        policy: row.get("policy")?,
        task: row.get("task")?,
        outcome: if row.get::<Option<String>>("outcome")?.is_some() {
            Some(row.json("outcome")?)
        } else {
            None
        },
        due_at: row.get::<Option<i64>>("due_at")?.unwrap_or(i64::MAX),
        created_at: row.get("created_at")?,
        ended_at: row.get("ended_at")?,
    })
}

/// A new run.
#[derive(Debug, Clone, Copy)]
pub struct NewRun<'a> {
    /// Its tree; locked.
    pub tree_id: i64,
    /// The child, just made.
    pub session_id: i64,
    /// Who asks.
    pub requester_id: i64,
    /// The generation of whoever asks, as it was when the turn began that does.
    pub requester_generation: i64,
    /// The call that asks: turn, step, index. A person's command has turn 0 and the child's number as step.
    pub call: (i64, i64, i64),
    /// Where it is asked for.
    pub conversation_id: i64,
    /// `Opening` with a thread, else `Running`.
    pub status: RunStatus,
    /// Who learns of its outcome.
    pub announce: Announce,
    /// What becomes of the child.
    pub mode: Mode,
    /// What becomes of the child's session.
    pub cleanup: Cleanup,
    /// What restricts the child's tools, as JSON.
    pub policy: &'a str,
    /// What is asked.
    pub task: &'a str,
    /// When its time is over.
    pub due_at: i64,
}

/// Stores a new run and returns its number.
pub async fn open(tx: &mut Tx<'_>, new: &NewRun<'_>) -> Result<i64, StoreError> {
    tx.one(
        sql!(
            "INSERT INTO runs (tree_id, session_id, requester_id, requester_generation, turn_id, step, call_index,
                 conversation_id, status, announce, mode, cleanup, policy, task, due_at, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) RETURNING id"
        ),
        params![
            new.tree_id,
            new.session_id,
            new.requester_id,
            new.requester_generation,
            new.call.0,
            new.call.1,
            new.call.2,
            new.conversation_id,
            new.status.as_str(),
            new.announce.as_str(),
            new.mode.as_str(),
            new.cleanup.as_str(),
            new.policy,
            new.task,
            new.due_at,
            tx.now(),
        ],
    )
    .await?
    .get("id")
}

/// The run with this number.
pub async fn get(tx: &mut Tx<'_>, id: i64) -> Result<Run, StoreError> {
    read(&tx.one(sql!("SELECT * FROM runs WHERE id = $1"), params![id]).await?)
}

/// The run that a session was made for, ended or not. A session has one at most.
pub async fn of_session(tx: &mut Tx<'_>, session_id: i64) -> Result<Option<Run>, StoreError> {
    let row = tx
        .optional(
            sql!("SELECT * FROM runs WHERE session_id = $1 ORDER BY id DESC LIMIT 1"),
            params![session_id],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// The person who asked for a run, or whose wish led to the turn that did.
pub async fn asked_by(tx: &mut Tx<'_>, run: &Run) -> Result<String, StoreError> {
    if run.turn_id != 0 {
        return turns::asked_by(tx, run.turn_id).await;
    }
    let row = tx
        .optional(
            sql!("SELECT sender FROM inbox WHERE run_id = $1 AND session_id = $2 ORDER BY id LIMIT 1"),
            params![run.id, run.session_id],
        )
        .await?;
    Ok(row.map(|row| row.get("sender")).transpose()?.unwrap_or_default())
}

/// The live runs that a session asked for, oldest first. What is decided by it needs the tree's lock.
pub async fn live_children(tx: &mut Tx<'_>, requester_id: i64) -> Result<Vec<Run>, StoreError> {
    tx.all(
        sql!("SELECT * FROM runs WHERE requester_id = $1 AND ended_at IS NULL ORDER BY id"),
        params![requester_id],
    )
    .await?
    .iter()
    .map(read)
    .collect()
}

/// How many runs that a session asked for in one of its generations are live. Others do not concern it any more.
pub async fn count_live(tx: &mut Tx<'_>, requester_id: i64, generation: i64) -> Result<i64, StoreError> {
    tx.one(
        sql!(
            "SELECT COUNT(*) AS count FROM runs
             WHERE requester_id = $1 AND requester_generation = $2 AND ended_at IS NULL"
        ),
        params![requester_id, generation],
    )
    .await?
    .get("count")
}

/// How many of the runs that one turn asked for are live.
pub async fn live_siblings(tx: &mut Tx<'_>, turn_id: i64) -> Result<i64, StoreError> {
    tx.one(
        sql!("SELECT COUNT(*) AS count FROM runs WHERE turn_id = $1 AND turn_id <> 0 AND ended_at IS NULL"),
        params![turn_id],
    )
    .await?
    .get("count")
}

/// Ends a live run; `false`: it had ended. `wait_id` is the wait that takes the outcome.
pub async fn end(
    tx: &mut Tx<'_>,
    id: i64,
    outcome: &Outcome,
    wait_id: Option<i64>,
) -> Result<bool, StoreError> {
    let changed = tx
        .execute(
            sql!(
                "UPDATE runs SET status = $2, outcome = $3, wait_id = $4, ended_at = $5
                 WHERE id = $1 AND ended_at IS NULL"
            ),
            params![
                id,
                outcome.status.as_str(),
                serde_json::to_string(outcome).expect("plain data is always JSON"),
                wait_id,
                tx.now(),
            ],
        )
        .await?;
    Ok(changed == 1)
}

/// The runs whose outcomes a wait has taken, in the order in which they ended.
pub async fn of_wait(tx: &mut Tx<'_>, wait_id: i64) -> Result<Vec<Run>, StoreError> {
    tx.all(sql!("SELECT * FROM runs WHERE wait_id = $1 ORDER BY ended_at, id"), params![wait_id])
        .await?
        .iter()
        .map(read)
        .collect()
}

/// The runs whose outcomes a turn was told of, by its inbox or by its waits.
pub async fn told_to(tx: &mut Tx<'_>, turn_id: i64) -> Result<Vec<Run>, StoreError> {
    tx.all(
        sql!(
            "SELECT * FROM runs WHERE id IN (
                 SELECT run_id FROM inbox WHERE turn_id = $1 AND kind = 'announce'
                 UNION SELECT r.id FROM waits w JOIN runs r ON r.wait_id = w.id WHERE w.turn_id = $1) ORDER BY id"
        ),
        params![turn_id],
    )
    .await?
    .iter()
    .map(read)
    .collect()
}

/// The thread of a run is there.
pub async fn opened(tx: &mut Tx<'_>, id: i64) -> Result<bool, StoreError> {
    let changed = tx
        .execute(sql!("UPDATE runs SET status = 'running' WHERE id = $1 AND status = 'opening'"), params![id])
        .await?;
    Ok(changed == 1)
}

/// Live runs whose time is over, with their trees.
pub async fn due(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<Run>, StoreError> {
    tx.all(
        sql!("SELECT * FROM runs WHERE ended_at IS NULL AND due_at <= $1 ORDER BY due_at LIMIT $2"),
        params![tx.now(), limit],
    )
    .await?
    .iter()
    .map(read)
    .collect()
}

/// Whether the time of a live run is over, and stays so until the end of the transaction.
pub async fn is_due(tx: &mut Tx<'_>, id: i64) -> Result<bool, StoreError> {
    let row = tx
        .optional(
            sql!(
                lite: "SELECT id FROM runs WHERE id = $1 AND ended_at IS NULL AND due_at <= $2",
                pg: "SELECT id FROM runs WHERE id = $1 AND ended_at IS NULL AND due_at <= $2 FOR UPDATE"
            ),
            params![id, tx.now()],
        )
        .await?;
    Ok(row.is_some())
}

/// When the next run's time is over, if one is live.
pub async fn next_due(tx: &mut Tx<'_>) -> Result<Option<i64>, StoreError> {
    tx.one(sql!("SELECT MIN(due_at) AS due FROM runs WHERE ended_at IS NULL"), params![]).await?.get("due")
}

/// A run whose thread has been opened, or never will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The run.
    pub run: Run,
    /// The thread.
    pub conversation_id: Option<i64>,
    /// Why there is none.
    pub error: Option<String>,
}

/// Runs that wait for their threads no longer.
pub async fn openings(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<Opening>, StoreError> {
    tx.all(
        sql!(
            "SELECT r.*, c.id AS thread_id, d.error FROM runs r
             JOIN deliveries d ON d.run_id = r.id AND d.kind = 'thread'
             LEFT JOIN conversations c ON c.run_id = r.id
             WHERE r.status = 'opening' AND (c.id IS NOT NULL OR d.state IN ('failed', 'cancelled')
                 OR (d.state = 'unknown' AND d.due_at = $2))
             ORDER BY r.id LIMIT $1"
        ),
        params![limit, super::deliveries::NEVER],
    )
    .await?
    .iter()
    .map(|row| {
        Ok(Opening { run: read(row)?, conversation_id: row.get("thread_id")?, error: row.get("error")? })
    })
    .collect()
}
