//! The embedded default: right, complete, and the same as the defaults in the code.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::Duration;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::super::bindings::Written;
use super::super::layers::EMBEDDED;
use super::super::*;
use super::loaded;

const KEYS: [(&str, &str); 3] =
    [("DISCORD_TOKEN", "a.b.c"), ("TELEGRAM_BOT_TOKEN", "1:a"), ("ANTHROPIC_API_KEY", "k")];

/// The embedded file with every key switched on.
fn everything() -> String {
    let on = |line: &'static str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => rest,
        _ => line,
    };
    EMBEDDED.lines().map(on).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_embedded_file_is_a_right_file() {
    let config = loaded(EMBEDDED, &[]);
    assert_eq!(config.agents.keys().collect::<Vec<_>>(), ["coder", "manager", "researcher"]);
    assert_eq!(config.models["main"].provider, Provider::Demo);
}

/// What the README shows, people copy.
#[test]
fn the_readme_s_examples_are_right_files() {
    let readme = include_str!("../../../README.md");
    let blocks: Vec<&str> =
        readme.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        loaded(block, &KEYS);
    }
}

#[test]
fn every_key_it_shows_can_be_switched_on() {
    let config = loaded(&everything(), &[KEYS[0], KEYS[1], KEYS[2], ("ROUNDTABLE_HTTP_TOKEN", "t")]);
    assert_eq!(config.bindings.len(), 3);
    assert_eq!(config.http.token.unwrap().expose(), "t");
}

#[test]
fn what_it_shows_are_the_defaults() {
    let shown = loaded(&everything(), &[KEYS[0], KEYS[1], KEYS[2], ("ROUNDTABLE_HTTP_TOKEN", "t")]);
    let real = loaded("", &KEYS);
    assert_eq!(shown.node, Node { name: Some("node-1".into()), ..real.node.clone() });
    assert_eq!(shown.store.url.expose(), real.store.url.expose());
    assert_eq!(shown.agents, real.agents);
    assert_eq!(shown.models["main"].prices, Some(Prices { input: 3.0, output: 15.0 }));
    let models = shown.models.into_iter().map(|(id, model)| (id, Model { prices: None, ..model }));
    same(&models.collect::<BTreeMap<_, _>>(), &real.models);
    let mut discord = shown.channels.discord;
    assert_eq!(discord.get_mut("main").map(|main| std::mem::take(&mut main.group)).unwrap().len(), 1);
    same(&discord, &real.channels.discord);
    let mut telegram = shown.channels.telegram;
    assert_eq!(telegram.get_mut("main").map(|main| std::mem::take(&mut main.group)).unwrap().len(), 1);
    same(&telegram, &real.channels.telegram);
    // What no file says is the same in the code.
    same(&real.node, &Node::default());
    same(&real.store, &Store::default());
    assert_eq!(real.store.url.expose(), Store::default().url.expose());
    same(&real.http, &Http::default());
    same(&real.channels.local, &Local::default());
}

fn same(one: &impl Debug, other: &impl Debug) {
    assert_eq!(format!("{one:#?}"), format!("{other:#?}"));
}

#[test]
fn every_key_there_is_appears_in_it() {
    let text: Table = toml::from_str(&everything()).unwrap();
    let at = |path: &[&str]| {
        keys(path.iter().fold(&Value::Table(text.clone()), |value, key| match value {
            Value::Array(array) => &array[key.parse::<usize>().unwrap()],
            value => &value[*key],
        }))
    };
    assert_eq!(at(&[]), fields::<Config>());
    assert_eq!(at(&["node"]), fields::<Node>());
    assert_eq!(at(&["store"]), fields::<Store>());
    assert_eq!(at(&["http"]), fields::<Http>());
    assert_eq!(at(&["models", "main"]), fields::<Model>());
    assert_eq!(at(&["models", "main", "prices"]), fields::<Prices>());
    assert_eq!(at(&["agents", "manager"]), fields::<Agent>());
    assert_eq!(at(&["agents", "manager", "subagents"]), fields::<Subagents>());
    assert_eq!(at(&["channels"]), fields::<Channels>());
    assert_eq!(at(&["channels", "local"]), fields::<Local>());
    assert_eq!(at(&["channels", "discord", "main"]), fields::<Discord>());
    assert_eq!(at(&["channels", "discord", "main", "limits"]), fields::<DiscordRates>());
    assert_eq!(at(&["channels", "discord", "main", "group", "*"]), fields::<DiscordGroup>());
    assert_eq!(at(&["channels", "telegram", "main"]), fields::<Telegram>());
    assert_eq!(at(&["channels", "telegram", "main", "limits"]), fields::<Rates>());
    assert_eq!(at(&["channels", "telegram", "main", "group", "*"]), fields::<Group>());
    let bindings = &at(&["bindings", "0"]) | &at(&["bindings", "1"]);
    assert_eq!(&bindings | &at(&["bindings", "2"]), fields::<Written>());
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_table().unwrap().keys().cloned().collect()
}

/// The keys that a table takes, out of serde's own complaint about one that it doesn't.
fn fields<T: DeserializeOwned>() -> BTreeSet<String> {
    let wrong = Table::from_iter([("?".to_owned(), Value::Boolean(true))]);
    let complaint = T::deserialize(Value::Table(wrong)).err().unwrap().to_string();
    let (_, expected) = complaint.split_once("expected ").unwrap();
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn souls_promise_only_what_is_there() {
    let there = crate::tools::sessions::specs().map(|spec| spec.name);
    for (path, soul) in super::super::souls::SOULS {
        assert!(soul.contains("NO_REPLY") && soul.contains("tools you are given"), "{path}");
        assert!(soul.lines().count() <= 60, "{path} is read with every request");
        let words = soul.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for named in words.filter(|word| word.starts_with("session_") || word.starts_with("sessions_")) {
            assert!(there.iter().any(|name| name == named), "{path} names `{named}`");
        }
    }
}

/// By default a connection that has died is noticed and opened again within a minute, a server that falls silent and a
/// second program with the same bot included.
#[test]
fn dead_connections_are_noticed_and_opened_again_within_a_minute() {
    let minute = Duration::from_secs(60);
    // What Discord asks for (https://discord.com/developers/docs/events/gateway, HELLO).
    let heartbeat = Duration::from_millis(41_250);
    let discord = DiscordConnection::default();
    assert!(heartbeat + discord.patience + discord.retry + discord.login < minute);
    let telegram = Telegram::default();
    assert!(telegram.poll_timeout + telegram.send_timeout + telegram.connection.retry < minute);
    assert!(telegram.connection.conflict < minute);
}
