//! The disk is full, and has room again.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use roundtable::store::{Read, Sql, StoreError, Tx};

use super::{answered, complains, is_well};
use crate::kills::report::{Outcome, conclude};
use crate::kills::scene::{Mode, Scene, read};
use crate::support::databases::{Database, change};
use crate::support::ready;

/// Files may be no larger: less than a database at work needs, more than a log does.
const ROOM: u64 = 256 * 1024;

/// A row that needs room finds none, as PostgreSQL says it; those that change in place still have theirs.
const FULL: &str = "RAISE EXCEPTION 'could not extend file: No space left on device'
    USING ERRCODE = '53100', HINT = 'Check free disk space.'";

/// There is room.
const ROOMY: &str = "RETURN NEW";

/// What grows with every message.
const GROWING: [&str; 4] = ["events", "inbox", "entries", "deliveries"];

/// Leases are renewed all the while, which makes nothing well: so often it is looked at.
const RENEWALS: u32 = 10;

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_while_the_disk_of_postgresql_is_full_is_answered_when_there_is_room() {
    if Database::all().contains(&Database::Postgres) {
        conclude(vec![fill_postgres().await]);
    }
}

async fn fill_postgres() -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("the disk is full", Database::Postgres, Mode::Probe);
    let mut scene = Scene::set(Database::Postgres, Mode::Probe, false).await?;
    let name = scene.world.url.rsplit('/').next().unwrap_or_default().to_owned();
    let process = scene.start(None)?;
    let disk = async |is: &str| {
        let function = "CREATE OR REPLACE FUNCTION grow() RETURNS trigger LANGUAGE plpgsql";
        change(&name, &format!("{function} AS $$ BEGIN {is}; END $$")).await
    };
    is_well(&process).await;
    disk(ROOMY).await?;
    for table in GROWING {
        let trigger = format!("CREATE TRIGGER grows BEFORE INSERT ON {table}");
        change(&name, &format!("{trigger} FOR EACH ROW EXECUTE FUNCTION grow()")).await?;
    }
    scene.ask_all();
    scene.world.model.wait_for_request("a first question", |_| true).await?;
    disk(FULL).await?;
    scene.ask_all();
    let said = complains(&process).await;
    ensure!(said.contains("No space left on device"), "{said}");
    ensure!(process.has_said("No space left on device"), "the log says nothing\n{}", process.said());
    for _ in 0..RENEWALS {
        renewed(&scene).await?;
        let now = ready::of(process.data_dir()).await.context("it runs")?;
        ensure!(!now.ready && now.database().is_some(), "it says that all is well: {now:?}");
    }
    scene.ask_all();
    disk(ROOMY).await?;
    let (first, last) = answered(&scene, Instant::now()).await?;
    outcome.took(first, last);
    is_well(&process).await;
    scene.judge([process], outcome).await
}

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

/// Waits until the process has renewed its leases. Another process's database tells nobody of its changes.
async fn renewed(scene: &Scene) -> anyhow::Result<()> {
    let before = read(&scene.world.url, LastLease).await?;
    while read(&scene.world.url, LastLease).await? == before {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Until when the last lease goes.
struct LastLease;

#[async_trait]
impl Read for LastLease {
    type Output = i64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<i64, StoreError> {
        const UNTIL: &str = "SELECT MAX(until) AS last FROM leases";
        tx.one(Sql { lite: UNTIL, pg: UNTIL }, &[]).await?.get("last")
    }
}
