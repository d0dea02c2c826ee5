//! Whether a connection lives: what counts is the last poll or heartbeat that was answered, and `/readyz` says so.

use std::time::Duration;

use roundtable::app::Running;
use roundtable_fakes::discord::World as Discord;
use roundtable_fakes::{Fault, PATIENCE};
use serde_json::Value;

use crate::support::ready::{self, Ready};
use crate::support::world::{QUICK, QUICK_DISCORD, World};

/// When `/readyz` says that a connection was last heard from; milliseconds since 1970.
async fn last_heard(world: &World, account: &str) -> i64 {
    let running = Running::find(&world.data_dir()).expect("a node runs");
    let answer = reqwest::get(format!("{}/readyz", running.url)).await.expect("it answers");
    let ready: Value = answer.json().await.expect("it answers with JSON");
    ready["accounts"][account]["last_ready_at"].as_i64().expect("it was ready once")
}

/// Waits until it was heard from again.
async fn heard_after(world: &World, account: &str, last: i64) {
    let again = async {
        while last_heard(world, account).await == last {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.expect("it is heard from again");
}

/// Starts the node. A busy machine is not to lose the account's lease, which begins the connection anew.
async fn start(world: &mut World) {
    world.env.insert("ROUNDTABLE_NODE__LEASE".to_owned(), "15s".to_owned());
    world.start_node().await;
}

/// All accounts are ready, and stay so while this one is heard from.
async fn lives(world: &World, account: &str) {
    ready::all(world).await;
    heard_after(world, account, last_heard(world, account).await).await;
    ready::all(world).await;
}

/// What `/readyz` says now.
async fn now(world: &World) -> Ready {
    ready::of(&world.data_dir()).await.expect("a node runs")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_whose_polls_hang_is_not_ready_until_one_is_answered() {
    let account = "telegram:main";
    let lines = format!("dm = \"open\"\n{QUICK}").replace("\"5s\"", "\"1s\"");
    let mut world = World::setting().telegram(&lines).without_node().await;
    start(&mut world).await;
    lives(&world, account).await;
    world.telegram.fail_next("getUpdates", Fault::Hang);
    let poll = world.telegram.hold("getUpdates");
    let reason = ready::trouble(&world, account).await;
    assert!(reason.contains("no usable answer"), "{reason}");
    let last = last_heard(&world, account).await;
    poll.arrived().await.unwrap();
    // That a poll is on its way says nothing.
    let now = now(&world).await;
    assert_eq!((now.ready, now.state(account)), (false, "degraded"));
    assert_eq!(last_heard(&world, account).await, last);
    poll.release();
    ready::all(&world).await;
    assert!(last_heard(&world, account).await > last);
    lives(&world, account).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_whose_heartbeats_are_not_answered_is_not_ready_until_it_is_connected_again() {
    let account = "discord:main";
    let quick = QUICK_DISCORD.replace("login", "patience = \"300ms\", login");
    let mut world = World::setting().discord(&format!("dm = \"open\"\n{quick}")).without_node().await;
    world.discord().set(|settings| settings.heartbeat = Duration::from_secs(1));
    start(&mut world).await;
    lives(&world, account).await;
    // Nobody answers, and nobody takes another connection.
    world.discord().set(|settings| (settings.acks, settings.gateway) = (false, false));
    let reason = ready::trouble(&world, account).await;
    assert!(reason.starts_with("The connection to Discord is lost"), "{reason}");
    let last = last_heard(&world, account).await;
    let attempts = world.discord().sockets();
    let tried = |world: &Discord| world.sockets() > attempts;
    world.discord().wait_until("another attempt", tried).await.unwrap();
    let now = now(&world).await;
    assert_eq!((now.ready, now.state(account)), (false, "degraded"));
    assert_eq!(last_heard(&world, account).await, last);
    world.discord().set(|settings| (settings.acks, settings.gateway) = (true, true));
    ready::all(&world).await;
    assert!(last_heard(&world, account).await > last);
    lives(&world, account).await;
    world.end().await;
}
