//! PostgreSQL's clock, as far as nodes follow it: all of them do, so that they compare leases on one clock. Somebody may
//! set it, though, and then their time goes on as before: nothing is due early, late or twice for that.
//!
//! A node's own clock counts no time during which its machine stands still, as a virtual one does that is paused.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::{Read, Store, StoreError, Tx, attendance, params, sql};
use crate::time::millis;

/// A difference of more milliseconds is no drift: the clock was set.
const STEP: i64 = 1_000;

/// A clock is set for the first time by an answer that took no longer, in milliseconds, or by the last of so many: it may
/// be late by that.
const QUICK: i64 = 50;
const ASKS: usize = 5;

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
    pub async fn begin(&self, store: &Store) -> Result<(), StoreError> {
        let seen = store.read(Attendance).await?;
        for ask in 1..=ASKS {
            let (told, asked) = store.read(Ask).await?;
            if millis(asked.elapsed()) > QUICK && ask < ASKS {
                continue;
            }
            if let Some(seen) = seen.filter(|seen| (told - seen.wall).abs() < RECENT) {
                self.0.store(seen.ahead(), Ordering::Relaxed);
            }
            store.clock.set(told + self.ahead());
            break;
        }
        Ok(())
    }

    /// Keeps a clock near PostgreSQL's. When the two are suddenly far apart, either PostgreSQL's was set, and the nodes'
    /// time goes on as before; or this node's stood still, because its machine was suspended: then another node is seen
    /// ahead of it, at the latest some renewals later, and it goes by that one's time.
    pub async fn follow(&self, store: &Store) -> Result<(), StoreError> {
        let seen = store.read(Attendance).await?;
        let (told, asked) = store.read(Ask).await?;
        // Nothing is waited for between this and the setting: another who follows at this moment would do it again.
        let (ours, took) = (store.now(), asked.elapsed());
        let others = seen.filter(|seen| seen.nodes - ours > STEP);
        if let Some(others) = others {
            self.0.store(others.ahead(), Ordering::Relaxed);
        }
        match off_by(ours, told + self.ahead(), took) {
            None => {}
            Some(by) if by.abs() <= STEP => store.clock.anchor(store.now() + by),
            Some(by) if by > 0 && others.is_some() => {
                tracing::warn!(by.ms = by, "this node's clock stood still; it goes by the other nodes'");
                store.clock.anchor(store.now() + by);
            }
            Some(by) => {
                tracing::warn!(
                    by.ms = by,
                    "the database's clock was set; due times and leases go on as before"
                );
                self.0.fetch_sub(by, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

/// By how much a clock that shows `ours` is off at least, when the one that it follows has told `told` and took so long for
/// that: by then it shows that, or as much more. A clock that were set to what is told would jump with every answer that
/// is quicker than the one before, and what waits for a time would be too early by that.
fn off_by(ours: i64, told: i64, took: Duration) -> Option<i64> {
    let nearest = ours.clamp(told, told + millis(took));
    (nearest != ours).then_some(nearest - ours)
}

/// When nodes were last seen at work.
#[derive(Clone, Copy)]
struct Seen {
    /// On their clock.
    nodes: i64,
    /// On PostgreSQL's.
    wall: i64,
}

impl Seen {
    fn ahead(&self) -> i64 {
        self.nodes - self.wall
    }
}

/// Reads when nodes were last seen at work.
struct Attendance;

#[async_trait]
impl Read for Attendance {
    type Output = Option<Seen>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Seen>, StoreError> {
        let (mut nodes, mut wall) = (None, None);
        for row in tx.all(sql!("SELECT id, seen_at FROM attendance"), params![]).await? {
            match row.get("id")? {
                attendance::NODES => nodes = Some(row.get("seen_at")?),
                attendance::WALL => wall = Some(row.get("seen_at")?),
                _ => {}
            }
        }
        Ok(nodes.zip(wall).map(|(nodes, wall)| Seen { nodes, wall }))
    }
}

/// Reads PostgreSQL's time, and when it was asked for it.
struct Ask;

#[async_trait]
impl Read for Ask {
    type Output = (i64, Instant);

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(i64, Instant), StoreError> {
        let asked = Instant::now();
        let now = sql!(
            lite: "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now",
            pg: "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS now"
        );
        let now = tx.one(now, params![]).await?.get("now")?;
        Ok((now, asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_moved_only_as_far_as_it_is_known_to_be_off() {
        let took = Duration::from_millis(30);
        assert_eq!(off_by(1_000, 1_010, took), Some(10), "it is that late at least");
        assert_eq!([1_000, 990, 970].map(|told| off_by(1_000, told, took)), [None; 3], "it may be right");
        assert_eq!(off_by(1_000, 960, took), Some(-10));
    }
}
