//! One process and what happens to it besides a kill: it is told to stop, put to sleep, and its database fails in every
//! way, under the load of the kill tests. When it is over nothing is lost, said twice or in the wrong place; while it
//! lasts `/readyz` and the log say what is wrong.

mod asleep;
mod clock;
mod full;
mod read_only;
mod told_to_stop;
mod unheard;
mod without_server;

use std::time::Instant;

use crate::kills::random::{Random, seed};
use crate::kills::report::{Outcome, Recovery, conclude};
use crate::kills::scene::Scene;
use crate::support::databases::Database;
use crate::support::process::Process;
use crate::support::ready;

/// Lets something happen on each database, at the same time, and judges what becomes of it.
async fn on_each(happen: impl AsyncFn(Database, Random) -> anyhow::Result<Outcome>) {
    let seed = seed();
    let all = Database::all().into_iter().map(|database| happen(database, Random::seeded(seed)));
    conclude(futures::future::join_all(all).await);
}

/// Waits until the process says that something is wrong with its database.
async fn complains(process: &Process) -> String {
    let wrong = |ready: &ready::Ready| !ready.ready && ready.database().is_some();
    let now = ready::until_of(process.data_dir(), "it to say that its database fails", wrong).await;
    now.database().unwrap_or_default().to_owned()
}

/// Waits until the process says that all is well.
async fn is_well(process: &Process) {
    ready::until_of(process.data_dir(), "it to say that all is well", |ready| ready.ready).await;
}

/// Another process answers what is open, and ends when everything is at rest.
async fn goes_on(scene: &mut Scene, outcome: &mut Outcome) -> anyhow::Result<()> {
    let process = scene.start(None)?;
    outcome.took(answered(scene, process.started()).await?);
    scene.look(outcome).await?;
    scene.at_rest().await?;
    process.stop().await
}

/// Waits until what is open is answered; gives how long it took on each platform.
async fn answered(scene: &Scene, since: Instant) -> anyhow::Result<[Recovery; 2]> {
    let left = scene.unanswered().await;
    scene.recovered(since, left).await
}
