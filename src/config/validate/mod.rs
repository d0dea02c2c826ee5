//! What no type can say: references, ids, circles, rules that can never win.

mod accounts;
mod bindings;
mod discord;
mod telegram;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Config;
use super::path::KeyPath;
use super::report::{Findings, list, suggest};

/// Words that address more than one session (design §5), so no agent may be called that.
const RESERVED: [&str; 7] = ["all", "here", "everyone", "channel", "admin", "bot", "team"];

/// The most connections of one bot: more than any needs, and few enough that a slip is one.
const MOST_SHARDS: u32 = 16_384;

/// The ids that the text defines. They are taken from the tree, so that an entry which is wrong in
/// itself is not reported a second time as missing.
pub(super) struct Defined {
    /// Keys of `models`.
    pub models: BTreeSet<String>,
    /// Keys of `agents`.
    pub agents: BTreeSet<String>,
}

/// Records everything that doesn't hold together.
pub(super) fn check(config: &Config, defined: &Defined, findings: &mut Findings) {
    numbers(config, findings);
    database(config, findings);
    ids(config, findings);
    models(config, defined, findings);
    agents(config, defined, findings);
    discord::check(config, findings);
    telegram::check(config, findings);
    bindings::check(config, &with_aliases(config, defined), findings);
}

fn numbers(config: &Config, findings: &mut Findings) {
    let node = KeyPath::of(["node"]);
    let mut periods = vec![
        (node.clone().key("lease"), config.node.lease),
        (node.clone().key("renew"), config.node.renew),
        (node.clone().key("poll"), config.node.poll),
    ];
    let mut counts = vec![
        (node.clone().key("max_turns"), config.node.max_turns),
        (KeyPath::of(["store", "max_connections"]), config.store.max_connections),
    ];
    for (id, model) in &config.models {
        let path = KeyPath::of(["models", id]);
        periods.push((path.clone().key("timeout"), model.timeout));
        counts.push((path.clone().key("max_output_tokens"), model.max_output_tokens));
        if model.window <= model.max_output_tokens {
            let help =
                format!("{} tokens are kept for the answer (max_output_tokens)", model.max_output_tokens);
            findings.error(&path.key("window"), "leaves no room for a question", Some(help));
        }
    }
    for (id, agent) in &config.agents {
        let path = KeyPath::of(["agents", id]);
        periods.push((path.clone().key("turn_timeout"), agent.turn_timeout));
        counts.push((path.key("inbox_cap"), agent.inbox_cap));
    }
    for (name, account) in &config.channels.discord {
        let path = KeyPath::of(["channels", "discord", name]);
        counts.push((path.clone().key("shards"), account.shards));
        if account.shards > MOST_SHARDS {
            let help =
                format!("write a number from 1 to {MOST_SHARDS}; Discord wants one for every 2,500 servers");
            findings.error(&path.clone().key("shards"), "is too large", Some(help));
        }
        periods.push((path.clone().key("send_timeout"), account.send_timeout));
        let (path, connection) = (path.key("connection"), account.connection);
        periods.push((path.clone().key("retry"), connection.retry));
        periods.push((path.clone().key("login"), connection.login));
        periods.push((path.clone().key("patience"), connection.patience));
        periods.push((path.key("sweep"), connection.sweep));
    }
    for (name, account) in &config.channels.telegram {
        let path = KeyPath::of(["channels", "telegram", name]);
        periods.push((path.clone().key("poll_timeout"), account.poll_timeout));
        periods.push((path.clone().key("send_timeout"), account.send_timeout));
        let (connection, pauses) = (path.clone().key("connection"), account.connection);
        periods.push((connection.clone().key("retry"), pauses.retry));
        periods.push((connection.key("conflict"), pauses.conflict));
        if account.poll_timeout > Duration::from_secs(50) {
            let help = Some("Telegram waits 50 s at most".to_owned());
            findings.error(&path.key("poll_timeout"), "is too long", help);
        }
    }
    for (path, _) in periods.iter().filter(|(_, period)| period.is_zero()) {
        findings.error(path, "must be longer than 0", None);
    }
    for (path, _) in counts.iter().filter(|(_, count)| *count == 0) {
        findings.error(path, "must be at least 1", None);
    }
    if config.node.renew * 2 > config.node.lease {
        let help = "make it at most half of `node.lease`, so that one lost renewal does no harm".to_owned();
        findings.error(&node.key("renew"), "is too long", Some(help));
    }
}

/// The address may hold a password: the message does not repeat it.
fn database(config: &Config, findings: &mut Findings) {
    let url = config.store.url.expose();
    if !["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        let help = "write sqlite:<path> or postgres://user@host/db".to_owned();
        findings.error(&KeyPath::of(["store", "url"]), "is no address of a database we know", Some(help));
    }
}

