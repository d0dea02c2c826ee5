//! What is wrong with a configuration, and where.

use std::fmt;

use toml::de::{DeTable, DeValue};

use super::path::{KeyPath, Step};

/// Everything that keeps a configuration from being used, in the file's order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Report {
    /// What must be mended; never empty.
    pub errors: Vec<Finding>,
    /// What works but may not be meant.
    pub warnings: Vec<Finding>,
}

/// One thing that is wrong or doubtful.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where it was written.
    pub origin: Origin,
    /// The key it is about; empty for the text as a whole.
    pub path: KeyPath,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// In the user's file.
    File {
        /// As it was found.
        name: String,
        /// Counted from 1; `None` when it is about the file as a whole.
        line: Option<usize>,
    },
    /// In an environment variable of this name.
    Variable(String),
    /// Nowhere: it is a default.
    Default,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.errors {
            writeln!(f, "error: {error}")?;
        }
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        let count = self.errors.len();
        write!(f, "{count} error{} in the configuration", if count == 1 { "" } else { "s" })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if !self.path.0.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, line: Some(line) } => write!(f, "{name}:{line}"),
            Self::File { name, line: None } => f.write_str(name),
            Self::Variable(name) => f.write_str(name),
            Self::Default => f.write_str("(default)"),
        }
    }
}

/// The user's file: what findings point into.
#[derive(Debug, Clone)]
pub(super) struct Text {
    /// As it is shown.
    pub name: String,
    /// As it was read.
    pub content: String,
}

impl Text {
    /// The line of the deepest part of `path` that the file has, and how many steps of it that is.
    pub fn locate(&self, path: &KeyPath) -> (usize, Option<usize>) {
        let (document, _) = DeTable::parse_recoverable(&self.content);
        let mut found = (0, None);
        let mut here = &DeValue::Table(document.into_inner());
        for (depth, step) in path.0.iter().enumerate() {
            let (start, next) = match (step, here) {
                (Step::Key(key), DeValue::Table(table)) => {
                    let Some((name, value)) = table.iter().find(|(name, _)| name.get_ref() == key) else {
                        break;
                    };
                    (name.span().start, value.get_ref())
                }
                (Step::Index(index), DeValue::Array(array)) => {
                    let Some(value) = array.get(*index) else { break };
                    (value.span().start, value.get_ref())
                }
                _ => break,
            };
            found = (depth + 1, Some(self.line(start)));
            here = next;
        }
        found
    }

    /// The line of a byte, counted from 1.
    pub fn line(&self, byte: usize) -> usize {
        let before = self.content.as_bytes().get(..byte).unwrap_or(self.content.as_bytes());
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }
}

/// Collects findings while a configuration goes through its stages.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// The user's file, when there is one.
    pub file: Option<Text>,
    /// The keys that the environment sets, and the variables that do.
    pub variables: Vec<(KeyPath, String)>,
    /// What must be mended.
    pub errors: Vec<Finding>,
    /// What may not be meant.
    pub warnings: Vec<Finding>,
    /// How many of the errors are broken values, for which a default stands in; `None` while all are.
    broken: Option<usize>,
}

impl Findings {
    /// From here on errors are about how sound values fit together: none of them hides another.
    pub fn values_are_typed(&mut self) {
        self.broken = Some(self.errors.len());
    }

    /// Records an error, unless it only follows from a broken value at `path` or around it.
    pub fn error(&mut self, path: &KeyPath, message: impl Into<String>, help: Option<String>) {
        let broken = &self.errors[..self.broken.unwrap_or(self.errors.len())];
        if !broken.iter().any(|cause| !cause.path.0.is_empty() && path.is_within(&cause.path)) {
            let finding = self.finding(path, message.into(), help);
            self.errors.push(finding);
        }
    }

    /// Records a warning.
    pub fn warn(&mut self, path: &KeyPath, message: impl Into<String>, help: Option<String>) {
        let finding = self.finding(path, message.into(), help);
        self.warnings.push(finding);
    }

    /// Where the value at `path`, or the nearest thing around it, was written.
    pub fn origin(&self, path: &KeyPath) -> Origin {
        let variable = self.variables.iter().find(|(set, _)| path.is_within(set));
        if let Some((_, name)) = variable {
            return Origin::Variable(name.clone());
        }
        let near =
            self.variables.iter().map(|(set, name)| (set.common(path), name)).max_by_key(|(depth, _)| *depth);
        let located = self.file.as_ref().map(|file| (file, file.locate(path)));
        match (located, near) {
            (None, Some((depth, name))) if depth > 0 => Origin::Variable(name.clone()),
            // A table that only the environment speaks of.
            (Some((_, (in_file, _))), Some((depth, name))) if depth > in_file => {
                Origin::Variable(name.clone())
            }
            (Some((file, (_, line))), _) => Origin::File { name: file.name.clone(), line },
            (None, _) => Origin::Default,
        }
    }

    fn finding(&self, path: &KeyPath, message: String, help: Option<String>) -> Finding {
        Finding { origin: self.origin(path), path: path.clone(), message, help }
    }

    /// The report, when there is an error.
    pub fn into_report(mut self) -> Result<Vec<Finding>, Report> {
        self.errors.sort_by(|a, b| a.origin.cmp(&b.origin));
        self.warnings.sort_by(|a, b| a.origin.cmp(&b.origin));
        if self.errors.is_empty() {
            Ok(self.warnings)
        } else {
            Err(Report { errors: self.errors, warnings: self.warnings })
        }
    }
}

/// "did you mean …" for a word that is none of `known`; else what there is to choose from.
pub(super) fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    let close = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word.to_lowercase(), candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance);
    match close {
        Some((_, candidate)) => Some(format!("did you mean `{candidate}`?")),
        None if known.is_empty() => None,
        None => Some(format!("choose from {}", list(&known))),
    }
}

/// `a`, `b` and `c`, in backquotes.
pub(super) fn list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
