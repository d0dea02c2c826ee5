//! Whether everything that is at work waits for a model, and nothing else is left to do.

use async_trait::async_trait;
use roundtable::store::{Read, Sql, StoreError, Tx};

/// Looks.
pub struct Look;

/// What there is to do.
#[derive(Debug)]
pub struct Quiet {
    /// Turns that run: each waits for its model, or is at work.
    pub running: usize,
    /// Turns and items that should go on by themselves.
    pub queued: i64,
    /// Messages of people that were taken in, ever.
    pub heard: i64,
    /// Deliveries that are not over.
    pub open: i64,
    /// Shown when nothing goes on.
    pub all: String,
}

#[async_trait]
impl Read for Look {
    type Output = Quiet;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Quiet, StoreError> {
        let text = "SELECT (SELECT COUNT(*) FROM turns WHERE status = 'running') AS running,
               (SELECT COUNT(*) FROM turns t WHERE status = 'waiting' AND NOT EXISTS (
                    SELECT 1 FROM waits w WHERE w.turn_id = t.id AND w.resolved_at IS NULL))
               + (SELECT COUNT(*) FROM inbox i WHERE turn_id IS NULL AND wake = 1 AND not_before = 0
                    AND NOT EXISTS (SELECT 1 FROM turns t WHERE t.session_id = i.session_id
                                    AND t.status IN ('running', 'waiting'))) AS queued,
               (SELECT COUNT(*) FROM inbox WHERE kind = 'user') AS heard,
               (SELECT COUNT(*) FROM deliveries WHERE state IN ('pending', 'sending', 'unknown')) AS open,
               (SELECT COUNT(*) FROM turns WHERE status = 'waiting') || ' turns wait, '
               || (SELECT COUNT(*) FROM runs WHERE ended_at IS NULL) || ' runs live, '
               || (SELECT COUNT(*) FROM inbox WHERE turn_id IS NULL) || ' items unread' AS all_of_it";
        let row = tx.one(Sql { lite: text, pg: text }, &[]).await?;
        Ok(Quiet {
            running: usize::try_from(row.get::<i64>("running")?).expect("a count"),
            queued: row.get("queued")?,
            heard: row.get("heard")?,
            open: row.get("open")?,
            all: row.get("all_of_it")?,
        })
    }
}
