//! Connections that end, and sessions that go on.

use std::time::Duration;

use roundtable_fakes::DiscordFake;
use serde_json::json;

use super::{INTENTS, Socket};

/// The number of GUILD_CREATE, the last event of a new session.
const LAST: u64 = 2;

#[tokio::test]
async fn what_was_missed_is_replayed_with_its_numbers() {
    let discord = DiscordFake::start().await.unwrap();
    let ann = discord.user("ann");
    let (mut socket, ready) = Socket::ready(&discord, INTENTS).await;
    ann.says("one");
    assert_eq!(socket.next().await["s"], LAST + 1);
    discord.gateway_down();
    assert!(socket.frame().await.is_none(), "no close frame");
    ann.says("two");
    ann.says("three");
    discord.gateway_up();
    let mut socket = Socket::at(&discord, "/resume").await;
    socket.next().await;
    socket.resume(&discord, &ready["session_id"], LAST + 1).await;
    let (two, three) = (socket.next().await, socket.next().await);
    assert_eq!((&two["s"], &two["d"]["content"]), (&json!(LAST + 2), &json!("two")));
    assert_eq!((&three["s"], &three["d"]["content"]), (&json!(LAST + 3), &json!("three")));
    assert_eq!(socket.next().await["t"], "RESUMED");
    ann.says("four");
    assert_eq!(socket.event("MESSAGE_CREATE").await["content"], "four");
    assert_eq!(discord.resume_paths(), ["/resume"]);
    discord.finish().unwrap();
}

#[tokio::test]
async fn events_can_come_twice_after_a_resume() {
    let discord = DiscordFake::start().await.unwrap();
    let ann = discord.user("ann");
    discord.set(|settings| settings.repeat_on_resume = 1);
    let (mut socket, ready) = Socket::ready(&discord, INTENTS).await;
    ann.says("one");
    let first = socket.next().await;
    discord.drop_gateway();
    let mut socket = Socket::open(&discord).await;
    socket.resume(&discord, &ready["session_id"], LAST + 1).await;
    assert_eq!(socket.next().await, first);
    assert_eq!(socket.next().await["t"], "RESUMED");
    discord.finish().unwrap();
}

#[tokio::test]
async fn a_lost_session_begins_anew() {
    let discord = DiscordFake::start().await.unwrap();
    let (mut socket, ready) = Socket::ready(&discord, INTENTS).await;
    discord.invalidate_sessions(true);
    assert_eq!(socket.next().await["d"], true);
    socket.0.close(None).await.unwrap();
    discord.wait_until("the end", |world| world.connected() == 0).await.unwrap();
    let mut back = Socket::open(&discord).await;
    back.resume(&discord, &ready["session_id"], LAST).await;
    assert_eq!(back.next().await["t"], "RESUMED");
    discord.invalidate_sessions(false);
    assert_eq!(back.next().await["d"], false);
    let mut gone = Socket::open(&discord).await;
    gone.resume(&discord, &ready["session_id"], LAST).await;
    assert_eq!(gone.next().await["op"], 9);
    gone.identify(&discord, INTENTS).await;
    gone.event("READY").await;
    discord.finish().unwrap();
}

#[tokio::test]
async fn sessions_end_with_time_with_their_buffer_and_with_some_codes() {
    let discord = DiscordFake::start().await.unwrap();
    let ann = discord.user("ann");
    let resumed = async |session, seq| {
        let mut socket = Socket::open(&discord).await;
        socket.resume(&discord, session, seq).await;
        socket.next().await["t"] == "RESUMED"
    };
    let (_socket, ready) = Socket::ready(&discord, INTENTS).await;
    discord.close_gateway(4000);
    discord.wait_until("the end", |world| world.connected() == 0).await.unwrap();
    assert!(resumed(&ready["session_id"], LAST).await);
    discord.wait_until("the end", |world| world.connected() == 0).await.unwrap();
    discord.advance(Duration::from_secs(200));
    assert!(!resumed(&ready["session_id"], LAST).await, "too late");

    let (_socket, ready) = Socket::ready(&discord, INTENTS).await;
    discord.close_gateway(4009);
    assert!(!resumed(&ready["session_id"], LAST).await, "4009 ends it");

    discord.set(|settings| settings.replay = 1);
    let (_socket, ready) = Socket::ready(&discord, INTENTS).await;
    discord.drop_gateway();
    ann.says("one");
    ann.says("two");
    assert!(!resumed(&ready["session_id"], LAST).await, "the buffer is too short");
    discord.finish().unwrap();
}

#[tokio::test]
async fn a_client_that_saw_more_than_was_sent_is_thrown_out() {
    let discord = DiscordFake::start().await.unwrap();
    let (_socket, ready) = Socket::ready(&discord, INTENTS).await;
    discord.drop_gateway();
    let mut back = Socket::open(&discord).await;
    back.resume(&discord, &ready["session_id"], 99).await;
    assert_eq!(back.closed().await, 4007);
    assert_eq!(discord.violations().len(), 1);
}

#[tokio::test]
async fn a_frozen_socket_is_silent_and_its_session_lives() {
    let discord = DiscordFake::start().await.unwrap();
    let ann = discord.user("ann");
    let (mut socket, ready) = Socket::ready(&discord, INTENTS).await;
    discord.freeze_gateway();
    ann.says("unheard");
    socket.say(json!({"op": 1, "d": null})).await;
    let mut back = Socket::open(&discord).await;
    back.resume(&discord, &ready["session_id"], LAST).await;
    assert_eq!(back.event("MESSAGE_CREATE").await["content"], "unheard");
    assert_eq!(back.next().await["t"], "RESUMED");
    discord.finish().unwrap();
}
