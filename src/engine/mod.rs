//! Sessions as durable actors: claiming, the turn machine, its driver, and the scheduler.
//!
//! A turn is a row. While it runs, one task of one node drives it, owning it by a fencing token; when it
//! waits, no task exists. Whatever a task knows it has read from committed rows, so that any node can go
//! on where another stopped.

mod calling;
mod calls;
mod claim;
mod close;
mod commit;
mod context;
mod desk;
mod driven;
mod driver;
mod effects;
mod ending;
mod erase;
mod outcomes;
mod outlet;
mod patience;
#[cfg(feature = "planted-faults")]
mod planted;
mod recover;
mod renew;
mod replies;
mod roster;
mod round;
mod scheduler;
mod seats;
mod stop;
mod team;
mod threads;
mod transcripts;
mod turn;

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::store::Store;
use crate::store::turns::{Claimant, Turn};
use crate::time::millis;

pub use calls::CommitCalls;
pub use claim::claim_next;
pub use commit::{CommitAnswer, Finish};
pub use effects::Effects;
pub use erase::{Erase, Piece};
pub use outlet::Outlet;
pub use recover::{ClaimQueued, Expire, FindWork, Renew, Resume, TakeOver, TakenOver, Waiting};
pub use renew::renew;
pub use stop::{Stop, Whose, interrupt, stop};
pub use team::Team;
pub use threads::Opened;
pub use turn::MAX_STEPS;

/// How the engine of a node works.
#[derive(Debug, Clone)]
pub struct Settings {
    /// This process's name among the nodes; new for every start.
    pub node: String,
    /// How long a claim holds without renewal.
    pub lease: Duration,
    /// How often claims are renewed.
    pub renew: Duration,
    /// How often the database is asked for work that no hint announced.
    pub poll: Duration,
    /// Turns at work at once.
    pub max_turns: usize,
}

/// The engine of one node.
pub struct Engine {
    store: Store,
    team: Team,
    settings: Settings,
    by: Claimant,
    slots: Arc<Semaphore>,
    /// Something found no slot.
    starved: AtomicBool,
    /// When this node last said that it is there.
    renewed: AtomicI64,
    driven: driven::Driven,
    transcripts: transcripts::Transcripts,
    tasks: Mutex<JoinSet<()>>,
    work: Arc<Notify>,
    drain: CancellationToken,
}

/// The right to drive one more turn on this node.
pub struct Slot(OwnedSemaphorePermit);

impl Engine {
    /// An engine at rest; [`Engine::run`] sets it going. `work` is told by others when there may be something to do.
    pub fn new(store: Store, team: Team, settings: Settings, work: Arc<Notify>) -> Arc<Self> {
        let lease = millis(settings.lease);
        Arc::new(Self {
            by: Claimant { node: settings.node.clone(), lease },
            slots: Arc::new(Semaphore::new(settings.max_turns)),
            starved: AtomicBool::new(false),
            renewed: AtomicI64::new(0),
            store,
            transcripts: transcripts::Transcripts::new(team.agents.widest_window()),
            team,
            settings,
            driven: driven::Driven::default(),
            tasks: Mutex::default(),
            work,
            drain: CancellationToken::new(),
        })
    }

    /// The team.
    pub fn team(&self) -> &Team {
        &self.team
    }

    /// Who claims on this node.
    pub fn claimant(&self) -> &Claimant {
        &self.by
    }

    /// A free slot, if the node has one and is not draining. Taken before a claim, so that no turn is
    /// claimed that nobody drives.
    pub fn slot(&self) -> Option<Slot> {
        if self.drain.is_cancelled() {
            return None;
        }
        let take = || self.slots.clone().try_acquire_owned().ok().map(Slot);
        take().or_else(|| {
            self.starved.store(true, Ordering::SeqCst);
            // A slot that became free before that was said tells nobody.
            take()
        })
    }

    /// Whether this node can begin nothing now.
    fn is_full(&self) -> bool {
        self.drain.is_cancelled() || self.slots.available_permits() == 0
    }

    /// Drives a turn that was claimed with this slot.
    pub fn start(self: &Arc<Self>, turn: Turn, slot: Slot) {
        let engine = self.clone();
        let capped = self.team.agents.get(&turn.agent).is_some_and(|agent| agent.max_turns > 0);
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            driver::drive(&engine, turn).await;
            drop(slot.0);
            if engine.starved.swap(false, Ordering::SeqCst) || capped {
                // What found no slot can go on now.
                engine.wake();
            }
        });
    }

    /// Says that there may be work. A hint: the poll finds it too.
    pub fn wake(&self) {
        self.work.notify_one();
    }

    /// Stops the tasks of turns that were cancelled in the database.
    pub fn cancelled(&self, turns: &[i64]) {
        self.driven.stop(turns);
    }
}

/// No code panics while it holds one of these locks, so a poisoned one is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
