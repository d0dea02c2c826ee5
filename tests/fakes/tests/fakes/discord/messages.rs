//! Sending, changing, deleting and reading messages.

use std::time::Duration;

use reqwest::Method;
use roundtable_fakes::{DiscordFake, discord::rights};
use serde_json::{Value, json};

use super::{Rest, id};

#[tokio::test]
async fn a_message_is_measured_trimmed_and_shown_to_people() {
    let discord = DiscordFake::start().await.unwrap();
    let (bot, ann) = (Rest::of(&discord), discord.user("ann").in_channel("general"));
    let channel = ann.place().channel_id();
    let path = format!("/channels/{channel}/messages");
    let sent = bot.post(channel, json!({"content": "  hi  ", "nonce": "n1"})).await;
    assert_eq!((&sent["content"], &sent["nonce"]), (&json!("hi"), &json!("n1")));
    let seen = ann.next_message().await.unwrap();
    assert_eq!((seen.text.as_str(), seen.id), ("hi", id(&sent["id"])));

    bot.post(channel, json!({"content": "🦀".repeat(2000)})).await;
    ann.reads_everything();
    let (status, error) = bot.call(Method::POST, &path, json!({"content": "🦀".repeat(2001)})).await;
    let inner = &error["errors"]["content"]["_errors"][0];
    assert_eq!((status, &error["code"]), (400, &json!(50035)));
    assert_eq!(inner["code"], "BASE_TYPE_MAX_LENGTH");
    assert_eq!(bot.refused(Method::POST, &path, json!({"content": " \n"})).await, (400, 50006));
    let long = json!({"content": "x", "nonce": "n".repeat(26)});
    assert_eq!(bot.refused(Method::POST, &path, long).await, (400, 50035));
    assert_eq!(
        bot.refused(Method::POST, "/channels/5/messages", json!({"content": "x"})).await,
        (404, 10003)
    );
    discord.finish().unwrap();
}

#[tokio::test]
async fn an_enforced_nonce_finds_its_message_again_for_a_while() {
    let discord = DiscordFake::start().await.unwrap();
    let (bot, ann) = (Rest::of(&discord), discord.user("ann").in_channel("general"));
    let channel = ann.place().channel_id();
    let once = json!({"content": "once", "nonce": "n1", "enforce_nonce": true});
    let first = bot.post(channel, once.clone()).await;
    assert_eq!(bot.post(channel, once.clone()).await["id"], first["id"]);
    assert_eq!(ann.messages().len(), 1);

    discord.advance(Duration::from_secs(181));
    let second = bot.post(channel, once.clone()).await;
    assert_ne!(second["id"], first["id"]);
    let path = format!("/channels/{channel}/messages");
    bot.ok(Method::DELETE, &format!("{path}/{}", id(&second["id"])), Value::Null).await;
    assert_eq!(bot.refused(Method::POST, &path, once).await, (404, 10008), "it was delivered");
    assert!(discord.violations().is_empty());

    let unenforced = json!({"content": "twice", "nonce": "n2"});
    let ids = [bot.post(channel, unenforced.clone()).await, bot.post(channel, unenforced).await];
    assert_ne!(ids[0]["id"], ids[1]["id"]);
    ann.reads_everything();
    discord.finish().unwrap();
}

#[tokio::test]
async fn the_same_nonce_with_another_text_is_a_violation() {
    let discord = DiscordFake::start().await.unwrap();
    let (bot, ann) = (Rest::of(&discord), discord.user("ann").in_channel("general"));
    let channel = ann.place().channel_id();
    for text in ["one", "two"] {
        let sent = bot.post(channel, json!({"content": text, "nonce": "n", "enforce_nonce": true})).await;
        assert_eq!(sent["content"], "one");
    }
    assert_eq!(ann.next_message().await.unwrap().text, "one");
    assert_eq!(discord.violations().len(), 1);
    discord.finish().unwrap_err();
}

