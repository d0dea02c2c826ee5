//! SIGSTOP for longer than a lease, with nobody there to take over.

use std::time::{Duration, Instant};

use super::{answered, is_well, on_each};
use crate::kills::random::Random;
use crate::kills::report::Outcome;
use crate::kills::scene::{Mode, Scene};
use crate::support::databases::Database;

/// A lease of the tests and a half, unless `ROUNDTABLE_PROVE_ASLEEP` gives seconds, which are of nodes with the default times.
const SLEEP: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_has_slept_goes_on_where_it_was() {
    let prove = std::env::var("ROUNDTABLE_PROVE_ASLEEP").ok().and_then(|seconds| seconds.parse().ok());
    let time = prove.map(Duration::from_secs);
    on_each(async |database, random| sleep(database, time, random).await).await;
}

async fn sleep(database: Database, prove: Option<Duration>, mut random: Random) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("SIGSTOP, longer than a lease", database, Mode::Probe);
    let mut scene = Scene::set(database, Mode::Probe, false).await?;
    if prove.is_some() {
        scene.use_default_times();
    }
    let process = scene.start(None)?;
    scene.ask_all();
    scene.moment(&mut random).await;
    process.pause().await?;
    scene.ask_all();
    // The fault itself.
    tokio::time::sleep(prove.unwrap_or(SLEEP)).await;
    process.wake().await?;
    let (first, last) = answered(&scene, Instant::now()).await?;
    outcome.took(first, last);
    is_well(&process).await;
    scene.judge([process], outcome).await
}
