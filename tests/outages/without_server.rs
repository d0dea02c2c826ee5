//! PostgreSQL is restarted underneath.

use std::time::Instant;

use anyhow::ensure;

use super::{answered, complains, is_well};
use crate::kills::load::Load;
use crate::kills::random::{Random, seed};
use crate::kills::report::{Outcome, conclude};
use crate::kills::scene::{Mode, Scene};
use crate::support::databases::{Database, Fresh};
use crate::support::own_server::OwnServer;

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_restarted_loses_and_doubles_nothing() {
    conclude(restart().await.transpose().into_iter().collect());
}

async fn restart() -> anyhow::Result<Option<Outcome>> {
    let Some(server) = OwnServer::start().await? else { return Ok(None) };
    let mut random = Random::seeded(seed());
    let mut outcome = Outcome::new("PostgreSQL is restarted", Database::Postgres, Mode::Probe);
    let mut scene = Scene::set_with(Fresh::at(server.url()), Mode::Probe, false, Load::new).await?;
    let process = scene.start(None)?;
    for how in ["fast", "immediate"] {
        scene.ask_all();
        scene.moment(&mut random).await;
        server.restart(how).await?;
        outcome.took(answered(&scene, Instant::now()).await?);
        scene.look(&mut outcome).await?;
    }
    scene.ask_all();
    scene.moment(&mut random).await;
    server.stop("immediate").await?;
    scene.ask_all();
    complains(&process).await;
    ensure!(process.has_said("database"), "the log says nothing\n{}", process.said());
    server.go_on().await?;
    outcome.took(answered(&scene, Instant::now()).await?);
    is_well(&process).await;
    scene.judge([process], outcome).await.map(Some)
}
