//! SIGTERM in the middle of everything.

use super::answered;
use crate::kills::random::{Random, seed};
use crate::kills::report::{Outcome, conclude};
use crate::kills::scene::{Mode, Scene};
use crate::support::databases::Database;

/// So often on each database.
const STOPS: u32 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_leaves_that_is_told_to_stop_is_done_by_the_next() {
    let mut random = Random::seeded(seed());
    let mut outcomes = Vec::new();
    for database in Database::all() {
        outcomes.push(stop_often(database, &mut random).await);
    }
    conclude(outcomes);
}

async fn stop_often(database: Database, random: &mut Random) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("SIGTERM under load", database, Mode::Probe);
    let mut scene = Scene::set(database, Mode::Probe, false).await?;
    let mut process = scene.start(None)?;
    for _ in 0..STOPS {
        scene.ask_all();
        scene.moment(random).await;
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
