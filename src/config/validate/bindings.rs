//! Bindings: what they name must be there, and each must be able to win.

use std::collections::BTreeSet;

use super::known;
use crate::config::Config;
use crate::config::path::KeyPath;
use crate::config::report::{Findings, suggest};
use crate::routing::{self, Binding};

/// `agents` are the ids that may be named, former ones included.
pub(super) fn check(config: &Config, agents: &BTreeSet<String>, findings: &mut Findings) {
    for (index, binding) in config.bindings.iter().enumerate() {
        let path = KeyPath::of(["bindings"]).index(index);
        bound(binding, &path, config, agents, findings);
    }
    shadowed(config, findings);
}

fn shadowed(config: &Config, findings: &mut Findings) {
    for routing::Shadowed { binding, by, duplicate } in routing::shadowed(&config.bindings) {
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
    let elsewhere = binding.channel.as_ref().filter(|channel| *channel != "discord");
    for (key, value) in [("guild", &binding.guild), ("role", &binding.role)] {
        if let (Some(_), Some(channel)) = (value, elsewhere) {
            let help = Some("take it out".to_owned());
            findings.error(&path.clone().key(key), format!("is Discord's: {channel} has none"), help);
        }
    }
    if binding.role.is_some() && binding.guild.is_none() {
        let help = Some("give the `guild` too: roles belong to a server".to_owned());
        findings.error(&path.clone().key("role"), "needs a guild", help);
    }
    if binding.thread.is_some() && binding.chat.is_none() {
        let help = Some("give the `chat` too: threads are numbered within a chat".to_owned());
        findings.error(&path.clone().key("thread"), "needs a chat", help);
    }
    account_exists(binding, path, config, findings);
}

fn account_exists(binding: &Binding, path: &KeyPath, config: &Config, findings: &mut Findings) {
    let discord: BTreeSet<String> = config.channels.discord.keys().cloned().collect();
    let telegram: BTreeSet<String> = config.channels.telegram.keys().cloned().collect();
    let local = BTreeSet::from(["main".to_owned()]);
    let accounts = match binding.channel.as_deref() {
        Some("discord") => discord,
        Some("telegram") => telegram,
        Some("local") => local,
        None => &(&discord | &telegram) | &local,
        Some(other) => {
            let help = suggest(other, ["discord", "telegram", "local"]);
            findings.error(&path.clone().key("channel"), format!("there is no channel `{other}`"), help);
            return;
        }
    };
    if let (true, Some(channel)) = (accounts.is_empty(), &binding.channel) {
        let help = Some(format!("add [channels.{channel}.main]"));
        findings.error(&path.clone().key("channel"), format!("there is no {channel} account"), help);
    } else if let Some(account) = &binding.account {
        known("account", account, &accounts, path.clone().key("account"), findings);
    }
}
