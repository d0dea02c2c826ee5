//! SQLite on the thread of whoever asks: for simulations, in which nothing may run beside the simulated program, so
//! that the same seed gives the same order. Several nodes of that thread can share a file.

use std::path::Path;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::mpsc;

use super::lite::Connections;
use super::pulse::Pulse;
use super::writer::{GROUP, Job, QUEUE, commit};
use super::{Backend, Store, StoreError};
use crate::time::Clock;

/// What becomes of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is made.
    Stored,
    /// It fails, and who asked for it is told.
    Refused,
    /// It is made, and who asked for it is told nothing but that.
    Unconfirmed,
}

/// What a commit waits for, and what becomes of it.
type Commits = Box<dyn Fn() -> BoxFuture<'static, Fate> + Send + Sync>;

/// Whether a read is not answered.
pub(super) type Deaf = Arc<dyn Fn() -> bool + Send + Sync>;

/// What is between a node and the file.
pub struct Disk {
    /// What a commit waits for before it begins, a slow disk, and what becomes of it.
    pub commits: Commits,
    /// Whether a read is not answered.
    pub deaf: Deaf,
}

impl Disk {
    /// One that stores everything at once and always answers.
    pub fn sound() -> Self {
        Self { commits: Box::new(|| async { Fate::Stored }.boxed()), deaf: Arc::new(|| false) }
    }
}

/// A file that has been migrated, with its connections, which outlive the nodes.
#[derive(Clone)]
pub struct Host(Arc<Connections>);

impl Host {
    /// The file at `path`; [`Store::open`] has made it.
    pub fn new(path: &Path) -> Self {
        Self(Arc::new(Connections::writing(path)))
    }

    /// Forgets everything that is stored, for the next simulation.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn clear(&self) -> Result<(), StoreError> {
        self.0.take()?.conn().clear()
    }

    /// A node's way to the file. The returned future is the node's writer: it must be polled, and dropping it is the
    /// death of the node, after which nothing it asked for is stored. `shared`: there may be other nodes.
    pub fn store(&self, clock: Arc<dyn Clock>, shared: bool, disk: Disk) -> (Store, BoxFuture<'static, ()>) {
        let (sender, jobs) = mpsc::channel(QUEUE);
        let serve = serve(self.0.clone(), clock.clone(), jobs, disk.commits);
        let deaf = Some(disk.deaf);
        let backend =
            Backend::Lite { writer: sender, readers: self.0.clone(), shared, deaf, _lock: Arc::default() };
        let store = Store { backend, clock, pulse: Arc::new(Pulse::new()), renames: Arc::default() };
        (store, serve.boxed())
    }
}

async fn serve(
    connections: Arc<Connections>,
    clock: Arc<dyn Clock>,
    mut jobs: mpsc::Receiver<Box<dyn Job>>,
    commits: Commits,
) {
    let mut group = Vec::new();
    while jobs.recv_many(&mut group, GROUP).await > 0 {
        let fate = commits().await;
        while group.len() < GROUP
            && let Ok(job) = jobs.try_recv()
        {
            group.push(job);
        }
        let outcome = match connections.take() {
            _ if fate == Fate::Refused => Err(StoreError::Commit("database: refused".into())),
            Ok(mut conn) => commit(conn.conn(), clock.now(), &mut group).await,
            Err(error) => Err(error),
        };
        for job in group.drain(..) {
            job.answer(match &outcome {
                Ok(()) if fate == Fate::Unconfirmed => Err(StoreError::Silent),
                outcome => outcome.as_ref().map_err(StoreError::again).copied(),
            });
        }
    }
}
