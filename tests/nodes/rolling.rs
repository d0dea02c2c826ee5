//! All nodes are restarted under load, one after the other. Nothing waits for the end of a lease or a drain, which
//! would outlast every patience here; the other times are those of real life.

use std::time::{Duration, Instant};

use roundtable_fakes::{ModelFake, TelegramFake};

use super::fleet::{self, Fleet, NAMES, Nodes, TELEGRAM, owned_by_another};
use super::guild::Guild;
use crate::kills::load::Load;
use crate::kills::report::{Outcome, conclude};
use crate::kills::scene::Mode;
use crate::kills::sight::Platform;
use crate::support::databases::Database;
use crate::support::world::World;

/// Messages a second, unless `ROUNDTABLE_PROVE_ROLLING` says more. Half of them are on Discord.
const RATE: u32 = 20;

/// Conversations on each platform that they are spread over.
const CONVERSATIONS: usize = 50;

/// Messages between two restarts, in seconds of the load; in proofs ten times as many.
const BETWEEN: u32 = 1;

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_under_load_loses_and_doubles_nothing() {
    let prove = std::env::var("ROUNDTABLE_PROVE_ROLLING").ok().and_then(|rate| rate.parse().ok());
    let people = |telegram: &TelegramFake, model: &ModelFake| Load::plain(telegram, model, CONVERSATIONS);
    let Some(fleet) = Fleet::set_with(true, people).await.unwrap() else { return };
    let between = if prove.is_some() { 10 * BETWEEN } else { BETWEEN };
    conclude(vec![roll(fleet, prove.unwrap_or(RATE), between).await]);
}

async fn roll(mut fleet: Fleet, rate: u32, between: u32) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("all nodes, one by one", Database::Postgres, Mode::Probe);
    fleet.end_no_lease();
    fleet.start_all().await?;
    fleet.scene.ask_teams();
    let owner = fleet.owner().await?;
    let mut guild = Guild::of(fleet.scene.world.discord(), CONVERSATIONS);
    let begun = Instant::now();
    let hand_overs = {
        let Fleet { scene, nodes } = &mut fleet;
        let mut pace = tokio::time::interval(Duration::from_secs(2) / rate);
        let mut restarts = std::pin::pin!(restart_all(&scene.world, nodes, owner, rate * between / 2));
        loop {
            tokio::select! {
                done = &mut restarts => break done?,
                _ = pace.tick() => {
                    scene.load.ask_next();
                    guild.say_next();
                }
            }
        }
    };
    let asked = fleet.scene.load.open().len() + guild.said();
    // Whoever still waits for an answer asks nothing more.
    let asked_each_second = asked as f64 / begun.elapsed().as_secs_f64();
    fleet.answered().await?;
    guild.answered(fleet.scene.world.discord()).await?;
    let (verdict, mut waited) = guild.check();
    outcome.add(Platform::Discord, verdict);
    fleet.scene.look(&mut outcome).await?;
    waited.extend(fleet.scene.load.latencies());
    waited.sort();
    let at = |share: usize| waited[(waited.len() * share / 1000).min(waited.len() - 1)].as_millis();
    println!(
        "{asked} messages, {asked_each_second:.1} of {rate} a second: answered after {} ms (p50), {} ms (p99), {} ms at most; \
         the account was handed over within {hand_overs:?}",
        at(500),
        at(990),
        at(1000),
    );
    fleet.judge(outcome).await
}

/// Restarts the owner of the account and then the others, each after so many answers on Telegram; gives the times from
/// each SIGTERM to another owner.
async fn restart_all(
    world: &World,
    nodes: &mut Nodes,
    owner: &'static str,
    answers: u32,
) -> anyhow::Result<Vec<Duration>> {
    let mut hand_overs = Vec::new();
    for name in [owner].into_iter().chain(NAMES.into_iter().filter(|name| *name != owner)) {
        let said = world.telegram.watch(|world| Some(world.bot_messages().count())).await;
        let more = said + usize::try_from(answers)?;
        world.telegram.watch(|world| (world.bot_messages().count() >= more).then_some(())).await;
        let owned = fleet::owner(world, TELEGRAM).await? == Some(name);
        let process = nodes.take(name)?;
        let told = Instant::now();
        process.terminate().await?;
        if owned {
            owned_by_another(world, TELEGRAM, name).await?;
            hand_overs.push(told.elapsed());
        }
        process.stopped().await?;
        nodes.start(world, name, []).await?;
    }
    Ok(hand_overs)
}
