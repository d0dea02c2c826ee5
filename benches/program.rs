//! Measures the whole program: the release binary, over real sockets, against the fakes of the tests.
//!
//! `cargo xtask bench` runs it, `cargo xtask bench sqlite` or `postgres` for one database. The model is the built-in one, which answers at once, and nothing is paced,
//! so that what is measured is the program, with full durability on. The disk's own speed stands beside.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use roundtable_fakes::TelegramFake;

#[path = "../tests/support/postgres.rs"]
mod postgres;

/// Messages of the latency run with one chat, one after the other.
const ONE_BY_ONE: usize = 400;
/// Chats of the second latency run, and messages of each.
const CHATS: usize = 50;
const EACH: usize = 20;
/// Messages of the throughput run, all there at once.
const BURST: usize = 6000;
/// Chats they come from.
const BURST_CHATS: usize = 100;
/// The throughput is measured so often; the median counts.
const RUNS: usize = 3;

#[tokio::main]
async fn main() -> Result<()> {
    let dir = tempfile::tempdir()?;
    println!("disk: {:.0} fsyncs a second", fsyncs(dir.path())?);
    println!("loopback: {:.0} µs for a round trip", loopback()?.as_secs_f64() * 1e6);
    // Cargo itself passes `--bench`.
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let wanted = |name| only.as_deref().is_none_or(|only| only == name);
    if wanted("sqlite") {
        measure("SQLite", dir.path(), None).await?;
    }
    match postgres::postgres() {
        _ if !wanted("postgres") => {}
        Some(server) => {
            measure("PostgreSQL", dir.path(), Some(server.fresh_durable_database().await)).await?
        }
        None => println!("PostgreSQL: not found, not measured"),
    }
    Ok(())
}

async fn measure(name: &str, dir: &Path, url: Option<String>) -> Result<()> {
    println!("\n{name}");
    let folder = dir.join(name);
    fs::create_dir_all(&folder)?;
    let telegram = TelegramFake::start().await?;
    telegram.set(|settings| settings.hot_loop_throttle = false);
    let url = url.unwrap_or_else(|| format!("sqlite:{}", folder.join("roundtable.db").display()));
    let mut node = Node::start(&folder, &url, &telegram)?;
    telegram
        .wait_until("the first poll", |world| world.calls().any(|call| call.method == "getupdates"))
        .await?;
    println!("  start to first poll        {:>8.1} ms", node.started.elapsed().as_secs_f64() * 1e3);
    // A second start on a database that is there: without the creation of the schema.
    node.stop()?;
    let polls = telegram.calls_of("getupdates").len();
    node = Node::start(&folder, &url, &telegram)?;
    telegram
        .wait_until("a poll", |world| {
            world.calls().filter(|call| call.method == "getupdates").count() > polls
        })
        .await?;
    println!("  start on a filled database {:>8.1} ms", node.started.elapsed().as_secs_f64() * 1e3);
    println!("  idle memory                {:>8.1} MiB", node.memory()?);

    let ann = telegram.user("ann");
    for round in 0..ONE_BY_ONE {
        ann.says(&format!("hello {round}"));
        ann.next_message().await?;
    }
    print_latencies("one chat", telegram.latencies());
    many_chats(&telegram).await?;

    let mut rates = Vec::new();
    let before = node.cpu()?;
    for _ in 0..RUNS {
        rates.push(burst(&telegram).await?);
    }
    rates.sort_by(f64::total_cmp);
    let cpu = (node.cpu()? - before).as_secs_f64() * 1e3 / (RUNS * BURST) as f64;
    println!(
        "  answered messages          {:>8.0} a second (of {:.0} to {:.0})",
        rates[RUNS / 2],
        rates[0],
        rates[RUNS - 1]
    );
    println!("  CPU                        {cpu:>8.2} ms an answer");
    println!("  memory after it            {:>8.1} MiB", node.memory()?);
    node.stop()?;
    let violations = telegram.violations();
    ensure!(violations.is_empty(), "Telegram saw what it must not see: {violations:?}");
    Ok(())
}

