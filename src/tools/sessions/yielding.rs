//! `sessions_yield`: waiting for children.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::models::ToolSpec;
use crate::tools::arguments;

/// The arguments.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Args {
    /// "all": until every running child has ended. "any": until the first has.
    #[serde(default)]
    pub until: Until,
    /// What to tell the people in the conversation while you wait.
    pub message: Option<String>,
}

/// How many children must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Until {
    /// Every one.
    #[default]
    All,
    /// One.
    Any,
}

/// As models are told of it.
pub fn spec() -> ToolSpec {
    ToolSpec {
        name: "sessions_yield".into(),
        description: "Waits for the children you started and returns their outcomes with their whole \
                      results. It ends early with status interrupted when a person writes to you, and with \
                      question when a child asks you something: answer that with sessions_send, then yield \
                      again. Waiting costs nothing; do not poll instead."
            .into(),
        schema: arguments::schema::<Args>(),
    }
}
