//! What is not over, for the story of a world that does not come to rest.

use async_trait::async_trait;
use roundtable::store::{Read, Store, StoreError, Tx};

use super::{NONE, sql};

/// What is not over, a line each, for the story of a world that does not come to rest.
pub async fn left_over(store: &Store) -> Vec<String> {
    store.read(LeftOver).await.expect("the database can be read")
}

/// What is not over yet.
const OPEN: &str = "SELECT 'turn ' || id || ' of session ' || session_id || ' is ' || status || ', token ' || token
         || ', step ' || step || ', lease until ' || lease_until || ', of ' || node AS line
     FROM turns WHERE status IN ('running', 'waiting')
     UNION ALL SELECT 'wait ' || id || ' of turn ' || turn_id || ', ' || kind || ', step ' || step || ', due '
         || COALESCE(due_at, 0) || ', ' || COALESCE(outcome, 'open') FROM waits
     WHERE turn_id IN (SELECT id FROM turns WHERE status IN ('running', 'waiting'))
     UNION ALL SELECT kind || ' item ' || id || ' of session ' || session_id || ', not before ' || not_before
     FROM inbox WHERE turn_id IS NULL AND wake = 1
     UNION ALL SELECT 'run ' || id || ' of session ' || session_id || ' for session ' || requester_id
         || ' is ' || status || ', due ' || COALESCE(due_at, 0) FROM runs WHERE ended_at IS NULL
     UNION ALL SELECT 'exchange ' || id || ' of session ' || sender_id || ' with session ' || target_id
         || ', next ' || next_id FROM exchanges WHERE ended_at IS NULL
     UNION ALL SELECT 'delivery ' || id || ' is ' || state || ', due ' || due_at || ': ' || COALESCE(error, '')
     FROM deliveries WHERE state IN ('pending', 'sending', 'unknown', 'failed')";

struct LeftOver;

#[async_trait]
impl Read for LeftOver {
    type Output = Vec<String>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<String>, StoreError> {
        tx.all(sql(OPEN), &NONE).await?.iter().map(|row| row.get("line")).collect()
    }
}
