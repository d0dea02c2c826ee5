//! `subagents`: looking after one's children.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::models::ToolSpec;
use crate::tools::Refusal;
use crate::tools::arguments::{self, INVALID};

/// The arguments.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Args {
    /// "list": your children. "info": one of them. "log": its newest entries. "steer": give it a message
    /// that it reads before its next step. "kill": stop it and everything below it.
    pub action: Verb,
    /// The child's label, sessionKey or runId. Needed for everything but list.
    pub target: Option<String>,
    /// What to tell the child. Needed for steer.
    pub message: Option<String>,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// All children.
    List,
    /// One child.
    Info,
    /// Its newest entries.
    Log,
    /// A message into its turn.
    Steer,
    /// The end of it.
    Kill,
}

/// What to do, with all that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action<'a> {
    /// All children.
    List,
    /// The child of this name.
    Info(&'a str),
    /// Its newest entries.
    Log(&'a str),
    /// The message to it.
    Steer(&'a str, &'a str),
    /// The end of it.
    Kill(&'a str),
}

impl Args {
    /// What to do.
    ///
    /// # Errors
    ///
    /// Something is missing for this action.
    pub fn action(&self) -> Result<Action<'_>, Refusal> {
        Ok(match self.action {
            Verb::List => Action::List,
            Verb::Info => Action::Info(needed("target", &self.target)?),
            Verb::Log => Action::Log(needed("target", &self.target)?),
            Verb::Steer => Action::Steer(needed("target", &self.target)?, needed("message", &self.message)?),
            Verb::Kill => Action::Kill(needed("target", &self.target)?),
        })
    }
}

fn needed<'a>(name: &str, value: &'a Option<String>) -> Result<&'a str, Refusal> {
    let refusal = || Refusal::new(INVALID, format!("`{name}` is missing: this action needs it."));
    value.as_deref().ok_or_else(refusal)
}

/// As models are told of it.
pub fn spec() -> ToolSpec {
    ToolSpec {
        name: "subagents".into(),
        description: "Looks after the children you started: lists them, shows one, reads its log, steers it \
                      with a message while it works, or stops it. Use steer to correct a running child and \
                      kill when its work is no longer wanted."
            .into(),
        schema: arguments::schema::<Args>(),
    }
}
