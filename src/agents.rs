//! The configured team, as turns see it. A changed configuration makes a new [`Agents`].

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::models::ModelClient;

/// What happens to a message that arrives while the session is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueMode {
    /// The turn at work reads it before its next step.
    Steer,
    /// The next turn reads it.
    Followup,
}

/// One agent.
#[derive(Clone)]
pub struct Agent {
    /// Its id.
    pub id: String,
    /// The name people see.
    pub name: String,
    /// Its prompt.
    pub soul: String,
    /// What it thinks with.
    pub model: Arc<dyn ModelClient>,
    /// Names and groups of the tools it may call.
    pub tools: Vec<String>,
    /// Names and groups it may not call, whatever `tools` says.
    pub deny: Vec<String>,
    /// What happens to messages that arrive during a turn.
    pub queue: QueueMode,
    /// Turns it may have at work at once, over all nodes; 0: no limit of its own.
    pub max_turns: i64,
    /// How long a turn may be at work, in milliseconds.
    pub turn_timeout: i64,
    /// Messages that may wait in one of its sessions.
    pub inbox_cap: i64,
}

/// All agents, by id.
#[derive(Clone, Default)]
pub struct Agents {
    by_id: BTreeMap<String, Arc<Agent>>,
}

impl Agents {
    /// A team.
    pub fn new(agents: impl IntoIterator<Item = Agent>) -> Self {
        Self { by_id: agents.into_iter().map(|agent| (agent.id.clone(), Arc::new(agent))).collect() }
    }

    /// The agent with this id.
    pub fn get(&self, id: &str) -> Option<&Arc<Agent>> {
        self.by_id.get(id)
    }

    /// All of them, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Agent>> {
        self.by_id.values()
    }
}
