//! SQLite's one writer: transactions that wait at the same moment share one commit, and so one fsync.

use futures::future::BoxFuture;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::db::Conn;
use super::lite::Lite;
use super::renames::Renames;
use super::{StoreError, Transaction, Tx};
use crate::crash::{self, Side};
use crate::time::Clock;

/// Jobs that may wait for the writer. Full: the caller waits, and with it the platform it reads from.
pub(super) const QUEUE: usize = 1024;

/// Jobs that share one commit at most: bounds how long the first of them waits for the last.
pub(super) const GROUP: usize = 128;

/// A transaction without its type: runs inside a group, and answers its caller after the commit.
pub(super) trait Job: Send {
    fn name(&self) -> &'static str;
    fn run<'a>(&'a mut self, conn: &'a mut Lite, now: i64) -> BoxFuture<'a, bool>;
    fn answer(self: Box<Self>, commit: Result<(), StoreError>);
}

type Outcome<T> = Result<<T as Transaction>::Output, StoreError>;

struct Pending<T: Transaction> {
    body: T,
    renames: Arc<Renames>,
    outcome: Option<Outcome<T>>,
    reply: oneshot::Sender<Outcome<T>>,
}

impl<T: Transaction> Job for Pending<T> {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn run<'a>(&'a mut self, conn: &'a mut Lite, now: i64) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let outcome = self.body.run(&mut Tx::new(Conn::Lite(conn), now, &self.renames)).await;
            let keep = outcome.is_ok();
            self.outcome = Some(outcome);
            keep
        })
    }

    fn answer(self: Box<Self>, commit: Result<(), StoreError>) {
        let outcome = match (self.outcome, commit) {
            (Some(Ok(_)), Err(error)) => Err(error),
            (Some(outcome), _) => outcome,
            (None, commit) => Err(commit.err().unwrap_or(StoreError::Closed)),
        };
        // A caller that went away loses only the answer: the commit stands.
        let _ = self.reply.send(outcome);
    }
}

/// Makes the job of a transaction and the receiver of its outcome.
pub(super) fn job<T: Transaction>(
    body: T,
    renames: Arc<Renames>,
) -> (Box<dyn Job>, oneshot::Receiver<Outcome<T>>) {
    let (reply, outcome) = oneshot::channel();
    (Box::new(Pending { body, renames, outcome: None, reply }), outcome)
}

/// The queue to the writer, and the writer's loop, which ends when all senders are gone. It works on a thread of
/// its own, because statements and commits hold up whoever runs them.
pub(super) fn writer(
    conn: Lite,
    clock: Arc<dyn Clock>,
) -> (mpsc::Sender<Box<dyn Job>>, impl Future<Output = ()>) {
    let (sender, jobs) = mpsc::channel(QUEUE);
    let thread = async move {
        let (runtime, stop) = (Handle::current(), CancellationToken::new());
        // Whoever drops this future ends the thread with it.
        let _guard = stop.clone().drop_guard();
        let work = tokio::task::spawn_blocking(move || {
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => {}
                    () = serve(conn, &*clock, jobs) => {}
                }
            });
        });
        if let Err(error) = work.await {
            tracing::error!(%error, "the database's writer ended early; nothing is stored any more");
        }
    };
    (sender, thread)
}

async fn serve(mut conn: Lite, clock: &dyn Clock, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
    let mut group = Vec::with_capacity(GROUP);
    while jobs.recv_many(&mut group, GROUP).await > 0 {
        let outcome = commit(&mut conn, clock.now(), &mut group).await;
        for job in group.drain(..) {
            job.answer(outcome.as_ref().map_err(StoreError::again).copied());
        }
    }
}

/// Commits a group; its jobs are still to be answered.
pub(super) async fn commit(conn: &mut Lite, now: i64, group: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    let outcome = commit_group(conn, now, group).await;
    if outcome.is_err() {
        // The transaction may still be open (a full disk, for one): start the next one clean.
        let _ = conn.execute("ROLLBACK", &[]);
    }
    outcome
}

async fn commit_group(conn: &mut Lite, now: i64, group: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    conn.execute("BEGIN IMMEDIATE", &[])?;
    #[cfg(feature = "planted-faults")]
    let mut beside = false;
    // Nothing else hangs on the transaction of one alone: no part of it has to be undone.
    let alone = group.len() == 1;
    for job in group.iter_mut() {
        #[cfg(feature = "planted-faults")]
        super::planted::begins(std::mem::replace(&mut beside, true));
        if alone {
            if !job.run(conn, now).await {
                return conn.execute("ROLLBACK", &[]).map(drop);
            }
            continue;
        }
        conn.execute("SAVEPOINT job", &[])?;
        if !job.run(conn, now).await {
            conn.execute("ROLLBACK TO job", &[])?;
        }
        conn.execute("RELEASE job", &[])?;
    }
    for job in group.iter() {
        crash::point("commit", job.name(), Side::Before);
    }
    conn.execute("COMMIT", &[])?;
    for job in group.iter() {
        crash::point("commit", job.name(), Side::After);
    }
    Ok(())
}