#[tokio::test]
async fn replies_need_their_message_unless_told_otherwise() {
    let discord = DiscordFake::start().await.unwrap();
    let (bot, ann) = (Rest::of(&discord), discord.user("ann").in_channel("general"));
    let question = ann.says("?");
    let (channel, path) = (question.channel, format!("/channels/{}/messages", question.channel));
    let to = |id: u64, fail: bool| json!({"content": "!", "message_reference": {"message_id": id.to_string(), "fail_if_not_exists": fail}});
    let sent = bot.post(channel, to(question.id, false)).await;
    assert_eq!((&sent["type"], &sent["referenced_message"]["content"]), (&json!(19), &json!("?")));
    let (_, error) = bot.call(Method::POST, &path, to(1, true)).await;
    assert_eq!(error["errors"]["message_reference"]["_errors"][0]["code"], "REPLIES_UNKNOWN_MESSAGE");
    let plain = bot.post(channel, to(1, false)).await;
    assert_eq!((&plain["type"], &plain["message_reference"]), (&json!(0), &Value::Null));
    ann.place().deny(rights::READ_MESSAGE_HISTORY);
    assert_eq!(bot.refused(Method::POST, &path, to(question.id, false)).await.1, 160_002);
    ann.reads_everything();
    discord.finish().unwrap();
}

