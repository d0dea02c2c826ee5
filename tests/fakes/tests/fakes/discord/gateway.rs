//! Connecting, and what a session hears.

use std::time::Duration;

use futures::SinkExt as _;
use reqwest::Method;
use roundtable_fakes::{DiscordFake, discord::Hello};
use serde_json::{Map, Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{INTENTS, Rest, Socket, id};

#[tokio::test]
async fn a_session_is_ready_with_its_guild_and_hears_people_and_itself() {
    let discord = DiscordFake::start().await.unwrap();
    let (bot, ann) = (Rest::of(&discord), discord.user("ann").in_thread("general", "plans"));
    let thread = ann.place().channel_id();
    let mut socket = Socket::open(&discord).await;
    socket.identify(&discord, INTENTS).await;
    let ready = socket.event("READY").await;
    assert_eq!(id(&ready["user"]["id"]), discord.bot_id());
    assert_eq!(ready["guilds"][0]["unavailable"], true);
    let guild = socket.event("GUILD_CREATE").await;
    assert_eq!(
        (&guild["channels"][0]["name"], &guild["threads"][0]["name"]),
        (&json!("general"), &json!("plans"))
    );

    let said = ann.says("hi");
    let heard = socket.event("MESSAGE_CREATE").await;
    assert_eq!((id(&heard["id"]), id(&heard["channel_id"])), (said.id, thread));
    assert_eq!(heard["author"]["username"], "ann");
    bot.post(thread, json!({"content": "hello", "nonce": "n1"})).await;
    let echo = socket.event("MESSAGE_CREATE").await;
    assert_eq!((&echo["nonce"], &echo["author"]["id"]), (&json!("n1"), &ready["user"]["id"]));
    ann.next_message().await.unwrap();
    ann.edits(&said, "hi!");
    assert!(socket.event("MESSAGE_UPDATE").await["edited_timestamp"].is_string());
    ann.reacts(&said, "👍");
    assert_eq!(socket.event("MESSAGE_REACTION_ADD").await["emoji"]["name"], "👍");
    ann.deletes(&said);
    assert_eq!(id(&socket.event("MESSAGE_DELETE").await["id"]), said.id);
    assert_eq!(discord.latencies().len(), 1);
    discord.finish().unwrap();
}

#[tokio::test]
async fn heartbeats_are_answered_unless_told_otherwise_and_missed_ones_end_it() {
    let discord = DiscordFake::start().await.unwrap();
    let (mut socket, _) = Socket::ready(&discord, INTENTS).await;
    socket.say(json!({"op": 1, "d": 2})).await;
    assert_eq!(socket.next().await["op"], 11);
    discord.ask_for_heartbeat();
    assert_eq!(socket.next().await["op"], 1);
    discord.set(|settings| settings.acks = false);
    socket.say(json!({"op": 1, "d": 2})).await;
    discord.ask_to_reconnect();
    assert_eq!(socket.next().await["op"], 7, "no ACK came before it");
    discord.set(|settings| settings.heartbeat = Duration::from_millis(20));
    let mut silent = Socket::open(&discord).await;
    assert_eq!(silent.closed().await, 4000);
    discord.finish().unwrap();
}

#[tokio::test]
async fn each_wrong_step_has_its_close_code() {
    let discord = DiscordFake::start().await.unwrap();
    let properties = json!({"os": "linux"});
    let identify = |token: &str, intents: u64| json!({"op": 2, "d": {"token": token, "intents": intents, "properties": properties}});
    let token = discord.token();
    let mut sharded = identify(&token, INTENTS);
    sharded["d"]["shard"] = json!([3, 2]);
    for (payload, code) in [
        (identify("wrong", INTENTS), 4004),
        (identify(&token, 1 << 40), 4013),
        (identify(&token, INTENTS | 1 << 1), 4014),
        (sharded, 4010),
        (json!({"op": 8, "d": {}}), 4003),
        (json!({"op": 99}), 4001),
        (json!({"op": 3, "d": "x".repeat(5000)}), 4002),
    ] {
        let mut socket = Socket::open(&discord).await;
        socket.say(payload).await;
        assert_eq!(socket.closed().await, code);
    }
    let (mut twice, _) = Socket::ready(&discord, INTENTS).await;
    twice.identify(&discord, INTENTS).await;
    assert_eq!(twice.closed().await, 4005);
    let mut garbled = Socket::open(&discord).await;
    garbled.0.send(Message::text("{")).await.unwrap();
    assert_eq!(garbled.closed().await, 4002);
    let mut hasty = Socket::open(&discord).await;
    for _ in 0..121 {
        hasty.say(json!({"op": 1, "d": null})).await;
    }
    for _ in 0..120 {
        assert_eq!(hasty.next().await["op"], 11);
    }
    assert_eq!(hasty.closed().await, 4008);
    assert_eq!(discord.violations().len(), 6, "{:?}", discord.violations());
}

#[tokio::test]
async fn intents_choose_the_events_and_content_needs_its_own() {
    let discord = DiscordFake::start().await.unwrap();
    let ann = discord.user("ann");
    let (mut dms, _) = Socket::ready(&discord, 1 << 12).await;
    let (mut blind, _) = Socket::ready(&discord, INTENTS & !(1 << 15)).await;
    ann.in_channel("general").says("secret");
    blind.event("CHANNEL_CREATE").await;
    assert_eq!(blind.event("MESSAGE_CREATE").await["content"], "");
    let asked = ann.in_channel("general").mentions_bot("look");
    assert_eq!(blind.event("MESSAGE_CREATE").await["content"], asked.text);
    ann.dm().says("psst");
    assert_eq!(blind.event("MESSAGE_CREATE").await["content"], "psst");
    let first = dms.event("MESSAGE_CREATE").await;
    assert_eq!((&first["content"], &first["guild_id"]), (&json!("psst"), &Value::Null));
    discord.finish().unwrap();
}

#[tokio::test]
async fn connections_can_begin_badly() {
    let discord = DiscordFake::start().await.unwrap();
    discord.set(|settings| settings.hello = Hello::Reconnect);
    assert_eq!(Socket::at(&discord, "/").await.next().await["op"], 7);
    discord.set(|settings| settings.hello = Hello::Withheld);
    let mut silent = Socket::at(&discord, "/").await;
    silent.identify(&discord, INTENTS).await;
    silent.event("READY").await;
    discord.set(|settings| {
        settings.hello = Hello::Sent;
        settings.identify_gap = Duration::from_secs(5);
    });
    let mut early = Socket::open(&discord).await;
    early.identify(&discord, INTENTS).await;
    let refusal = early.next().await;
    assert_eq!((&refusal["op"], &refusal["d"]), (&json!(9), &json!(false)));
    discord.advance(Duration::from_secs(5));
    early.identify(&discord, INTENTS).await;
    early.event("READY").await;
    discord.finish().unwrap();
}

#[tokio::test]
async fn each_bot_has_its_own_dms_and_the_world_outlives_the_server() {
    let mut discord = DiscordFake::start().await.unwrap();
    let other = Rest::with(&discord, &discord.add_bot("other_bot"));
    let (ann, bot) = (discord.user("ann"), Rest::of(&discord));
    let (mut socket, _) = Socket::ready(&discord, INTENTS).await;
    let with_other = ann.with_bot("other_bot").unwrap();
    with_other.says("not for you");
    let asked = ann.says("for you");
    assert_eq!(socket.event("MESSAGE_CREATE").await["content"], "for you");
    let path = format!("/channels/{}", asked.channel);
    assert_eq!(other.refused(Method::GET, &path, Value::Null).await, (404, 10003));
    discord.stop().await;
    assert!(socket.frame().await.is_none());
    assert!(bot.send(Method::GET, "/users/@me", Value::Null).await.is_err());
    ann.says("are you there?");
    discord.restart().await.unwrap();
    let missed = bot.get(&format!("{path}/messages?after={}", asked.id)).await;
    assert_eq!(missed[0]["content"], "are you there?");
    discord.finish().unwrap();
}

#[tokio::test]
async fn the_days_identifies_are_counted() {
    let discord = DiscordFake::start().await.unwrap();
    discord.set(|settings| settings.identify_budget = 1);
    let rest = Rest::of(&discord);
    let left = rest.get("/gateway/bot").await;
    assert_eq!(left["session_start_limit"]["remaining"], 1);
    Socket::ready(&discord, INTENTS).await;
    let mut again = Socket::open(&discord).await;
    again.identify(&discord, INTENTS).await;
    assert_eq!(again.next().await["op"], 9);
    assert_eq!(rest.refused(Method::GET, "/users/@me", Value::Null).await, (401, 0));
    assert_eq!(discord.violations().len(), 1);
}

#[tokio::test]
async fn strange_things_arrive_as_they_are() {
    let discord = DiscordFake::start().await.unwrap();
    let ann = discord.user("ann");
    let (mut socket, _) = Socket::ready(&discord, INTENTS).await;
    discord.inject("BRAND_NEW", &json!({"x": 1}));
    assert_eq!(socket.event("BRAND_NEW").await["x"], 1);
    ann.says_with("odd", Map::from_iter([("type".to_owned(), json!(99))]));
    assert_eq!(socket.event("MESSAGE_CREATE").await["type"], 99);
    discord.set_guild_available(false);
    assert_eq!(socket.event("GUILD_DELETE").await["unavailable"], true);
    discord.set_guild_available(true);
    socket.event("GUILD_CREATE").await;
    discord.finish().unwrap();
}
