//! What the program has said in a conversation and need not say again soon.

use super::{StoreError, Tx, params, sql};

/// A hint is not repeated for so long, in milliseconds.
pub const QUIET: i64 = 60 * 60 * 1000;

/// Remembers that a hint is said now; `false`: it was said less than [`QUIET`] ago, so it is not.
pub async fn say(tx: &mut Tx<'_>, conversation_id: i64, name: &str) -> Result<bool, StoreError> {
    let changed = tx
        .execute(
            sql!(
                "INSERT INTO hints (conversation_id, name, said_at) VALUES ($1, $2, $3)
                 ON CONFLICT (conversation_id, name) DO UPDATE SET said_at = excluded.said_at
                 WHERE hints.said_at <= $4"
            ),
            params![conversation_id, name, tx.now(), tx.now() - QUIET],
        )
        .await?;
    Ok(changed > 0)
}
