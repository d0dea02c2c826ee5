//! The layers of text that make up the configuration, merged.

use std::collections::BTreeMap;

use config::{Config, ConfigError, File, FileFormat};
use toml::de::DeTable;
use toml::{Table, Value};

use super::path::{KeyPath, Step};
use super::report::{Finding, Findings, Origin, Text};
use super::{defaults, shape};

/// The complete, commented default file.
pub(super) const EMBEDDED: &str = include_str!("../../config/roundtable.toml");

const PREFIX: &str = "ROUNDTABLE_";

/// A key that the environment sets.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Override {
    /// The variable.
    pub name: String,
    /// The key.
    pub path: KeyPath,
    /// The variable's value.
    pub text: String,
}

/// Merges, each over the ones before: the embedded default, the user's file, what stands in for the
/// sections it leaves out, the environment. `None` when the file is not TOML, which is then recorded.
pub(super) fn merge(
    overrides: &[Override],
    env: &BTreeMap<String, String>,
    findings: &mut Findings,
) -> Option<Table> {
    let file = findings.file.as_ref().map_or("", |file| file.content.as_str()).to_owned();
    syntax(&file, findings)?;
    let mut layers = vec![EMBEDDED.to_owned(), file];
    layers.extend(defaults::missing_sections(&layers[1], env));
    match layered(&layers, overrides) {
        Ok(tree) => Some(tree),
        Err(error) => {
            findings.error(&KeyPath::default(), error.to_string(), None);
            None
        }
    }
}

fn layered(layers: &[String], overrides: &[Override]) -> Result<Table, ConfigError> {
    let environment =
        toml::to_string(&overridden(overrides)).map_err(|error| ConfigError::Foreign(error.into()))?;
    let builder = layers
        .iter()
        .chain([&environment])
        .fold(Config::builder(), |builder, text| builder.add_source(File::from_str(text, FileFormat::Toml)));
    builder.build()?.try_deserialize()
}

/// Records what in the file is no TOML.
fn syntax(content: &str, findings: &mut Findings) -> Option<()> {
    let (_, errors) = DeTable::parse_recoverable(content);
    for error in &errors {
        let name = findings.file.as_ref().map_or_else(String::new, |file| file.name.clone());
        let text = Text { name: name.clone(), content: content.to_owned() };
        let line = error.span().map(|span| text.line(span.start));
        let message = format!("this is no TOML: {}", error.message());
        let origin = Origin::File { name, line };
        findings.errors.push(Finding { origin, path: KeyPath::default(), message, help: None });
    }
    errors.is_empty().then_some(())
}

/// The keys that the environment sets: `ROUNDTABLE_NODE__LEASE` is `node.lease`.
pub(super) fn overrides(env: &BTreeMap<String, String>) -> Vec<Override> {
    let set = |(name, text): (&String, &String)| {
        let keys = name.strip_prefix(PREFIX)?.to_lowercase();
        let steps: Vec<Step> = keys.split("__").map(|key| Step::Key(key.to_owned())).collect();
        let path = KeyPath(steps);
        // Container tools set what isn't given to "".
        (path.0.len() > 1 && !text.is_empty()).then(|| Override {
            name: name.clone(),
            path,
            text: text.clone(),
        })
    };
    env.iter().filter_map(set).collect()
}

/// Variables that look like overrides but are none, for want of a second underscore, and what is meant.
pub(super) fn near_overrides(env: &BTreeMap<String, String>) -> impl Iterator<Item = (&String, String)> {
    env.keys().filter_map(|name| {
        let (section, key) = name.strip_prefix(PREFIX)?.split_once('_')?;
        let known = ["NODE", "STORE", "HTTP", "MODELS", "AGENTS", "CHANNELS"].contains(&section);
        (known && !name.contains("__")).then(|| (name, format!("{PREFIX}{section}__{key}")))
    })
}

fn overridden(overrides: &[Override]) -> Table {
    let mut tree = Table::new();
    for set in overrides {
        // Text, unless it can't be meant as text; what the key wants is seen when it is typed.
        let container = set.text.trim_start().starts_with(['[', '{']).then(|| shape::toml_value(&set.text));
        let value = container.flatten().unwrap_or_else(|| Value::String(set.text.clone()));
        insert(&mut tree, &set.path.0, value);
    }
    tree
}

fn insert(tree: &mut Table, path: &[Step], value: Value) {
    match path {
        [Step::Key(key)] => {
            tree.insert(key.clone(), value);
        }
        [Step::Key(key), rest @ ..] => {
            let below = tree.entry(key.clone()).or_insert_with(|| Value::Table(Table::new()));
            if !below.is_table() {
                *below = Value::Table(Table::new());
            }
            if let Value::Table(table) = below {
                insert(table, rest, value);
            }
        }
        _ => {}
    }
}
