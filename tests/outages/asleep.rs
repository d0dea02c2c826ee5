//! SIGSTOP for longer than a lease, with nobody there to take over; and a process that is down for longer than a turn may
//! take.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use roundtable::store::{Read, Sql, StoreError, Tx};
use roundtable_fakes::Reply;
use serde_json::json;

use super::clock::{HOUR, set_back};
use super::{answered, is_well, on_each};
use crate::kills::random::Random;
use crate::kills::report::Outcome;
use crate::kills::scene::{Mode, Scene, read};
use crate::support::databases::{Database, on_each_database};
use crate::support::process::Process;
use crate::support::requests::next_text;
use crate::support::world::World;

/// A lease of the tests and a half, unless `ROUNDTABLE_PROVE_ASLEEP` gives seconds, which are of nodes with the default times.
const SLEEP: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_has_slept_goes_on_where_it_was() {
    let prove = std::env::var("ROUNDTABLE_PROVE_ASLEEP").ok().and_then(|seconds| seconds.parse().ok());
    let time = prove.map(Duration::from_secs);
    on_each(async |database, random| sleep(database, time, random).await).await;
}

async fn sleep(database: Database, prove: Option<Duration>, mut random: Random) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("SIGSTOP, longer than a lease", database, Mode::Probe);
    let mut scene = Scene::set(database, Mode::Probe, false).await?;
    if prove.is_some() {
        scene.use_default_times();
    }
    let process = scene.start(None)?;
    scene.ask_all();
    scene.moment(&mut random).await;
    process.pause().await?;
    scene.ask_all();
    // The fault itself.
    tokio::time::sleep(prove.unwrap_or(SLEEP)).await;
    process.wake().await?;
    outcome.took(answered(&scene, Instant::now()).await?);
    is_well(&process).await;
    scene.judge([process], outcome).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_is_not_over_because_its_process_has_slept() {
    on_each_database(async |url| {
        let world = World::setting().on(url).without_node().await;
        let process = Process::start(&world, None).unwrap();
        let task = json!({"task": "stand by", "agentId": "coder", "label": "helper"});
        let question = json!({"label": "helper", "message": "how is it?", "timeoutSeconds": 3});
        world.model.once("build it", Reply::calls([("sessions_spawn", task)]));
        world.model.after("sessions_spawn", Reply::calls([("sessions_send", question)]));
        world.model.on(|request| request.result_of("sessions_send").map(Reply::text));
        let hold = world.model.hold("how is it?");
        let ann = world.telegram.user("ann");
        ann.says("build it");
        hold.arrived().await.unwrap();
        world.until("the wait", |rows| rows.turns.iter().any(|turn| turn == "waiting reply")).await;
        process.pause().await.unwrap();
        // The fault itself.
        tokio::time::sleep(SLEEP + Duration::from_secs(1)).await;
        process.wake().await.unwrap();
        hold.release();
        let mut told = next_text(&ann).await;
        while !told.contains("status") {
            told = next_text(&ann).await;
        }
        assert!(told.contains("echo: ") && !told.contains("timeout"), "{told}");
        process.terminate().await.unwrap();
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_is_not_over_because_its_process_has_slept() {
    on_each_database(async |url| {
        let limited = "[agents.manager]\ndefault = true\nturn_timeout = \"3s\"\n";
        let world = World::setting().on(url).config(limited).without_node().await;
        let process = Process::start(&world, None).unwrap();
        let call = world.model.hold("slow");
        let ann = world.telegram.user("ann");
        ann.says("slow");
        call.arrived().await.unwrap();
        process.pause().await.unwrap();
        // The fault itself.
        tokio::time::sleep(SLEEP + Duration::from_secs(1)).await;
        let before = world.rows().await.held_until;
        process.wake().await.unwrap();
        // It has seen that it is late.
        world.until("its leases", |rows| rows.held_until > before).await;
        call.release();
        assert_eq!(next_text(&ann).await, "echo: slow");
        process.terminate().await.unwrap();
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_has_as_much_time_left_as_when_its_process_died() {
    on_each_database(async |url| {
        let world = World::setting().on(url).without_node().await;
        let process = Process::start(&world, None).unwrap();
        let call = world.model.hold("slow");
        let ann = world.telegram.user("ann");
        ann.says("slow");
        call.arrived().await.unwrap();
        process.kill_nine().await.unwrap();
        call.cut();
        let left = read(url, TimeLeft).await.unwrap();
        assert!((1..HOUR).contains(&left), "{left} ms is no less than it is down");
        set_back(url, -HOUR).await.unwrap();
        let again = world.model.hold("slow");
        let process = Process::start(&world, None).unwrap();
        again.arrived().await.unwrap();
        let now = read(url, TimeLeft).await.unwrap();
        // What it is at work now counts.
        assert!((left - 30_000..=left).contains(&now), "{left} ms were left, and now {now}");
        again.release();
        assert_eq!(next_text(&ann).await, "echo: slow");
        process.terminate().await.unwrap();
        world.end().await;
    })
    .await;
}

/// How much time the only turn had left when somebody was last known to be at work at it, in milliseconds.
struct TimeLeft;

#[async_trait]
impl Read for TimeLeft {
    type Output = i64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<i64, StoreError> {
        const LEFT: &str = "SELECT deadline - held_at AS time FROM turns WHERE status = 'running'";
        tx.one(Sql { lite: LEFT, pg: LEFT }, &[]).await?.get("time")
    }
}
