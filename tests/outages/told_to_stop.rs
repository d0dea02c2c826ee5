//! SIGTERM in the middle of everything.

use super::{answered, on_each};
use crate::kills::random::Random;
use crate::kills::report::Outcome;
use crate::kills::scene::{Mode, Scene};
use crate::support::databases::Database;

/// So often on each database.
const STOPS: u32 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_leaves_that_is_told_to_stop_is_done_by_the_next() {
    on_each(stop_often).await;
}

async fn stop_often(database: Database, mut random: Random) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("SIGTERM under load", database, Mode::Probe);
    let mut scene = Scene::set(database, Mode::Probe, false).await?;
    let mut process = scene.start(None)?;
    for _ in 0..STOPS {
        scene.ask_all();
        scene.moment(&mut random).await;
        process.terminate().await?;
        scene.ask_all();
        process.stopped().await?;
        process = scene.start(None)?;
        let (first, last) = answered(&scene, process.started()).await?;
        outcome.took(first, last);
        scene.look(&mut outcome).await?;
    }
    scene.judge([process], outcome).await
}
