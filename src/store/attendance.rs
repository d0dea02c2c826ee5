//! Attendance: when a node was last at work. What has a due time is given the time during which none was.

use super::{StoreError, Tx, params, sql};

/// Notes that a node is at work. If none was for longer than `longest` milliseconds, live runs and open waits get
/// that time; not the waits for a model, whose provider has counted on.
pub async fn note(tx: &mut Tx<'_>, longest: i64) -> Result<(), StoreError> {
    let now = tx.now();
    tx.execute(
        sql!("INSERT INTO attendance (id, seen_at) VALUES (1, $1) ON CONFLICT (id) DO NOTHING"),
        params![now],
    )
    .await?;
    tx.lock(
        sql!(lite: "SELECT id FROM attendance WHERE id = 1", pg: "SELECT id FROM attendance WHERE id = 1 FOR UPDATE"),
        params![],
    )
    .await?;
    let seen_at: i64 =
        tx.one(sql!("SELECT seen_at FROM attendance WHERE id = 1"), params![]).await?.get("seen_at")?;
    tx.execute(sql!("UPDATE attendance SET seen_at = $1 WHERE id = 1 AND seen_at < $1"), params![now])
        .await?;
    let away = now - seen_at;
    if away > longest {
        tracing::info!(away.ms = away, "nobody was at work for a while; what is live has so much more time");
        tx.execute(sql!("UPDATE runs SET due_at = due_at + $1 WHERE ended_at IS NULL"), params![away])
            .await?;
        tx.execute(
            sql!("UPDATE waits SET due_at = due_at + $1 WHERE resolved_at IS NULL AND kind <> 'model'"),
            params![away],
        )
        .await?;
    }
    Ok(())
}
