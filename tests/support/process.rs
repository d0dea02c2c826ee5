//! The built program as a process of its own, for what only a process can do: die.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::process::{Child, Command};

use super::world::World;

/// How long a process may take to end that should.
const PATIENCE: Duration = Duration::from_secs(20);

/// `roundtable serve` on a world's configuration. Killed when it is dropped.
pub struct Process {
    child: Child,
    started: Instant,
    log: PathBuf,
}

impl Process {
    /// Starts one in the world. `crash_at` is the crash point at which it is to die, `place.side:pass`.
    pub fn start(world: &World, crash_at: Option<&str>) -> anyhow::Result<Self> {
        let log = next_log(world.folder());
        let file = File::create(&log).with_context(|| format!("{} can't be made", log.display()))?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_roundtable"));
        command.arg("serve").arg("--config").arg(&world.file).current_dir(world.folder());
        command.env_clear().envs(&world.env).envs(crash_at.map(|point| ("ROUNDTABLE_CRASH_AT", point)));
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).kill_on_drop(true);
        let started = Instant::now();
        let child = command.spawn().context("the program can't be started; is it built?")?;
        Ok(Self { child, started, log })
    }

    /// When it was started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Waits until it has died at its crash point. An error if it ends in another way, or not at all.
    pub async fn crashes(&mut self) -> anyhow::Result<()> {
        let status = self.ends().await.context("it was to die at its crash point")?;
        // `std::process::abort` raises SIGABRT, which is 6 everywhere.
        ensure!(
            status.signal() == Some(6),
            "it ended with {status}, not at its crash point\n{}",
            self.said()
        );
        Ok(())
    }

    /// `kill -9`: returns when it is gone.
    pub async fn kill_nine(mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            anyhow::bail!("it was gone before it was killed: {status}\n{}", self.said());
        }
        self.child.kill().await.context("it can't be killed")
    }

    /// SIGTERM: it drains.
    pub async fn terminate(&self) -> anyhow::Result<()> {
        let id = self.child.id().context("it is gone already")?;
        // Signals other than SIGKILL have no safe call in the standard library.
        let sent = Command::new("kill").args(["-TERM", &id.to_string()]).status().await?;
        ensure!(sent.success(), "no signal could be sent to process {id}");
        Ok(())
    }

    /// Stops it as a service manager does; an error if it does not end well.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.terminate().await?;
        let status = self.ends().await.context("it was to drain")?;
        ensure!(status.success(), "it ended with {status}\n{}", self.said());
        Ok(())
    }

    /// The end of what it wrote.
    pub fn said(&self) -> String {
        tail(&self.log)
    }

    async fn ends(&mut self) -> anyhow::Result<ExitStatus> {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let status = ended.with_context(|| format!("it still runs after {PATIENCE:?}\n{}", self.said()))?;
        Ok(status?)
    }
}

/// What the last process of a world wrote, for a failure's report.
pub fn last_words(world: &World) -> String {
    (1..)
        .map(|number| log(world.folder(), number))
        .take_while(|log| log.exists())
        .last()
        .map_or_else(|| "no process was started".to_owned(), |log| tail(&log))
}

fn log(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("process-{number}.log"))
}

fn next_log(folder: &Path) -> PathBuf {
    (1..).map(|number| log(folder, number)).find(|log| !log.exists()).expect("there are numbers enough")
}

fn tail(log: &Path) -> String {
    const LINES: usize = 60;
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let shown = lines[lines.len().saturating_sub(LINES)..].join("\n");
    format!("--- {} ---\n{shown}", log.display())
}
