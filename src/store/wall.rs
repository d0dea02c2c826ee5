//! PostgreSQL's clock, as far as nodes follow it: all of them do, so that they compare leases on one clock. Somebody may
//! set it, though, and then their time goes on as before: nothing is due early, late or twice for that.
//!
//! A node's own clock counts no time during which its machine is suspended, on Linux (clock_gettime(2),
//! `CLOCK_MONOTONIC`).

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use sqlx::PgPool;

use super::{StoreError, attendance, sql};
use crate::time::Clock;

/// A clock that is asked and answers later than this is not followed: its time is long over.
const ROUND_TRIP: Duration = Duration::from_millis(250);

/// A difference of more milliseconds is no drift: the clock was set.
const STEP: i64 = 1_000;

/// Nodes that were seen within so many milliseconds are at work, and whoever comes goes by their time.
const RECENT: i64 = 60_000;

/// How far the nodes' time is ahead of PostgreSQL's clock, since that was set.
#[derive(Default)]
pub(super) struct Wall(AtomicI64);

impl Wall {
    pub fn ahead(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets a node's clock for the first time: by the time of those that are at work, else by PostgreSQL's.
    pub async fn begin(&self, pool: &PgPool, clock: &dyn Clock) -> Result<(), StoreError> {
        let seen = Seen::read(pool).await?;
        let (now, _) = ask(pool).await?;
        if let Some(seen) = seen.filter(|seen| (now - seen.wall).abs() < RECENT) {
            self.0.store(seen.ahead(), Ordering::Relaxed);
        }
        clock.anchor(now + self.ahead());
        Ok(())
    }

    /// Keeps a clock near PostgreSQL's. When the two are suddenly far apart, either PostgreSQL's was set, and the nodes'
    /// time goes on as before; or this node's stood still, because its machine was suspended: then the other nodes are
    /// ahead of it, and it goes by their time.
    pub async fn follow(&self, pool: &PgPool, clock: &dyn Clock) -> Result<(), StoreError> {
        let (now, asked) = ask(pool).await?;
        let ours = clock.now();
        let apart = now + self.ahead() - ours;
        let theirs = if apart > STEP { Seen::read(pool).await? } else { None };
        if let Some(seen) = theirs.filter(|seen| seen.nodes - ours > STEP) {
            tracing::warn!(
                by.ms = seen.nodes - ours,
                "this node's clock stood still; it goes by the other nodes'"
            );
            self.0.store(seen.ahead(), Ordering::Relaxed);
        } else if asked > ROUND_TRIP {
            return Ok(());
        } else if apart.abs() > STEP {
            tracing::warn!(
                by.ms = apart,
                "the database's clock was set; due times and leases go on as before"
            );
            self.0.store(ours - now, Ordering::Relaxed);
        }
        clock.anchor(now + self.ahead());
        Ok(())
    }
}

/// When nodes were last seen at work.
struct Seen {
    /// On their clock.
    nodes: i64,
    /// On PostgreSQL's.
    wall: i64,
}

impl Seen {
    async fn read(pool: &PgPool) -> Result<Option<Self>, StoreError> {
        let rows: Vec<(i64, i64)> =
            sqlx::query_as(sql!("SELECT id, seen_at FROM attendance").pg).fetch_all(pool).await?;
        let at = |wanted: i64| rows.iter().find(|(id, _)| *id == wanted).map(|(_, at)| *at);
        Ok(at(attendance::NODES).zip(at(attendance::WALL)).map(|(nodes, wall)| Self { nodes, wall }))
    }

    fn ahead(&self) -> i64 {
        self.nodes - self.wall
    }
}

/// PostgreSQL's time, and how long it took to tell it.
async fn ask(pool: &PgPool) -> Result<(i64, Duration), StoreError> {
    let mut conn = pool.acquire().await?;
    let asked = Instant::now();
    let now =
        sqlx::query_scalar(sql!("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)").pg);
    Ok((now.fetch_one(&mut *conn).await?, asked.elapsed()))
}
