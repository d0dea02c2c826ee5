//! What must hold of every database: at any moment, and at rest, with no turn at work and nothing on its way.

use async_trait::async_trait;

use super::{Read, Sql, StoreError, Tx, params, sql};
use crate::models::Answer;

/// Each rule with a statement that counts what breaks it.
type Rule = (&'static str, Sql);

/// What holds at any moment.
const ALWAYS: [Rule; 3] = [
    (
        "items in a turn of another session",
        sql!(
            "SELECT COUNT(*) AS broken FROM inbox i LEFT JOIN turns t ON t.id = i.turn_id
             WHERE i.turn_id IS NOT NULL AND (t.id IS NULL OR t.session_id <> i.session_id)"
        ),
    ),
    (
        "outcomes of runs that went to several places",
        sql!(
            "SELECT COUNT(*) AS broken FROM runs r WHERE (CASE WHEN r.wait_id IS NULL THEN 0 ELSE 1 END)
                 + (SELECT COUNT(*) FROM inbox i WHERE i.run_id = r.id AND i.kind = 'announce') > 1"
        ),
    ),
    (
        "transcripts with gaps",
        sql!(
            "SELECT COUNT(*) AS broken FROM sessions s
             WHERE s.erase_at IS NULL AND s.next_seq - 1 <> (SELECT COUNT(*) FROM entries e WHERE e.session_id = s.id)"
        ),
    ),
];

/// What holds at rest.
const AT_REST: [Rule; 11] = [
    (
        "items that nobody has taken",
        sql!("SELECT COUNT(*) AS broken FROM inbox WHERE turn_id IS NULL AND wake = 1"),
    ),
    (
        "messages that were taken twice",
        sql!(
            "SELECT COUNT(*) AS broken FROM (
                 SELECT 1 AS one FROM inbox WHERE message_id IS NOT NULL AND wake = 1
                 GROUP BY session_id, conversation_id, message_id HAVING COUNT(*) > 1) twice"
        ),
    ),
    (
        "turns that have not ended",
        sql!("SELECT COUNT(*) AS broken FROM turns WHERE status IN ('running', 'waiting')"),
    ),
    (
        "turns that took no item",
        sql!(
            "SELECT COUNT(*) AS broken FROM turns t
             WHERE NOT EXISTS (SELECT 1 FROM inbox i WHERE i.turn_id = t.id)"
        ),
    ),
    ("waits that have not ended", sql!("SELECT COUNT(*) AS broken FROM waits WHERE resolved_at IS NULL")),
    (
        "runs that have not ended",
        sql!("SELECT COUNT(*) AS broken FROM runs WHERE ended_at IS NULL OR outcome IS NULL"),
    ),
    (
        // What was stopped with its requester, or asked for before `/new`, is nobody's.
        "outcomes of runs that went nowhere",
        sql!(
            "SELECT COUNT(*) AS broken FROM runs r JOIN sessions s ON s.id = r.requester_id
             WHERE r.wait_id IS NULL AND r.status <> 'cancelled' AND s.archived_at IS NULL
               AND s.generation = r.requester_generation
               AND NOT EXISTS (SELECT 1 FROM inbox i WHERE i.run_id = r.id AND i.kind = 'announce')"
        ),
    ),
    (
        "exchanges that have not ended",
        sql!("SELECT COUNT(*) AS broken FROM exchanges WHERE ended_at IS NULL"),
    ),
    (
        "deliveries that are not over",
        sql!("SELECT COUNT(*) AS broken FROM deliveries WHERE state IN ('pending', 'sending', 'unknown')"),
    ),
    (
        "deliveries without a number, or with that of another",
        sql!(
            "SELECT COUNT(*) AS broken FROM deliveries d
             WHERE d.state = 'sent' AND (d.kind <> 'thread' OR d.message_id IS NOT NULL) AND NOT EXISTS (
                 SELECT 1 FROM messages m JOIN conversations c ON c.space_id = m.space_id
                 WHERE c.id = COALESCE(d.called_in, d.conversation_id) AND m.message_id = d.message_id
                   AND m.delivery_id = d.id)"
        ),
    ),
    ("deliveries that failed", sql!("SELECT COUNT(*) AS broken FROM deliveries WHERE state = 'failed'")),
];

/// Looks for what breaks the rules: a line for each broken one. For the kill tests, after the program has
/// stopped; a database at work breaks some of them rightly.
pub struct Audit;

#[async_trait]
impl Read for Audit {
    type Output = Vec<String>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<String>, StoreError> {
        let mut broken = unsound(tx).await?;
        broken.extend(count(tx, &AT_REST).await?);
        let open = calls_without_result(tx).await?;
        if open > 0 {
            broken.push(format!("{open} answers whose calls have not exactly one result each"));
        }
        Ok(broken)
    }
}

/// Looks for what breaks the rules that hold at any moment: a line for each broken one.
pub(super) async fn unsound(tx: &mut Tx<'_>) -> Result<Vec<String>, StoreError> {
    count(tx, &ALWAYS).await
}

async fn count(tx: &mut Tx<'_>, rules: &[Rule]) -> Result<Vec<String>, StoreError> {
    let mut broken = Vec::new();
    for (rule, count) in rules {
        let count: i64 = tx.one(*count, params![]).await?.get("broken")?;
        if count > 0 {
            broken.push(format!("{count} {rule}"));
        }
    }
    Ok(broken)
}

/// Answers of turns that ended well whose calls and results do not match. The calls are in JSON, so SQL
/// can't count them.
async fn calls_without_result(tx: &mut Tx<'_>) -> Result<usize, StoreError> {
    let rows = tx
        .all(
            sql!(
                "SELECT e.body, (SELECT COUNT(*) FROM entries r
                     WHERE r.turn_id = e.turn_id AND r.step = e.step AND r.call_index IS NOT NULL) AS results
                 FROM entries e JOIN turns t ON t.id = e.turn_id
                 WHERE e.role = 'assistant' AND t.status = 'done'"
            ),
            params![],
        )
        .await?;
    let mut open = 0;
    for row in &rows {
        let answer: Answer = row.json("body")?;
        open += usize::from(i64::try_from(answer.calls.len()).ok() != Some(row.get("results")?));
    }
    Ok(open)
}
