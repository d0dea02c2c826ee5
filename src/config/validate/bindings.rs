//! Bindings: what they name must be there, and each must be able to win.

use std::collections::BTreeSet;

use super::known;
use crate::config::path::KeyPath;
use crate::config::report::{Findings, suggest};
use crate::config::{Binding, Config};
use crate::routing;

/// `agents` are the ids that may be named, former ones included.
pub(super) fn check(config: &Config, agents: &BTreeSet<String>, findings: &mut Findings) {
    for (index, binding) in config.bindings.iter().enumerate() {
        let path = KeyPath::of(["bindings"]).index(index);
        bound(binding, &path, config, agents, findings);
    }
    shadowed(config, findings);
}

fn shadowed(config: &Config, findings: &mut Findings) {
    let bindings: Vec<_> = config.bindings.iter().map(routing::Binding::from).collect();
    for routing::Shadowed { binding, by, duplicate } in routing::shadowed(&bindings) {
        let path = KeyPath::of(["bindings"]).index(binding);
        let why =
            if duplicate { "names the same place as" } else { "can never win: all it matches is taken by" };
        findings.error(&path, format!("{why} bindings[{by}]"), Some("take one of them out".into()));
    }
}

fn bound(
    binding: &Binding,
    path: &KeyPath,
    config: &Config,
    agents: &BTreeSet<String>,
    findings: &mut Findings,
) {
    for (index, agent) in binding.agents.iter().enumerate() {
        let path = match binding.agents.len() {
            1 => path.clone().key("agent"),
            _ => path.clone().key("agents").index(index),
        };
        if binding.agents[..index].contains(agent) {
            findings.error(&path, format!("names `{agent}` twice"), None);
        }
        known("agent", agent, agents, path, findings);
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
