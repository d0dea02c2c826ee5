//! `getUpdates`.

use std::time::{Duration, Instant};

use roundtable_fakes::{Fault, TelegramFake};
use serde_json::json;

use crate::{Bot, texts};

async fn quick() -> (TelegramFake, Bot) {
    let telegram = TelegramFake::start().await.unwrap();
    telegram.set(|settings| settings.hot_loop_throttle = false);
    let bot = Bot::of(&telegram);
    (telegram, bot)
}

#[tokio::test]
async fn an_update_comes_again_until_a_higher_offset_confirms_it() {
    let (telegram, bot) = quick().await;
    let ann = telegram.user("ann");
    for text in ["one", "two", "three"] {
        ann.says(text);
    }
    let first = bot.updates(0).await;
    assert_eq!(texts(&first), ["one", "two", "three"]);
    assert_eq!(bot.updates(0).await, first);
    let second = first[1]["update_id"].as_i64().unwrap();
    assert_eq!(first[0]["update_id"], second - 1);
    assert_eq!(texts(&bot.updates(second).await), ["two", "three"]);
    assert_eq!(texts(&bot.updates(0).await), ["two", "three"]);
    assert_eq!(
        texts(&bot.updates(second + 1_000).await),
        ["two", "three"],
        "an offset beyond the queue confirms nothing"
    );
    assert_eq!(texts(&bot.updates(-1).await), ["three"]);
    assert_eq!(texts(&bot.updates(0).await), ["three"]);
    telegram.finish().unwrap();
}

