//! The disk is full, and has room again.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use roundtable::store::{Read, Sql, StoreError, Tx};
use sqlx::{Connection as _, SqliteConnection};
use tokio::process::Command;

use super::{answered, complains, goes_on, is_well};
use crate::kills::load::Load;
use crate::kills::report::{Outcome, conclude};
use crate::kills::scene::{Mode, Scene, read};
use crate::support::databases::{Database, Fresh, change};
use crate::support::ready;

/// Files may be no larger: less than a database at work needs, more than a log does.
const ROOM: u64 = 256 * 1024;

/// A row that needs room finds none, as PostgreSQL says it; leases, which change in place, still have theirs.
const FULL: &str = "RAISE EXCEPTION 'could not extend file: No space left on device'
    USING ERRCODE = '53100', HINT = 'Check free disk space.'";

/// There is room.
const ROOMY: &str = "RETURN NEW";

/// What grows with every message: with new rows, and with new versions of those that are there.
const GROWING: [&str; 8] =
    ["events", "messages", "inbox", "entries", "deliveries", "sessions", "turns", "waits"];

/// What a program says whose disk has no room.
const FULL_DISK: &str = "database: its disk is full: make room, and what waits goes on";

/// What tells a test that it runs where a disk of its own is, and which.
const OWN_DISK: &str = "ROUNDTABLE_TEST_DISK";

/// Mounts a disk in memory that only what runs here sees, and runs this test on it. Users may do that for themselves
/// where the system lets them.
const ON_OWN_DISK: &str = r#"mount -t tmpfs -o size=16m tmpfs "$1" && shift && exec "$@""#;

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
        let trigger = format!("CREATE TRIGGER grows BEFORE INSERT OR UPDATE ON {table}");
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
    outcome.took(answered(&scene, Instant::now()).await?);
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
    outcome.took(answered(&scene, Instant::now()).await?);
    is_well(&process).await;
    scene.judge([process], outcome).await
}

/// Files are only limited above, which SQLite takes for an error of the disk.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_without_room_is_called_full_and_what_comes_meanwhile_is_answered_later() {
    const NAME: &str =
        "outages::full::a_disk_without_room_is_called_full_and_what_comes_meanwhile_is_answered_later";
    if let Some(disk) = std::env::var_os(OWN_DISK) {
        return conclude(vec![fill_up(Path::new(&disk)).await]);
    }
    let disk = tempfile::tempdir().expect("a folder can be made");
    let in_own_space = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(disk.path());
        command
    };
    if !in_own_space(ON_OWN_DISK).arg("true").output().await.is_ok_and(|ran| ran.status.success()) {
        eprintln!(
            "\n*** NOT RUN: this user may not mount a disk of its own (unshare --map-root-user). ***\n"
        );
        return;
    }
    let this = std::env::current_exe().expect("it has a name");
    let ran = in_own_space(ON_OWN_DISK)
        .arg(this)
        .args(["--exact", NAME, "--nocapture"])
        .env(OWN_DISK, disk.path())
        .output()
        .await
        .expect("it can be run");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    assert!(said.contains("1 passed"), "{said}");
    println!("{said}");
}

async fn fill_up(disk: &Path) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("the disk is full (ENOSPC)", Database::Sqlite, Mode::Probe);
    let database = Fresh::at(format!("sqlite:{}", disk.join("test.db").display()));
    let mut scene = Scene::set_with(database, Mode::Probe, false, Load::new).await?;
    let process = scene.start(None)?;
    scene.ask_all();
    scene.world.model.wait_for_request("a first question", |_| true).await?;
    let others = disk.join("of others");
    take_all_room(&others)?;
    scene.ask_all();
    let said = complains(&process).await;
    ensure!(said == FULL_DISK, "{said}");
    ensure!(process.has_said(&said), "the log says nothing of {said:?}\n{}", process.said());
    scene.ask_all();
    std::fs::remove_file(&others)?;
    outcome.took(answered(&scene, Instant::now()).await?);
    is_well(&process).await;
    scene.look(&mut outcome).await?;
    process.stop().await?;
    // A program that starts needs room for what the last one has taken away, or another program that had the file open.
    let mut other = SqliteConnection::connect(&scene.world.url).await?;
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut other).await?;
    other.close().await?;
    take_all_room(&others)?;
    scene.ask_all();
    let told = scene.start(None)?.refused().await?;
    ensure!(told.contains("is full or fails") && told.contains("Make room, or look at the disk, "), "{told}");
    std::fs::remove_file(&others)?;
    goes_on(&mut scene, &mut outcome).await?;
    scene.judge([], outcome).await
}

/// Somebody else's file gets all the room that there is on its disk.
fn take_all_room(file: &Path) -> anyhow::Result<()> {
    let mut file = File::options().create(true).append(true).open(file)?;
    let mut piece = 64 * 1024;
    while piece > 0 {
        match file.write(&vec![0; piece]) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::StorageFull => piece /= 2,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
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
