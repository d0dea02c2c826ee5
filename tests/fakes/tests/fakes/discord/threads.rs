//! Threads, posts, and what the archive and locks do to them.

use reqwest::Method;
use roundtable_fakes::{DiscordFake, discord::rights};
use serde_json::{Value, json};

use super::{INTENTS, Rest, Socket, id};

#[tokio::test]
async fn a_thread_on_a_message_has_its_id_and_there_is_one() {
    let discord = DiscordFake::start().await.unwrap();
    let (bot, ann) = (Rest::of(&discord), discord.user("ann").in_channel("general"));
    let (mut socket, _) = Socket::ready(&discord, INTENTS).await;
    let root = ann.says("plan?");
    socket.event("MESSAGE_CREATE").await;
    let path = format!("/channels/{}/messages/{}/threads", root.channel, root.id);
    let thread = bot.ok(Method::POST, &path, json!({"name": "plans", "auto_archive_duration": 1440})).await;
    assert_eq!((id(&thread["id"]), &thread["type"]), (root.id, &json!(11)));
    assert_eq!(socket.event("THREAD_CREATE").await["newly_created"], true);
    assert_eq!(socket.event("MESSAGE_UPDATE").await["thread"]["name"], "plans");
    assert_eq!(socket.event("MESSAGE_CREATE").await["type"], 21);
    assert_eq!(bot.refused(Method::POST, &path, json!({"name": "again"})).await, (400, 160_004));
    assert_eq!(bot.refused(Method::POST, &path, json!({"name": ""})).await, (400, 50035));

    bot.post(root.id, json!({"content": "in here"})).await;
    let there = ann.at(root.id);
    assert_eq!(there.next_message().await.unwrap().text, "in here");
    assert_eq!(discord.latencies().len(), 1, "the answer came in the thread");
    let active = bot.get(&format!("/guilds/{}/threads/active", discord.guild_id())).await;
    assert_eq!(id(&active["threads"][0]["id"]), root.id);
    discord.finish().unwrap();
}

#[tokio::test]
async fn a_thread_is_private_unless_told_otherwise() {
    let discord = DiscordFake::start().await.unwrap();
    let (bot, ann) = (Rest::of(&discord), discord.user("ann").in_channel("general"));
    let path = format!("/channels/{}/threads", ann.place().channel_id());
    assert_eq!(bot.ok(Method::POST, &path, json!({"name": "a"})).await["type"], 12);
    assert_eq!(bot.ok(Method::POST, &path, json!({"name": "b", "type": 11})).await["type"], 11);
    let odd = json!({"name": "c", "type": 11, "auto_archive_duration": 7});
    assert_eq!(bot.refused(Method::POST, &path, odd).await, (400, 50035));
    discord.finish().unwrap();
}

#[tokio::test]
async fn posting_reopens_an_archived_thread_and_nothing_else_does() {
    let discord = DiscordFake::start().await.unwrap();
    let (bot, ann) = (Rest::of(&discord), discord.user("ann").in_thread("general", "plans"));
    let (place, thread) = (ann.place(), ann.place().channel_id());
    let message = id(&bot.post(thread, json!({"content": "one"})).await["id"]);
    let (edit, path) = (json!({"content": "two"}), format!("/channels/{thread}/messages/{message}"));
    place.archive();
    assert_eq!(bot.refused(Method::PATCH, &path, edit.clone()).await.1, 50083);
    let channel = format!("/channels/{thread}");
    assert_eq!(bot.refused(Method::PATCH, &channel, json!({"name": "x"})).await.1, 50083);
    let parent = ann.in_channel("general").place().channel_id();
    let list = bot.get(&format!("/channels/{parent}/threads/archived/public?limit=5")).await;
    assert_eq!((id(&list["threads"][0]["id"]), &list["has_more"]), (thread, &json!(false)));

    let (mut socket, _) = Socket::ready(&discord, INTENTS).await;
    bot.post(thread, json!({"content": "three"})).await;
    assert_eq!(socket.event("THREAD_UPDATE").await["thread_metadata"]["archived"], false);
    socket.event("THREAD_MEMBER_UPDATE").await;
    assert_eq!(socket.event("MESSAGE_CREATE").await["channel_type"], 11);
    bot.ok(Method::PATCH, &path, edit).await;
    ann.reads_everything();
    discord.finish().unwrap();
}

