//! A PostgreSQL for the tests: found, or installed where that is ours to do.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::find_postgres::find_postgres;
use crate::runner::{first_line, passes};

/// Says whether Debian's package makes and starts a cluster of its own, which no test wants.
const CLUSTER_SETTINGS: &str = "/etc/postgresql-common/createcluster.conf";

/// PostgreSQL's programs.
pub struct Postgres {
    /// Their folder.
    pub bin: PathBuf,
    /// `postgres (PostgreSQL) 15.8`, as it says itself.
    pub version: String,
}

/// Finds PostgreSQL, or installs it. `None`: there is none, and it was said why.
pub fn provide() -> Option<Postgres> {
    if let Some(found) = found() {
        return Some(found);
    }
    if std::env::var_os("ROUNDTABLE_TEST_PG").is_some_and(|word| word == "none") {
        eprintln!("xtask: PostgreSQL is switched off by ROUNDTABLE_TEST_PG.");
        return None;
    }
    if !may_install() {
        eprintln!(
            "xtask: there is no PostgreSQL here, and only root on a system with apt-get may install it."
        );
        return None;
    }
    match install() {
        Ok(()) => found(),
        Err(error) => {
            eprintln!("xtask: PostgreSQL was not installed: {error:#}");
            None
        }
    }
}

fn found() -> Option<Postgres> {
    let bin = find_postgres()?;
    let version = first_line(Command::new(bin.join("postgres")).arg("--version"))?;
    Some(Postgres { bin, version })
}

fn may_install() -> bool {
    let root = first_line(Command::new("id").arg("-u")).is_some_and(|uid| uid == "0");
    root && first_line(Command::new("apt-get").arg("--version")).is_some()
}

/// Installs Debian's packages without the cluster that they would make.
fn install() -> Result<()> {
    eprintln!("xtask: no PostgreSQL found; installing the package `postgresql` for the tests.");
    apt(&["update"])?;
    apt(&["install", "--yes", "--no-install-recommends", "postgresql-common"])?;
    let settings = fs::read_to_string(CLUSTER_SETTINGS).context(CLUSTER_SETTINGS)?;
    fs::write(CLUSTER_SETTINGS, format!("{settings}\ncreate_main_cluster = false\n"))?;
    let installed = apt(&["install", "--yes", "--no-install-recommends", "postgresql"]);
    fs::write(CLUSTER_SETTINGS, settings)?;
    installed
}

fn apt(args: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    let ran = passes(command.args(args).env("DEBIAN_FRONTEND", "noninteractive"))?;
    ensure!(ran, "apt-get {} failed", args.join(" "));
    Ok(())
}
