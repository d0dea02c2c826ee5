//! A PostgreSQL of one test's own, which it may stop.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

use super::postgres::find_postgres::find_postgres;
use super::postgres::unprivileged;

/// The server; stopped when it is dropped.
pub struct OwnServer {
    bin: PathBuf,
    user: Option<(u32, u32)>,
    folder: TempDir,
    port: u16,
}

impl OwnServer {
    /// Starts one. `None`: there is no PostgreSQL here.
    pub async fn start() -> anyhow::Result<Option<Self>> {
        let Some(bin) = find_postgres().filter(|bin| bin.join("pg_ctl").is_file()) else { return Ok(None) };
        let folder = TempDir::with_prefix("pg")?;
        // PostgreSQL refuses to run as root.
        let user = match std::fs::metadata(folder.path())?.uid() {
            0 => Some(unprivileged().map_err(anyhow::Error::msg)?),
            _ => None,
        };
        if let Some((uid, gid)) = user {
            chown(folder.path(), Some(uid), Some(gid))?;
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = Self { bin, user, folder, port };
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

    /// Runs one of PostgreSQL's programs.
    async fn run(&self, program: &str, args: &[&str]) -> anyhow::Result<()> {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.path().join("ctl"))?;
        let mut command = tokio::process::Command::from(self.command(program));
        let status = command.args(args).stdout(log.try_clone()?).stderr(log).status().await?;
        ensure!(status.success(), "{program} {args:?} failed; {} says why", self.folder.path().display());
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command.current_dir("/");
        command
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // Its folder goes with it, so nothing is lost if it does not end well.
        let _ =
            self.command("pg_ctl").args(["stop", "-s", "-m", "immediate", "-D"]).arg(self.data()).status();
    }
}
