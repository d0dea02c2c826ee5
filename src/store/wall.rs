//! PostgreSQL's clock, as far as nodes follow it: all of them do, so that they compare leases on one clock. Somebody may
//! set it, though, and then their time goes on as before: nothing is due early, late or twice for that.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use sqlx::PgPool;

use super::{StoreError, sql};
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
        let rows: Vec<(i64, i64)> =
            sqlx::query_as(sql!("SELECT id, seen_at FROM attendance").pg).fetch_all(pool).await?;
        let at = |wanted: i64| rows.iter().find(|(id, _)| *id == wanted).map(|(_, at)| *at);
        let (now, _) = ask(pool).await?;
        if let (Some(theirs), Some(then)) = (at(super::attendance::NODES), at(super::attendance::WALL))
            && (now - then).abs() < RECENT
        {
            self.0.store(theirs - then, Ordering::Relaxed);
        }
        clock.anchor(now + self.ahead());
        Ok(())
    }

    /// Keeps a clock near PostgreSQL's.
    pub async fn follow(&self, pool: &PgPool, clock: &dyn Clock) -> Result<(), StoreError> {
        let (now, asked) = ask(pool).await?;
        if asked > ROUND_TRIP {
            return Ok(());
        }
        let ours = clock.now();
        let set = now + self.ahead() - ours;
        if set.abs() > STEP {
            tracing::warn!(by.ms = set, "the database's clock was set; due times and leases go on as before");
            self.0.store(ours - now, Ordering::Relaxed);
        } else {
            clock.anchor(now + self.ahead());
        }
        Ok(())
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
