//! Gateways that refuse, ignore and lose.

use std::time::Duration;

use reqwest::Method;
use roundtable_fakes::DiscordFake;
use roundtable_fakes::discord::{Greeting, Hello, Lost};
use serde_json::{Value, json};

use super::{INTENTS, Rest, Socket};

#[tokio::test]
async fn a_barred_bot_is_told_once_and_must_not_come_again() {
    let discord = DiscordFake::start().await.unwrap();
    let (mut socket, _) = Socket::ready(&discord, INTENTS).await;
    discord.bar("roundtable_bot", 4014);
    assert_eq!(socket.closed().await, 4014);
    let mut again = Socket::open(&discord).await;
    again.identify(&discord, INTENTS).await;
    assert_eq!(again.closed().await, 4014);
    assert_eq!(discord.violations(), ["roundtable_bot comes again after close code 4014"]);
    discord.let_in("roundtable_bot");
    Socket::ready(&discord, INTENTS).await;
    discord.bar("roundtable_bot", 4013);
    assert_eq!(discord.violations().len(), 1);
}

#[tokio::test]
async fn one_bot_can_be_hung_up_on_alone() {
    let discord = DiscordFake::start().await.unwrap();
    discord.add_bot("other_bot");
    let (mut socket, _) = Socket::ready(&discord, INTENTS).await;
    discord.close_gateway_of("other_bot", 4000);
    discord.user("ann").says("hi");
    assert_eq!(socket.event("MESSAGE_CREATE").await["content"], "hi");
    discord.close_gateway_of("roundtable_bot", 4000);
    assert_eq!(socket.closed().await, 4000);
    discord.finish().unwrap();
}

#[tokio::test]
async fn greetings_can_be_ignored_and_resumes_refused() {
    let discord = DiscordFake::start().await.unwrap();
    let (socket, ready) = Socket::ready(&discord, INTENTS).await;
    drop(socket);
    discord.set(|settings| settings.greeting = Greeting::Ignored);
    let mut socket = Socket::open(&discord).await;
    socket.identify(&discord, INTENTS).await;
    socket.say(json!({"op": 1, "d": null})).await;
    assert_eq!(socket.next().await["op"], 11, "nothing came before it");
    discord.set(|settings| settings.greeting = Greeting::NoResume(4008));
    socket.resume(&discord, &ready["session_id"], 2).await;
    assert_eq!(socket.closed().await, 4008);
    let sockets = discord.sockets();
    Socket::ready(&discord, INTENTS).await;
    assert_eq!((discord.sockets(), discord.identifies()), (sockets + 1, 2));
    discord.set(|settings| settings.hello = Hello::Never);
    let opening = tokio::time::timeout(Duration::from_millis(50), Socket::at(&discord, "/"));
    assert!(opening.await.is_err(), "it never opens");
    discord.finish().unwrap();
}

#[tokio::test]
async fn messages_can_be_lost_on_their_way_and_are_in_the_history() {
    let discord = DiscordFake::start().await.unwrap();
    let ann = discord.user("ann");
    let (mut socket, _) = Socket::ready(&discord, INTENTS).await;
    let first = ann.says("first");
    let seq = socket.next().await["s"].as_u64().unwrap();
    for (lost, next) in [(Lost::Unsent, seq + 1), (Lost::LeftOut, seq + 3), (Lost::Garbled, seq + 4)] {
        discord.lose_next(lost);
        ann.says(&format!("{lost:?}"));
        if lost == Lost::Garbled {
            assert_eq!(socket.next().await["d"]["content"], 7);
            continue;
        }
        ann.says("seen");
        let seen = socket.next().await;
        assert_eq!((&seen["s"], &seen["d"]["content"]), (&json!(next), &json!("seen")), "{lost:?}");
    }
    let path = format!("/channels/{}/messages?after={}", first.channel, first.id);
    assert_eq!(Rest::of(&discord).get(&path).await.as_array().map(Vec::len), Some(5));
    discord.lose_next(Lost::Unsent);
    assert!(discord.finish().unwrap_err().to_string().contains("no message was lost"));
}

#[tokio::test]
async fn the_budget_of_identifies_comes_back() {
    let discord = DiscordFake::start().await.unwrap();
    discord.set(|settings| settings.identify_budget = 1);
    Socket::ready(&discord, INTENTS).await;
    let rest = Rest::of(&discord);
    let limit = rest.get("/gateway/bot").await["session_start_limit"].clone();
    assert_eq!(limit["remaining"], 0);
    discord.advance(Duration::from_millis(limit["reset_after"].as_u64().unwrap()));
    assert_eq!(rest.get("/gateway/bot").await["session_start_limit"]["remaining"], 1);
    Socket::ready(&discord, INTENTS).await;
    discord.finish().unwrap();
}

#[tokio::test]
async fn an_archived_thread_grows_no_thread() {
    let discord = DiscordFake::start().await.unwrap();
    let thread = discord.user("ann").in_thread("general", "plans");
    let said = thread.says("hi");
    let path = format!("/channels/{}/messages/{}/threads", said.channel, said.id);
    let rest = Rest::of(&discord);
    let open = async || rest.refused(Method::POST, &path, json!({"name": "more"})).await;
    assert_eq!(open().await, (400, 50024));
    thread.place().archive();
    assert_eq!(open().await.1, 50083);
    assert_eq!(rest.send(Method::GET, "/users/@me", Value::Null).await.unwrap().status(), 200);
    discord.finish().unwrap();
}
