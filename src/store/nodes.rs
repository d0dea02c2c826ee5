//! The nodes that share the database, and what each of them holds.

use super::{StoreError, Tx, params, sql};

/// A node that went without a word is listed for so long, in milliseconds.
const REMEMBERED: i64 = 24 * 60 * 60 * 1000;

/// What the names of accounts' leases begin with.
const ACCOUNT: &str = "account:";

/// One row of the list of nodes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Node {
    /// Its name; new for every start.
    pub name: String,
    /// It was at work within its lease. One that is not has died, or can't reach the database.
    pub alive: bool,
    /// It was told to stop, and ends what it has begun.
    pub draining: bool,
    /// When it first wrote to the database, milliseconds since 1970.
    pub started_at: i64,
    /// When it last did.
    pub seen_at: i64,
    /// What it holds now: connections of accounts, written `telegram:main` and `discord:main/1`.
    pub holds: Vec<String>,
    /// Its turns that run. Those of a node that is gone go on elsewhere when their leases are over.
    pub turns: i64,
}

/// Notes that a node is at work, and drops those that have been gone for a day. The caller has locked the attendance.
pub async fn note(tx: &mut Tx<'_>, name: &str, lease: i64, draining: bool) -> Result<(), StoreError> {
    let now = tx.now();
    tx.execute(
        sql!(
            "INSERT INTO nodes (name, started_at, seen_at, until, draining) VALUES ($1, $2, $2, $3, $4)
             ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at, until = excluded.until,
                 draining = excluded.draining"
        ),
        params![name, now, now + lease, i64::from(draining)],
    )
    .await?;
    tx.execute(sql!("DELETE FROM nodes WHERE until < $1"), params![now - REMEMBERED]).await?;
    Ok(())
}

/// A node has ended well.
pub async fn left(tx: &mut Tx<'_>, name: &str) -> Result<(), StoreError> {
    tx.execute(sql!("DELETE FROM nodes WHERE name = $1"), params![name]).await?;
    Ok(())
}

/// Whether another node is at work that is not told to stop.
pub async fn others(tx: &mut Tx<'_>, name: &str) -> Result<bool, StoreError> {
    let now = tx.now();
    let other = tx
        .optional(
            sql!("SELECT name FROM nodes WHERE name <> $1 AND until >= $2 AND draining = 0 LIMIT 1"),
            params![name, now],
        )
        .await?;
    Ok(other.is_some())
}

/// All nodes, the oldest first.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<Node>, StoreError> {
    let now = tx.now();
    let held = tx
        .all(sql!("SELECT name, node FROM leases WHERE until >= $1 ORDER BY name"), params![now])
        .await?
        .iter()
        .map(|row| Ok((row.get("node")?, row.get("name")?)))
        .collect::<Result<Vec<(String, String)>, StoreError>>()?;
    tx.all(
        sql!(
            "SELECT n.name, n.started_at, n.seen_at, n.until, n.draining, (
                 SELECT COUNT(*) FROM turns t WHERE t.status = 'running' AND t.node = n.name) AS turns
             FROM nodes n ORDER BY n.started_at, n.name"
        ),
        params![],
    )
    .await?
    .iter()
    .map(|row| {
        let name: String = row.get("name")?;
        let holds = held.iter().filter(|(node, _)| *node == name);
        let holds = holds.map(|(_, lease)| lease.strip_prefix(ACCOUNT).unwrap_or(lease).to_owned()).collect();
        Ok(Node {
            alive: row.get::<i64>("until")? >= now,
            draining: row.get::<i64>("draining")? == 1,
            started_at: row.get("started_at")?,
            seen_at: row.get("seen_at")?,
            turns: row.get("turns")?,
            holds,
            name,
        })
    })
    .collect()
}
