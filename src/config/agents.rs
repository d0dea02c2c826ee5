//! `[agents.<id>]`: the team.

use std::time::Duration;

use serde::Deserialize;

use super::period;

/// A configured assistant.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Agent {
    /// The name people see; the id with a capital letter when not given.
    pub name: String,
    /// It answers where no binding matches; exactly one agent does.
    pub default: bool,
    /// The id of its model.
    pub model: String,
    /// Its prompt. In the file this is a path; after loading it is the text behind it.
    pub soul: String,
    /// Tools and tool groups it may call.
    pub tools: Vec<String>,
    /// Tools and tool groups it may not call; wins over `tools`.
    pub deny: Vec<String>,
    /// Former ids that still mean this agent.
    pub aliases: Vec<String>,
    /// What becomes of input that arrives during a turn.
    pub queue: Queue,
    /// Its turns that run at once, over all nodes; 0: no limit beside the nodes' own.
    pub max_turns: u32,
    /// When a turn is given up.
    #[serde(deserialize_with = "period::read")]
    pub turn_timeout: Duration,
    /// Items that may wait for one of its sessions; a sender past it is told.
    pub inbox_cap: u32,
    /// Tools and tool groups it may hand on to those it asks; `auto` stands for those of the
    /// agents it may spawn and its own.
    pub grants: Vec<String>,
    /// Which sessions its tools see.
    pub visibility: Visibility,
    /// Answers that two agents may give each other in one exchange, 0 to 20.
    pub max_reply_turns: u32,
    /// What it may delegate.
    pub subagents: Subagents,
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            name: String::new(),
            default: false,
            model: "main".into(),
            soul: String::new(),
            tools: vec!["sessions".into()],
            deny: Vec::new(),
            aliases: Vec::new(),
            queue: Queue::Steer,
            max_turns: 0,
            turn_timeout: Duration::from_secs(30 * 60),
            inbox_cap: 200,
            grants: vec!["auto".into()],
            visibility: Visibility::Tree,
            max_reply_turns: 5,
            subagents: Subagents::default(),
        }
    }
}

/// Which agents an agent may spawn, and how many.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Subagents {
    /// Agent ids; nobody when empty.
    pub allow: Vec<String>,
    /// Levels below the root session.
    pub max_depth: u32,
    /// Live children of one session.
    pub max_children: u32,
    /// Live sessions of one tree.
    pub max_sessions: u32,
    /// How long a run may take.
    #[serde(deserialize_with = "period::read")]
    pub run_timeout: Duration,
}

/// Which sessions an agent's tools see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Its own and those it spawned.
    #[serde(rename = "self")]
    Own,
    /// Those of its tree.
    Tree,
    /// Those of its tree and of its agent.
    Agent,
    /// All.
    All,
}

impl Default for Subagents {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            max_depth: 2,
            max_children: 8,
            max_sessions: 32,
            run_timeout: Duration::from_secs(30 * 60),
        }
    }
}

/// What becomes of input that arrives during a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Queue {
    /// It joins the running turn at its next step.
    Steer,
    /// It starts the next turn.
    Followup,
}

impl TryFrom<String> for Queue {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        match word.as_str() {
            "steer" => Ok(Self::Steer),
            "followup" => Ok(Self::Followup),
            "collect" | "interrupt" => {
                Err(format!("`{word}` comes in a later version: write `steer` or `followup`"))
            }
            _ => Err(format!("unknown variant `{word}`, expected `steer` or `followup`")),
        }
    }
}
