//! Defaults that depend on other keys, on what the file leaves out, or on the environment.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};
use toml::{Table, Value};

use super::models::Provider;
use super::path::KeyPath;
use super::report::Findings;
use super::tree;

/// The team that is there when the file names no agent. Names and souls follow from the ids.
const TEAM: &str = r#"
[agents.manager]
default = true
subagents.allow = ["researcher", "coder"]
[agents.researcher]
[agents.coder]
"#;

/// The platforms, each with the variable that usually holds the token of its account `main`.
const PLATFORMS: [(&str, &str); 2] = [("discord", "DISCORD_TOKEN"), ("telegram", "TELEGRAM_BOT_TOKEN")];
/// Where the HTTP token is usually given.
pub(super) const HTTP_TOKEN: &str = "ROUNDTABLE_HTTP_TOKEN";

/// The layers that stand in for sections the user's file does not have.
pub(super) fn missing_sections(file: &str, env: &BTreeMap<String, String>) -> Vec<String> {
    let mut written: Table = toml::from_str(file).unwrap_or_default();
    let mut layers = Vec::new();
    if is_absent(&written, "agents") {
        layers.push(TEAM.to_owned());
    }
    if is_absent(&written, "models") {
        let provider = first_provider(env).unwrap_or(Provider::Demo).as_str();
        layers.push(format!("[models.main]\nprovider = {provider:?}"));
    }
    let no_channels = is_absent(&written, "channels");
    for (platform, token) in PLATFORMS {
        let accountless = tree::table(&mut written, ["channels"]).is_some_and(|all| is_absent(all, platform));
        if (no_channels || accountless) && is_set(env, token) {
            layers.push(format!("[channels.{platform}.main]"));
        }
    }
    layers
}

/// Adds what follows from other keys, and records what is missing and can't be known.
pub(super) fn complete(tree: &mut Table, env: &BTreeMap<String, String>, findings: &mut Findings) {
    let data_dir = tree::table(tree, ["node"]).and_then(|node| node.get("data_dir")?.as_str());
    let database = format!("sqlite:{}/roundtable.db", data_dir.unwrap_or("data"));
    if let Some(store) = tree::table(tree, ["store"]) {
        default(store, "url", database);
    }
    if let Some(http) = tree::table(tree, ["http"]).filter(|_| is_set(env, HTTP_TOKEN)) {
        default(http, "token", format!("env:{HTTP_TOKEN}"));
    }
    for (id, model) in tree::entries(tree, ["models"]) {
        complete_model(id, model, env, findings);
    }
    for (id, agent) in tree::entries(tree, ["agents"]) {
        default(agent, "name", capitalised(id));
        default(agent, "soul", format!("agents/{id}.md"));
    }
    for (platform, token) in PLATFORMS {
        for (name, account) in tree::entries(tree, ["channels", platform]) {
            if name == "main" {
                default(account, "token", format!("env:{token}"));
            } else if !account.contains_key("token") {
                let path = KeyPath::of(["channels", platform, name, "token"]);
                let help = "write `token = \"env:NAME\"` with the variable that holds this bot's token";
                findings.error(&path, "is missing", Some(help.into()));
            }
        }
    }
}

fn complete_model(id: &str, model: &mut Table, env: &BTreeMap<String, String>, findings: &mut Findings) {
    let path = KeyPath::of(["models", id]);
    if !model.contains_key("provider") {
        let guess = first_provider(env).filter(|_| id == "main" && !model.contains_key("api_key"));
        match guess {
            Some(provider) => default(model, "provider", provider.as_str().into()),
            None => {
                let help = "write `provider = \"anthropic\"`, or openai, gemini, ollama, openrouter, \
                            openai_compatible or demo";
                findings.error(&path.clone().key("provider"), "is missing", Some(help.into()));
            }
        }
    }
    let Some(provider) = model.get("provider").and_then(Value::as_str).and_then(provider) else { return };
    let own_server = model.get("base_url").and_then(Value::as_str).is_some_and(|url| !url.is_empty());
    match provider.default_model() {
        Some(name) => default(model, "model", name.into()),
        None if model.contains_key("model") => {}
        None => {
            let help = format!("{} needs the name of a model it has", provider.as_str());
            findings.error(&path.clone().key("model"), "is missing", Some(help));
        }
    }
    if provider == Provider::OpenAiCompatible && !own_server {
        let help = "openai_compatible needs the server's address, like \"http://127.0.0.1:8000/v1\"";
        findings.error(&path.key("base_url"), "is missing", Some(help.into()));
    }
    // One's own server may want no key, so there a missing variable is no error.
    if let Some(variable) = provider.key_variable().filter(|name| !own_server || is_set(env, name)) {
        default(model, "api_key", format!("env:{variable}"));
    }
}

/// The provider of this name.
pub(super) fn provider(word: &str) -> Option<Provider> {
    let word: StrDeserializer<'_, Error> = word.into_deserializer();
    Provider::deserialize(word).ok()
}

/// The variable is set to something. Container tools set what is not given to "".
pub(super) fn is_set(env: &BTreeMap<String, String>, name: &str) -> bool {
    env.get(name).is_some_and(|value| !value.trim().is_empty())
}

fn first_provider(env: &BTreeMap<String, String>) -> Option<Provider> {
    let has_key = |provider: &Provider| provider.key_variable().is_some_and(|name| is_set(env, name));
    Provider::WITH_KEY.into_iter().find(has_key)
}

fn is_absent(tree: &Table, key: &str) -> bool {
    match tree.get(key) {
        None => true,
        Some(Value::Table(table)) => table.is_empty(),
        Some(_) => false,
    }
}

fn default(table: &mut Table, key: &str, value: String) {
    table.entry(key).or_insert(Value::String(value));
}

fn capitalised(id: &str) -> String {
    let mut letters = id.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}
