//! Growth: which sessions are old and at rest, and how one is erased with everything that hangs on it.
//!
//! A session is taken out of use in one step: from then on nobody finds it. Its rows are erased in bounded pieces, at
//! a due time that is stored with it, so that a process that dies in between has forgotten nothing of what is to be
//! forgotten.

use super::session_lists::conversation;
use super::{Row, StoreError, Tx, params, sql};

/// So many rows of a kind go in one transaction.
const PIECE: i64 = 1000;

/// So many turns go in one transaction, with what hangs on them.
const TURNS: i64 = 100;

/// What can't be erased yet is looked at again after so many milliseconds.
const AGAIN: i64 = 60_000;

/// A session that goes, or would.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Going {
    /// Its number.
    pub id: i64,
    /// Its stable key.
    pub key: String,
    /// Sessions above it.
    pub depth: i64,
    /// It was archived; otherwise it is idle.
    pub archived: bool,
    /// Its conversation, written out.
    pub conversation: String,
    /// When it last changed, milliseconds since 1970.
    pub updated_at: i64,
    /// Lines of its transcript.
    pub entries: i64,
    /// Its turns.
    pub turns: i64,
    /// What its turns have said, in messages.
    pub deliveries: i64,
}

fn going(row: &Row) -> Result<Going, StoreError> {
    Ok(Going {
        id: row.get("id")?,
        key: row.get("key")?,
        depth: row.get("depth")?,
        archived: row.get::<Option<i64>>("archived_at")?.is_some(),
        conversation: conversation(row)?,
        updated_at: row.get("updated_at")?,
        entries: row.get::<i64>("next_seq")? - 1,
        turns: row.get("turns")?,
        deliveries: row.get("deliveries")?,
    })
}

/// Sessions that have not changed since `before` and have nothing to do, with all below them; children come before
/// their parents. At most `limit` of those behind `after`, a depth and a number.
pub async fn old(
    tx: &mut Tx<'_>,
    before: i64,
    after: Option<(i64, i64)>,
    limit: i64,
) -> Result<Vec<Going>, StoreError> {
    tx.all(
        sql!(
            "WITH RECURSIVE free (id) AS (
                 SELECT s.id FROM sessions s WHERE s.updated_at < $1 AND s.erase_at IS NULL
                   AND NOT EXISTS (SELECT 1 FROM sessions_at_work w WHERE w.session_id = s.id)
                   AND NOT EXISTS (SELECT 1 FROM inbox i WHERE i.session_id = s.id AND i.turn_id IS NULL
                       AND i.created_at >= $1)),
             kept (id, parent_id) AS (
                 SELECT s.id, s.parent_id FROM sessions s WHERE s.erase_at IS NULL AND s.id NOT IN (SELECT id FROM free)
                 UNION SELECT p.id, p.parent_id FROM sessions p JOIN kept k ON p.id = k.parent_id)
             SELECT s.id, s.key, s.depth, s.archived_at, s.updated_at, s.next_seq, c.channel, c.account, c.chat, c.thread,
                 (SELECT COUNT(*) FROM turns t WHERE t.session_id = s.id) AS turns,
                 (SELECT COUNT(*) FROM turns t JOIN deliveries d ON d.turn_id = t.id WHERE t.session_id = s.id)
                     AS deliveries
             FROM sessions s LEFT JOIN conversations c ON c.id = s.conversation_id
             WHERE s.id IN (SELECT id FROM free) AND s.id NOT IN (SELECT id FROM kept)
               AND (CAST($2 AS BIGINT) IS NULL OR s.depth < $2 OR (s.depth = $2 AND s.id > $3))
             ORDER BY s.depth DESC, s.id LIMIT $4"
        ),
        params![before, after.map(|after| after.0), after.map(|after| after.1), limit],
    )
    .await?
    .iter()
    .map(going)
    .collect()
}

