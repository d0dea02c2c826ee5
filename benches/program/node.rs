//! The built program at work.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use roundtable_fakes::TelegramFake;

/// A running binary.
pub struct Node {
    child: Child,
    /// When it was started.
    pub started: Instant,
}

impl Node {
    /// Starts it with its files in a folder; `more` is the rest of its configuration, beginning within `[node]`.
    pub fn start(folder: &Path, url: &str, telegram: &TelegramFake, more: &str) -> Result<Self> {
        let file = folder.join("roundtable.toml");
        fs::write(
            &file,
            format!(
                "[store]\nurl = {url:?}\n[http]\nlisten = \"127.0.0.1:0\"\n\
                 [channels.telegram.main]\ntoken = \"env:TELEGRAM_BOT_TOKEN\"\napi_url = {:?}\ndm = \"open\"\n\
                 limits = {{ chat_per_second = 0, group_per_minute = 0, total_per_second = 0 }}\n\
                 [node]\ndata_dir = {:?}\n{more}",
                telegram.url(),
                folder.join("data").display().to_string(),
            ),
        )?;
        let env =
            BTreeMap::from([("TELEGRAM_BOT_TOKEN", telegram.token()), ("ROUNDTABLE_LOG", "warn".into())]);
        let log = fs::File::options().create(true).append(true).open(folder.join("log"))?;
        let started = Instant::now();
        let child = Command::new(env!("CARGO_BIN_EXE_roundtable"))
            .args(["serve", "--config"])
            .arg(&file)
            .env_clear()
            .envs(env)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("the program starts")?;
        Ok(Self { child, started })
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.child.id()))
    }

    /// Resident memory in MiB.
    pub fn memory(&self) -> Result<f64> {
        let status = fs::read_to_string(self.proc("status"))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS")).context("VmRSS")?;
        let kib: f64 = line.split_whitespace().nth(1).context("a number")?.parse()?;
        Ok(kib / 1024.0)
    }

    /// Processor time so far; `/proc` counts in hundredths of a second.
    pub fn cpu(&self) -> Result<Duration> {
        let stat = fs::read_to_string(self.proc("stat"))?;
        let fields: Vec<_> = stat.rsplit(')').next().context("fields")?.split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        Ok(Duration::from_millis(ticks * 10))
    }

    /// Ends it as an operator does.
    pub fn stop(&mut self) -> Result<()> {
        let pid = self.child.id().to_string();
        ensure!(Command::new("kill").args(["-TERM", &pid]).status()?.success(), "the program can be stopped");
        ensure!(self.child.wait()?.success(), "the program ends well");
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
