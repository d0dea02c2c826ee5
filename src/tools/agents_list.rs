//! `agents_list`: who is at the table.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{CallContext, Refusal, Tool};
use crate::models::ToolSpec;

/// Lists the agents of the team, the caller first marked as such.
pub struct AgentsList;

#[async_trait]
impl Tool for AgentsList {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "agents_list".into(),
            description: "Lists the agents of this team: id, name, and which of them you are.".into(),
            schema: json!({"type": "object", "properties": {}}),
        }
    }

    fn group(&self) -> &'static str {
        "sessions"
    }

    fn repeatable(&self) -> bool {
        true
    }

    async fn call(&self, context: &CallContext<'_>, arguments: &Value) -> Result<Value, Refusal> {
        let Some(arguments) = arguments.as_object() else {
            return Err(Refusal::new("invalid_arguments", "The arguments must be a JSON object; send {}."));
        };
        let agents: Vec<_> = context
            .agents
            .iter()
            .map(|agent| json!({"id": agent.id, "name": agent.name, "you": agent.id == context.agent.id}))
            .collect();
        let mut result = json!({"status": "ok", "agents": agents});
        if !arguments.is_empty() {
            result["ignored"] = arguments.keys().map(|key| Value::String(key.clone())).collect();
        }
        Ok(result)
    }
}
