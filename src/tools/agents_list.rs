//! `agents_list`: who is at the table.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{CallContext, Refusal, Tool, arguments};
use crate::models::ToolSpec;

/// Lists the agents of the team, the caller marked as such.
pub struct AgentsList;

/// It takes none.
#[derive(Deserialize, JsonSchema)]
struct Args {}

#[async_trait]
impl Tool for AgentsList {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "agents_list".into(),
            description: "Lists the agents of this team: id, name, and which of them you are.".into(),
            schema: arguments::schema::<Args>().into(),
        }
    }

    fn group(&self) -> &'static str {
        "sessions"
    }

    fn repeatable(&self) -> bool {
        true
    }

    async fn call(&self, context: &CallContext<'_>, arguments: &Value) -> Result<Value, Refusal> {
        let given = arguments::read::<Args>(arguments)?;
        let agents: Vec<_> = context
            .agents
            .iter()
            .map(|agent| json!({"id": agent.id, "name": agent.name, "you": agent.id == context.agent.id}))
            .collect();
        Ok(given.note(json!({"status": "ok", "agents": agents})))
    }
}