async fn many_chats(telegram: &TelegramFake) -> Result<()> {
    let known = telegram.latencies().len();
    let people: Vec<_> = (0..CHATS).map(|n| telegram.user(&format!("p{n}"))).collect();
    let chats = people.iter().map(|person| async move {
        for round in 0..EACH {
            person.says(&format!("hello {round}"));
            person.next_message().await?;
        }
        anyhow::Ok(())
    });
    futures::future::try_join_all(chats).await?;
    print_latencies("50 chats", telegram.latencies().split_off(known));
    Ok(())
}

/// All messages are there before the first is read; returns answers a second.
async fn burst(telegram: &TelegramFake) -> Result<f64> {
    let people: Vec<_> = (0..BURST_CHATS).map(|n| telegram.user(&format!("b{n}"))).collect();
    let begun = Instant::now();
    let chats = people.iter().map(|person| async move {
        // One after the other in a chat: what waits in one chat would be answered together.
        for round in 0..BURST / BURST_CHATS {
            person.says(&format!("hello {round}"));
            person.next_message().await?;
        }
        anyhow::Ok(())
    });
    futures::future::try_join_all(chats).await?;
    Ok(BURST as f64 / begun.elapsed().as_secs_f64())
}

fn print_latencies(what: &str, mut latencies: Vec<Duration>) {
    latencies.sort();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "  added latency, {what:<9}   {:>8.2} ms p50, {:.2} ms p99, {:.2} ms most",
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

/// A running binary.
struct Node {
    child: Child,
    started: Instant,
}

impl Node {
    fn start(folder: &Path, url: &str, telegram: &TelegramFake) -> Result<Self> {
        let file = folder.join("roundtable.toml");
        fs::write(
            &file,
            format!(
                "[node]\ndata_dir = {:?}\n[store]\nurl = {url:?}\n[http]\nlisten = \"127.0.0.1:0\"\n\
                 [models.main]\nprovider = \"demo\"\n\
                 [channels.telegram.main]\ntoken = \"env:TELEGRAM_BOT_TOKEN\"\napi_url = {:?}\ndm = \"open\"\n\
                 limits = {{ chat_per_second = 0, group_per_minute = 0, total_per_second = 0 }}\n",
                folder.join("data").display().to_string(),
                telegram.url(),
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
    fn memory(&self) -> Result<f64> {
        let status = fs::read_to_string(self.proc("status"))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS")).context("VmRSS")?;
        let kib: f64 = line.split_whitespace().nth(1).context("a number")?.parse()?;
        Ok(kib / 1024.0)
    }

    /// Processor time so far; `/proc` counts in hundredths of a second.
    fn cpu(&self) -> Result<Duration> {
        let stat = fs::read_to_string(self.proc("stat"))?;
        let fields: Vec<_> = stat.rsplit(')').next().context("fields")?.split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        Ok(Duration::from_millis(ticks * 10))
    }

    fn stop(&mut self) -> Result<()> {
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

/// How often a small append can be made durable in a second.
fn fsyncs(dir: &Path) -> Result<f64> {
    let mut file = fs::File::create(dir.join("fsync"))?;
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < Duration::from_secs(2) {
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / begun.elapsed().as_secs_f64())
}

/// A byte to a thread of this process and back over TCP, the mean of many.
fn loopback() -> Result<Duration> {
    use std::io::Read as _;
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let echo = std::thread::spawn(move || -> Result<()> {
        let (mut peer, _) = listener.accept()?;
        peer.set_nodelay(true)?;
        let mut byte = [0];
        while peer.read(&mut byte)? == 1 {
            peer.write_all(&byte)?;
        }
        Ok(())
    });
    let mut peer = std::net::TcpStream::connect(address)?;
    peer.set_nodelay(true)?;
    let (begun, rounds) = (Instant::now(), 10_000);
    for _ in 0..rounds {
        peer.write_all(&[1])?;
        peer.read_exact(&mut [0])?;
    }
    let took = begun.elapsed() / rounds;
    drop(peer);
    echo.join().expect("the echo does not panic")?;
    Ok(took)
}
