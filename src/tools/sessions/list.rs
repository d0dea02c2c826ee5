//! `sessions_list`: who is there, and what they are doing.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::models::ToolSpec;
use crate::store::sessions::Kind;
use crate::tools::arguments;

/// The arguments.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Args {
    /// Only sessions of these kinds. Children that were spawned are "subagent".
    #[serde(default)]
    pub kinds: Vec<Kind>,
    /// Only the session with this label.
    pub label: Option<String>,
    /// Only sessions of this agent.
    pub agent_id: Option<String>,
    /// Only sessions whose label, key or task contains this text.
    pub search: Option<String>,
    /// Only sessions that changed in the last so many minutes.
    #[schemars(range(min = 1))]
    pub active_minutes: Option<i64>,
    /// Archived sessions too.
    #[serde(default)]
    pub archived: bool,
    /// At most so many rows.
    #[serde(default = "super::page")]
    #[schemars(range(min = 1, max = 200))]
    pub limit: i64,
    /// With each session its newest so many messages.
    #[serde(default)]
    #[schemars(range(min = 0, max = 20))]
    pub message_limit: i64,
    /// The `nextCursor` of the page before.
    pub cursor: Option<String>,
    /// Wait up to so many seconds for something to change. 0 answers at once.
    #[serde(default)]
    #[schemars(range(min = 0, max = 60))]
    pub wait_seconds: i64,
}

/// As models are told of it.
pub fn spec() -> ToolSpec {
    ToolSpec {
        name: "sessions_list".into(),
        description: "Lists the sessions you may see, newest first: label, sessionKey, agent, status (idle, \
                      queued, running, waiting, archived), task, tokens and cost. Look here instead of asking \
                      a teammate how far they are. To wait for your children use sessions_yield, not this in \
                      a loop."
            .into(),
        schema: arguments::schema::<Args>(),
    }
}
