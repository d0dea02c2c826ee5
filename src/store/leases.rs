//! Leases with fencing tokens: who may hold a connection of an account.

use roundtable_contract::Connection;

use super::{StoreError, Tx, params, sql};

/// The name of the lease of a connection.
pub fn of_connection(connection: &Connection) -> String {
    format!("account:{connection}")
}

/// Takes the lease `name` for `node` until `until` if it is free, over, or already the node's own.
/// Returns the fencing token, which rises whenever the holder changes; `None`: another node holds it.
pub async fn take(tx: &mut Tx<'_>, name: &str, node: &str, until: i64) -> Result<Option<i64>, StoreError> {
    let row = tx
        .optional(
            sql!(
                "INSERT INTO leases (name, node, token, until) VALUES ($1, $2, 1, $3)
                 ON CONFLICT (name) DO UPDATE SET until = excluded.until, node = excluded.node,
                     token = leases.token + CASE WHEN leases.node = excluded.node THEN 0 ELSE 1 END
                 WHERE leases.node = excluded.node OR leases.until < $4
                 RETURNING token"
            ),
            params![name, node, until, tx.now()],
        )
        .await?;
    row.map(|row| row.get("token")).transpose()
}

/// When a lease that somebody has had is over.
pub async fn until(tx: &mut Tx<'_>, name: &str) -> Result<i64, StoreError> {
    tx.one(sql!("SELECT until FROM leases WHERE name = $1"), params![name]).await?.get("until")
}

/// The leases that other nodes hold now.
pub async fn of_others(tx: &mut Tx<'_>, node: &str) -> Result<Vec<String>, StoreError> {
    let now = tx.now();
    let rows =
        tx.all(sql!("SELECT name FROM leases WHERE node <> $1 AND until >= $2"), params![node, now]).await?;
    rows.iter().map(|row| row.get("name")).collect()
}

/// Gives one lease of a node back.
pub async fn release(tx: &mut Tx<'_>, name: &str, node: &str) -> Result<(), StoreError> {
    tx.execute(sql!("UPDATE leases SET until = 0 WHERE name = $1 AND node = $2"), params![name, node])
        .await?;
    Ok(())
}

/// Gives all leases of a node back, so that another can take them at once.
pub async fn release_all(tx: &mut Tx<'_>, node: &str) -> Result<(), StoreError> {
    tx.execute(sql!("UPDATE leases SET until = 0 WHERE node = $1"), params![node]).await?;
    Ok(())
}

/// Voids every lease of every other node: on SQLite, under the file lock, they are all of the past.
pub async fn void_others(tx: &mut Tx<'_>, node: &str) -> Result<(), StoreError> {
    tx.execute(sql!("UPDATE leases SET until = 0 WHERE node <> $1"), params![node]).await?;
    tx.execute(
        sql!("UPDATE turns SET lease_until = 0 WHERE status = 'running' AND node <> $1"),
        params![node],
    )
    .await?;
    Ok(())
}
