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
    let sharded = |shard: Value| {
        let mut payload = identify(&token, INTENTS);
        payload["d"]["shard"] = shard;
        payload
    };
    for (payload, code) in [
        (identify("wrong", INTENTS), 4004),
        (identify(&token, 1 << 40), 4013),
        (identify(&token, INTENTS | 1 << 1), 4014),
        (sharded(json!([3, 2])), 4010),
        (sharded(json!([2, 2])), 4010),
        (sharded(json!([0, 0])), 4010),
        (sharded(json!([0])), 4010),
        (sharded(json!("0/1")), 4010),
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
async fn each_shard_hears_of_its_own_guilds_and_the_first_of_dms() {
    let discord = DiscordFake::start().await.unwrap();
    let ann = discord.user("ann");
    let rooms =
        [0, 1].map(|shard| ann.in_guild_of_shard(&format!("of {shard}"), [shard, 2]).in_channel("general"));
    let mut sockets = [Socket::open(&discord).await, Socket::open(&discord).await];
    for ((number, socket), room) in (0..).zip(&mut sockets).zip(&rooms) {
        socket.identify_as(&discord, INTENTS, json!([number, 2])).await;
        let ready = socket.event("READY").await;
        assert_eq!(ready["shard"], json!([number, 2]));
        let guilds = ready["guilds"].as_array().unwrap();
        assert!(guilds.iter().all(|guild| (id(&guild["id"]) >> 22) % 2 == number), "{guilds:?}");
        let mut told = Vec::new();
        for _ in guilds {
            told.push(socket.event("GUILD_CREATE").await);
        }
        let has_room = |guild: &&Value| guild["name"] == format!("of {number}");
        let channels = &told.iter().find(has_room).expect("it is told of its own")["channels"];
        assert_eq!(id(&channels[0]["id"]), room.place().channel_id());
    }
    rooms[1].says("one");
    rooms[0].says("zero");
    ann.dm().says("psst");
    rooms[1].in_channel("new").says("two");
    let [zero, one] = &mut sockets;
    assert_eq!(zero.event("MESSAGE_CREATE").await["content"], "zero");
    assert_eq!(zero.event("MESSAGE_CREATE").await["content"], "psst");
    assert_eq!(one.event("MESSAGE_CREATE").await["content"], "one");
    assert_eq!(one.event("CHANNEL_CREATE").await["name"], "new");
    assert_eq!(one.event("MESSAGE_CREATE").await["content"], "two");
    discord.freeze_shard(1);
    rooms[0].says("still here");
    assert_eq!(zero.event("MESSAGE_CREATE").await["content"], "still here");
    discord.finish().unwrap();
}

#[tokio::test]
async fn a_shard_with_too_many_guilds_is_refused() {
    let discord = DiscordFake::start().await.unwrap();
    let ann = discord.user("ann");
    for shard in [0, 1] {
        ann.in_guild_of_shard(&format!("of {shard}"), [shard, 2]);
    }
    discord.set(|settings| settings.guilds_per_shard = 2);
    assert_eq!(Rest::of(&discord).get("/gateway/bot").await["shards"], 2);
    let mut all = Socket::open(&discord).await;
    all.identify(&discord, INTENTS).await;
    assert_eq!(all.closed().await, 4011);
    let mut half = Socket::open(&discord).await;
    half.identify_as(&discord, INTENTS, json!([0, 2])).await;
    half.event("READY").await;
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
