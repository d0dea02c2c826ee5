//! Connections that break are there again within a minute, with the times that are set by default.

use std::time::Duration;

use roundtable_fakes::discord::World as Discord;
use roundtable_fakes::{DiscordFake, Fault, World as Telegram};

use crate::support::ready;
use crate::support::requests::next_text;
use crate::support::world::World;

/// The longest that what is said meanwhile may wait for its answer.
const MINUTE: Duration = Duration::from_secs(60);

/// A world in which no connection has a time of its own, and no lease, whose end begins it anew, a short one.
async fn usual() -> World {
    let open = "dm = \"open\"";
    let mut world = World::setting().telegram(open).discord(open).without_node().await;
    world.env.insert("ROUNDTABLE_NODE__LEASE".to_owned(), "15s".to_owned());
    world.start_node().await;
    ready::all(&world).await;
    world
}

/// Says something on Discord and waits until it is answered.
async fn answered_on_discord(world: &World, text: &str) {
    let ann = world.discord().user("ann");
    ann.says(text);
    let answer = format!("echo: {text}");
    let is_there = |world: &Discord| world.bot_messages().any(|message| message.text == answer).then_some(());
    let answered = tokio::time::timeout(MINUTE, world.discord().watch(is_there)).await;
    answered.unwrap_or_else(|_| panic!("{text} was not answered within a minute"));
    assert_eq!(ann.next_message().await.unwrap().text, answer);
}

/// The same on Telegram.
async fn answered_on_telegram(world: &World, text: &str) {
    let ann = world.telegram.user("ann");
    ann.says(text);
    let answer = format!("echo: {text}");
    let is_there =
        |world: &Telegram| world.bot_messages().any(|message| message.text == answer).then_some(());
    let answered = tokio::time::timeout(MINUTE, world.telegram.watch(is_there)).await;
    answered.unwrap_or_else(|_| panic!("{text} was not answered within a minute"));
    assert_eq!(next_text(&ann).await, answer);
}

/// The connection ends, with the session or without it.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_to_discord_that_ends_is_there_again_within_a_minute() {
    let world = usual().await;
    answered_on_discord(&world, "hello").await;
    let ends: [fn(&DiscordFake); 6] = [
        |discord| discord.drop_gateway(),
        |discord| discord.ask_to_reconnect(),
        |discord| discord.invalidate_sessions(true),
        |discord| discord.invalidate_sessions(false),
        |discord| discord.close_gateway(4000),
        |discord| discord.close_gateway(4009),
    ];
    for (number, end) in ends.into_iter().enumerate() {
        end(world.discord());
        answered_on_discord(&world, &format!("meanwhile {number}")).await;
    }
    ready::all(&world).await;
    world.end().await;
}

/// Polls that get no answer, or the beginning of one.
#[tokio::test(flavor = "multi_thread")]
async fn polls_that_are_not_answered_are_made_again_within_a_minute() {
    let world = usual().await;
    for fault in [Fault::Hang, Fault::HalfClose] {
        world.telegram.fail_next("getUpdates", fault.clone());
        let next = world.telegram.calls_of("getUpdates").len() + 1;
        // It ends the poll that waits.
        answered_on_telegram(&world, &format!("hello, {fault:?}")).await;
        world.telegram.wait_until("the poll", |world: &Telegram| polls(world) >= next).await.unwrap();
        answered_on_telegram(&world, &format!("meanwhile, {fault:?}")).await;
    }
    ready::all(&world).await;
    world.end().await;
}

/// The slowest of all: a socket that says nothing any more, and another poller that was there twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_connection_and_one_that_another_poller_took_are_there_again_within_a_minute() {
    let world = usual().await;
    answered_on_discord(&world, "hello").await;
    tokio::join!(
        async {
            world.discord().freeze_gateway();
            answered_on_discord(&world, "meanwhile").await;
        },
        async {
            for fault in [Fault::Html502Before, Fault::Conflict, Fault::Conflict] {
                world.telegram.fail_next("getUpdates", fault);
            }
            let last = world.telegram.calls_of("getUpdates").len() + 3;
            // It ends the poll that waits.
            answered_on_telegram(&world, "hello").await;
            let met = |world: &Telegram| polls(world) >= last;
            world.telegram.wait_until("the last of them", met).await.unwrap();
            answered_on_telegram(&world, "meanwhile").await;
        }
    );
    ready::all(&world).await;
    world.end().await;
}

fn polls(world: &Telegram) -> usize {
    world.calls().filter(|call| call.method == "getupdates").count()
}
