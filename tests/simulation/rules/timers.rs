//! What is due at a time does not happen before, and comes no nearer while no node is at work.

use std::collections::BTreeMap;

use async_trait::async_trait;
use roundtable::store::{Read, Row, StoreError, Tx};

use super::super::node::{LEASE, SKEW};
use super::{NONE, sql};

/// Runs and waits with their due times, and whether they ended because of them. A provider that asked for a pause has
/// counted on, and the turn of a child has a deadline of its own.
const TIMERS: &str = "SELECT 'run ' || id AS name, due_at, ended_at, CASE WHEN status = 'timed_out' AND NOT EXISTS (
         SELECT 1 FROM turns t WHERE t.session_id = runs.session_id AND t.status = 'timed_out')
         THEN 1 ELSE 0 END AS fired FROM runs
     UNION ALL SELECT 'wait ' || id, due_at, resolved_at, CASE WHEN outcome = 'due' THEN 1 ELSE 0 END FROM waits
     WHERE due_at IS NOT NULL AND kind <> 'model'";

/// Looks for what has a due time, and for when a node last said that it was at work.
pub(super) struct Due;

/// Something with a due time.
pub(super) struct Timed {
    name: String,
    due_at: i64,
    ended_at: Option<i64>,
    fired: bool,
}

#[async_trait]
impl Read for Due {
    type Output = (Vec<Timed>, i64);

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(Vec<Timed>, i64), StoreError> {
        let timed = |row: &Row| {
            let (due_at, ended_at) = (row.get("due_at")?, row.get("ended_at")?);
            Ok(Timed { name: row.get("name")?, due_at, ended_at, fired: row.flag("fired")? })
        };
        let timed = tx.all(sql(TIMERS), &NONE).await?.iter().map(timed).collect::<Result<_, StoreError>>()?;
        let seen = "SELECT COALESCE(MAX(seen_at), 0) AS seen FROM attendance WHERE id = 1";
        Ok((timed, tx.one(sql(seen), &NONE).await?.get("seen")?))
    }
}

/// What has not ended, with its due time and the earliest at which it may happen.
#[derive(Default)]
pub(super) struct Timers {
    open: BTreeMap<String, (i64, i64)>,
    seen: i64,
    /// What the clock showed when the last node went, and when one had said that it was at work.
    left: Option<(i64, i64)>,
}

impl Timers {
    /// Takes what is there now; gives what has happened too early.
    pub(super) fn take(&mut self, (timed, seen): (Vec<Timed>, i64)) -> Vec<String> {
        let mut early = Vec::new();
        self.seen = seen;
        for Timed { name, due_at, ended_at, fired } in timed {
            let (due, earliest) = self.open.remove(&name).unwrap_or((due_at, due_at));
            match ended_at {
                Some(at) if fired && at + SKEW < earliest => {
                    early.push(format!(
                        "{name}, due at {due_at}, was over at {at} and should not be before {earliest}"
                    ));
                }
                Some(_) => {}
                None if due_at == due => drop(self.open.insert(name, (due, earliest))),
                None => {
                    if due_at + 2 * SKEW < earliest {
                        early.push(format!("{name} is due at {due_at} and should not be before {earliest}"));
                    }
                    self.open.insert(name, (due_at, due_at));
                }
            }
        }
        early
    }

    /// The last node has gone. One that never said that it was at work was not.
    pub(super) fn gone(&mut self, now: i64) {
        if self.left.is_none_or(|(_, seen)| seen != self.seen) {
            self.left = Some((now, self.seen));
        }
    }

    /// A node is there again: what is open has as much time left as when the last one went. That one said a little before
    /// it went that it was at work, so whether it is away for longer than a lease may be seen otherwise by as much: then
    /// the earlier time counts.
    pub(super) fn back(&mut self, now: i64) {
        let away = self.left.map_or(0, |(at, _)| now - at);
        let lease = i64::try_from(LEASE.as_millis()).expect("it is small");
        let moved = away > lease + SKEW || away < SKEW - lease;
        for (due, earliest) in self.open.values_mut() {
            *earliest = if moved { *due + away } else { *due };
        }
    }
}
