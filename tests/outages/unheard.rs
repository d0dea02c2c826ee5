//! The database does what it is asked, and its answers are lost; or it does not write for a while; or it is another
//! server's all at once.

use std::time::Instant;

use anyhow::ensure;

use super::{answered, complains, is_well};
use crate::kills::random::{Random, seed};
use crate::kills::report::{Outcome, conclude};
use crate::kills::scene::{Mode, PATIENCE, Scene};
use crate::support::databases::{Database, change};
use crate::support::process::Process;
use crate::support::proxy::{Line, Proxy};

/// So often.
const LOSSES: u32 = 4;

/// Whether a commit was done is not known then, and a turn may be claimed that nobody knows of.
#[tokio::test(flavor = "multi_thread")]
async fn commits_whose_confirmation_is_lost_are_found_again() {
    if Database::all().contains(&Database::Postgres) {
        conclude(vec![lose_answers().await]);
    }
}

async fn lose_answers() -> anyhow::Result<Outcome> {
    let mut random = Random::seeded(seed());
    let mut outcome = Outcome::new("answers of the database are lost", Database::Postgres, Mode::Probe);
    let mut scene = Scene::set(Database::Postgres, Mode::Probe, false).await?;
    let (line, url) = Proxy::before(&scene.world.url).await?;
    let process = Process::start_node(&scene.world, "far", [("ROUNDTABLE_STORE__URL", url)])?;
    for _ in 0..LOSSES {
        scene.ask_all();
        scene.moment(&mut random).await;
        line.set(Line::Deaf);
        let sent = line.sent();
        // Somebody has asked for something, and gets no answer.
        line.sends_more(sent).await;
        line.set(Line::Cut);
        line.set(Line::Open);
        outcome.took(answered(&scene, Instant::now()).await?);
        scene.look(&mut outcome).await?;
    }
    is_well(&process).await;
    scene.judge([process], outcome).await
}

/// As after a fail-over to a server that does not take over: the connections stay, and refuse to write.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_while_the_database_is_read_only_is_answered_when_it_writes_again() {
    if Database::all().contains(&Database::Postgres) {
        conclude(vec![refuse_to_write().await]);
    }
}

async fn refuse_to_write() -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("the database is read-only", Database::Postgres, Mode::Probe);
    let mut scene = Scene::set(Database::Postgres, Mode::Probe, false).await?;
    let name = scene.world.url.rsplit('/').next().unwrap_or_default().to_owned();
    let process = scene.start(None)?;
    scene.ask_all();
    scene.world.model.wait_for_request("a first question", |_| true).await?;
    change("postgres", &format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await?;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ";
    change("postgres", &format!("{end}'{name}'")).await?;
    scene.ask_all();
    // Its first complaint may be that its connections were ended.
    let read_only = async { while !complains(&process).await.contains("read-only") {} };
    tokio::time::timeout(PATIENCE, read_only).await?;
    ensure!(process.has_said("read-only transaction"), "the log says nothing\n{}", process.said());
    change("postgres", &format!("ALTER DATABASE {name} RESET default_transaction_read_only")).await?;
    outcome.took(answered(&scene, Instant::now()).await?);
    is_well(&process).await;
    scene.judge([process], outcome).await
}

/// As after a fail-over at the same address: the connections to the server that is gone stay and are silent for ever,
/// and new ones are served. They are not found out one by one.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_another_servers_without_a_word_is_found_again() {
    if Database::all().contains(&Database::Postgres) {
        conclude(vec![fail_over().await]);
    }
}

async fn fail_over() -> anyhow::Result<Outcome> {
    let mut outcome =
        Outcome::new("the database's server is gone without a word", Database::Postgres, Mode::Probe);
    let mut scene = Scene::set(Database::Postgres, Mode::Probe, false).await?;
    let (line, url) = Proxy::before(&scene.world.url).await?;
    let process = Process::start_node(&scene.world, "far", [("ROUNDTABLE_STORE__URL", url)])?;
    scene.ask_all();
    answered(&scene, Instant::now()).await?;
    scene.ask_all();
    line.lose();
    outcome.took(answered(&scene, Instant::now()).await?);
    is_well(&process).await;
    scene.judge([process], outcome).await
}