#[tokio::test]
async fn pings_are_recorded_as_they_were_allowed() {
    let discord = DiscordFake::start().await.unwrap();
    let (bot, ann) = (Rest::of(&discord), discord.user("ann").in_channel("general"));
    let (channel, text) = (ann.place().channel_id(), format!("<@{}> @everyone", ann.id()));
    let none = json!({"parse": [], "replied_user": false});
    bot.post(channel, json!({"content": text, "allowed_mentions": none})).await;
    discord.assert_no_pings().unwrap();
    bot.post(channel, json!({"content": text})).await;
    let error = discord.assert_no_pings().unwrap_err().to_string();
    assert!(error.contains("everyone: true"), "{error}");
    let both = json!({"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}});
    assert_eq!(bot.refused(Method::POST, &format!("/channels/{channel}/messages"), both).await, (400, 50035));
    ann.reads_everything();
    discord.finish().unwrap();
}

#[tokio::test]
async fn only_own_messages_are_edited_and_old_ones_not_for_ever() {
    let discord = DiscordFake::start().await.unwrap();
    let (bot, ann) = (Rest::of(&discord), discord.user("ann").in_channel("general"));
    let foreign = ann.says("mine");
    let path = |id: u64| format!("/channels/{}/messages/{id}", foreign.channel);
    let new = json!({"content": "new", "allowed_mentions": {"parse": []}});
    assert_eq!(bot.refused(Method::PATCH, &path(foreign.id), new.clone()).await, (403, 50005));
    assert_eq!(bot.refused(Method::PATCH, &path(7), new.clone()).await, (404, 10008));
    assert_eq!(bot.refused(Method::DELETE, &path(foreign.id), Value::Null).await, (403, 50013));
    let own = id(&bot.post(foreign.channel, json!({"content": "old"})).await["id"]);
    let edited = bot.ok(Method::PATCH, &path(own), new.clone()).await;
    assert!(edited["edited_timestamp"].is_string());
    assert_eq!(ann.expect_message("the edited text", |m| m.text == "new").await.unwrap().edits, ["old"]);
    discord.advance(Duration::from_secs(3601));
    discord.set(|settings| settings.old_edits = 1);
    bot.ok(Method::PATCH, &path(own), new.clone()).await;
    assert_eq!(bot.refused(Method::PATCH, &path(own), new).await.1, 30046);
    discord.finish().unwrap();
}

#[tokio::test]
async fn history_is_newest_first_and_empty_without_the_right() {
    let discord = DiscordFake::start().await.unwrap();
    let (bot, ann) = (Rest::of(&discord), discord.user("ann").in_channel("general"));
    let said: Vec<u64> = (0..5).map(|n| ann.says(&n.to_string()).id).collect();
    let path = format!("/channels/{}/messages", ann.place().channel_id());
    let page = async |query: String| -> Vec<String> {
        let page = bot.get(&format!("{path}?{query}")).await;
        page.as_array().unwrap().iter().map(|m| m["content"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(page(format!("after={}&limit=2", said[1])).await, ["3", "2"]);
    assert_eq!(page(format!("before={}&limit=2", said[4])).await, ["3", "2"]);
    assert_eq!(page(format!("around={}&limit=3", said[2])).await, ["3", "2", "1"]);
    assert_eq!(page("limit=100".to_owned()).await.len(), 5);
    assert_eq!(bot.refused(Method::GET, &format!("{path}?limit=101"), Value::Null).await, (400, 50035));
    ann.place().deny(rights::READ_MESSAGE_HISTORY);
    assert!(page("limit=100".to_owned()).await.is_empty());
    discord.finish().unwrap();
}

#[tokio::test]
async fn rights_hide_channels_and_dms_can_be_closed() {
    let discord = DiscordFake::start().await.unwrap();
    let (bot, ann) = (Rest::of(&discord), discord.user("ann"));
    let (general, text) = (ann.in_channel("general").place(), json!({"content": "x"}));
    let path = format!("/channels/{}/messages", general.channel_id());
    general.deny(rights::SEND_MESSAGES);
    assert_eq!(bot.refused(Method::POST, &path, text.clone()).await, (403, 50013));
    general.deny(rights::VIEW_CHANNEL);
    assert_eq!(bot.refused(Method::POST, &path, text.clone()).await, (403, 50001));

    let dm = bot.ok(Method::POST, "/users/@me/channels", json!({"recipient_id": ann.id().to_string()})).await;
    assert_eq!(id(&dm["id"]), ann.place().channel_id());
    bot.post(id(&dm["id"]), text.clone()).await;
    ann.next_message().await.unwrap();
    ann.blocks_bot();
    let path = format!("/channels/{}/messages", id(&dm["id"]));
    assert_eq!(bot.refused(Method::POST, &path, text).await, (403, 50007));
    assert_eq!(discord.invalid_requests(), 3);
    discord.finish().unwrap();
}

#[tokio::test]
async fn reactions_and_typing_are_taken() {
    let discord = DiscordFake::start().await.unwrap();
    let (bot, ann) = (Rest::of(&discord), discord.user("ann").in_channel("general"));
    let message = ann.says("look");
    let path = format!("/channels/{}/messages/{}/reactions", message.channel, message.id);
    let put = async |emoji: &str| bot.send(Method::PUT, &format!("{path}/{emoji}/@me"), Value::Null).await;
    assert_eq!(put("%F0%9F%91%80").await.unwrap().status(), 204);
    assert!(ann.messages()[0].reactions["👀"].contains(&discord.bot_id()));
    assert_eq!(put("eyes").await.unwrap().status(), 400);
    bot.ok(Method::POST, &format!("/channels/{}/typing", message.channel), Value::Null).await;
    assert_eq!(discord.calls_of("typing").len(), 1);
    discord.finish().unwrap();
}

#[tokio::test]
async fn what_no_correct_client_does_is_written_down() {
    let discord = DiscordFake::start().await.unwrap();
    let (bot, ann) = (Rest::of(&discord), discord.user("ann").in_channel("general"));
    let channel = ann.place().channel_id();
    assert_eq!(bot.refused(Method::GET, "/guilds/1/emojis", Value::Null).await, (404, 0));
    bot.post(channel, json!({"content": "x", "colour": 1})).await;
    bot.post(channel, json!({"content": "x", "embeds": [{}]})).await;
    bot.post(channel, json!({"content": "x", "embeds": [], "attachments": [], "sticker_ids": []})).await;
    let bare = bot.client.get(format!("{}/api/v10/users/@me", discord.api_url()));
    assert_eq!(bare.send().await.unwrap().status(), 401);
    let nameless = bot.client.get(format!("{}/api/v10/users/@me", discord.api_url()));
    assert_eq!(nameless.header("authorization", &*bot.token).send().await.unwrap().status(), 403);
    assert_eq!(discord.violations().len(), 5, "{:?}", discord.violations());
    discord.revoke_token();
    assert_eq!(bot.refused(Method::GET, "/users/@me", Value::Null).await, (401, 0));
}
