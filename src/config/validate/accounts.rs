//! What holds for the accounts of every platform.

use std::collections::BTreeMap;

use crate::config::Secret;
use crate::config::path::KeyPath;
use crate::config::report::Findings;

/// People are named by number.
pub(super) fn people(account: &KeyPath, lists: [(&str, &Vec<String>); 2], findings: &mut Findings) {
    for (key, people) in lists {
        for (index, id) in people.iter().enumerate().filter(|(_, id)| !is_number(id)) {
            let help =
                "write the person's number (`/whoami` says it): names can be taken over by others".to_owned();
            findings.error(
                &account.clone().key(key).index(index),
                format!("`{id}` is no person"),
                Some(help),
            );
        }
    }
}

pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit())
}

/// One bot is one account: two logins with one token get in each other's way.
pub(super) fn same_token<'a>(
    platform: &str,
    accounts: impl Iterator<Item = (&'a String, &'a Secret)>,
    findings: &mut Findings,
) {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, token) in accounts.filter(|(_, token)| !token.expose().is_empty()) {
        if let Some(first) = seen.insert(token.expose(), name) {
            let path = KeyPath::of(["channels", platform, name, "token"]);
            let message = format!("is the token of `channels.{platform}.{first}` too");
            findings.error(&path, message, Some("one bot is one account".into()));
        }
    }
}
