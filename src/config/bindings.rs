//! `[[bindings]]`: which agent answers where. What they mean is `routing`'s.

use serde::Deserialize;

use super::values;
use crate::routing;

/// One rule. All fields that are given must match; at least one is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(from = "Written")]
pub struct Binding {
    /// Who answers: one agent, or several, each in its own session.
    pub agents: Vec<String>,
    /// The platform.
    pub channel: Option<String>,
    /// The account's name on it.
    pub account: Option<String>,
    /// Discord: the server.
    pub guild: Option<String>,
    /// The chat, group or channel.
    pub chat: Option<String>,
    /// The thread or topic in `chat`.
    pub thread: Option<String>,
    /// The person, in private chats.
    pub user: Option<String>,
    /// Discord: a role in `guild`.
    pub role: Option<String>,
    /// Whether the agent must be spoken to there.
    pub mention: Mention,
}

/// Whether an agent in a group reacts to everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mention {
    /// Only to messages addressed to it.
    #[default]
    Required,
    /// To every admitted message.
    Always,
}

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

impl Binding {
    /// At least one field is given.
    pub(super) fn names_a_place(&self) -> bool {
        let Self { agents: _, channel, account, guild, chat, thread, user, role, mention: _ } = self;
        [channel, account, guild, chat, thread, user, role].iter().any(|field| field.is_some())
    }
}

impl From<&Binding> for routing::Binding {
    fn from(binding: &Binding) -> Self {
        let Binding { agents, channel, account, guild, chat, thread, user, role, mention } = binding.clone();
        let mention = match mention {
            Mention::Required => routing::Mention::Required,
            Mention::Always => routing::Mention::Always,
        };
        Self { agents, channel, account, guild, chat, thread, user, role, mention }
    }
}
