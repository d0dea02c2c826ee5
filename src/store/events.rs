//! Platform events that were taken, for the dedupe.

use roundtable_contract::AccountId;

use super::{StoreError, Tx, params, sql};

/// Stores that an event was taken and the rule that decided about it; [`StoreError::Duplicate`] if it
/// had been taken before.
pub async fn take(
    tx: &mut Tx<'_>,
    account: &AccountId,
    key: &str,
    conversation_id: i64,
    rule: &str,
) -> Result<(), StoreError> {
    let changed = tx
        .execute(
            sql!(
                "INSERT INTO events (channel, account, key, conversation_id, rule, created_at)
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (channel, account, key) DO NOTHING"
            ),
            params![&account.channel, &account.name, key, conversation_id, rule, tx.now()],
        )
        .await?;
    #[cfg(feature = "planted-faults")]
    let changed = changed.max(u64::from(super::planted::takes_twice()));
    if changed == 0 { Err(StoreError::Duplicate) } else { Ok(()) }
}
