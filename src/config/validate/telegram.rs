//! Telegram accounts.

use super::accounts::{is_number, people, same_token};
use crate::config::path::KeyPath;
use crate::config::report::Findings;
use crate::config::{Config, Senders, Telegram};

pub(super) fn check(config: &Config, findings: &mut Findings) {
    for (name, account) in &config.channels.telegram {
        one(name, account, findings);
    }
    // Two logins with one token would take each other's messages (409 from `getUpdates`).
    let enabled = config.channels.telegram.iter().filter(|(_, account)| account.enabled);
    same_token("telegram", enabled.map(|(name, account)| (name, &account.token)), findings);
}

fn one(name: &str, account: &Telegram, findings: &mut Findings) {
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
    people(&path, [("users", &account.users), ("owners", &account.owners)], findings);
    let open = account.groups.iter().any(|id| id == "*") && account.senders("*") == Senders::Everyone;
    if account.enabled && open {
        let help = format!("to change that: [channels.telegram.{name}.group.\"*\"] senders = \"known\"");
        let message = "every member of every group that the bot is put into can use the agents";
        findings.warn(&path.key("groups"), message, Some(help));
    }
}
