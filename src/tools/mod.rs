//! What agents can call. Two kinds: a [`Tool`] works outside the database and its result is committed by the engine;
//! a session tool ([`sessions`]) is part of the engine's transaction and asks for what only the engine can do by
//! [`Effect`]s.

mod agents_list;
pub mod arguments;
mod policy;
mod redact;
mod registry;
pub mod sessions;

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::agents::{Agent, Agents};
use crate::models::ToolSpec;

pub use policy::Policy;
pub use redact::Secrets;
pub use registry::Tools;

/// Something that an agent can call, outside the database.
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
    /// What restricts the caller's turn.
    pub policy: &'a Policy,
}

/// A call that was not carried out: for the model, which can do something about it. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A stable word.
    pub code: &'static str,
    /// What to do.
    pub message: String,
    /// What there is instead: close labels, candidates.
    pub offers: Vec<String>,
}

impl Refusal {
    /// A refusal with a stable word and what to do.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), offers: Vec::new() }
    }

    /// The same with what there is instead.
    pub fn offering(self, offers: Vec<String>) -> Self {
        Self { offers, ..self }
    }

    /// As the model gets it.
    pub fn to_json(&self) -> Value {
        let mut json = json!({"status": "error", "code": self.code, "message": self.message});
        if !self.offers.is_empty() {
            json["candidates"] = json!(self.offers);
        }
        json
    }
}
