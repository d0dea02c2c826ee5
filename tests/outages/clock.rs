//! Clocks that are set by an hour: the database's under a running program, and that of the machine between two.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use roundtable::store::{Access, Read, Sql, Store, StoreError, Transaction, Tx};
use roundtable::time::SystemClock;
use roundtable_fakes::{Fault, Hold};

use super::{answered, goes_on, on_each};
use crate::kills::random::{Random, seed};
use crate::kills::report::{Outcome, conclude};
use crate::kills::scene::{Mode, Scene, read};
use crate::nodes::fleet::{Fleet, TELEGRAM, owner};
use crate::support::databases::{Database, change};

/// An hour, in milliseconds.
pub(super) const HOUR: i64 = 3_600_000;

/// All that is stored in milliseconds and compared with the present, or with what is; but for what is due at once or
/// never, and the moment at which a message was made that may be on its way: by that Discord knows it again.
const STORED: [&str; 16] = [
    "UPDATE attendance SET seen_at = seen_at + $1",
    "UPDATE nodes SET started_at = started_at + $1, seen_at = seen_at + $1, until = until + $1",
    "UPDATE leases SET until = until + $1",
    "UPDATE inbox SET created_at = created_at + $1, not_before = CASE WHEN not_before IN (0, 9223372036854775807) \
     THEN not_before ELSE not_before + $1 END",
    "UPDATE turns SET lease_until = lease_until + $1, held_at = held_at + $1, deadline = deadline + $1",
    "UPDATE waits SET due_at = due_at + $1",
    "UPDATE exchanges SET due_at = due_at + $1",
    "UPDATE runs SET due_at = due_at + $1, created_at = created_at + $1, ended_at = ended_at + $1",
    "UPDATE deliveries SET call_until = call_until + $1, \
     due_at = CASE WHEN due_at = 9223372036854775807 THEN due_at ELSE due_at + $1 END, \
     created_at = CASE WHEN state IN ('sending', 'unknown') THEN created_at ELSE created_at + $1 END",
    "UPDATE pauses SET until = until + $1",
    "UPDATE sessions SET updated_at = updated_at + $1, erase_at = erase_at + $1",
    "UPDATE messages SET created_at = created_at + $1",
    "UPDATE events SET created_at = created_at + $1",
    "UPDATE hints SET said_at = said_at + $1",
    "UPDATE owner_codes SET expires_at = expires_at + $1",
    "UPDATE code_tries SET since = since + $1",
];

/// Sends that people see, and whose answers nobody gets while this lives: one on Telegram and one on Discord.
async fn on_their_way(scene: &mut Scene) -> anyhow::Result<[Hold; 2]> {
    let world = &scene.world;
    let sends = [world.telegram.hold("sendMessage"), world.discord().hold("create_message")];
    scene.ask_all();
    for send in &sends {
        send.process().await?;
    }
    Ok(sends)
}

/// What is stored is an hour away from the present: so it looks to a program whose machine's clock was set meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_wall_clock_that_is_set_between_two_processes_holds_nothing_up() {
    on_each(set_between).await;
}

async fn set_between(database: Database, mut random: Random) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("the clock is set between two", database, Mode::Probe);
    let mut scene = Scene::set(database, Mode::Probe, false).await?;
    for back in [HOUR, -HOUR] {
        let process = scene.start(None)?;
        scene.ask_all();
        scene.moment(&mut random).await;
        process.kill_nine().await?;
        outcome.kills += 1;
        set_back(&scene.world.url, back).await?;
        goes_on(&mut scene, &mut outcome).await?;
    }
    scene.judge([], outcome).await
}

/// The process dies while messages of it are on their way, and the next one has another time.
#[tokio::test(flavor = "multi_thread")]
async fn sends_that_are_on_their_way_as_the_wall_clock_is_set_are_seen_once() {
    on_each(async |database, _| set_meanwhile(database).await).await;
}

async fn set_meanwhile(database: Database) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("the clock is set, sends unknown", database, Mode::Probe);
    let mut scene = Scene::set(database, Mode::Probe, false).await?;
    for back in [HOUR, -HOUR] {
        let process = scene.start(None)?;
        let sends = on_their_way(&mut scene).await?;
        process.kill_nine().await?;
        outcome.kills += 1;
        sends.into_iter().for_each(Hold::cut);
        set_back(&scene.world.url, back).await?;
        goes_on(&mut scene, &mut outcome).await?;
    }
    scene.judge([], outcome).await
}

