//! `sessions_send`: speaking to another session.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Target;
use crate::models::ToolSpec;
use crate::tools::{Refusal, arguments};

/// The arguments.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Args {
    /// The session's key. Give exactly one of sessionKey, label and agentId.
    pub session_key: Option<String>,
    /// The session's label, for example that of a child or of a sibling.
    pub label: Option<String>,
    /// An agent: its own session in this conversation, made if there is none yet.
    pub agent_id: Option<String>,
    /// Everything needed to answer, in one message. The other does not see your conversation.
    #[schemars(length(min = 1))]
    pub message: String,
    /// Wait up to so many seconds for the reply. 0 goes on at once.
    #[serde(default = "patience")]
    #[schemars(range(min = 0, max = 600))]
    pub timeout_seconds: i64,
    /// With timeoutSeconds 0: the reply wakes you, and you can go on talking. Without it the reply is only
    /// shown in the conversation.
    #[serde(default)]
    pub reply_back: bool,
}

fn patience() -> i64 {
    30
}

impl Args {
    /// To whom.
    ///
    /// # Errors
    ///
    /// Not exactly one was named.
    pub fn target(&self) -> Result<Target<'_>, Refusal> {
        super::one([
            ("sessionKey", self.session_key.as_deref().map(Target::Key)),
            ("label", self.label.as_deref().map(Target::Label)),
            ("agentId", self.agent_id.as_deref().map(Target::Agent)),
        ])
    }
}

/// As models are told of it.
pub fn spec() -> ToolSpec {
    ToolSpec {
        name: "sessions_send".into(),
        description: "Sends a message to another session, which works on it, and waits for the reply. The \
                      status is ok (with `reply`), no_reply, timeout (it goes on; a late reply reaches you as \
                      a message), interrupted (a person wrote to you first), or accepted when you did not \
                      wait. Use it for a question or a follow-up to a teammate that exists; for new work use \
                      sessions_spawn."
            .into(),
        schema: arguments::schema::<Args>(),
    }
}
