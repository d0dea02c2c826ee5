//! SIGTERM in the middle of everything, and while the database says nothing.

use std::time::{Duration, Instant};

use anyhow::ensure;
use sqlx::{Connection as _, SqliteConnection};

use super::{answered, on_each};
use crate::kills::random::Random;
use crate::kills::report::Outcome;
use crate::kills::scene::{Mode, Scene};
use crate::support::databases::Database;
use crate::support::process::Process;
use crate::support::proxy::{Line, Proxy};

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
        outcome.took(answered(&scene, process.started()).await?);
        scene.look(&mut outcome).await?;
    }
    scene.judge([process], outcome).await
}

/// The drain of the tests' nodes, two goodbyes to the database, and what a busy machine takes beside.
const IN_TIME: Duration = Duration::from_secs(5 + 2 * 5 + 3);

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_told_to_stop_while_its_database_is_silent_ends_in_time() {
    on_each(stop_in_silence).await;
}

async fn stop_in_silence(database: Database, _: Random) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("SIGTERM, the database silent", database, Mode::Probe);
    let mut scene = Scene::set(database, Mode::Probe, false).await?;
    let mut silence = Silence::of(&scene.world.url).await?;
    let url = silence.url().map(|url| ("ROUNDTABLE_STORE__URL", url.to_owned()));
    let process = Process::start_node(&scene.world, "first", url)?;
    scene.ask_all();
    scene.world.model.wait_for_request("a first question", |_| true).await?;
    silence.begin().await?;
    scene.ask_all();
    let told = Instant::now();
    process.terminate().await?;
    let said = process.stopped().await?;
    ensure!(told.elapsed() < IN_TIME, "it took {:?}\n{said}", told.elapsed());
    ensure!(said.contains("leases could not be given back"), "it says nothing of it\n{said}");
    drop(silence);
    let process = scene.start(None)?;
    scene.ask_all();
    outcome.took(answered(&scene, process.started()).await?);
    scene.judge([process], outcome).await
}

/// What keeps a database from answering: a line that carries nothing, or another program that holds the file.
enum Silence {
    Line(Proxy, String),
    Lock(SqliteConnection),
}

impl Silence {
    async fn of(url: &str) -> anyhow::Result<Self> {
        Ok(if url.starts_with("sqlite:") {
            Self::Lock(SqliteConnection::connect(&format!("{url}?mode=rwc")).await?)
        } else {
            let (line, url) = Proxy::before(url).await?;
            Self::Line(line, url)
        })
    }

    /// What the process is to take for its database.
    fn url(&self) -> Option<&str> {
        match self {
            Self::Line(_, url) => Some(url),
            Self::Lock(_) => None,
        }
    }

    async fn begin(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Line(line, _) => line.set(Line::Silent),
            Self::Lock(conn) => {
                sqlx::query("BEGIN IMMEDIATE").execute(conn).await?;
            }
        }
        Ok(())
    }
}
