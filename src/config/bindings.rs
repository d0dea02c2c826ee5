//! `[[bindings]]`: which agent answers where. What they mean is `routing`'s.

use serde::{Deserialize, Deserializer};

use super::values;
use crate::routing::{Binding, Mention};

/// A binding as the file has it: `agent` is short for `agents` with one entry.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct Written {
    agent: Option<String>,
    agents: Vec<String>,
    channel: Option<String>,
    account: Option<String>,
    #[serde(deserialize_with = "values::optional_id")]
    guild: Option<String>,
    #[serde(deserialize_with = "values::optional_id")]
    chat: Option<String>,
    #[serde(deserialize_with = "values::optional_id")]
    thread: Option<String>,
    #[serde(deserialize_with = "values::optional_id")]
    user: Option<String>,
    #[serde(deserialize_with = "values::optional_id")]
    role: Option<String>,
    mention: Mention,
}

impl From<Written> for Binding {
    fn from(written: Written) -> Self {
        let Written { agent, agents, channel, account, guild, chat, thread, user, role, mention } = written;
        let agents = agent.into_iter().chain(agents).collect();
        Self { agents, channel, account, guild, chat, thread, user, role, mention }
    }
}

/// Reads the list.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Binding>, D::Error> {
    let written = Vec::<Written>::deserialize(deserializer)?;
    Ok(written.into_iter().map(Into::into).collect())
}
