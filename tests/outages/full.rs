//! The disk is full, and has room again.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::{answered, complains, is_well};
use crate::kills::report::{Outcome, conclude};
use crate::kills::scene::{Mode, Scene};
use crate::support::databases::Database;

/// Files may be no larger: less than a database at work needs, more than a log does.
const ROOM: u64 = 256 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_while_the_disk_is_full_is_answered_when_there_is_room() {
    conclude(vec![fill().await]);
}

async fn fill() -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("the disk is full", Database::Sqlite, Mode::Probe);
    let mut scene = Scene::set(Database::Sqlite, Mode::Probe, false).await?;
    let process = scene.start(None)?;
    scene.ask_all();
    let journal = format!("{}-wal", scene.world.url.strip_prefix("sqlite:").context("it is SQLite")?);
    while std::fs::metadata(&journal).map_or(0, |file| file.len()) <= ROOM {
        // Another process's file tells nobody of its changes.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    process.limit_files(Some(ROOM)).await?;
    scene.ask_all();
    let said = complains(&process).await;
    ensure!(process.has_said(&said), "the log says nothing of {said:?}\n{}", process.said());
    scene.ask_all();
    process.limit_files(None).await?;
    let (first, last) = answered(&scene, Instant::now()).await?;
    outcome.took(first, last);
    is_well(&process).await;
    scene.judge([process], outcome).await
}
