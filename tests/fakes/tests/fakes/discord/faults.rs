//! Answers that get lost, and calls that wait.

use reqwest::Method;
use roundtable_fakes::{DiscordFake, Fault};
use serde_json::{Value, json};

use super::Rest;

#[tokio::test]
async fn each_fault_does_what_its_name_says() {
    let discord = DiscordFake::start().await.unwrap();
    let (bot, ann) = (Rest::of(&discord), discord.user("ann").in_channel("general"));
    let path = format!("/channels/{}/messages", ann.place().channel_id());
    let send = async |text: &str| {
        let answer = bot.send(Method::POST, &path, json!({"content": text})).await;
        answer.map(|answer| answer.status().as_u16()).ok()
    };
    let cases = [
        (Fault::DropAfter, None, true),
        (Fault::DropBefore, None, false),
        (Fault::Html502After, Some(502), true),
        (Fault::Html502Before, Some(502), false),
        (Fault::html_429(Some(7)), Some(429), false),
        (Fault::empty_500(), Some(500), false),
        (Fault::discord(403, 50013, "Missing Permissions"), Some(403), false),
    ];
    for (fault, status, done) in cases {
        let name = format!("{fault:?}");
        discord.fail_next("create_message", fault);
        assert_eq!(send(&name).await, status, "{name}");
        let arrived = ann.messages().iter().any(|message| message.text == name.trim());
        assert_eq!(arrived, done, "{name}");
    }
    ann.reads_everything();
    discord.finish().unwrap();
}

#[tokio::test]
async fn the_nth_call_fails_and_unmet_faults_are_reported() {
    let discord = DiscordFake::start().await.unwrap();
    let bot = Rest::of(&discord);
    discord.fail_nth("me", 3, Fault::empty_500());
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(bot.call(Method::GET, "/users/@me", Value::Null).await.0);
    }
    assert_eq!(statuses, [200, 200, 500, 200]);
    discord.fail_next("typing", Fault::Hang);
    let error = discord.finish().unwrap_err().to_string();
    assert!(error.contains("typing was to meet Fault(Hang)"), "{error}");
}

#[tokio::test]
async fn a_held_call_is_done_when_the_test_says_so() {
    let discord = DiscordFake::start().await.unwrap();
    let (bot, ann) = (Rest::of(&discord), discord.user("ann").in_channel("general"));
    let path = format!("/channels/{}/messages", ann.place().channel_id());
    let hold = discord.hold("create_message");
    let call =
        tokio::spawn(async move { bot.send(Method::POST, &path, json!({"content": "held"})).await.is_ok() });
    hold.arrived().await.unwrap();
    assert!(ann.messages().is_empty());
    hold.process().await.unwrap();
    assert_eq!(ann.next_message().await.unwrap().text, "held");
    hold.cut();
    assert!(!call.await.unwrap());
    discord.finish().unwrap();
}

#[tokio::test]
async fn two_sends_at_once_into_one_channel_are_a_violation() {
    let discord = DiscordFake::start().await.unwrap();
    let (bot, ann) = (Rest::of(&discord), discord.user("ann").in_channel("general"));
    let channel = ann.place().channel_id();
    let hold = discord.hold("create_message");
    let first = tokio::spawn({
        let bot = bot.clone();
        async move { bot.post(channel, json!({"content": "first"})).await }
    });
    hold.arrived().await.unwrap();
    bot.post(channel, json!({"content": "second"})).await;
    hold.release();
    first.await.unwrap();
    assert_eq!(discord.violations(), ["2 sends at once to #general"]);
}
