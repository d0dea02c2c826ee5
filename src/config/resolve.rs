//! References become what they refer to: `env:NAME` and `file:PATH` the secret, a soul's path its text.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use toml::{Table, Value};

use super::path::KeyPath;
use super::report::{Findings, list};
use super::{defaults, souls, tree};

/// What references are relative to.
pub(super) struct Surroundings<'a> {
    /// The environment.
    pub env: &'a BTreeMap<String, String>,
    /// The folder of the user's file, or the working directory.
    pub folder: &'a Path,
}

/// Replaces every reference in the tree by its target; one without a target is recorded and left empty.
/// Returns the keys under which the text itself was a secret.
pub(super) fn references(
    tree: &mut Table,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Vec<KeyPath> {
    let mut literals = Vec::new();
    for Place { path, cure, needed } in secret_places(tree) {
        let Some(Value::String(text)) = tree::get(tree, &path) else { continue };
        match secret(text, around) {
            Ok(Some(target)) => *text = target,
            Ok(None) if path.last_key() != "url" || has_password(text) => literals.push(path),
            Ok(None) => {}
            Err(message) => {
                text.clear();
                if needed {
                    findings.error(&path, message, Some(cure));
                }
            }
        }
    }
    for (id, agent) in tree::entries(tree, ["agents"]) {
        let Some(Value::String(soul)) = agent.get_mut("soul") else { continue };
        match soul_text(soul, around.folder, findings.file.is_some()) {
            Ok(text) => *soul = text,
            Err(message) => {
                let embedded = souls::SOULS.map(|(path, _)| path);
                let cure =
                    format!("write the path of a text file, from this file's folder, or {}", list(&embedded));
                findings.error(&KeyPath::of(["agents", id, "soul"]), message, Some(cure));
            }
        }
    }
    literals
}

/// A key that holds a secret.
struct Place {
    path: KeyPath,
    cure: String,
    /// Its account is connected.
    needed: bool,
}

fn secret_places(tree: &mut Table) -> Vec<Place> {
    let place = |path, what: &str, key: &str, needed| Place {
        path,
        cure: format!("set it to {what}, or write `{key} = \"file:PATH\"`"),
        needed,
    };
    let mut places = vec![
        place(KeyPath::of(["store", "url"]), "the database's address", "url", true),
        place(KeyPath::of(["http", "token"]), "what callers shall present", "token", true),
    ];
    for (id, model) in tree::entries(tree, ["models"]) {
        let provider = model.get("provider").and_then(Value::as_str).unwrap_or("provider");
        let what = format!("your {provider} key");
        places.push(place(KeyPath::of(["models", id, "api_key"]), &what, "api_key", true));
    }
    let tokens = [
        ("discord", "the token on your bot's page at discord.com/developers"),
        ("telegram", "the token that @BotFather gave your bot"),
    ];
    for (platform, what) in tokens {
        for (name, account) in tree::entries(tree, ["channels", platform]) {
            let enabled = account
                .get("enabled")
                .is_none_or(|value| *value != Value::Boolean(false) && value.as_str() != Some("false"));
            let path = KeyPath::of(["channels", platform, name, "token"]);
            places.push(place(path, what, "token", enabled));
        }
    }
    places
}

/// The secret that `reference` refers to; `None` when the text itself is the secret.
fn secret(reference: &str, around: &Surroundings<'_>) -> Result<Option<String>, String> {
    let found = if let Some(name) = reference.strip_prefix("env:") {
        if !defaults::is_set(around.env, name) {
            return Err(format!("the variable {name} is not set"));
        }
        around.env[name].trim().to_owned()
    } else if let Some(path) = reference.strip_prefix("file:") {
        let text = fs::read_to_string(around.folder.join(path)).map_err(|error| unreadable(path, &error))?;
        text.trim().to_owned()
    } else if reference.trim().is_empty() {
        return Err("is empty".into());
    } else {
        return Ok(None);
    };
    if found.is_empty() { Err(format!("`{reference}` is empty")) } else { Ok(Some(found)) }
}

/// A user's own file wins over the embedded soul of the same path, but only beside a user's own
/// configuration: an `agents` folder that happens to lie in the working directory is not meant.
fn soul_text(path: &str, folder: &Path, beside_file: bool) -> Result<String, String> {
    let text = match (souls::embedded(path), fs::read_to_string(folder.join(path))) {
        (Some(embedded), _) if !beside_file => embedded.to_owned(),
        (_, Ok(text)) => text,
        (Some(embedded), Err(error)) if error.kind() == std::io::ErrorKind::NotFound => embedded.to_owned(),
        (_, Err(error)) => return Err(unreadable(path, &error)),
    };
    if text.trim().is_empty() { Err(format!("`{path}` is empty")) } else { Ok(text) }
}

fn unreadable(path: &str, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => format!("there is no file `{path}`"),
        _ => format!("`{path}` can't be read: {error}"),
    }
}

/// `scheme://user:password@host/…`
fn has_password(url: &str) -> bool {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or(rest));
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_database_addresses_are_seen() {
        assert!(has_password("postgres://ann:secret@host/db"));
        for url in ["postgres://ann@host/db", "sqlite:data/a:b@c.db", "postgres://host:5432/db"] {
            assert!(!has_password(url), "{url}");
        }
    }
}
