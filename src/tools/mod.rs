//! What agents can call. A tool returns a result; the engine commits it.

mod agents_list;
pub mod arguments;
mod registry;
pub mod sessions;

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::agents::{Agent, Agents};
use crate::models::ToolSpec;

pub use registry::Tools;

/// Something that an agent can call.
#[async_trait]
pub trait Tool: Send + Sync {
    /// Name, description and schema as a model is told them. Constant.
    fn spec(&self) -> ToolSpec;

    /// The policy group it belongs to.
    fn group(&self) -> &'static str;

    /// Whether a call that was cut off may simply be made again.
    fn repeatable(&self) -> bool;

    /// Does it. Dropped when the turn is stopped or its time is over.
    async fn call(&self, context: &CallContext<'_>, arguments: &Value) -> Result<Value, Refusal>;
}

/// Who calls.
#[derive(Clone, Copy)]
pub struct CallContext<'a> {
    /// The caller.
    pub agent: &'a Agent,
    /// The team.
    pub agents: &'a Agents,
}

/// A call that was not carried out: for the model, which can do something about it. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A stable word.
    pub code: &'static str,
    /// What to do.
    pub message: String,
}

impl Refusal {
    /// A refusal with a stable word and what to do.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// As the model gets it.
    pub fn to_json(&self) -> Value {
        json!({"status": "error", "code": self.code, "message": self.message})
    }
}
