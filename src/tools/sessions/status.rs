//! `session_status`: what one session is doing.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::models::ToolSpec;
use crate::tools::arguments;

/// The arguments.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Args {
    /// The session's key. Your own session when absent.
    pub session_key: Option<String>,
    /// Wait up to so many seconds for it to change. 0 answers at once.
    #[serde(default)]
    #[schemars(range(min = 0, max = 60))]
    pub wait_seconds: i64,
}

/// As models are told of it.
pub fn spec() -> ToolSpec {
    ToolSpec {
        name: "session_status".into(),
        description: "Shows one session: status, model, running turn, tokens and cost. Without a key it is \
                      yours."
            .into(),
        schema: arguments::schema::<Args>(),
    }
}
