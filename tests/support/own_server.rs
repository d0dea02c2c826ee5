//! A PostgreSQL of one test's own, which it may stop.

use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;
use tokio::process::Command;

use super::postgres::{program_of_server, unprivileged_user};

/// The server; stopped when it is dropped.
pub struct OwnServer {
    folder: TempDir,
    port: u16,
}

impl OwnServer {
    /// Starts one. `None`: there is no PostgreSQL here.
    pub async fn start() -> anyhow::Result<Option<Self>> {
        if program_of_server("pg_ctl").is_none_or(|program| !program.is_file()) {
            return Ok(None);
        }
        let folder = TempDir::with_prefix("pg")?;
        if let Some((uid, gid)) = unprivileged_user() {
            chown(folder.path(), Some(uid), Some(gid))?;
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = Self { folder, port };
        let data = server.data();
        let data = data.to_str().context("a path is a text")?;
        let options = ["--username=postgres", "--auth=trust", "--locale=C", "--encoding=UTF8", "--no-sync"];
        server.run("initdb", &[&options[..], &["--pgdata", data]].concat()).await?;
        server.go_on().await?;
        Ok(Some(server))
    }

    /// Its database.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Stops it, `fast` or `immediate`: as an operator does, or as a crash does.
    pub async fn stop(&self, how: &str) -> anyhow::Result<()> {
        self.control(&["stop", "-m", how]).await
    }

    /// Starts it again and waits until it answers.
    pub async fn go_on(&self) -> anyhow::Result<()> {
        let folder = self.folder.path().display();
        let options =
            format!("-k {folder} -h 127.0.0.1 -p {} -c fsync=off -c shared_buffers=32MB", self.port);
        let log = self.folder.path().join("log");
        self.control(&["start", "-o", &options, "-l", log.to_str().context("a path is a text")?]).await
    }

    /// Stops it and starts it at once.
    pub async fn restart(&self, how: &str) -> anyhow::Result<()> {
        self.stop(how).await?;
        self.go_on().await
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    async fn control(&self, args: &[&str]) -> anyhow::Result<()> {
        let data = self.data();
        let data = data.to_str().context("a path is a text")?;
        self.run("pg_ctl", &[&["-D", data, "-w", "-s"], args].concat()).await
    }

    /// Runs one of PostgreSQL's programs, which refuse to be run as root.
    async fn run(&self, program: &str, args: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new(program_of_server(program).context("it is there")?);
        if let Some((uid, gid)) = unprivileged_user() {
            command.uid(uid).gid(gid);
        }
        let log = std::fs::File::options().create(true).append(true).open(self.folder.path().join("ctl"))?;
        let command = command.args(args).current_dir("/").stdout(log.try_clone()?).stderr(log);
        let status = command.status().await?;
        ensure!(status.success(), "{program} {args:?} failed; {} says why", self.folder.path().display());
        Ok(())
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // Nothing waits for it: the folder goes with it.
        let Some(program) = program_of_server("pg_ctl") else { return };
        let mut command = std::process::Command::new(program);
        if let Some((uid, gid)) = unprivileged_user() {
            std::os::unix::process::CommandExt::uid(&mut command, uid);
            std::os::unix::process::CommandExt::gid(&mut command, gid);
        }
        let _ =
            command.args(["stop", "-s", "-m", "immediate", "-D"]).arg(self.data()).current_dir("/").status();
    }
}
