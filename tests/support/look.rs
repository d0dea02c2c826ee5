//! Looking into the database, for what nobody says aloud, and the one way to wait for it.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use roundtable::store::session_lists::{self, Filter};
use roundtable::store::{Access, Read, Sql, Store, StoreError, Tx};
use roundtable::time::SystemClock;
use roundtable_fakes::PATIENCE;

/// What a test can wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// What each session is doing, as `agent status`, sorted.
    pub sessions: Vec<String>,
    /// Every turn in order: its status, and the reason of one that did not answer.
    pub turns: Vec<String>,
    /// Items that no turn has taken.
    pub pending: i64,
    /// Entries that were written so far.
    pub entries: i64,
    /// Until when somebody holds an account, the longest of them; milliseconds.
    pub held_until: i64,
}

impl Rows {
    /// How many sessions are doing this.
    pub fn sessions_that_are(&self, status: &str) -> usize {
        self.sessions.iter().filter(|session| session.ends_with(status)).count()
    }
}

struct Look;

#[async_trait]
impl Read for Look {
    type Output = Rows;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Rows, StoreError> {
        let listed = session_lists::list(tx, &Filter { archived: true, ..Filter::default() }, 1_000).await?;
        let mut sessions: Vec<_> =
            listed.iter().map(|row| format!("{} {}", row.agent, row.status.as_str())).collect();
        sessions.sort();
        let turns = tx.all(both("SELECT status, reason FROM turns ORDER BY id"), &[]).await?;
        let turns = turns.iter().map(|row| {
            let (status, reason): (String, Option<String>) = (row.get("status")?, row.get("reason")?);
            Ok(reason.map_or(status.clone(), |reason| format!("{status} {reason}")))
        });
        let turns = turns.collect::<Result<_, StoreError>>()?;
        let pending = both("SELECT COUNT(*) AS count FROM inbox WHERE turn_id IS NULL");
        let entries = both("SELECT COUNT(*) AS count FROM entries");
        let held = both("SELECT COALESCE(MAX(until), 0) AS until FROM leases");
        Ok(Rows {
            sessions,
            turns,
            pending: tx.one(pending, &[]).await?.get("count")?,
            entries: tx.one(entries, &[]).await?.get("count")?,
            held_until: tx.one(held, &[]).await?.get("until")?,
        })
    }
}

fn both(text: &'static str) -> Sql {
    Sql { lite: text, pg: text }
}

/// Reads what is there now.
pub async fn rows(store: &Store) -> Rows {
    store.read(Look).await.expect("the database can be read")
}

/// Waits until the database says so, [`PATIENCE`] at most.
pub async fn until(store: &Store, what: &str, mut holds: impl FnMut(&Rows) -> bool) -> Rows {
    let end = Instant::now() + PATIENCE;
    loop {
        let rows = rows(store).await;
        if holds(&rows) {
            return rows;
        }
        assert!(Instant::now() < end, "waited {PATIENCE:?} for {what}; there is {rows:#?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A second look at the database of a running node.
pub async fn open(url: &str) -> Store {
    let (store, _nothing_to_write) =
        Store::open(url, 1, Access::Look, Arc::new(SystemClock::new())).await.expect("the database is there");
    store
}
