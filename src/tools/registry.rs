//! All tools, and which of them a turn may call.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::agents_list::AgentsList;
use super::sessions::{self, Called, Caller, Effect};
use super::{CallContext, Policy, Refusal, Secrets, Tool};
use crate::agents::Agent;
use crate::models::{ToolCall, ToolSpec};
use crate::store::waits::Wait;
use crate::store::{StoreError, Tx};

/// The tools of this program.
#[derive(Clone)]
pub struct Tools {
    by_name: BTreeMap<String, Arc<dyn Tool>>,
    of_sessions: Arc<[ToolSpec]>,
    /// All of them as models are told of them, by name, each with its policy group: made once, because a schema
    /// takes longer to make than a step.
    specs: Arc<[(ToolSpec, &'static str)]>,
    secrets: Arc<Secrets>,
}

impl Tools {
    /// Those that are built in.
    pub fn built_in() -> Self {
        Self::with([Arc::new(AgentsList) as Arc<dyn Tool>], sessions::specs().into())
    }

    /// The same with more that work outside the database.
    pub fn and(self, more: impl IntoIterator<Item = Arc<dyn Tool>>) -> Self {
        let tools = Self::with(self.by_name.into_values().chain(more), self.of_sessions);
        Self { secrets: self.secrets, ..tools }
    }

    /// A set of tools that work outside the database.
    pub fn new(tools: impl IntoIterator<Item = Arc<dyn Tool>>) -> Self {
        Self::with(tools, Arc::new([]))
    }

    fn with(tools: impl IntoIterator<Item = Arc<dyn Tool>>, of_sessions: Arc<[ToolSpec]>) -> Self {
        let by_name: BTreeMap<_, _> = tools.into_iter().map(|tool| (tool.spec().name, tool)).collect();
        let others = by_name.values().map(|tool| (tool.spec(), tool.group()));
        let sessions = of_sessions.iter().map(|spec| (spec.clone(), sessions::GROUP));
        let mut specs: Vec<_> = sessions.chain(others).collect();
        specs.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
        Self { by_name, of_sessions, specs: specs.into(), secrets: Arc::default() }
    }

    /// The same with values that no tool shows.
    pub fn hiding(self, secrets: Secrets) -> Self {
        Self { secrets: Arc::new(secrets), ..self }
    }

    /// What no tool shows.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Those that a turn may call, as a model is told of them.
    pub fn specs(&self, agent: &Agent, policy: &Policy) -> Vec<ToolSpec> {
        let allowed = self.specs.iter().filter(|(spec, group)| policy.allows(agent, &spec.name, group));
        allowed.map(|(spec, _)| spec.clone()).collect()
    }

    /// Whether a tool works on sessions, within the engine's transaction.
    pub fn is_of_sessions(&self, name: &str) -> bool {
        self.of_sessions.iter().any(|spec| spec.name == name)
    }

    /// Whether a call that was cut off may be made again. A tool that does not exist does nothing.
    pub fn repeatable(&self, name: &str) -> bool {
        self.by_name.get(name).is_none_or(|tool| tool.repeatable())
    }

    /// Makes a call; a refusal is a result like any other.
    pub async fn call(&self, context: &CallContext<'_>, call: &ToolCall) -> Value {
        let allowed = |tool: &&Arc<dyn Tool>| context.policy.allows(context.agent, &call.name, tool.group());
        let outcome = match self.by_name.get(&call.name).filter(allowed) {
            Some(tool) => tool.call(context, &call.arguments).await,
            None => Err(self.unknown(context.agent, context.policy, &call.name)),
        };
        outcome.unwrap_or_else(|refusal| refusal.to_json())
    }

    /// Makes a call on sessions, in the engine's transaction.
    pub async fn call_session(
        &self,
        tx: &mut Tx<'_>,
        caller: &Caller<'_>,
        call: &ToolCall,
        effects: &mut Vec<Effect>,
    ) -> Result<Called, StoreError> {
        if caller.policy.allows(caller.agent, &call.name, sessions::GROUP) {
            return sessions::call(tx, caller, call, effects).await;
        }
        Ok(Called::Done(self.unknown(caller.agent, caller.policy, &call.name).to_json()))
    }

    /// The result of a call on sessions that waited.
    pub async fn waited(
        &self,
        tx: &mut Tx<'_>,
        caller: &Caller<'_>,
        call: &ToolCall,
        wait: &Wait,
    ) -> Result<Value, StoreError> {
        sessions::waited(tx, caller, call, wait).await
    }

    fn unknown(&self, agent: &Agent, policy: &Policy, name: &str) -> Refusal {
        let names: Vec<_> = self.specs(agent, policy).into_iter().map(|spec| spec.name).collect();
        let offer = match names.is_empty() {
            true => "You have no tools: answer in words.".to_owned(),
            false => format!("You have: {}.", names.join(", ")),
        };
        Refusal::new("unknown_tool", format!("There is no tool `{name}` for you. {offer}"))
    }
}
