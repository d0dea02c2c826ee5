//! Rate limits: headers, refusals, and clients that do not wait.

use std::time::Duration;

use reqwest::Method;
use roundtable_fakes::{DiscordFake, Fault, Scope, discord::Limit};
use serde_json::{Value, json};

use super::Rest;

#[tokio::test]
async fn every_answer_tells_the_state_of_its_bucket() {
    let discord = DiscordFake::start().await.unwrap();
    let two = Limit { calls: 2, per: Duration::from_secs(60) };
    discord.set(|settings| settings.limits.extend([("create_message".to_owned(), two)]));
    let (bot, ann) = (Rest::of(&discord), discord.user("ann"));
    let path = |channel: &str| format!("/channels/{}/messages", ann.in_channel(channel).place().channel_id());
    let send = async |channel: &str| bot.send(Method::POST, &path(channel), json!({"content": "x"})).await;
    let first = send("one").await.unwrap();
    let header = |name: &str| first.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((header("x-ratelimit-limit"), header("x-ratelimit-remaining")), ("2".into(), "1".into()));
    let bucket = header("x-ratelimit-bucket");
    send("one").await.unwrap();
    let refused = send("one").await.unwrap();
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["x-ratelimit-scope"], "user");
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    let body: Value = refused.json().await.unwrap();
    let exact = body["retry_after"].as_f64().unwrap();
    assert_eq!((wait, &body["global"]), (60, &json!(false)));
    assert!(exact > 50.0 && exact <= 60.0, "{exact}");
    let other = send("two").await.unwrap();
    assert_eq!(
        (other.status().as_u16(), &other.headers()["x-ratelimit-bucket"]),
        (200, &bucket.parse().unwrap())
    );
    discord.advance(Duration::from_secs(60));
    assert_eq!(send("one").await.unwrap().status(), 200);
    ann.in_channel("one").reads_everything();
    ann.in_channel("two").reads_everything();
    discord.finish().unwrap();
}

#[tokio::test]
async fn limits_of_each_scope_can_be_made_to_happen() {
    let discord = DiscordFake::start().await.unwrap();
    let (bot, ann) = (Rest::of(&discord), discord.user("ann").in_channel("general"));
    let path = format!("/channels/{}/messages", ann.place().channel_id());
    for scope in [Scope::Shared, Scope::User, Scope::Global] {
        discord.fail_next("create_message", Fault::Limited { scope, retry_after_ms: 1_500 });
        let answer = bot.send(Method::POST, &path, json!({"content": "x"})).await.unwrap();
        assert_eq!(answer.headers()["retry-after"], "2");
        let global = answer.headers().contains_key("x-ratelimit-global");
        let body: Value = answer.json().await.unwrap();
        assert_eq!((&body["retry_after"], &body["global"]), (&json!(1.5), &json!(scope == Scope::Global)));
        assert_eq!(global, scope == Scope::Global);
        discord.advance(Duration::from_secs(2));
    }
    assert_eq!(discord.invalid_requests(), 2, "shared limits do not count");
    discord.finish().unwrap();
}

#[tokio::test]
async fn calling_on_inside_a_window_is_a_violation_and_in_the_end_a_ban() {
    let discord = DiscordFake::start().await.unwrap();
    discord.set(|settings| settings.invalid_limit = 2);
    let bot = Rest::of(&discord);
    discord.fail_next("me", Fault::RateLimit { retry_after: 60 });
    bot.call(Method::GET, "/users/@me", Value::Null).await;
    discord.advance(Duration::from_secs(1));
    assert_eq!(bot.call(Method::GET, "/users/@me", Value::Null).await.0, 429);
    assert_eq!(discord.violations().len(), 1);
    let (status, page) = bot.call(Method::GET, "/gateway", Value::Null).await;
    assert_eq!(status, 429);
    assert!(page.as_str().is_some_and(|page| page.starts_with("<html>")));
}
