//! From the tree to types: every unknown key and every wrong type is found, not only the first.

use serde_path_to_error::Segment;
use toml::{Table, Value};

use super::path::{KeyPath, Step};
use super::report::{Findings, list, suggest};
use super::{Config, layers::Override, tree};

/// Types the tree. What doesn't fit is recorded, taken out and replaced by its default, so that the
/// other stages can look at the rest; each round takes something out, so it ends.
pub(super) fn typed(mut tree: Table, overrides: &[Override], findings: &mut Findings) -> Config {
    loop {
        let error = match serde_path_to_error::deserialize(Value::Table(tree.clone())) {
            Ok(config) => return config,
            Err(error) => error,
        };
        let mut path = key_path(error.path());
        let missing =
            error.inner().message().strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
        if let Some(key) = missing {
            path = path.key(key);
        }
        if reread(&mut tree, &path, overrides) {
            continue;
        }
        let (message, help) = explain(&path, error.inner().message());
        findings.error(&path, message, help);
        if !tree::remove(&mut tree, &path) {
            return Config::default();
        }
    }
}

/// A variable's value is text; where the key wants something else, it is read as TOML.
fn reread(tree: &mut Table, path: &KeyPath, overrides: &[Override]) -> bool {
    let Some(text) = overrides.iter().find(|set| set.path == *path).map(|set| &set.text) else {
        return false;
    };
    match (tree::get(tree, path), toml_value(text)) {
        (Some(value @ Value::String(_)), Some(read)) if !read.is_str() => {
            *value = read;
            true
        }
        _ => false,
    }
}

/// `text` as one TOML value.
pub(super) fn toml_value(text: &str) -> Option<Value> {
    let mut read = toml::from_str::<Table>(&format!("value = {text}")).ok()?;
    (read.len() == 1).then(|| read.remove("value")).flatten()
}

fn key_path(path: &serde_path_to_error::Path) -> KeyPath {
    let step = |segment: &Segment| match segment {
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Map { key } => Some(Step::Key(key.clone())),
        Segment::Enum { .. } | Segment::Unknown => None,
    };
    KeyPath(path.iter().map_while(step).collect())
}

/// Serde's message in the words of a configuration.
fn explain(path: &KeyPath, message: &str) -> (String, Option<String>) {
    // "unknown field `x`, expected one of `a`, `b`"; the word itself may hold anything.
    let choice = message.rsplit_once(", expected ").map(|(_, choice)| quoted(choice)).unwrap_or_default();
    if message.starts_with("unknown field `") {
        return ("unknown key".into(), suggest(path.last_key(), choice));
    }
    if let Some(rest) = message.strip_prefix("unknown variant `") {
        let word = rest.rsplit_once("`, expected ").map_or(rest, |(word, _)| word);
        let message = format!("`{word}` is none of {}", list(&choice));
        return (message, suggest(word, choice).filter(|help| help.starts_with("did you mean")));
    }
    if message.starts_with("missing field `") {
        return ("is missing".into(), None);
    }
    if message.ends_with("expected string only") {
        return ("is no text".into(), Some("write a word in quotes".into()));
    }
    if message == "invalid socket address syntax" {
        return ("is no address and port".into(), Some("write them like \"127.0.0.1:7080\"".into()));
    }
    // The text is not repeated: somebody may have put a secret in the wrong place.
    let message =
        match message.strip_prefix("invalid type: string \"").and_then(|text| text.rsplit_once("\", ")) {
            Some((_, expected)) => format!("invalid type: string, {expected}"),
            None => message.to_owned(),
        };
    let message = message
        .replace("invalid type: sequence", "invalid type: array")
        .replace("invalid type: map", "invalid type: table")
        .replace("expected a sequence", "expected an array")
        .replace("expected a map", "expected a table")
        .replace("expected u32", "expected a whole number of at least 0")
        .replace("expected f64", "expected a number");
    (message, None)
}

/// The words in backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}
