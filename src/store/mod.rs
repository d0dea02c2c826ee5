//! The only SQL. One file per table, functions over a [`Tx`]; transactions are composed by their users.
//!
//! One SQL text serves SQLite and PostgreSQL. On SQLite every write is run by one writer that puts the
//! transactions waiting at that moment into one commit; on PostgreSQL each has its own and is repeated
//! when the database asks for it. Bodies are therefore pure: no effect outside the database.

mod backup;
mod check;
mod db;
mod error;
mod host;
mod lite;
mod news;
mod open;
#[cfg(feature = "planted-faults")]
mod planted;
mod pool;
mod pulse;
mod renames;
mod wall;
mod writer;

pub mod attendance;
pub mod chats;
pub mod conversations;
pub mod cursors;
pub mod deliveries;
pub mod entries;
pub mod events;
pub mod exchanges;
pub mod focuses;
pub mod hints;
pub mod inbox;
pub mod leases;
pub mod local;
pub mod messages;
pub mod nodes;
pub mod notes;
pub mod pauses;
pub mod people;
pub mod retention;
pub mod runs;
pub mod session_lists;
pub mod sessions;
pub mod trees;
pub mod turns;
pub mod waits;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::mpsc;

pub use backup::Backup;
pub use check::Audit;
pub use db::{Param, Row, Sql, Tx};
pub(crate) use db::{params, sql, words};
pub use error::StoreError;
use host::Deaf;
pub use host::{Disk, Fate, Host};
pub use news::News;
pub(crate) use open::private_folder;
pub use open::{Access, SCHEMA};

use crate::crash::{self, Side};
use crate::time::Clock;
use db::Conn;
use lite::Connections;
use news::Teller;
use pool::{LONGEST, Pool};
use pulse::Pulse;
use renames::Renames;
use wall::Wall;
use writer::Job;

/// How often PostgreSQL may ask for a repetition before the transaction counts as failed.
const REPEATS: u32 = 20;

/// A change of the database that happens wholly or not at all.
///
/// Bodies may run more than once and must have no effect outside the database.
#[async_trait]
pub trait Transaction: Send + Sync + 'static {
    /// What the caller learns from it.
    type Output: Send + 'static;

    /// Its name in ARCHITECTURE.md's table, in logs, and as a crash point.
    const NAME: &'static str;

    /// The body. An `Err` undoes everything it did.
    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, StoreError>;
}

/// A look at the database that changes nothing. Runs on a connection of its own.
#[async_trait]
pub trait Read: Send + Sync {
    /// What is read.
    type Output: Send;

    /// The body.
    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, StoreError>;
}

/// The database. Cheap to clone; the last clone closes it.
#[derive(Clone)]
pub struct Store {
    backend: Backend,
    clock: Arc<dyn Clock>,
    pulse: Arc<Pulse>,
    renames: Arc<Renames>,
}

#[derive(Clone)]
enum Backend {
    Lite {
        writer: mpsc::Sender<Box<dyn Job>>,
        readers: Arc<Connections>,
        /// Only in simulations.
        shared: bool,
        /// Only in simulations: whether a read is not answered.
        deaf: Option<Deaf>,
        _lock: Arc<Option<std::fs::File>>,
    },
    Pg {
        pool: Pool,
        teller: Teller,
        wall: Arc<Wall>,
    },
}

impl Store {
    /// The same database for a team in which agents have had other ids: `former` ones, each with today's.
    pub fn with_former_ids(self, former: BTreeMap<String, String>) -> Self {
        Self { renames: Arc::new(Renames(former)), ..self }
    }

    /// The clock that all stored times are on.
    pub fn now(&self) -> i64 {
        self.clock.now()
    }

    /// How many milliseconds the nodes' time is ahead of the database's own clock, which may be set; for [`attendance`]
    /// only.
    pub fn ahead(&self) -> i64 {
        match &self.backend {
            Backend::Pg { wall, .. } => wall.ahead(),
            Backend::Lite { .. } => 0,
        }
    }

