//! The engine: queues, caps, stopping, waiting, recovery, limits, draining.

mod caps;
mod draining;
mod limits;
mod queue;
mod recovery;
mod stopping;
mod waiting;

use crate::support::databases::Database;
use crate::support::world::{Setting, World};

/// Runs a test on each database.
async fn on_each(test: impl AsyncFn(Setting)) {
    for database in Database::all() {
        let fresh = database.fresh().await;
        test(World::setting().on(&fresh.url)).await;
    }
}