/// Whether nothing is on its way from, to or below a session. With `before`, also whether it has not changed since;
/// children that are to be erased themselves count as gone then. The caller has locked the session.
pub async fn is_at_rest(tx: &mut Tx<'_>, id: i64, before: Option<i64>) -> Result<bool, StoreError> {
    let row = tx
        .optional(
            sql!(
                "SELECT s.id FROM sessions s WHERE s.id = $1 AND (CAST($2 AS BIGINT) IS NULL OR s.updated_at < $2)
                   AND NOT EXISTS (SELECT 1 FROM sessions c WHERE c.parent_id = s.id
                       AND (c.erase_at IS NULL OR CAST($2 AS BIGINT) IS NULL))
                   AND NOT EXISTS (SELECT 1 FROM sessions_at_work w WHERE w.session_id = s.id)
                   AND NOT EXISTS (SELECT 1 FROM inbox i WHERE i.session_id = s.id AND i.turn_id IS NULL
                       AND i.created_at >= $2)"
            ),
            params![id, before],
        )
        .await?;
    Ok(row.is_some())
}

/// Takes a session out of use; its rows are erased from now on. What the local channel shows of its conversation up to
/// `before` goes at once. `false`: that was done before. The caller has locked its tree and the session.
pub async fn forget(tx: &mut Tx<'_>, id: i64, before: i64) -> Result<bool, StoreError> {
    tx.execute(
        sql!(
            "DELETE FROM local_lines WHERE created_at <= $2 AND EXISTS (
                 SELECT 1 FROM sessions s JOIN conversations c ON c.id = s.conversation_id
                 WHERE s.id = $1 AND c.channel = 'local' AND c.account = local_lines.account AND c.chat = local_lines.chat)"
        ),
        params![id, before],
    )
    .await?;
    tx.execute(sql!("DELETE FROM focuses WHERE session_id = $1"), params![id]).await?;
    tx.execute(
        sql!(
            "UPDATE conversations SET run_id = NULL
             WHERE run_id IS NOT NULL AND run_id IN (SELECT r.id FROM runs r WHERE r.session_id = $1)"
        ),
        params![id],
    )
    .await?;
    let changed = tx
        .execute(
            sql!(
                "UPDATE sessions SET key = 'erased:' || CAST(id AS TEXT), label = NULL, label_key = NULL, task = NULL,
                     conversation_id = NULL, archived_at = COALESCE(archived_at, $2), erase_at = $2
                 WHERE id = $1 AND erase_at IS NULL"
            ),
            params![id, tx.now()],
        )
        .await?;
    Ok(changed == 1)
}

/// The next session that is to be erased now, children before their parents.
pub async fn next(tx: &mut Tx<'_>) -> Result<Option<i64>, StoreError> {
    let row = tx
        .optional(
            sql!(
                "SELECT id FROM sessions WHERE erase_at IS NOT NULL AND erase_at <= $1
                 ORDER BY erase_at, depth DESC, id LIMIT 1"
            ),
            params![tx.now()],
        )
        .await?;
    row.map(|row| row.get("id")).transpose()
}

/// How far a session is erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erased {
    /// There is more of it.
    More,
    /// Nothing is left.
    All,
    /// What is left waits for something that is on its way, and is looked at again.
    Later,
}

/// Erases a piece of a session that was taken out of use: first what was said, then what was done. The caller has
/// locked its tree and the session.
pub async fn erase(tx: &mut Tx<'_>, id: i64, tree_id: i64) -> Result<Erased, StoreError> {
    let said = tx
        .execute(
            sql!(
                "DELETE FROM entries WHERE session_id = $1 AND seq IN (
                     SELECT seq FROM entries WHERE session_id = $1 ORDER BY seq LIMIT $2)"
            ),
            params![id, PIECE],
        )
        .await?;
    let read = tx
        .execute(
            sql!(
                "DELETE FROM inbox WHERE id IN (
                     SELECT i.id FROM turns t JOIN inbox i ON i.turn_id = t.id WHERE t.session_id = $1
                       AND t.status NOT IN ('running', 'waiting') LIMIT $2)"
            ),
            params![id, PIECE],
        )
        .await?;
    // Nobody will read it.
    let unread =
        tx.execute(sql!("DELETE FROM inbox WHERE session_id = $1 AND turn_id IS NULL"), params![id]).await?;
    if said + read + unread > 0 {
        return Ok(Erased::More);
    }
    if !is_at_rest(tx, id, None).await? {
        tx.execute(sql!("UPDATE sessions SET erase_at = $2 WHERE id = $1"), params![id, tx.now() + AGAIN])
            .await?;
        return Ok(Erased::Later);
    }
    if erase_turns(tx, id).await? {
        return Ok(Erased::More);
    }
    erase_rest(tx, id, tree_id).await?;
    Ok(Erased::All)
}

