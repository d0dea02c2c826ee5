//! The arguments of commands. `None`: that is not how it is written.

use super::{Command, HISTORY, Stop};
use crate::routing::{names, pairing};

/// Entries that `/history` shows when nothing is said.
const SHORT: i64 = 5;

pub(super) fn new(arguments: &str) -> Option<Command> {
    match arguments.to_ascii_lowercase().as_str() {
        "" => Some(Command::New { keep: false }),
        "keep" => Some(Command::New { keep: true }),
        _ => None,
    }
}

pub(super) fn stop(arguments: &str) -> Option<Command> {
    let stop = match arguments {
        "" => Stop::Here,
        all if all.eq_ignore_ascii_case("all") => Stop::All,
        name => Stop::Label(label(name)?),
    };
    Some(Command::Stop(stop))
}

pub(super) fn start(payload: &str) -> Option<Command> {
    Some(pairing::bare_code(payload).map_or(Command::Start, |code| Command::Pair { code }))
}

pub(super) fn pair(code: &str) -> Option<Command> {
    let code = pairing::normalise_code(code);
    (!code.is_empty()).then_some(Command::Pair { code })
}

pub(super) fn ask(arguments: &str) -> Option<Command> {
    let (label, text) = label_and_text(arguments)?;
    Some(Command::Ask { label, text })
}

pub(super) fn steer(arguments: &str) -> Option<Command> {
    let (label, text) = label_and_text(arguments)?;
    Some(Command::Steer { label, text })
}

pub(super) fn kill(arguments: &str) -> Option<Command> {
    Some(Command::Kill { label: label(arguments)? })
}

/// A label is told from the first word of the task by its sign or its colon: `/spawn coder fixer: mend it`.
pub(super) fn spawn(arguments: &str) -> Option<Command> {
    let (agent, rest) = label_and_text(arguments)?;
    let (first, after) = rest.split_once(char::is_whitespace).unwrap_or((&rest, ""));
    let name = if first.starts_with('@') || first.ends_with(':') { label(first) } else { None };
    let (label, task) = match name {
        Some(name) => (Some(name), after.trim()),
        None => (None, rest.as_str()),
    };
    (!task.is_empty()).then(|| Command::Spawn { agent, label, task: task.to_owned() })
}

pub(super) fn focus(arguments: &str) -> Option<Command> {
    let (name, rest) = arguments.split_once(char::is_whitespace).unwrap_or((arguments, ""));
    Some(Command::Focus { label: label(name)?, everyone: everyone(rest)? })
}

pub(super) fn unfocus(arguments: &str) -> Option<Command> {
    Some(Command::Unfocus { everyone: everyone(arguments)? })
}

pub(super) fn history(arguments: &str) -> Option<Command> {
    let (name, count) = arguments.split_once(char::is_whitespace).unwrap_or((arguments, ""));
    let count = match count.trim() {
        "" => SHORT,
        count => count.parse().ok().filter(|count| *count > 0)?,
    };
    Some(Command::History { label: label(name)?, count: count.min(HISTORY) })
}

fn everyone(word: &str) -> Option<bool> {
    match word.trim() {
        "" => Some(false),
        word if word.eq_ignore_ascii_case("everyone") => Some(true),
        _ => None,
    }
}

fn label_and_text(arguments: &str) -> Option<(String, String)> {
    let (name, text) = arguments.split_once(char::is_whitespace)?;
    Some((label(name)?, text.trim().to_owned()))
}

/// A label as people write it: `coder`, `@coder`, `coder:`.
fn label(word: &str) -> Option<String> {
    let name = word.strip_prefix('@').unwrap_or(word);
    let name = name.strip_suffix(':').unwrap_or(name);
    names::is_valid(name).then(|| name.to_owned())
}
