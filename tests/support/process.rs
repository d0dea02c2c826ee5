//! The built program as a process of its own, for what only a process can do: die.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::process::{Child, Command};

use super::ready;
use super::world::{DATA_DIR, World};

/// How long a process may take to end that should.
const PATIENCE: Duration = Duration::from_secs(20);

/// `roundtable serve` on a world's configuration. Killed when it is dropped.
pub struct Process {
    child: Child,
    started: Instant,
    log: PathBuf,
    data_dir: PathBuf,
}

/// What a process has of the machine.
#[derive(Debug, Clone, Copy)]
pub struct Footprint {
    /// Resident memory, in KiB.
    pub memory: u64,
    /// What of it is its own, and not pages of its program's file that it has come to use.
    pub own: u64,
    /// Open files and sockets.
    pub files: usize,
}

impl Process {
    /// Starts one in the world. `crash_at` is the crash point at which it is to die, `place.side:pass`.
    pub fn start(world: &World, crash_at: Option<&str>) -> anyhow::Result<Self> {
        let crash = crash_at.map(|point| ("ROUNDTABLE_CRASH_AT", point.to_owned()));
        Self::launch(world, world.data_dir(), crash)
    }

    /// Starts one of several in the world, with files of its own. `more` is what it has in its environment beside
    /// what all have.
    pub fn start_node(
        world: &World,
        name: &str,
        more: impl IntoIterator<Item = (&'static str, String)>,
    ) -> anyhow::Result<Self> {
        let data_dir = world.folder().join(name);
        let own = [(DATA_DIR, data_dir.display().to_string()), ("ROUNDTABLE_NODE__NAME", name.to_owned())];
        Self::launch(world, data_dir, own.into_iter().chain(more))
    }

    fn launch(
        world: &World,
        data_dir: PathBuf,
        env: impl IntoIterator<Item = (&'static str, String)>,
    ) -> anyhow::Result<Self> {
        let log = next_log(world.folder());
        let file = File::create(&log).with_context(|| format!("{} can't be made", log.display()))?;
        // A limit on the size of files is to fail a write, as a full disk does, and not to end the process. And what a
        // file allows is to count for the superuser too.
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
        if world.folder().metadata()?.uid() == 0 {
            command.args(["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]);
        }
        command.arg(env!("CARGO_BIN_EXE_roundtable"));
        command.arg("serve").arg("--config").arg(&world.file).current_dir(world.folder());
        let path = std::env::var_os("PATH").map(|path| ("PATH", path));
        command.env_clear().envs(path).envs(&world.env).envs(env);
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).kill_on_drop(true);
        let started = Instant::now();
        let child = command.spawn().context("the program can't be started; is it built?")?;
        Ok(Self { child, started, log, data_dir })
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

    /// SIGTERM: it drains. One that has only just been started has nothing to drain yet, and is waited for.
    pub async fn terminate(&self) -> anyhow::Result<()> {
        ready::until_of(&self.data_dir, "it to listen", |_| true).await;
        self.tell("kill", &["-TERM"]).await
    }

    /// SIGSTOP: it does nothing until [`Process::wake`], and does not know.
    pub async fn pause(&self) -> anyhow::Result<()> {
        self.tell("kill", &["-STOP"]).await
    }

    /// SIGCONT.
    pub async fn wake(&self) -> anyhow::Result<()> {
        self.tell("kill", &["-CONT"]).await
    }

    /// Limits its files to so many bytes, as if its disk were full; `None`: there is room again.
    pub async fn limit_files(&self, bytes: Option<u64>) -> anyhow::Result<()> {
        let limit = bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
        // Only the soft limit: the hard one could not be raised again.
        self.tell("prlimit", &[&format!("--fsize={limit}:"), "--pid"]).await
    }

    /// Runs a program on it. Signals and limits of others have no safe call in the standard library.
    async fn tell(&self, program: &str, args: &[&str]) -> anyhow::Result<()> {
        let id = self.id()?.to_string();
        let told = Command::new(program).args(args).arg(&id).status().await?;
        ensure!(told.success(), "{program} could do nothing to process {id}");
        Ok(())
    }

    fn id(&self) -> anyhow::Result<u32> {
        self.child.id().context("it is gone already")
    }

    /// What it has of the machine now (Linux's /proc).
    pub fn footprint(&self) -> anyhow::Result<Footprint> {
        let folder = PathBuf::from(format!("/proc/{}", self.id()?));
        let status = fs::read_to_string(folder.join("status"))?;
        let kib = |name: &str| -> anyhow::Result<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let number = line.and_then(|line| line.split_whitespace().next());
            Ok(number.with_context(|| format!("no {name} is said"))?.parse()?)
        };
        let files = fs::read_dir(folder.join("fd"))?.count();
        Ok(Footprint { memory: kib("VmRSS")?, own: kib("RssAnon")?, files })
    }

    /// Stops it as a service manager does; an error if it does not end well.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.terminate().await?;
        self.stopped().await.map(drop)
    }

    /// Waits for the end of one that was told to stop; gives the end of what it wrote.
    pub async fn stopped(mut self) -> anyhow::Result<String> {
        let status = self.ends().await.context("it was to drain")?;
        ensure!(status.success(), "it ended with {status}\n{}", self.said());
        Ok(self.said())
    }

    /// Waits for the end of one that can't start; gives the end of what it wrote.
    pub async fn refused(mut self) -> anyhow::Result<String> {
        let status = self.ends().await.context("it was not to start")?;
        ensure!(status.code().is_some_and(|code| code > 0), "it ended with {status}\n{}", self.said());
        Ok(self.said())
    }

    /// Where it keeps its files.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Whether it has written this.
    pub fn has_said(&self, words: &str) -> bool {
        fs::read_to_string(&self.log).is_ok_and(|text| text.contains(words))
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

/// What the last processes of a world wrote, for a failure's report.
pub fn last_words(world: &World) -> String {
    let logs = (1..).map(|number| log(world.folder(), number)).take_while(|log| log.exists());
    let logs: Vec<PathBuf> = logs.collect();
    logs[logs.len().saturating_sub(3)..].iter().map(|log| tail(log)).collect::<Vec<_>>().join("\n")
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