#[tokio::test]
async fn a_locked_thread_is_for_moderators() {
    let discord = DiscordFake::start().await.unwrap();
    let (bot, ann) = (Rest::of(&discord), discord.user("ann").in_thread("general", "plans"));
    let (place, thread) = (ann.place(), ann.place().channel_id());
    let (path, text) = (format!("/channels/{thread}/messages"), json!({"content": "x"}));
    place.set_locked(true);
    assert_eq!(bot.refused(Method::POST, &path, text.clone()).await.1, 160_005);
    place.archive();
    assert_eq!(bot.refused(Method::POST, &path, text.clone()).await.1, 50083);
    let reopen = json!({"archived": false});
    assert_eq!(bot.refused(Method::PATCH, &format!("/channels/{thread}"), reopen).await.1, 50083);
    ann.in_channel("general").place().allow(rights::MANAGE_THREADS);
    bot.ok(Method::POST, &path, text).await;
    ann.next_message().await.unwrap();
    place.delete();
    assert_eq!(bot.refused(Method::GET, &format!("/channels/{thread}"), Value::Null).await, (404, 10003));
    discord.finish().unwrap();
}

#[tokio::test]
async fn a_post_begins_with_a_message_of_its_id_in_either_order_of_events() {
    let discord = DiscordFake::start().await.unwrap();
    let (bot, ann) = (Rest::of(&discord), discord.user("ann"));
    let forum = ann.in_forum_post("help", "how?");
    let (mut socket, _) = Socket::ready(&discord, INTENTS).await;
    let first = forum.says("how does it work?");
    assert_eq!(id(&socket.event("THREAD_CREATE").await["id"]), first.channel);
    assert_eq!(id(&socket.event("MESSAGE_CREATE").await["id"]), first.channel);
    assert_eq!(forum.says("and why?").channel, first.channel);
    socket.event("MESSAGE_CREATE").await;
    discord.set(|settings| settings.message_before_thread = true);
    ann.in_forum_post("help", "what?").says("what?");
    socket.event("MESSAGE_CREATE").await;
    let post = socket.event("THREAD_CREATE").await;

    let parent = id(&post["parent_id"]);
    let own = json!({"name": "news", "message": {"content": "hello"}});
    let made = bot.ok(Method::POST, &format!("/channels/{parent}/threads"), own).await;
    assert_eq!(made["id"], made["message"]["id"]);
    assert_eq!(ann.in_forum_post("help", "news").next_message().await.unwrap().text, "hello");
    let path = format!("/channels/{parent}/messages");
    assert_eq!(bot.refused(Method::POST, &path, json!({"content": "x"})).await, (400, 40058));
    discord.finish().unwrap();
}

#[tokio::test]
async fn names_do_not_change_often() {
    let discord = DiscordFake::start().await.unwrap();
    let (bot, ann) = (Rest::of(&discord), discord.user("ann"));
    let channel = ann.in_channel("general").place().channel_id();
    let thread = json!({"name": "a", "type": 11});
    let thread = bot.ok(Method::POST, &format!("/channels/{channel}/threads"), thread).await;
    let path = format!("/channels/{}", id(&thread["id"]));
    for name in ["b", "c"] {
        bot.ok(Method::PATCH, &path, json!({"name": name})).await;
    }
    let (status, refusal) = bot.call(Method::PATCH, &path, json!({"name": "d"})).await;
    assert_eq!(status, 429);
    assert!(refusal["retry_after"].as_f64().unwrap() > 500.0, "{refusal}");
    discord.finish().unwrap();
}
