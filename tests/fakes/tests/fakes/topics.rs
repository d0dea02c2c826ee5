//! Topics in forums and in private chats.

use roundtable_fakes::TelegramFake;
use serde_json::{Value, json};

use crate::Bot;

fn to(chat: i64, thread: i64) -> Value {
    json!({"chat_id": chat, "message_thread_id": thread, "text": "x"})
}

const GONE: &str = "Bad Request: message thread not found";

#[tokio::test]
async fn topics_of_a_forum_take_messages_until_they_are_closed_or_gone() {
    let telegram = TelegramFake::start().await.unwrap();
    let bot = Bot::of(&telegram);
    let ann = telegram.user("ann").in_topic("team", "deploy");
    let (place, chat, thread) = (ann.place(), ann.place().chat_id(), ann.place().thread_id().unwrap());

    let sent = bot.ok("sendMessage", to(chat, thread)).await;
    assert_eq!((&sent["message_thread_id"], &sent["is_topic_message"]), (&json!(thread), &json!(true)));
    assert_eq!(sent["reply_to_message"]["forum_topic_created"]["name"], "deploy", "the topic's root");
    assert_eq!(ann.next_message().await.unwrap().thread, Some(thread));

    assert_eq!(bot.refused("sendMessage", to(chat, 1)).await, GONE, "General must not be named");
    bot.ok("sendChatAction", json!({"chat_id": chat, "message_thread_id": 1, "action": "typing"})).await;
    assert_eq!(bot.refused("sendMessage", to(chat, thread + 100)).await, GONE);

    place.close_topic().unwrap();
    assert_eq!(bot.refused("sendMessage", to(chat, thread)).await, "Bad Request: TOPIC_CLOSED");
    place.promote_bot();
    bot.ok("sendMessage", to(chat, thread)).await;
    place.next_message().await.unwrap();
    place.delete_topic().unwrap();
    assert_eq!(bot.refused("sendMessage", to(chat, thread)).await, GONE);
    telegram.finish().unwrap();
}

#[tokio::test]
async fn a_reply_in_general_has_a_thread_but_no_topic() {
    let telegram = TelegramFake::start().await.unwrap();
    let bot = Bot::of(&telegram);
    let ann = telegram.user("ann").in_topic("team", "deploy");
    let general = ann.in_group("team");
    let chat = general.place().chat_id();
    bot.ok("sendMessage", json!({"chat_id": chat, "text": "hello"})).await;
    let said = general.next_message().await.unwrap();
    general.replies_to(&said, "yes");
    let update = bot.updates(0).await.pop().unwrap();
    assert_eq!(update["message"]["message_thread_id"], said.id);
    assert_eq!(update["message"]["is_topic_message"], Value::Null);
    assert_eq!(bot.refused("sendMessage", to(chat, said.id)).await, GONE);
    telegram.finish().unwrap();
}

#[tokio::test]
async fn the_bot_hears_of_the_topic_it_opens_and_of_nothing_else_it_writes() {
    let telegram = TelegramFake::start().await.unwrap();
    let bot = Bot::of(&telegram);
    let ann = telegram.user("ann").in_topic("team", "deploy");
    let chat = ann.place().chat_id();
    let create = json!({"chat_id": chat, "name": "s"});
    assert_eq!(
        bot.refused("createForumTopic", create.clone()).await,
        "Bad Request: not enough rights to create a topic"
    );
    ann.place().promote_bot();
    let topic = bot.ok("createForumTopic", create).await;
    let thread = topic["message_thread_id"].as_i64().unwrap();
    bot.ok("sendMessage", to(chat, thread)).await;
    telegram.user("ann").in_topic("team", "s").next_message().await.unwrap();
    let echo = bot.updates(0).await.pop().unwrap();
    assert_eq!(echo["message"]["forum_topic_created"]["name"], "s");
    assert_eq!(echo["message"]["message_id"], thread);
    assert_eq!(echo["message"]["from"]["username"], "roundtable_bot");
    telegram.finish().unwrap();
}

#[tokio::test]
async fn private_topics_can_be_switched_off_and_plain_groups_ignore_threads() {
    let telegram = TelegramFake::start().await.unwrap();
    let bot = Bot::of(&telegram);
    let plans = telegram.user("ann").in_private_topic("plans");
    let thread = plans.place().thread_id().unwrap();
    plans.says("hi");
    let update = bot.updates(0).await.pop().unwrap();
    assert_eq!(
        (&update["message"]["message_thread_id"], &update["message"]["is_topic_message"]),
        (&json!(thread), &json!(true))
    );
    bot.ok("sendMessage", to(plans.id(), thread)).await;
    plans.next_message().await.unwrap();
    telegram.set_private_topics(false);
    assert_eq!(bot.refused("sendMessage", to(plans.id(), thread)).await, GONE);

    let group = telegram.group("plain");
    let sent = bot.ok("sendMessage", to(group.chat_id(), 77)).await;
    assert_eq!(sent["message_thread_id"], Value::Null);
    group.next_message().await.unwrap();
    telegram.finish().unwrap();
}
