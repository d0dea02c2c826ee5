//! The connections to PostgreSQL: how long an answer is waited for, and which of them are used again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, Postgres};
use tokio::time::error::Elapsed;

use super::StoreError;

/// PostgreSQL answers within this time, or its connection is given up: one that was lost without a word would keep who
/// waits for it for hours.
pub(super) const LONGEST: Duration = Duration::from_secs(30);

/// How long a connection may be waited for, and how long its way back to the pool may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A pool of connections.
#[derive(Clone)]
pub(super) struct Pool {
    pool: PgPool,
    /// When one was last given up because there was no answer. Where a server has gone without a word, all that were
    /// made until then are lost, and they are not found out one by one.
    silent: Arc<Mutex<Option<Instant>>>,
}

impl Pool {
    pub async fn connect(options: PgConnectOptions, connections: u32) -> Result<Self, sqlx::Error> {
        let silent = Arc::<Mutex<Option<Instant>>>::default();
        let seen = silent.clone();
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(PATIENCE)
            .test_before_acquire(false)
            .before_acquire(move |_, meta| {
                let silent = *seen.lock().unwrap_or_else(PoisonError::into_inner);
                let lost = silent.is_some_and(|at| meta.age > at.elapsed());
                Box::pin(std::future::ready(Ok(!lost)))
            })
            .connect_with(options)
            .await?;
        Ok(Self { pool, silent })
    }

    /// Gives a connection out.
    pub async fn lend(&self) -> Result<Lent, StoreError> {
        Ok(Lent { conn: self.pool.acquire().await?, silent: self.silent.clone(), ended: false })
    }

    /// So many connections may turn out to be lost before a new one is made.
    pub fn most_lost(&self) -> u32 {
        self.pool.options().get_max_connections()
    }
}

/// A connection at work. It goes back to the pool only when its work has ended: of one that was left amid a statement
/// the pool would first wait for the answer, without a limit and with its place taken.
pub(super) struct Lent {
    pub conn: PoolConnection<Postgres>,
    silent: Arc<Mutex<Option<Instant>>>,
    ended: bool,
}

impl Lent {
    /// Its work has ended, or no answer has come in time.
    pub fn ended<T>(mut self, answered: Result<Result<T, StoreError>, Elapsed>) -> Result<T, StoreError> {
        let outcome = answered.unwrap_or_else(|_| {
            fell_silent(&self.silent);
            Err(StoreError::Silent)
        });
        self.ended = !outcome.as_ref().is_err_and(StoreError::spoils);
        outcome
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if !self.ended {
            self.conn.close_on_drop();
            return;
        }
        // On its way back it is asked for a sign of life. The pool would wait for that without a limit, and with its
        // place taken.
        let (back, silent) = (self.conn.return_to_pool(), self.silent.clone());
        tokio::spawn(async move {
            if tokio::time::timeout(PATIENCE, back).await.is_err() {
                fell_silent(&silent);
            }
        });
    }
}

fn fell_silent(silent: &Mutex<Option<Instant>>) {
    *silent.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
}
