//! Trees: all sessions that grew from one. Facts about several of them are decided under the tree's lock, which
//! comes before any session's.

use super::{StoreError, Tx, params, sql};

/// Locks a tree until the end of the transaction.
pub async fn lock(tx: &mut Tx<'_>, tree_id: i64) -> Result<(), StoreError> {
    #[cfg(feature = "planted-faults")]
    super::planted::unlock();
    tx.lock(
        sql!(lite: "SELECT id FROM trees WHERE id = $1", pg: "SELECT id FROM trees WHERE id = $1 FOR UPDATE"),
        params![tree_id],
    )
    .await
}

/// Locks what lies between trees: waits that leave one are added one after the other, and no session is spoken to
/// from another tree as it is taken out of use.
pub async fn lock_between(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    // The number is any that nothing else in this program locks.
    tx.lock(sql!(lite: "SELECT 1", pg: "SELECT pg_advisory_xact_lock(7331)"), params![]).await
}

/// The session that a tree grew from.
pub async fn root(tx: &mut Tx<'_>, tree_id: i64) -> Result<i64, StoreError> {
    tx.one(
        sql!("SELECT MIN(id) AS id FROM sessions WHERE tree_id = $1 AND parent_id IS NULL"),
        params![tree_id],
    )
    .await?
    .get("id")
}

/// How many sessions of a tree are not archived.
pub async fn live_sessions(tx: &mut Tx<'_>, tree_id: i64) -> Result<i64, StoreError> {
    tx.one(
        sql!(
            "SELECT COUNT(*) AS count FROM sessions s WHERE s.tree_id = $1 AND s.archived_at IS NULL
               AND (s.parent_id IS NULL OR EXISTS (
                   SELECT 1 FROM runs r WHERE r.session_id = s.id AND r.ended_at IS NULL))"
        ),
        params![tree_id],
    )
    .await?
    .get("count")
}

/// A live session that has a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labelled {
    /// The session.
    pub id: i64,
    /// Its tree.
    pub tree_id: i64,
    /// Its key.
    pub key: String,
    /// Its label, as given.
    pub label: String,
    /// Its run has not ended, or a turn of it is open.
    pub at_work: bool,
}

/// The live labelled sessions of a tree, the most recently changed first.
pub async fn labels(tx: &mut Tx<'_>, tree_id: i64) -> Result<Vec<Labelled>, StoreError> {
    labelled(tx, Some(tree_id), None).await
}

/// The live labelled sessions of all trees that work for a conversation, the most recently active tree first: trees
/// with a session that belongs to it, trees with a run that was asked for there, and the tree it was opened for.
pub async fn labels_of_conversation(
    tx: &mut Tx<'_>,
    conversation_id: i64,
) -> Result<Vec<Labelled>, StoreError> {
    labelled(tx, None, Some(conversation_id)).await
}

async fn labelled(
    tx: &mut Tx<'_>,
    tree_id: Option<i64>,
    conversation_id: Option<i64>,
) -> Result<Vec<Labelled>, StoreError> {
    tx.all(
        sql!(
            "SELECT s.id, s.tree_id, s.key, s.label,
                 CASE WHEN EXISTS (SELECT 1 FROM runs r WHERE r.session_id = s.id AND r.ended_at IS NULL)
                     OR EXISTS (SELECT 1 FROM turns t WHERE t.session_id = s.id AND t.status IN ('running', 'waiting'))
                     THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS at_work,
                 (SELECT MAX(o.updated_at) FROM sessions o WHERE o.tree_id = s.tree_id) AS tree_updated
             FROM sessions s
             WHERE s.label_key IS NOT NULL AND s.archived_at IS NULL
               AND (CAST($1 AS BIGINT) IS NULL OR s.tree_id = $1)
               AND (CAST($2 AS BIGINT) IS NULL OR s.tree_id IN (
                   SELECT o.tree_id FROM sessions o WHERE o.conversation_id = $2 AND o.kind <> 'subagent'
                   UNION SELECT r.tree_id FROM runs r WHERE r.conversation_id = $2
                   UNION SELECT r.tree_id FROM runs r JOIN conversations c ON c.run_id = r.id WHERE c.id = $2))
             ORDER BY tree_updated DESC, s.tree_id DESC, s.updated_at DESC, s.id DESC"
        ),
        params![tree_id, conversation_id],
    )
    .await?
    .iter()
    .map(|row| {
        Ok(Labelled {
            id: row.get("id")?,
            tree_id: row.get("tree_id")?,
            key: row.get("key")?,
            label: row.get("label")?,
            at_work: row.flag("at_work")?,
        })
    })
    .collect()
}

/// The trees that work for a conversation, as [`labels_of_conversation`] has them, the most recently active first.
pub async fn of_conversation(tx: &mut Tx<'_>, conversation_id: i64) -> Result<Vec<i64>, StoreError> {
    tx.all(
        sql!(
            "SELECT s.tree_id, MAX(s.updated_at) AS updated FROM sessions s
             WHERE s.tree_id IN (
                 SELECT o.tree_id FROM sessions o WHERE o.conversation_id = $1 AND o.kind <> 'subagent'
                 UNION SELECT r.tree_id FROM runs r WHERE r.conversation_id = $1
                 UNION SELECT r.tree_id FROM runs r JOIN conversations c ON c.run_id = r.id WHERE c.id = $1)
             GROUP BY s.tree_id ORDER BY updated DESC, s.tree_id DESC"
        ),
        params![conversation_id],
    )
    .await?
    .iter()
    .map(|row| row.get("tree_id"))
    .collect()
}

/// Takes a label from the session that has it: another gets it.
pub async fn drop_label(tx: &mut Tx<'_>, session_id: i64) -> Result<(), StoreError> {
    tx.execute(sql!("UPDATE sessions SET label = NULL, label_key = NULL WHERE id = $1"), params![session_id])
        .await?;
    Ok(())
}

/// All sessions below one, each before its own children.
pub async fn descendants(tx: &mut Tx<'_>, session_id: i64) -> Result<Vec<i64>, StoreError> {
    tx.all(
        sql!(
            "WITH RECURSIVE below (id, depth) AS (
                 SELECT id, depth FROM sessions WHERE parent_id = $1 AND erase_at IS NULL
                 UNION ALL SELECT s.id, s.depth FROM sessions s JOIN below b ON s.parent_id = b.id
                     WHERE s.erase_at IS NULL)
             SELECT id FROM below ORDER BY depth, id"
        ),
        params![session_id],
    )
    .await?
    .iter()
    .map(|row| row.get("id"))
    .collect()
}

/// All sessions above one, the nearest first.
pub async fn ancestors(tx: &mut Tx<'_>, session_id: i64) -> Result<Vec<i64>, StoreError> {
    tx.all(
        sql!(
            "WITH RECURSIVE above (id, parent_id, depth) AS (
                 SELECT id, parent_id, depth FROM sessions WHERE id = $1
                 UNION ALL SELECT s.id, s.parent_id, s.depth FROM sessions s JOIN above a ON s.id = a.parent_id)
             SELECT id FROM above WHERE id <> $1 ORDER BY depth DESC"
        ),
        params![session_id],
    )
    .await?
    .iter()
    .map(|row| row.get("id"))
    .collect()
}