/// A chat in which nothing may be sent for a moment is not closed for an hour because the clock went back meanwhile, nor is
/// what waits for it stuck.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_lasts_no_longer_because_the_wall_clock_is_set() {
    on_each(async |database, _| set_in_a_pause(database).await).await;
}

async fn set_in_a_pause(database: Database) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("the clock is set, in a pause", database, Mode::Probe);
    let mut scene = Scene::set(database, Mode::Probe, false).await?;
    let process = scene.start(None)?;
    scene.world.telegram.fail_next("sendMessage", Fault::RateLimit { retry_after: 2 });
    scene.ask_all();
    while read(&scene.world.url, Pauses).await? == 0 {
        // Another process's database tells nobody of its changes.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // What comes later waits behind it.
    scene.ask_all();
    process.kill_nine().await?;
    outcome.kills += 1;
    set_back(&scene.world.url, HOUR).await?;
    goes_on(&mut scene, &mut outcome).await?;
    scene.judge([], outcome).await
}

/// How many chats are paused.
struct Pauses;

#[async_trait]
impl Read for Pauses {
    type Output = i64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<i64, StoreError> {
        const PAUSED: &str = "SELECT COUNT(*) AS paused FROM pauses WHERE until > $1";
        tx.one(Sql { lite: PAUSED, pg: PAUSED }, &[tx.now().into()]).await?.get("paused")
    }
}

/// Moves all that is stored by so many milliseconds: so it looks when the clock was set back by that much, or, where it is
/// less than nothing, when so much time has passed.
pub(super) async fn set_back(url: &str, by: i64) -> anyhow::Result<()> {
    let clock = std::sync::Arc::new(SystemClock::new());
    let (store, writer) = Store::open(url, 1, Access::Look, clock).await?;
    let (moved, ()) = tokio::join!(async move { store.commit(Move(by)).await }, writer);
    Ok(moved?)
}

struct Move(i64);

#[async_trait]
impl Transaction for Move {
    type Output = ();
    const NAME: &'static str = "set_the_clock";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        for text in STORED {
            tx.execute(Sql { lite: text, pg: text }, &[self.0.into()]).await?;
        }
        Ok(())
    }
}

/// Nodes that are there keep their time, and one that comes goes by it: nothing ends early, and nobody takes another's.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_whose_clock_is_set_moves_no_due_time() {
    let Some(fleet) = Fleet::set(false).await.unwrap() else { return };
    conclude(vec![set_under(fleet).await]);
}

async fn set_under(mut fleet: Fleet) -> anyhow::Result<Outcome> {
    let mut random = Random::seeded(seed());
    let mut outcome = Outcome::new("the database's clock is set", Database::Postgres, Mode::Probe);
    let name = fleet.scene.world.url.rsplit('/').next().unwrap_or_default().to_owned();
    // A function of the same name that is found before PostgreSQL's own.
    change("postgres", &format!("ALTER DATABASE {name} SET search_path = public, pg_catalog")).await?;
    let clock = async |ahead: &str| {
        let body = format!("SELECT pg_catalog.clock_timestamp() + interval '{ahead}'");
        let function = "CREATE OR REPLACE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql";
        change(&name, &format!("{function} AS $$ {body} $$")).await
    };
    clock("0").await?;
    fleet.start("one").await?;
    fleet.start("two").await?;
    let account = fleet.owner().await?;
    for (ahead, newcomer) in [("1 hour", Some("three")), ("-1 hour", None)] {
        fleet.scene.ask_all();
        fleet.scene.moment(&mut random).await;
        clock(ahead).await?;
        fleet.scene.ask_all();
        outcome.took(answered(&fleet.scene, Instant::now()).await?);
        if let Some(name) = newcomer {
            fleet.start(name).await?;
            fleet.scene.ask_all();
            fleet.answered().await?;
        }
        fleet.scene.look(&mut outcome).await?;
        // The outcome of what is on its way is unknown then.
        let sends = on_their_way(&mut fleet.scene).await?;
        clock("0").await?;
        sends.into_iter().for_each(Hold::cut);
        fleet.answered().await?;
        fleet.scene.look(&mut outcome).await?;
        let now = owner(&fleet.scene.world, TELEGRAM).await?;
        anyhow::ensure!(now == Some(account), "{account} had it, now {now:?}\n{}", fleet.scene.evidence());
    }
    fleet.judge(outcome).await
}
