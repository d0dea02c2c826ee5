//! How far an account has been read.

use roundtable_contract::AccountId;

use super::{StoreError, Tx, params, sql};

/// Stores a position.
pub async fn advance(
    tx: &mut Tx<'_>,
    account: &AccountId,
    scope: &str,
    position: i64,
) -> Result<(), StoreError> {
    tx.execute(
        sql!(
            "INSERT INTO cursors (channel, account, scope, position, updated_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (channel, account, scope)
             DO UPDATE SET position = excluded.position, updated_at = excluded.updated_at"
        ),
        params![&account.channel, &account.name, scope, position, tx.now()],
    )
    .await?;
    Ok(())
}

/// All scopes of an account with their positions.
pub async fn positions(tx: &mut Tx<'_>, account: &AccountId) -> Result<Vec<(String, i64)>, StoreError> {
    tx.all(
        sql!("SELECT scope, position FROM cursors WHERE channel = $1 AND account = $2 ORDER BY scope"),
        params![&account.channel, &account.name],
    )
    .await?
    .iter()
    .map(|row| Ok((row.get("scope")?, row.get("position")?)))
    .collect()
}

/// The stored position and the time it was stored.
pub async fn position(
    tx: &mut Tx<'_>,
    account: &AccountId,
    scope: &str,
) -> Result<Option<(i64, i64)>, StoreError> {
    let row = tx
        .optional(
            sql!(
                "SELECT position, updated_at FROM cursors WHERE channel = $1 AND account = $2 AND scope = $3"
            ),
            params![&account.channel, &account.name, scope],
        )
        .await?;
    row.map(|row| Ok((row.get("position")?, row.get("updated_at")?))).transpose()
}