/// Erases the oldest turns with what hangs on them; `false`: there are none. The numbers of messages stay known: what
/// lies between two of them is found by them.
async fn erase_turns(tx: &mut Tx<'_>, id: i64) -> Result<bool, StoreError> {
    let last: Option<i64> = tx
        .one(
            sql!(
                "SELECT MAX(oldest.id) AS last FROM (
                     SELECT t.id FROM turns t WHERE t.session_id = $1 ORDER BY t.id LIMIT $2) oldest"
            ),
            params![id, TURNS],
        )
        .await?
        .get("last")?;
    let Some(last) = last else { return Ok(false) };
    let these = params![id, last];
    tx.execute(
        sql!(
            "UPDATE messages SET delivery_id = NULL, session_id = NULL WHERE (space_id, message_id) IN (
                 SELECT c.space_id, d.message_id FROM turns t JOIN deliveries d ON d.turn_id = t.id
                     JOIN conversations c ON c.id = COALESCE(d.called_in, d.conversation_id)
                 WHERE t.session_id = $1 AND t.id <= $2 AND d.message_id IS NOT NULL)"
        ),
        these,
    )
    .await?;
    tx.execute(
        sql!(
            "DELETE FROM deliveries WHERE turn_id IN (SELECT id FROM turns WHERE session_id = $1 AND id <= $2)"
        ),
        these,
    )
    .await?;
    tx.execute(
        sql!("DELETE FROM waits WHERE turn_id IN (SELECT id FROM turns WHERE session_id = $1 AND id <= $2)"),
        these,
    )
    .await?;
    tx.execute(sql!("DELETE FROM turns WHERE session_id = $1 AND id <= $2"), these).await?;
    Ok(true)
}

/// Erases what is left when no turn is: its run with what was said of it, its exchanges with sessions
/// that are gone too, the session, and its tree when it was the last.
async fn erase_rest(tx: &mut Tx<'_>, id: i64, tree_id: i64) -> Result<(), StoreError> {
    tx.execute(
        sql!(
            "UPDATE messages SET delivery_id = NULL, session_id = NULL WHERE (space_id, message_id) IN (
                 SELECT c.space_id, d.message_id FROM runs r JOIN deliveries d ON d.run_id = r.id
                     JOIN conversations c ON c.id = COALESCE(d.called_in, d.conversation_id)
                 WHERE r.session_id = $1 AND d.message_id IS NOT NULL)"
        ),
        params![id],
    )
    .await?;
    tx.execute(
        sql!(
            "DELETE FROM deliveries WHERE run_id IS NOT NULL AND run_id IN (SELECT id FROM runs WHERE session_id = $1)"
        ),
        params![id],
    )
    .await?;
    tx.execute(sql!("DELETE FROM runs WHERE session_id = $1"), params![id]).await?;
    tx.execute(
        sql!(
            "DELETE FROM exchanges WHERE (sender_id = $1 OR target_id = $1) AND NOT EXISTS (
                 SELECT 1 FROM sessions s WHERE s.id <> $1 AND (s.id = exchanges.sender_id OR s.id = exchanges.target_id))"
        ),
        params![id],
    )
    .await?;
    tx.execute(sql!("DELETE FROM sessions WHERE id = $1"), params![id]).await?;
    tx.execute(
        sql!(
            "DELETE FROM trees WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.tree_id = trees.id)"
        ),
        params![tree_id],
    )
    .await?;
    Ok(())
}
