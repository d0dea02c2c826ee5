//! What no type can say: references, ids, circles, rules that can never win.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::bindings::Binding;
use super::path::KeyPath;
use super::report::{Findings, list, suggest};
use super::{Config, Senders, Telegram};

/// Words that address more than one session (design §5), so no agent may be called that.
const RESERVED: [&str; 7] = ["all", "here", "everyone", "channel", "admin", "bot", "team"];

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
    for (name, account) in &config.channels.telegram {
        telegram(name, account, findings);
    }
    same_token(config, findings);
    for (index, binding) in config.bindings.iter().enumerate() {
        let path = KeyPath::of(["bindings"]).index(index);
        bound(binding, &path, config, defined, findings);
        if let Some(first) =
            config.bindings[..index].iter().position(|earlier| binding.is_shadowed_by(earlier))
        {
            let same = config.bindings[first].fields() == binding.fields();
            let why =
                if same { "names the same place as" } else { "can never win: all it matches is taken by" };
            findings.error(&path, format!("{why} bindings[{first}]"), Some("take one of them out".into()));
        }
    }
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
        counts.push((path.clone().key("max_turns"), agent.max_turns));
        counts.push((path.key("inbox_cap"), agent.inbox_cap));
    }
    for (name, account) in &config.channels.telegram {
        let path = KeyPath::of(["channels", "telegram", name]);
        periods.push((path.clone().key("poll_timeout"), account.poll_timeout));
        periods.push((path.clone().key("send_timeout"), account.send_timeout));
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
    let accounts =
        config.channels.telegram.keys().map(|name| (KeyPath::of(["channels", "telegram", name]), name));
    for (path, id) in models.chain(accounts) {
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
        let allow = path.key("subagents").key("allow");
        for (index, other) in agent.subagents.allow.iter().enumerate() {
            known("agent", other, &known_agents, allow.clone().index(index), findings);
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

fn telegram(name: &str, account: &Telegram, findings: &mut Findings) {
    let path = KeyPath::of(["channels", "telegram", name]);
    let group_help =
        "write the group's number, like \"-1001234567890\" (`/whoami` in the group says it), or \"*\"";
    let is_group = |id: &str| id == "*" || id.strip_prefix('-').is_some_and(is_number);
    for (index, id) in account.groups.iter().enumerate().filter(|(_, id)| !is_group(id)) {
        let path = path.clone().key("groups").index(index);
        findings.error(&path, format!("`{id}` is no group"), Some(group_help.into()));
    }
    for id in account.group.keys().filter(|id| !is_group(id)) {
        let path = path.clone().key("group").key(id);
        findings.error(&path, format!("`{id}` is no group"), Some(group_help.into()));
    }
    for (key, people) in [("users", &account.users), ("owners", &account.owners)] {
        for (index, id) in people.iter().enumerate().filter(|(_, id)| !is_number(id)) {
            let help =
                "write the person's number (`/whoami` says it): names can be taken over by others".to_owned();
            findings.error(&path.clone().key(key).index(index), format!("`{id}` is no person"), Some(help));
        }
    }
    let open = account.groups.iter().any(|id| id == "*") && account.senders("*") == Senders::Everyone;
    if account.enabled && open {
        let help = format!("to change that: [channels.telegram.{name}.group.\"*\"] senders = \"known\"");
        let message = "every member of every group that the bot is put into can use the agents";
        findings.warn(&path.key("groups"), message, Some(help));
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit())
}

/// Two logins with one token would take each other's messages (409 from `getUpdates`).
fn same_token(config: &Config, findings: &mut Findings) {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    let accounts = config.channels.telegram.iter().filter(|(_, account)| !account.token.expose().is_empty());
    for (name, account) in accounts.filter(|(_, account)| account.enabled) {
        if let Some(first) = seen.insert(account.token.expose(), name) {
            let path = KeyPath::of(["channels", "telegram", name, "token"]);
            let message = format!("is the token of `channels.telegram.{first}` too");
            findings.error(&path, message, Some("one bot is one account".into()));
        }
    }
}

fn bound(binding: &Binding, path: &KeyPath, config: &Config, defined: &Defined, findings: &mut Findings) {
    let agents = with_aliases(config, defined);
    for (index, agent) in binding.agents.iter().enumerate() {
        let path = match binding.agents.len() {
            1 => path.clone().key("agent"),
            _ => path.clone().key("agents").index(index),
        };
        if binding.agents[..index].contains(agent) {
            findings.error(&path, format!("names `{agent}` twice"), None);
        }
        known("agent", agent, &agents, path, findings);
    }
    if binding.agents.is_empty() {
        findings.error(
            path,
            "names no agent",
            Some("write `agent = \"…\"` or `agents = [\"…\", \"…\"]`".into()),
        );
    }
    if !binding.names_a_place() {
        let help = "give a channel, account, chat or user; for everywhere else there is the default agent"
            .to_owned();
        findings.error(path, "names no place", Some(help));
    }
    for (key, value) in [("guild", &binding.guild), ("role", &binding.role)] {
        if value.is_some() {
            let help = Some("take it out".to_owned());
            findings.error(&path.clone().key(key), "is Discord's, which comes in a later version", help);
        }
    }
    if binding.thread.is_some() && binding.chat.is_none() {
        let help = Some("give the `chat` too: threads are numbered within a chat".to_owned());
        findings.error(&path.clone().key("thread"), "needs a chat", help);
    }
    account_exists(binding, path, config, findings);
}

fn account_exists(binding: &Binding, path: &KeyPath, config: &Config, findings: &mut Findings) {
    let telegram: BTreeSet<String> = config.channels.telegram.keys().cloned().collect();
    let local = BTreeSet::from(["main".to_owned()]);
    let accounts = match binding.channel.as_deref() {
        Some("telegram") => telegram,
        Some("local") => local,
        None => &telegram | &local,
        Some(other) => {
            let path = path.clone().key("channel");
            let help = suggest(other, ["telegram", "local"]);
            match other {
                "discord" => findings.error(&path, "Discord comes in a later version", help),
                _ => findings.error(&path, format!("there is no channel `{other}`"), help),
            }
            return;
        }
    };
    if accounts.is_empty() {
        let help = Some("add [channels.telegram.main]".to_owned());
        findings.error(&path.clone().key("channel"), "there is no telegram account", help);
    } else if let Some(account) = &binding.account {
        known("account", account, &accounts, path.clone().key("account"), findings);
    }
}
