//! Waits: what a suspended turn waits for. Whoever resolves a wait first wins; the turn goes on when none of its
//! waits is open.

use super::{Row, StoreError, Tx, params, sql, words};

/// How a wait ends that a person has ended with a message.
pub const INTERRUPTED: &str = "interrupted";

/// How a wait ends whose time has come.
pub const DUE: &str = "due";

words!(
    /// What is waited for.
    WaitKind {
        /// A model that asked for a pause.
        Model = "model",
        /// An answer in an exchange.
        Reply = "reply",
        /// The ends of runs (`sessions_yield`).
        Runs = "runs",
        /// Any change in the tree (`sessions_list`).
        Change = "change",
        /// A change of one session (`session_status`).
        Status = "status",
    }
);

words!(
    /// How many of the runs that are waited for must end.
    Coverage {
        /// All of them.
        All = "all",
        /// One.
        Any = "any",
    }
);

/// A new wait of a turn that is being suspended.
#[derive(Debug, Clone, Copy)]
pub struct NewWait<'a> {
    /// The turn.
    pub turn: &'a super::turns::Turn,
    /// What for.
    pub kind: WaitKind,
    /// The step that waits.
    pub step: i64,
    /// Which call of the step.
    pub call_index: Option<i64>,
    /// For replies.
    pub exchange_id: Option<i64>,
    /// The session that is waited for, where it is one.
    pub target_id: Option<i64>,
    /// For runs.
    pub coverage: Option<Coverage>,
    /// When the waiting is over in any case.
    pub due_at: Option<i64>,
}

/// Adds a wait and returns its number.
pub async fn add(tx: &mut Tx<'_>, new: &NewWait<'_>) -> Result<i64, StoreError> {
    tx.one(
        sql!(
            "INSERT INTO waits (turn_id, session_id, tree_id, kind, step, call_index, exchange_id, target_id, coverage,
                 due_at, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id"
        ),
        params![
            new.turn.id,
            new.turn.session_id,
            new.turn.tree_id,
            new.kind.as_str(),
            new.step,
            new.call_index,
            new.exchange_id,
            new.target_id,
            new.coverage.map(Coverage::as_str),
            new.due_at,
            tx.now(),
        ],
    )
    .await?
    .get("id")
}

/// A stored wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// Its row.
    pub id: i64,
    /// The turn that waits.
    pub turn_id: i64,
    /// Its session.
    pub session_id: i64,
    /// What for.
    pub kind: WaitKind,
    /// The step that waits.
    pub step: i64,
    /// Which call of it.
    pub call_index: Option<i64>,
    /// For replies.
    pub exchange_id: Option<i64>,
    /// The session that is waited for.
    pub target_id: Option<i64>,
    /// For runs.
    pub coverage: Option<Coverage>,
    /// What it ended with, when it has: JSON for the one who waited, or a word.
    pub outcome: Option<String>,
}

fn read(row: &Row) -> Result<Wait, StoreError> {
    let coverage: Option<String> = row.get("coverage")?;
    Ok(Wait {
        id: row.get("id")?,
        turn_id: row.get("turn_id")?,
        session_id: row.get("session_id")?,
        kind: WaitKind::read(&row.get::<String>("kind")?)?,
        step: row.get("step")?,
        call_index: row.get("call_index")?,
        exchange_id: row.get("exchange_id")?,
        target_id: row.get("target_id")?,
        coverage: coverage.as_deref().map(Coverage::read).transpose()?,
        outcome: row.get("outcome")?,
    })
}

/// A wait whose time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The wait.
    pub id: i64,
    /// The turn that waits.
    pub turn_id: i64,
    /// Its session.
    pub session_id: i64,
}

fn read_due(row: &Row) -> Result<Due, StoreError> {
    Ok(Due { id: row.get("id")?, turn_id: row.get("turn_id")?, session_id: row.get("session_id")? })
}

/// Waits whose time has come.
pub async fn due(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<Due>, StoreError> {
    tx.all(
        sql!(
            "SELECT id, turn_id, session_id FROM waits WHERE resolved_at IS NULL AND due_at <= $1
             ORDER BY due_at LIMIT $2"
        ),
        params![tx.now(), limit],
    )
    .await?
    .iter()
    .map(read_due)
    .collect()
}

/// The open waits of a session's turn.
pub async fn open_of_session(tx: &mut Tx<'_>, session_id: i64) -> Result<Vec<Wait>, StoreError> {
    tx.all(
        sql!("SELECT * FROM waits WHERE session_id = $1 AND resolved_at IS NULL ORDER BY id"),
        params![session_id],
    )
    .await?
    .iter()
    .map(read)
    .collect()
}

/// The open waits for children of a session in one of its generations, which are of one step, locked: until the end of
/// the transaction nobody else resolves them, so that an outcome that is given to one is not overlooked.
pub async fn covering(tx: &mut Tx<'_>, session_id: i64, generation: i64) -> Result<Vec<Wait>, StoreError> {
    tx.all(
        sql!(
            lite: "SELECT w.* FROM waits w JOIN turns t ON t.id = w.turn_id
                   WHERE w.session_id = $1 AND w.kind = 'runs' AND w.resolved_at IS NULL AND t.generation = $2
                   ORDER BY w.id",
            pg: "SELECT w.* FROM waits w JOIN turns t ON t.id = w.turn_id
                 WHERE w.session_id = $1 AND w.kind = 'runs' AND w.resolved_at IS NULL AND t.generation = $2
                 ORDER BY w.id FOR UPDATE OF w"
        ),
        params![session_id, generation],
    )
    .await?
    .iter()
    .map(read)
    .collect()
}

/// The resolved waits of a turn's calls whose results are not written yet, in the order of the calls.
pub async fn unwritten(tx: &mut Tx<'_>, turn_id: i64) -> Result<Vec<Wait>, StoreError> {
    tx.all(
        sql!(
            "SELECT w.* FROM waits w WHERE w.turn_id = $1 AND w.call_index IS NOT NULL AND w.resolved_at IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.turn_id = w.turn_id AND e.step = w.step
                               AND e.call_index = w.call_index)
             ORDER BY w.step, w.call_index"
        ),
        params![turn_id],
    )
    .await?
    .iter()
    .map(read)
    .collect()
}

