//! All tools, and which of them an agent may call.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::agents_list::AgentsList;
use super::{CallContext, Refusal, Tool};
use crate::agents::Agent;
use crate::models::{ToolCall, ToolSpec};

/// The tools of this program.
#[derive(Clone)]
pub struct Tools {
    by_name: BTreeMap<String, Arc<dyn Tool>>,
}

impl Tools {
    /// Those that are built in.
    pub fn built_in() -> Self {
        Self::new([Arc::new(AgentsList) as Arc<dyn Tool>])
    }

    /// A set of tools.
    pub fn new(tools: impl IntoIterator<Item = Arc<dyn Tool>>) -> Self {
        Self { by_name: tools.into_iter().map(|tool| (tool.spec().name, tool)).collect() }
    }

    /// Those that an agent may call, as a model is told of them.
    pub fn specs(&self, agent: &Agent) -> Vec<ToolSpec> {
        self.by_name.values().filter(|tool| allowed(agent, tool.as_ref())).map(|tool| tool.spec()).collect()
    }

    /// Whether a call that was cut off may be made again. A tool that does not exist does nothing.
    pub fn repeatable(&self, name: &str) -> bool {
        self.by_name.get(name).is_none_or(|tool| tool.repeatable())
    }

    /// Makes a call; a refusal is a result like any other.
    pub async fn call(&self, context: &CallContext<'_>, call: &ToolCall) -> Value {
        let outcome = match self.by_name.get(&call.name).filter(|tool| allowed(context.agent, tool.as_ref()))
        {
            Some(tool) => tool.call(context, &call.arguments).await,
            None => Err(self.unknown(context.agent, &call.name)),
        };
        outcome.unwrap_or_else(|refusal| refusal.to_json())
    }

    fn unknown(&self, agent: &Agent, name: &str) -> Refusal {
        let names: Vec<_> = self.specs(agent).into_iter().map(|spec| spec.name).collect();
        let offer = match names.is_empty() {
            true => "You have no tools: answer in words.".to_owned(),
            false => format!("You have: {}.", names.join(", ")),
        };
        Refusal::new("unknown_tool", format!("There is no tool `{name}` for you. {offer}"))
    }
}

fn allowed(agent: &Agent, tool: &dyn Tool) -> bool {
    let name = tool.spec().name;
    let named = |list: &[String]| list.iter().any(|word| *word == name || word == tool.group());
    named(&agent.tools) && !named(&agent.deny)
}