#[tokio::test]
async fn a_waiting_poll_ends_as_soon_as_somebody_writes() {
    let (telegram, bot) = quick().await;
    let poll = tokio::spawn(async move { bot.ok("getUpdates", json!({"timeout": 50})).await });
    telegram.wait_until("the poll", |world| world.calls().count() == 1).await.unwrap();
    let start = Instant::now();
    telegram.user("ann").says("hi");
    let updates = poll.await.unwrap();
    assert_eq!(texts(updates.as_array().unwrap()), ["hi"]);
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn of_two_waiting_polls_the_older_one_is_sent_away() {
    let (telegram, bot) = quick().await;
    let wait = |bot: Bot| tokio::spawn(async move { bot.call("getUpdates", json!({"timeout": 50})).await });
    let older = wait(bot.clone());
    telegram.wait_until("the first poll", |world| world.calls().count() == 1).await.unwrap();
    let younger = wait(bot.clone());
    let conflict = older.await.unwrap();
    assert_eq!(conflict["error_code"], 409);
    assert_eq!(
        conflict["description"],
        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
    );
    telegram.user("ann").says("hi");
    assert_eq!(younger.await.unwrap()["result"][0]["message"]["text"], "hi");
}

#[tokio::test]
async fn a_webhook_ends_polling_until_it_is_deleted() {
    let (telegram, bot) = quick().await;
    let waiting = tokio::spawn({
        let bot = bot.clone();
        async move { bot.refused("getUpdates", json!({"timeout": 50})).await }
    });
    telegram.wait_until("the poll", |world| world.calls().count() == 1).await.unwrap();
    telegram.set_webhook("https://example.org/hook");
    assert_eq!(waiting.await.unwrap(), "Conflict: terminated by setWebhook request");
    let reason = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";
    assert_eq!(bot.refused("getUpdates", json!({})).await, reason);
    assert_eq!(bot.ok("getWebhookInfo", json!({})).await["url"], "https://example.org/hook");
    bot.ok("deleteWebhook", json!({})).await;
    assert!(bot.updates(0).await.is_empty());
}

#[tokio::test]
async fn a_hot_loop_gets_one_update_at_a_time() {
    let (telegram, bot) = quick().await;
    telegram.set(|settings| settings.hot_loop_throttle = true);
    telegram.user("ann").says("one");
    telegram.user("ann").says("two");
    assert_eq!(bot.updates(0).await.len(), 2);
    assert_eq!(bot.updates(0).await.len(), 1);
}

#[tokio::test]
async fn updates_die_after_a_day_and_numbers_start_anew_after_a_silent_week() {
    let (telegram, bot) = quick().await;
    telegram.user("ann").says("old");
    let old = bot.updates(0).await[0]["update_id"].as_i64().unwrap();
    telegram.advance(Duration::from_secs(24 * 3600 + 1));
    assert!(bot.updates(0).await.is_empty());
    telegram.advance(Duration::from_secs(7 * 24 * 3600));
    telegram.user("ann").says("new");
    let fresh = bot.updates(0).await;
    assert_eq!(texts(&fresh), ["new"]);
    assert_ne!(fresh[0]["update_id"], old + 1);
}

#[tokio::test]
async fn reactions_come_only_to_administrators_that_asked() {
    let (telegram, bot) = quick().await;
    let ann = telegram.user("ann").in_group("team");
    let said = ann.says("/hi@roundtable_bot");
    ann.place().promote_bot();
    ann.reacts(&said, "👍");
    let updates = bot.updates(0).await;
    let kinds = updates.iter().flat_map(|update| update.as_object().unwrap().keys());
    let kinds: Vec<_> = kinds.filter(|key| *key != "update_id").collect();
    assert_eq!(kinds, ["my_chat_member", "message", "my_chat_member"]);
    bot.ok("getUpdates", json!({"offset": -1, "allowed_updates": ["message", "message_reaction"]})).await;
    ann.reacts(&said, "👍");
    assert!(bot.updates(0).await.last().unwrap()["message_reaction"].is_object());
}

#[tokio::test]
async fn privacy_hides_what_is_not_meant_for_the_bot() {
    let (telegram, bot) = quick().await;
    let ann = telegram.user("ann").in_group("team");
    ann.says("nobody in particular");
    ann.mentions_bot("a mention");
    ann.says("/plain");
    ann.says("/ask@Roundtable_Bot me");
    let last = |updates: &[serde_json::Value]| texts(updates).last().map(|text| (*text).to_owned());
    let heard = bot.updates(0).await;
    assert_eq!(texts(&heard)[1..], ["/ask@Roundtable_Bot me"]);
    let chat = ann.place().chat_id();
    bot.ok("sendMessage", json!({"chat_id": chat, "text": "yes?"})).await;
    let said = ann.next_message().await.unwrap();
    ann.replies_to(&said, "a reply");
    assert_eq!(last(&bot.updates(0).await).unwrap(), "a reply");
    ann.says("/plain");
    assert_eq!(
        last(&bot.updates(0).await).unwrap(),
        "/plain",
        "plain commands go to the bot that wrote last"
    );
    telegram.set(|settings| settings.mentions_delivered = true);
    ann.mentions_bot("hi");
    assert_eq!(last(&bot.updates(0).await).unwrap(), "@roundtable_bot hi");
    ann.anonymously().says("/stop@roundtable_bot");
    let update = bot.updates(0).await.pop().unwrap();
    assert_eq!(update["message"]["from"]["username"], "GroupAnonymousBot");
    assert_eq!(update["message"]["sender_chat"]["id"], chat);
    telegram.finish().unwrap();
}

#[tokio::test]
async fn repeated_reordered_and_strange_updates_can_be_staged() {
    let (telegram, bot) = quick().await;
    telegram.user("ann").says("one");
    telegram.user("ann").says("two");
    telegram.repeat_last_update();
    telegram.reorder_updates(|updates| updates.reverse());
    telegram.inject(json!({"guest_message": {"text": "?"}}));
    let updates = bot.updates(0).await;
    assert_eq!(texts(&updates), ["two", "two", "one", ""]);
    assert_eq!(updates[3]["guest_message"]["text"], "?");
    assert!(updates.windows(2).all(|pair| pair[0]["update_id"].as_i64() < pair[1]["update_id"].as_i64()));
}

#[tokio::test]
async fn a_poll_that_lost_its_answer_has_confirmed_all_the_same() {
    let (telegram, bot) = quick().await;
    telegram.user("ann").says("one");
    let id = bot.updates(0).await[0]["update_id"].as_i64().unwrap();
    telegram.user("ann").says("two");
    telegram.fail_next("getUpdates", Fault::DropAfter);
    assert!(bot.try_call("getUpdates", json!({"offset": id + 1})).await.is_err());
    assert_eq!(texts(&bot.updates(0).await), ["two"]);
}

#[tokio::test]
async fn the_world_survives_a_restart_of_the_server() {
    let (mut telegram, bot) = quick().await;
    telegram.user("ann").says("before");
    telegram.stop().await;
    assert!(bot.try_call("getMe", json!({})).await.is_err());
    telegram.user("ann").says("meanwhile");
    telegram.restart().await.unwrap();
    assert_eq!(texts(&bot.updates(0).await), ["before", "meanwhile"]);
}

#[tokio::test]
async fn a_poll_inside_its_window_is_a_violation() {
    let (telegram, bot) = quick().await;
    telegram.fail_next("getUpdates", Fault::RateLimit { retry_after: 3600 });
    for _ in 0..2 {
        let refused = bot.call("getUpdates", json!({})).await;
        assert_eq!(refused["parameters"]["retry_after"], 3600, "{refused}");
        telegram.advance(Duration::from_secs(1));
    }
    assert_eq!(telegram.violations().len(), 1, "{:?}", telegram.violations());
    telegram.advance(Duration::from_secs(3600));
    assert!(bot.updates(0).await.is_empty());
}

#[tokio::test]
async fn a_server_that_will_write_no_more_answers_nothing() {
    let (telegram, bot) = quick().await;
    telegram.fail_next("getMe", Fault::HalfClose);
    assert!(bot.try_call("getMe", json!({})).await.is_err());
    assert_eq!(bot.ok("getMe", json!({})).await["username"], "roundtable_bot");
    telegram.finish().unwrap();
}
