//! Attendance: when a node was last at work. What has a due time is given the time during which none was, and moved with
//! the clock when that went back meanwhile.

use super::{StoreError, Tx, params, sql};

/// When a node was last at work, on the nodes' clock.
pub const NODES: i64 = 1;

/// The same moment on the database's own clock, which may be set.
pub const WALL: i64 = 2;

/// Notes that a node is at work, whose time is `ahead` of the database's own clock by so much. If none was for longer than `longest`
/// milliseconds, live runs and open waits get that time, and so do outcomes that are held for those of their siblings;
/// not the waits for a model, whose provider has counted on.
pub async fn note(tx: &mut Tx<'_>, longest: i64, ahead: i64) -> Result<(), StoreError> {
    // One moment on both, however long it took to get here: whoever comes next takes the difference for the truth.
    let (now, wall) = (tx.now(), tx.now() - ahead);
    for (id, at) in [(NODES, now), (WALL, wall)] {
        tx.execute(
            sql!("INSERT INTO attendance (id, seen_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING"),
            params![id, at],
        )
        .await?;
    }
    tx.lock(
        sql!(lite: "SELECT id FROM attendance WHERE id = $1", pg: "SELECT id FROM attendance WHERE id = $1 FOR UPDATE"),
        params![NODES],
    )
    .await?;
    let seen_at: i64 =
        tx.one(sql!("SELECT seen_at FROM attendance WHERE id = $1"), params![NODES]).await?.get("seen_at")?;
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
        tx.execute(
            sql!(
                "UPDATE inbox SET not_before = not_before + $1
                 WHERE turn_id IS NULL AND kind = 'announce' AND not_before > $2"
            ),
            params![away, seen_at],
        )
        .await?;
    }
    let back = away < -longest;
    if back && goes_on(tx, longest).await? {
        // It is this node's that stood still, since it was last compared.
        return Err(StoreError::Stale);
    }
    if back {
        tracing::warn!(
            by.ms = -away,
            "the clock was set back while nobody was at work; what is due moves with it"
        );
        move_back(tx, away, now + longest).await?;
    }
    // Nodes read their clocks a little before they come here.
    if back || away > 0 {
        for (id, at) in [(NODES, now), (WALL, wall)] {
            tx.execute(sql!("UPDATE attendance SET seen_at = $2 WHERE id = $1"), params![id, at]).await?;
        }
    }
    Ok(())
}

/// Whether the database's own clock was not set back since a node was last at work. SQLite's is the node's own.
async fn goes_on(tx: &mut Tx<'_>, longest: i64) -> Result<bool, StoreError> {
    tx.one(
        sql!(
            lite: "SELECT 0 AS goes_on",
            pg: "SELECT CASE WHEN CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) >= seen_at - CAST($2 AS BIGINT)
                     THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS goes_on FROM attendance WHERE id = $1"
        ),
        params![WALL, longest],
    )
    .await?
    .flag("goes_on")
}

/// Moves all that is due by `by` milliseconds. Leases that end after `latest` are of before.
async fn move_back(tx: &mut Tx<'_>, by: i64, latest: i64) -> Result<(), StoreError> {
    let moves = [
        sql!("UPDATE runs SET due_at = due_at + $1 WHERE ended_at IS NULL"),
        sql!("UPDATE waits SET due_at = due_at + $1 WHERE resolved_at IS NULL"),
        sql!(
            "UPDATE inbox SET not_before = not_before + $1
             WHERE turn_id IS NULL AND not_before > 0 AND not_before < 9223372036854775807"
        ),
        sql!(
            "UPDATE deliveries SET due_at = due_at + $1, call_until = call_until + $1
             WHERE state IN ('pending', 'sending', 'unknown') AND due_at < 9223372036854775807"
        ),
        sql!("UPDATE pauses SET until = until + $1"),
        sql!("UPDATE sessions SET erase_at = erase_at + $1 WHERE erase_at IS NOT NULL"),
    ];
    for statement in moves {
        tx.execute(statement, params![by]).await?;
    }
    let leases = [
        sql!("UPDATE leases SET until = until + $1 WHERE until > $2"),
        sql!("UPDATE nodes SET until = until + $1 WHERE until > $2"),
        sql!("UPDATE turns SET lease_until = lease_until + $1 WHERE status = 'running' AND lease_until > $2"),
    ];
    for statement in leases {
        tx.execute(statement, params![by, latest]).await?;
    }
    Ok(())
}