/// The open wait for an answer in an exchange.
pub async fn of_exchange(tx: &mut Tx<'_>, exchange_id: i64) -> Result<Option<Wait>, StoreError> {
    let row = tx
        .optional(
            sql!("SELECT * FROM waits WHERE exchange_id = $1 AND resolved_at IS NULL ORDER BY id LIMIT 1"),
            params![exchange_id],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// Whom the sessions that wait for an answer wait for: pairs of who waits and for whom, of the session given.
pub async fn reply_targets(tx: &mut Tx<'_>, session_id: i64) -> Result<Vec<i64>, StoreError> {
    tx.all(
        sql!(
            "SELECT target_id FROM waits WHERE session_id = $1 AND kind = 'reply' AND resolved_at IS NULL
               AND target_id IS NOT NULL ORDER BY id"
        ),
        params![session_id],
    )
    .await?
    .iter()
    .map(|row| row.get("target_id"))
    .collect()
}

/// Resolves a wait; `false`: somebody else did.
pub async fn resolve(tx: &mut Tx<'_>, id: i64, outcome: &str) -> Result<bool, StoreError> {
    let changed = tx
        .execute(
            sql!("UPDATE waits SET resolved_at = $2, outcome = $3 WHERE id = $1 AND resolved_at IS NULL"),
            params![id, tx.now(), outcome],
        )
        .await?;
    Ok(changed == 1)
}

/// Resolves a wait whose time has come; `false`: somebody else did, or it has got more time.
pub async fn time_out(tx: &mut Tx<'_>, id: i64) -> Result<bool, StoreError> {
    let changed = tx
        .execute(
            sql!(
                "UPDATE waits SET resolved_at = $2, outcome = $3
                 WHERE id = $1 AND resolved_at IS NULL AND due_at <= $2"
            ),
            params![id, tx.now(), DUE],
        )
        .await?;
    Ok(changed == 1)
}

/// Something has changed about a session: whoever waits for that may look. Says whether anybody does.
pub async fn changed(tx: &mut Tx<'_>, tree_id: i64, session_id: i64) -> Result<bool, StoreError> {
    let changed = tx
        .execute(
            sql!(
                "UPDATE waits SET resolved_at = $3, outcome = 'changed' WHERE resolved_at IS NULL AND session_id <> $2
                   AND ((kind = 'change' AND tree_id = $1) OR (kind = 'status' AND target_id = $2))"
            ),
            params![tree_id, session_id, tx.now()],
        )
        .await?;
    Ok(changed > 0)
}

/// Turns that wait for nothing any more, with their sessions; but for those that a person is writing to, a piece of
/// whose message is still to come, and those of agents that are `full`.
pub async fn over(tx: &mut Tx<'_>, limit: i64, full: &[String]) -> Result<Vec<(i64, i64)>, StoreError> {
    let full = tx.listed(full.iter().map(String::as_str));
    tx.all(
        sql!(
            "SELECT t.id, t.session_id FROM turns t WHERE t.status = 'waiting' AND NOT EXISTS (
                 SELECT 1 FROM waits w WHERE w.turn_id = t.id AND w.resolved_at IS NULL)
               AND NOT EXISTS (
                 SELECT 1 FROM inbox i WHERE i.session_id = t.session_id AND i.conversation_id = t.conversation_id
                   AND i.turn_id IS NULL AND i.kind = 'user' AND i.not_before > $2)
               AND REPLACE($3, '\"' || t.agent || '\"', '') = $3
             ORDER BY t.id LIMIT $1"
        ),
        params![limit, tx.now(), full],
    )
    .await?
    .iter()
    .map(|row| Ok((row.get("id")?, row.get("session_id")?)))
    .collect()
}

/// When the next wait is due, if there is one.
pub async fn next_due(tx: &mut Tx<'_>) -> Result<Option<i64>, StoreError> {
    tx.one(sql!("SELECT MIN(due_at) AS due FROM waits WHERE resolved_at IS NULL"), params![])
        .await?
        .get("due")
}