fn ids(config: &Config, findings: &mut Findings) {
    let models = config.models.keys().map(|id| (KeyPath::of(["models", id]), id));
    let discord =
        config.channels.discord.keys().map(|name| (KeyPath::of(["channels", "discord", name]), name));
    let telegram =
        config.channels.telegram.keys().map(|name| (KeyPath::of(["channels", "telegram", name]), name));
    for (path, id) in models.chain(discord).chain(telegram) {
        well_formed(id, &path, findings);
    }
    let mut owners: BTreeMap<&str, &str> =
        config.agents.keys().map(|id| (id.as_str(), id.as_str())).collect();
    for (id, agent) in &config.agents {
        let path = KeyPath::of(["agents", id]);
        agent_word(id, &path, findings);
        if agent.name.trim().is_empty() {
            findings.error(&path.clone().key("name"), "is empty", None);
        }
        for (index, alias) in agent.aliases.iter().enumerate() {
            let path = path.clone().key("aliases").index(index);
            agent_word(alias, &path, findings);
            if let Some(owner) = owners.insert(alias, id) {
                findings.error(&path, format!("`{alias}` is taken by agent `{owner}`"), None);
            }
        }
    }
}

fn agent_word(word: &str, path: &KeyPath, findings: &mut Findings) {
    well_formed(word, path, findings);
    if RESERVED.contains(&word) {
        let help = format!("reserved are {}", list(&RESERVED));
        findings.error(path, format!("`{word}` is reserved"), Some(help));
    }
}

fn well_formed(id: &str, path: &KeyPath, findings: &mut Findings) {
    let start = id.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let rest = id.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_');
    if !(start && rest && id.len() <= 32) {
        let help = "use lower-case letters, digits and `_`, a letter or digit first, 32 at most".to_owned();
        findings.error(path, format!("`{id}` is no valid id"), Some(help));
    }
}

fn models(config: &Config, defined: &Defined, findings: &mut Findings) {
    for (id, model) in &config.models {
        let path = KeyPath::of(["models", id, "fallback"]);
        for (index, other) in model.fallback.iter().enumerate() {
            known("model", other, &defined.models, path.clone().index(index), findings);
        }
        if let Some(circle) = circle(id, config) {
            let help = "take one of them out".to_owned();
            findings.error(&path, format!("goes round in a circle: {}", circle.join(" → ")), Some(help));
        }
    }
}

/// The way back to `start` through fallbacks. Only ids from `start` on are followed, so that each circle
/// is found from its first member.
fn circle<'a>(start: &'a str, config: &'a Config) -> Option<Vec<&'a str>> {
    let mut seen = BTreeSet::new();
    let mut open = vec![vec![start]];
    while let Some(way) = open.pop() {
        let here = way.last().and_then(|id| config.models.get(*id));
        for next in here.into_iter().flat_map(|model| &model.fallback) {
            let longer = way.iter().copied().chain([next.as_str()]).collect();
            if next == start {
                return Some(longer);
            }
            if next.as_str() > start && seen.insert(next) {
                open.push(longer);
            }
        }
    }
    None
}

fn agents(config: &Config, defined: &Defined, findings: &mut Findings) {
    let known_agents = with_aliases(config, defined);
    for (id, agent) in &config.agents {
        let path = KeyPath::of(["agents", id]);
        known("model", &agent.model, &defined.models, path.clone().key("model"), findings);
        let allow = path.clone().key("subagents").key("allow");
        for (index, other) in agent.subagents.allow.iter().enumerate() {
            known("agent", other, &known_agents, allow.clone().index(index), findings);
        }
        if agent.max_reply_turns > 20 {
            let help = Some("write a number from 0 to 20".to_owned());
            findings.error(&path.key("max_reply_turns"), "two agents would talk without end", help);
        }
    }
    let defaults: Vec<&str> =
        config.agents.iter().filter(|(_, agent)| agent.default).map(|(id, _)| id.as_str()).collect();
    let help = || Some("write `default = true` for exactly one agent".to_owned());
    match defaults[..] {
        [_] => {}
        [] if findings.errors.iter().any(|error| error.path.last_key() == "default") => {}
        [] => findings.error(&KeyPath::of(["agents"]), "no agent is the default", help()),
        [.., last] => {
            let path = KeyPath::of(["agents", last, "default"]);
            findings.error(&path, format!("{} are all the default", list(&defaults)), help());
        }
    }
}

fn with_aliases(config: &Config, defined: &Defined) -> BTreeSet<String> {
    let aliases = config.agents.values().flat_map(|agent| &agent.aliases);
    defined.agents.iter().chain(aliases).cloned().collect()
}

fn known(what: &str, id: &str, all: &BTreeSet<String>, path: KeyPath, findings: &mut Findings) {
    if !all.contains(id) {
        let help = suggest(id, all.iter().map(String::as_str));
        findings.error(&path, format!("there is no {what} `{id}`"), help);
    }
}