    /// Whether other nodes may share this database.
    pub fn shared(&self) -> bool {
        match self.backend {
            Backend::Lite { shared, .. } => shared,
            Backend::Pg { .. } => true,
        }
    }

    /// What is wrong with the database, as far as the last transactions tell; nothing stored for longer than `longest`
    /// is.
    pub fn trouble(&self, longest: Duration) -> Option<String> {
        self.pulse.trouble(longest)
    }

    /// Runs a transaction and returns when it is durable.
    pub async fn commit<T: Transaction>(&self, body: T) -> Result<T::Output, StoreError> {
        let outcome = match &self.backend {
            Backend::Lite { writer, .. } => {
                let (job, outcome) = writer::job(body, self.renames.clone());
                writer.send(job).await.map_err(|_| StoreError::Closed)?;
                outcome.await.map_err(|_| StoreError::Closed)?
            }
            Backend::Pg { pool, .. } => self.commit_pg(pool, &body).await,
        };
        self.pulse.feel(T::NAME, &outcome);
        outcome
    }

    async fn commit_pg<T: Transaction>(&self, pool: &Pool, body: &T) -> Result<T::Output, StoreError> {
        let (mut repeats, mut lost) = (0, 0);
        loop {
            match self.try_pg(pool, body).await {
                Err(error) if error.wants_retry() && repeats < REPEATS => repeats += 1,
                Err(error) if error.is_lost() && lost < pool.most_lost() => lost += 1,
                outcome => return outcome,
            }
        }
    }

    async fn try_pg<T: Transaction>(&self, pool: &Pool, body: &T) -> Result<T::Output, StoreError> {
        let mut lent = pool.lend().await?;
        let answered = tokio::time::timeout(LONGEST, self.run_pg(&mut lent.conn, body)).await;
        lent.ended(answered)
    }

    async fn run_pg<T: Transaction>(
        &self,
        conn: &mut PgConnection,
        body: &T,
    ) -> Result<T::Output, StoreError> {
        let mut transaction = conn.begin().await?;
        let output = body.run(&mut Tx::new(Conn::Pg(&mut transaction), self.now(), &self.renames)).await?;
        crash::point("commit", T::NAME, Side::Before);
        transaction.commit().await.map_err(StoreError::Unconfirmed)?;
        crash::point("commit", T::NAME, Side::After);
        Ok(output)
    }

    /// Reads. Sees everything that was committed before the call. On SQLite all of it is of one moment, and it runs on the
    /// thread of the caller: the look-ups are short, and going elsewhere takes longer than they do.
    pub async fn read<R: Read>(&self, body: R) -> Result<R::Output, StoreError> {
        match &self.backend {
            Backend::Lite { deaf: Some(deaf), .. } if deaf() => Err(StoreError::Silent),
            Backend::Lite { readers, .. } => {
                let mut reader = readers.take()?;
                reader.conn().execute("BEGIN", &[])?;
                let output =
                    body.run(&mut Tx::new(Conn::Lite(reader.conn()), self.now(), &self.renames)).await;
                // After some errors SQLite has ended it by itself.
                let ended = reader.conn().execute("COMMIT", &[]);
                output.and_then(|output| ended.map(|_| output))
            }
            Backend::Pg { pool, .. } => {
                let mut lost = 0;
                loop {
                    match self.read_pg(pool, &body).await {
                        Err(error) if error.is_lost() && lost < pool.most_lost() => lost += 1,
                        outcome => return outcome,
                    }
                }
            }
        }
    }

    async fn read_pg<R: Read>(&self, pool: &Pool, body: &R) -> Result<R::Output, StoreError> {
        let mut lent = pool.lend().await?;
        let answered = tokio::time::timeout(LONGEST, async {
            body.run(&mut Tx::new(Conn::Pg(&mut lent.conn), self.now(), &self.renames)).await
        });
        let answered = answered.await;
        lent.ended(answered)
    }
}
