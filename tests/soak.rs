//! Mixed load with every kind of fault for a long time: one process lives through it, on PostgreSQL beside two that are
//! killed and restarted. Its memory and its open files stay what they are, and no row is left that should have ended.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use roundtable_fakes::{Chaos, Fault};

use crate::kills::load::Load;
use crate::kills::random::{Random, seed};
use crate::kills::report::{Outcome, conclude};
use crate::kills::scene::Mode;
use crate::nodes::fleet::Fleet;
use crate::support::databases::Database;
use crate::support::process::Footprint;
use crate::support::proxy::{Line, Proxy};

/// The time, on all databases at once, unless `ROUNDTABLE_PROVE_SOAK` gives minutes.
const TIME: Duration = Duration::from_secs(60);

/// The one that lives through it, and those that are killed.
const LONG: &str = "one";
const OTHERS: [&str; 2] = ["two", "three"];

/// What the model may be told and may say, in tokens: histories are cut soon, as they are after weeks with more.
const MODEL: [(&str, &str); 2] =
    [("ROUNDTABLE_MODELS__MAIN__WINDOW", "12000"), ("ROUNDTABLE_MODELS__MAIN__MAX_OUTPUT_TOKENS", "1000")];

/// How much more it may have at the end: memory of its own, in KiB, what it keeps to be fast included; and files.
const MORE_MEMORY: u64 = 16 * 1024;
const MORE_FILES: usize = 100;

/// So often memory and files are read.
const READINGS: u32 = 10;

/// The share of sends that go wrong.
const FAULTY: f64 = 0.03;

#[tokio::test(flavor = "multi_thread")]
async fn a_long_time_of_mixed_load_and_faults_leaves_nothing_behind() {
    let prove = std::env::var("ROUNDTABLE_PROVE_SOAK").ok().and_then(|minutes| minutes.parse::<u64>().ok());
    let time = prove.map_or(TIME, |minutes| Duration::from_secs(minutes * 60));
    let soaks = Database::all().into_iter().map(|database| soak(database, time, Random::seeded(seed())));
    conclude(futures::future::join_all(soaks).await);
}

async fn soak(database: Database, time: Duration, mut random: Random) -> anyhow::Result<Outcome> {
    let random = &mut random;
    let mut outcome = Outcome::new("mixed load with faults", database, Mode::Probe);
    let mut fleet = Fleet::set_on(database, Load::new).await?;
    fleet.scene.world.env.extend(MODEL.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let line = match database {
        Database::Sqlite => None,
        Database::Postgres => Some(Proxy::before(&fleet.scene.world.url).await?),
    };
    let own = line.iter().map(|(_, url)| ("ROUNDTABLE_STORE__URL", url.clone()));
    fleet.nodes.start(&fleet.scene.world, LONG, own).await?;
    if database == Database::Postgres {
        for name in OTHERS {
            fleet.start(name).await?;
        }
    }
    fleet.scene.world.telegram.set_chaos(Some(faults(random.below(u64::MAX), "sendmessage")));
    fleet.scene.world.discord().set_chaos(Some(faults(random.below(u64::MAX), "create_message")));
    let (begun, mut rounds, mut readings) = (Instant::now(), 0_u32, Vec::new());
    while begun.elapsed() < time {
        fleet.scene.ask(|| random.below(4) > 0);
        fleet.scene.moment(random).await;
        disturb(&mut fleet, line.as_ref().map(|(line, _)| line), rounds, random, &mut outcome).await?;
        fleet.scene.ask(|| random.below(4) == 0);
        let asked = Instant::now();
        let left = fleet.scene.unanswered().await;
        outcome.took(fleet.scene.recovered(asked, left).await?);
        fleet.scene.look(&mut outcome).await?;
        ensure!(outcome.is_clean(), "{outcome}\n{}", fleet.scene.evidence());
        fleet.scene.world.model.forget();
        rounds += 1;
        if begun.elapsed() > (time / READINGS) * (readings.len() as u32 + 1) && begun.elapsed() < time {
            readings.push(fleet.nodes.get(LONG)?.footprint()?);
        }
    }
    readings.push(fleet.nodes.get(LONG)?.footprint()?);
    fleet.scene.world.telegram.set_chaos(None);
    fleet.scene.world.discord().set_chaos(None);
    let column = |of: fn(&Footprint) -> u64| {
        readings.iter().map(|reading| of(reading).to_string()).collect::<Vec<_>>().join(", ")
    };
    println!(
        "{database:?}: {rounds} rounds in {} s; memory in KiB: {}; of it its own: {}; open files: {}",
        begun.elapsed().as_secs(),
        column(|reading| reading.memory),
        column(|reading| reading.own),
        column(|reading| reading.files as u64),
    );
    let ends = readings.first().zip(readings.last()).context("it was over too soon")?;
    ensure!(is_flat(ends.0, ends.1), "it has grown from {:?} to {:?}", ends.0, ends.1);
    fleet.judge(outcome).await
}

fn is_flat(first: &Footprint, last: &Footprint) -> bool {
    last.own <= first.own + MORE_MEMORY && last.files <= first.files + MORE_FILES
}

/// Limits that were not foreseen, answers that are lost, connections that break, servers that can't.
fn faults(seed: u64, method: &str) -> Chaos {
    let faults = vec![
        Fault::RateLimit { retry_after: 1 },
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::Html502Before,
        Fault::Html502After,
        Fault::TruncatedJson,
        Fault::empty_500(),
    ];
    Chaos { seed, share: FAULTY, faults, methods: vec![method.to_owned()] }
}

/// One more fault, of each kind in its turn.
async fn disturb(
    fleet: &mut Fleet,
    line: Option<&Proxy>,
    round: u32,
    random: &mut Random,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let other = OTHERS[usize::from(random.below(2) == 0)];
    match (round % 6, line) {
        (0, Some(_)) => {
            fleet.nodes.take(other)?.kill_nine().await?;
            outcome.kills += 1;
            fleet.start(other).await?;
        }
        (1, _) => fleet.scene.world.discord().drop_gateway(),
        (2, Some(_)) => {
            fleet.nodes.take(other)?.stop().await?;
            fleet.start(other).await?;
        }
        (3, _) => fleet.scene.world.discord().ask_to_reconnect(),
        (4, Some(line)) => {
            // Its accounts go to another, who may be killed next.
            line.set(Line::Cut);
            fleet.owned_by_another(LONG).await?;
            line.set(Line::Open);
        }
        (5, _) => fleet.scene.world.discord().close_gateway(4000),
        _ => {}
    }
    Ok(())
}
