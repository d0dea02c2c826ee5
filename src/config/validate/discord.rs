//! Discord accounts.

use super::accounts::{is_number, people, same_token};
use crate::config::path::KeyPath;
use crate::config::report::Findings;
use crate::config::{Config, Discord, DiscordSenders};

pub(super) fn check(config: &Config, findings: &mut Findings) {
    for (name, account) in &config.channels.discord {
        one(name, account, findings);
    }
    // Every message would be answered twice.
    let enabled = config.channels.discord.iter().filter(|(_, account)| account.enabled);
    same_token("discord", enabled.map(|(name, account)| (name, &account.token)), findings);
}

fn one(name: &str, account: &Discord, findings: &mut Findings) {
    let path = KeyPath::of(["channels", "discord", name]);
    let help = "write the number of a server or channel (\"Copy ID\" in Discord's developer mode), or \"*\"";
    let is_place = |id: &str| id == "*" || is_number(id);
    for (index, id) in account.guilds.iter().enumerate().filter(|(_, id)| !is_place(id)) {
        let path = path.clone().key("guilds").index(index);
        findings.error(&path, format!("`{id}` is no server"), Some(help.into()));
    }
    for (id, group) in &account.group {
        let path = path.clone().key("group").key(id);
        if !is_place(id) {
            findings.error(&path, format!("`{id}` is no server or channel"), Some(help.into()));
        }
        for (index, role) in group.roles.iter().enumerate().filter(|(_, role)| !is_number(role)) {
            let help = "write the role's number (\"Copy ID\" in Discord's developer mode)".to_owned();
            findings.error(
                &path.clone().key("roles").index(index),
                format!("`{role}` is no role"),
                Some(help),
            );
        }
        let by_role = group.senders == DiscordSenders::Roles;
        if by_role && group.roles.is_empty() {
            let help = "name them: `roles = [\"…\"]`".to_owned();
            findings.error(&path.key("roles"), "is empty, so that only owners would be heard", Some(help));
        } else if !by_role && !group.roles.is_empty() {
            let help = "write `senders = \"roles\"` beside it".to_owned();
            findings.error(&path.key("roles"), "has no meaning here", Some(help));
        }
    }
    people(&path, [("users", &account.users), ("owners", &account.owners)], findings);
}
