//! The session tools: what agents call to work with each other. Names and parameters are those that models
//! know from elsewhere.

pub mod history;
pub mod list;
pub mod send;
pub mod spawn;
pub mod status;
pub mod subagents;
#[cfg(test)]
mod tests;
pub mod yielding;

use super::Refusal;
use super::arguments::INVALID;
use crate::models::ToolSpec;

/// Whom a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// The session with this key.
    Key(&'a str),
    /// The session with this label.
    Label(&'a str),
    /// An agent's session for the caller's conversation.
    Agent(&'a str),
}

/// The one target that was named, of those that a tool takes.
fn one<'a, const N: usize>(given: [(&str, Option<Target<'a>>); N]) -> Result<Target<'a>, Refusal> {
    let mut named = given.iter().filter_map(|(_, target)| *target);
    match (named.next(), named.next()) {
        (Some(target), None) => Ok(target),
        _ => {
            let names = given.map(|(name, _)| format!("`{name}`")).join(", ");
            Err(Refusal::new(INVALID, format!("Give exactly one of {names}.")))
        }
    }
}

/// What is taken for absent numbers of rows.
fn page() -> i64 {
    50
}

/// As models are told of them.
pub fn specs() -> [ToolSpec; 7] {
    [
        list::spec(),
        history::spec(),
        send::spec(),
        spawn::spec(),
        yielding::spec(),
        subagents::spec(),
        status::spec(),
    ]
}
