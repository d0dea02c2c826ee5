//! Messages of people and their answers. The model is the built-in one, which answers at once.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use roundtable_fakes::TelegramFake;

use super::figures::{Figures, millis, share};
use super::node::Node;
use super::scaled;

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

/// The model that needs no server.
const DEMO: &str = "[models.main]\nprovider = \"demo\"\n";

/// Starts, memory, added latency, throughput and processor time; into `figures` goes what peers were measured by.
pub async fn measure(folder: &Path, url: &str, figures: &mut Figures) -> Result<()> {
    let telegram = TelegramFake::start().await?;
    telegram.set(|settings| settings.hot_loop_throttle = false);
    let mut node = Node::start(folder, url, &telegram, DEMO)?;
    first_poll(&telegram, 0).await?;
    figures.start = millis(node.started.elapsed());
    println!("  start to first poll        {:>8.1} ms", figures.start);
    // A second start on a database that is there: without the creation of the schema.
    node.stop()?;
    let polls = telegram.calls_of("getupdates").len();
    node = Node::start(folder, url, &telegram, DEMO)?;
    first_poll(&telegram, polls).await?;
    println!("  start on a filled database {:>8.1} ms", millis(node.started.elapsed()));
    figures.idle = node.memory()?;
    println!("  idle memory                {:>8.1} MiB", figures.idle);

    let ann = telegram.user("ann");
    for round in 0..scaled(ONE_BY_ONE) {
        ann.says(&format!("hello {round}"));
        ann.next_message().await?;
    }
    figures.added = print_latencies("one chat", telegram.latencies());
    many_chats(&telegram).await?;
    (figures.rate, figures.cpu) = bursts(&telegram, &node).await?;
    println!("  memory after it            {:>8.1} MiB", node.memory()?);
    node.stop()?;
    let violations = telegram.violations();
    ensure!(violations.is_empty(), "Telegram saw what it must not see: {violations:?}");
    Ok(())
}

/// Waits for a poll after so many.
async fn first_poll(telegram: &TelegramFake, before: usize) -> Result<()> {
    let polls =
        |world: &roundtable_fakes::World| world.calls().filter(|call| call.method == "getupdates").count();
    telegram.wait_until("a poll", |world| polls(world) > before).await
}

/// Answers a second, and milliseconds of the processor for each.
async fn bursts(telegram: &TelegramFake, node: &Node) -> Result<(f64, f64)> {
    let mut rates = Vec::new();
    let before = node.cpu()?;
    for _ in 0..RUNS {
        rates.push(burst(telegram).await?);
    }
    rates.sort_by(f64::total_cmp);
    let answers = RUNS * (scaled(BURST) / BURST_CHATS).max(1) * BURST_CHATS;
    let cpu = millis(node.cpu()? - before) / answers as f64;
    let (least, median, most) = (rates[0], rates[RUNS / 2], rates[RUNS - 1]);
    println!("  answered messages          {median:>8.0} a second (of {least:.0} to {most:.0})");
    println!("  CPU                        {cpu:>8.2} ms an answer");
    Ok((median, cpu))
}

async fn many_chats(telegram: &TelegramFake) -> Result<()> {
    let known = telegram.latencies().len();
    let people: Vec<_> = (0..CHATS).map(|n| telegram.user(&format!("p{n}"))).collect();
    let chats = people.iter().map(|person| async move {
        for round in 0..scaled(EACH) {
            person.says(&format!("hello {round}"));
            person.next_message().await?;
        }
        anyhow::Ok(())
    });
    futures::future::try_join_all(chats).await?;
    print_latencies("50 chats", telegram.latencies().split_off(known));
    Ok(())
}

/// All chats write at once, each one message after the other: what waits in one chat would be answered together.
/// Returns answers a second.
async fn burst(telegram: &TelegramFake) -> Result<f64> {
    let people: Vec<_> = (0..BURST_CHATS).map(|n| telegram.user(&format!("b{n}"))).collect();
    let rounds = (scaled(BURST) / BURST_CHATS).max(1);
    let begun = Instant::now();
    let chats = people.iter().map(|person| async move {
        for round in 0..rounds {
            person.says(&format!("hello {round}"));
            person.next_message().await?;
        }
        anyhow::Ok(())
    });
    futures::future::try_join_all(chats).await?;
    Ok((rounds * BURST_CHATS) as f64 / begun.elapsed().as_secs_f64())
}

/// Returns the median in milliseconds.
fn print_latencies(what: &str, mut latencies: Vec<Duration>) -> f64 {
    latencies.sort();
    let [p50, p99, most] = [0.5, 0.99, 1.0].map(|at| share(&latencies, at));
    println!("  added latency, {what:<9}   {p50:>8.2} ms p50, {p99:.2} ms p99, {most:.2} ms most");
    p50
}
