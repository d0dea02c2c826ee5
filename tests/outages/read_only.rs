//! SQLite's file can't be written: when a program starts, and under one that runs. PostgreSQL's side is in
//! [`super::unheard`].

use std::fs::{File, Permissions, remove_file, set_permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, ensure};

use super::{answered, complains, goes_on, is_well};
use crate::kills::report::{Outcome, conclude};
use crate::kills::scene::{Mode, Scene};
use crate::support::databases::Database;

#[tokio::test(flavor = "multi_thread")]
async fn a_program_does_not_start_on_a_file_that_it_may_not_write_and_says_what_to_do() {
    conclude(vec![start_without_rights().await]);
}

async fn start_without_rights() -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("the file is read-only, at start", Database::Sqlite, Mode::Probe);
    let mut scene = Scene::set(Database::Sqlite, Mode::Probe, false).await?;
    // With an owner there is nothing to be stored before the first message.
    scene.world.configure(|text| text.replace("dm = \"open\"", "dm = \"open\"\nowners = [\"1\"]"));
    let process = scene.start(None)?;
    scene.ask_all();
    answered(&scene, process.started()).await?;
    scene.look(&mut outcome).await?;
    process.stop().await?;
    let file = file(&scene)?;
    // What another user has left there.
    let beside = PathBuf::from(format!("{}-shm", file.display()));
    for path in [&file, &beside] {
        scene.ask_all();
        if path == &beside {
            File::create(path)?;
        }
        let before = path.metadata()?.permissions();
        set_permissions(path, Permissions::from_mode(before.mode() & !0o222))?;
        let told = scene.start(None)?.refused().await.context(path.display().to_string())?;
        let cure = told.contains("is read-only. Make it and its folder writable for this user, and ");
        ensure!(cure, "{}: {told}", path.display());
        set_permissions(path, before)?;
        goes_on(&mut scene, &mut outcome).await?;
    }
    scene.judge([], outcome).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_while_the_file_takes_no_writes_is_answered_when_it_does_again() {
    conclude(vec![freeze().await]);
}

async fn freeze() -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("the file is read-only", Database::Sqlite, Mode::Probe);
    let mut scene = Scene::set(Database::Sqlite, Mode::Probe, false).await?;
    let process = scene.start(None)?;
    scene.ask_all();
    scene.world.model.wait_for_request("a first question", |_| true).await?;
    let file = file(&scene)?;
    let journal = PathBuf::from(format!("{}-wal", file.display()));
    let Some(frozen) = Frozen::new([file, journal]) else {
        eprintln!("\n*** NOT RUN: this user or file system freezes no files (chattr +i). ***\n");
        return Ok(outcome);
    };
    scene.ask_all();
    let said = complains(&process).await;
    ensure!(process.has_said(&said), "the log says nothing of {said:?}\n{}", process.said());
    scene.ask_all();
    drop(frozen);
    outcome.took(answered(&scene, Instant::now()).await?);
    is_well(&process).await;
    scene.judge([process], outcome).await
}

fn file(scene: &Scene) -> anyhow::Result<PathBuf> {
    scene.world.url.strip_prefix("sqlite:").map(PathBuf::from).context("it is SQLite")
}

/// Files that nobody can write, however they were opened, as on a disk that has failed; until this is dropped.
struct Frozen([PathBuf; 2]);

impl Frozen {
    /// `None`: it can't be done here.
    fn new(files: [PathBuf; 2]) -> Option<Self> {
        let frozen = Self(files);
        (stops_writers(&frozen.0[0]) && frozen.0.iter().all(|file| change(file, "+i"))).then_some(frozen)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for file in &self.0 {
            let _ = change(file, "-i");
        }
    }
}

/// Whether those can't write either who had a file open before; on a file system in memory they can.
fn stops_writers(beside: &Path) -> bool {
    let path = beside.with_extension("probe");
    let stops =
        File::create(&path).is_ok_and(|mut open| change(&path, "+i") && open.write_all(b"x").is_err());
    change(&path, "-i");
    let _ = remove_file(&path);
    stops
}

fn change(file: &Path, attribute: &str) -> bool {
    Command::new("chattr").arg(attribute).arg(file).status().is_ok_and(|status| status.success())
}
