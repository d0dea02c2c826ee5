//! `sessions_spawn`: giving work to a child.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::models::ToolSpec;
use crate::routing::names;
use crate::tools::Refusal;
use crate::tools::arguments::{self, INVALID};

/// The arguments.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Args {
    /// The whole task: the goal, what is known, what to leave alone, and what to hand back. The child does
    /// not see your conversation.
    #[schemars(length(min = 1))]
    pub task: String,
    /// A short name that people and agents call the child by: letters, digits, - and _, at most 32. The
    /// agent's id when absent.
    pub label: Option<String>,
    /// Which agent does it (see agents_list). Your own kind when absent.
    pub agent_id: Option<String>,
    /// Another model than the agent's own.
    pub model: Option<String>,
    /// "isolated": the child knows only the task. "fork": it begins with a copy of your conversation.
    #[serde(default)]
    pub context: Context,
    /// Open a thread or topic of its own for the child.
    #[serde(default)]
    pub thread: bool,
    /// "run": one task. "session": the child stays for follow-ups after its first result.
    #[serde(default)]
    pub mode: Mode,
    /// Stop the child after so many seconds. 0 or absent: the usual limit.
    #[serde(default)]
    #[schemars(range(min = 0, max = 86_400))]
    pub run_timeout_seconds: i64,
    /// Who sees the result. "post": the people in the conversation and you. "parent": you, to pass it on.
    /// "silent": only you.
    #[serde(default)]
    pub announce: Announce,
    /// What becomes of the child's session after the run.
    #[serde(default)]
    pub cleanup: Cleanup,
}

/// What a child knows at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Context {
    /// Its task.
    #[default]
    Isolated,
    /// What its parent knew at its last closed step.
    Fork,
}

/// What a child is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// One task.
    #[default]
    Run,
    /// More to come.
    Session,
}

/// Who sees a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Announce {
    /// The conversation and the requester.
    #[default]
    Post,
    /// The requester; the conversation if the requester says nothing.
    Parent,
    /// The requester.
    Silent,
}

/// What becomes of a child's session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Cleanup {
    /// It can be spoken to.
    #[default]
    Keep,
    /// It is archived. Nothing is ever deleted, but models know this by that word.
    #[serde(alias = "delete")]
    Archive,
}

impl Args {
    /// The label, when it can be one.
    ///
    /// # Errors
    ///
    /// It has no label's form, or is a reserved word.
    pub fn label(&self) -> Result<Option<&str>, Refusal> {
        match self.label.as_deref() {
            Some(label) if !names::is_valid(label) || names::is_reserved(label) => Err(Refusal::new(
                INVALID,
                format!(
                    "`label` must be at most {} letters (A to Z), digits, - and _, begin with a letter or \
                     digit, and be none of {}.",
                    names::MAX,
                    names::RESERVED.join(", ")
                ),
            )),
            label => Ok(label),
        }
    }
}

/// As models are told of it.
pub fn spec() -> ToolSpec {
    ToolSpec {
        name: "sessions_spawn".into(),
        description: "Starts a child session that works on a task by itself, and returns at once with its \
                      label and childSessionKey. Start everything that can be done side by side in one step, \
                      then wait with one sessions_yield, or end your turn: results are shown to the people \
                      and wake you. For a question to a teammate that exists use sessions_send."
            .into(),
        schema: arguments::schema::<Args>(),
    }
}
