//! Who is meant in a text, and whom it calls under what the sender allowed.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{channel::Pings, request::Failure};

/// Whom a text names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Mentioned {
    pub users: BTreeSet<u64>,
    pub roles: BTreeSet<u64>,
    pub everyone: bool,
}

/// Reads `<@1>`, `<@!1>`, `<@&1>`, `@everyone` and `@here`. Code is read too: a test that wants silence gets no excuse.
pub(super) fn mentioned(text: &str) -> Mentioned {
    let mut found =
        Mentioned { everyone: text.contains("@everyone") || text.contains("@here"), ..Mentioned::default() };
    for piece in text.split("<@").skip(1) {
        let Some((inside, _)) = piece.split_once('>') else { continue };
        if let Some(role) = inside.strip_prefix('&') {
            found.roles.extend(role.parse::<u64>().ok());
        } else {
            found.users.extend(inside.strip_prefix('!').unwrap_or(inside).parse::<u64>().ok());
        }
    }
    found
}

#[derive(Debug, Clone)]
enum Allow {
    All,
    Only(BTreeSet<u64>),
}

impl Allow {
    fn keep(&self, all: BTreeSet<u64>) -> BTreeSet<u64> {
        match self {
            Self::All => all,
            Self::Only(some) => all.intersection(some).copied().collect(),
        }
    }
}

/// The sender's `allowed_mentions`.
#[derive(Debug, Clone)]
pub(super) struct Allowed {
    users: Allow,
    roles: Allow,
    everyone: bool,
    replied_user: bool,
}

impl Allowed {
    /// What holds without the field: everything is called.
    pub fn everything() -> Self {
        Self { users: Allow::All, roles: Allow::All, everyone: true, replied_user: true }
    }

    /// Reads the field of a body.
    pub fn read(body: &Map<String, Value>) -> Result<Self, Failure> {
        let field = match body.get("allowed_mentions") {
            None | Some(Value::Null) => return Ok(Self::everything()),
            Some(Value::Object(field)) => field,
            Some(_) => {
                return Err(Failure::form(
                    "allowed_mentions",
                    "MODEL_TYPE_CONVERT",
                    "Only dictionaries may be used",
                ));
            }
        };
        let known = ["parse", "users", "roles", "replied_user"];
        if let Some(unknown) = field.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(Failure::invalid("allowed_mentions")
                .violation(format!("allowed_mentions has no field {unknown}")));
        }
        let parse = strings(field.get("parse"))?;
        if let Some(unknown) =
            parse.iter().find(|word| !["users", "roles", "everyone"].contains(&word.as_str()))
        {
            return Err(Failure::form(
                "allowed_mentions",
                "BASE_TYPE_CHOICES",
                "Value must be one of users, roles, everyone",
            )
            .violation(format!("allowed_mentions cannot parse {unknown}")));
        }
        let allow = |name: &str| -> Result<Allow, Failure> {
            let ids = strings(field.get(name))?;
            let all = parse.iter().any(|word| word == name);
            if all && !ids.is_empty() {
                let text = format!("parse:[\"{name}\"] and {name}: [ids...] are mutually exclusive.");
                return Err(Failure::form(
                    "allowed_mentions",
                    "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
                    &text,
                ));
            }
            if ids.len() > 100 {
                return Err(Failure::form(
                    "allowed_mentions",
                    "BASE_TYPE_MAX_LENGTH",
                    "Must be 100 or fewer in length.",
                ));
            }
            let ids = ids.iter().filter_map(|id| id.parse().ok()).collect();
            Ok(if all { Allow::All } else { Allow::Only(ids) })
        };
        Ok(Self {
            users: allow("users")?,
            roles: allow("roles")?,
            everyone: parse.iter().any(|word| word == "everyone"),
            replied_user: field.get("replied_user").and_then(Value::as_bool).unwrap_or(false),
        })
    }

    /// Whom `text`, in answer to a message of `answered`, calls.
    pub fn pings(&self, text: &str, answered: Option<u64>) -> Pings {
        let found = mentioned(text);
        let mut users = self.users.keep(found.users);
        users.extend(answered.filter(|_| self.replied_user));
        Pings { users, roles: self.roles.keep(found.roles), everyone: self.everyone && found.everyone }
    }
}

fn strings(list: Option<&Value>) -> Result<Vec<String>, Failure> {
    let Some(list) = list.filter(|list| !list.is_null()) else { return Ok(Vec::new()) };
    let all = list.as_array().into_iter().flatten().map(|item| item.as_str().map(str::to_owned));
    let strings: Option<Vec<String>> = all.collect();
    strings.filter(|_| list.is_array()).ok_or_else(|| {
        Failure::invalid("allowed_mentions")
            .violation(format!("allowed_mentions wants lists of strings, not {list}"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pings(allowed: Value, text: &str) -> Pings {
        let body = json!({"allowed_mentions": allowed});
        Allowed::read(body.as_object().unwrap()).unwrap().pings(text, Some(9))
    }

    #[test]
    fn only_what_is_allowed_is_called() {
        let text = "<@1> <@!2> <@&3> @here";
        assert!(pings(json!({"parse": []}), text).is_empty());
        assert_eq!(pings(json!({"users": ["2", "5"]}), text).users, BTreeSet::from([2]));
        assert_eq!(pings(json!({"parse": ["roles"]}), text).roles, BTreeSet::from([3]));
        let all = pings(Value::Null, text);
        assert_eq!((all.users, all.everyone), (BTreeSet::from([1, 2, 9]), true));
    }
}
