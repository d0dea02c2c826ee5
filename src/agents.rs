//! The configured team, as turns see it. A changed configuration makes a new [`Agents`].

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::models::ModelClient;

/// Answers that mean silence, when they are the whole answer.
const SILENT: [&str; 3] = ["NO_REPLY", "ANNOUNCE_SKIP", "REPLY_SKIP"];

/// Whether an answer means silence.
pub fn is_silent(text: &str) -> bool {
    let text = text.trim();
    SILENT.iter().any(|word| text.eq_ignore_ascii_case(word))
}

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
    /// Tools and groups it may hand on; [`Agent::AUTO`] stands for those of the agents it may spawn, and its own.
    pub grants: Vec<String>,
    /// Which sessions its tools see.
    pub visibility: Visibility,
    /// Answers that two agents may give each other in one exchange.
    pub max_reply_turns: i64,
    /// Whom it may spawn, and how many.
    pub subagents: Subagents,
}

/// Which sessions an agent's tools see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Visibility {
    /// Its own and those it spawned.
    Own,
    /// Those of its tree.
    Tree,
    /// Those of its tree and of its agent.
    Agent,
    /// All.
    All,
}

/// Whom an agent may spawn, and how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subagents {
    /// Agent ids.
    pub allow: Vec<String>,
    /// Levels below the root session.
    pub max_depth: i64,
    /// Live children of one session.
    pub max_children: i64,
    /// Live sessions of one tree.
    pub max_sessions: i64,
    /// How long a run may take, in milliseconds.
    pub run_timeout: i64,
}

impl Agent {
    /// See [`Agent::grants`].
    pub const AUTO: &str = "auto";

    /// An agent that may call the session tools and spawn nobody, with the usual limits.
    pub fn new(id: &str, name: &str, soul: &str, model: Arc<dyn ModelClient>) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            soul: soul.to_owned(),
            model,
            tools: vec!["sessions".to_owned()],
            deny: Vec::new(),
            queue: QueueMode::Steer,
            max_turns: 0,
            turn_timeout: 30 * 60 * 1000,
            inbox_cap: 200,
            grants: vec![Self::AUTO.to_owned()],
            visibility: Visibility::Tree,
            max_reply_turns: 5,
            subagents: Subagents {
                allow: Vec::new(),
                max_depth: 2,
                max_children: 8,
                max_sessions: 32,
                run_timeout: 30 * 60 * 1000,
            },
        }
    }
}

/// All agents, by id.
#[derive(Clone, Default)]
pub struct Agents {
    by_id: BTreeMap<String, Arc<Agent>>,
    former: BTreeMap<String, String>,
    models: BTreeMap<String, Arc<dyn ModelClient>>,
}

impl Agents {
    /// A team.
    pub fn new(agents: impl IntoIterator<Item = Agent>) -> Self {
        let by_id = agents.into_iter().map(|agent| (agent.id.clone(), Arc::new(agent))).collect();
        Self { by_id, ..Self::default() }
    }

    /// The same where agents have had other ids: `former` ones, each with today's.
    pub fn with_former_ids(self, former: BTreeMap<String, String>) -> Self {
        Self { former, ..self }
    }

    /// The same with the models that a child can be given instead of its agent's.
    pub fn thinking_with(self, models: BTreeMap<String, Arc<dyn ModelClient>>) -> Self {
        Self { models, ..self }
    }

    /// The ids of those models.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        self.models.keys().map(String::as_str)
    }

    /// What an agent thinks with: the model of this id, if one is given and still configured, else its own.
    pub fn model(&self, agent: &Agent, id: Option<&str>) -> Arc<dyn ModelClient> {
        id.and_then(|id| self.models.get(id)).unwrap_or(&agent.model).clone()
    }

    /// Tokens of context that the model takes which takes most; 0 without any.
    pub fn widest_window(&self) -> u32 {
        let own = self.by_id.values().map(|agent| &agent.model);
        own.chain(self.models.values()).map(|model| model.window()).max().unwrap_or(0)
    }

    /// The agent with this id, or that had it: models know it from what was said then.
    pub fn get(&self, id: &str) -> Option<&Arc<Agent>> {
        self.by_id.get(id).or_else(|| self.by_id.get(self.former.get(id)?))
    }

    /// All of them, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Agent>> {
        self.by_id.values()
    }
}
