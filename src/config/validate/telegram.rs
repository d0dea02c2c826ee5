//! Telegram accounts.

use std::collections::BTreeMap;

use crate::config::path::KeyPath;
use crate::config::report::Findings;
use crate::config::{Config, Senders, Telegram};

pub(super) fn check(config: &Config, findings: &mut Findings) {
    for (name, account) in &config.channels.telegram {
        one(name, account, findings);
    }
    same_token(config, findings);
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
