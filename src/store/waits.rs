//! Waits: what a suspended turn waits for. Whoever resolves a wait first wins.

use super::{StoreError, Tx, params, sql, words};

words!(
    /// What is waited for.
    WaitKind {
        /// A model that asked for a pause.
        Model = "model",
    }
);

/// Adds the wait of a turn that is being suspended.
pub async fn add(
    tx: &mut Tx<'_>,
    turn: &super::turns::Turn,
    kind: WaitKind,
    step: i64,
    due_at: i64,
) -> Result<(), StoreError> {
    tx.execute(
        sql!(
            "INSERT INTO waits (turn_id, session_id, tree_id, kind, step, due_at, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)"
        ),
        params![turn.id, turn.session_id, turn.tree_id, kind.as_str(), step, due_at, tx.now()],
    )
    .await?;
    Ok(())
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
    .map(|row| {
        Ok(Due { id: row.get("id")?, turn_id: row.get("turn_id")?, session_id: row.get("session_id")? })
    })
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

/// When the next wait is due, if there is one.
pub async fn next_due(tx: &mut Tx<'_>) -> Result<Option<i64>, StoreError> {
    tx.one(sql!("SELECT MIN(due_at) AS due FROM waits WHERE resolved_at IS NULL"), params![])
        .await?
        .get("due")
}
