//! `[[bindings]]`: which agent answers where. What they mean is `routing`'s.

use serde::Deserialize;

use super::values;

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
    /// The fields that must match, in the order of the file's documentation.
    pub(super) fn fields(&self) -> [(&'static str, &Option<String>); 7] {
        [
            ("channel", &self.channel),
            ("account", &self.account),
            ("guild", &self.guild),
            ("chat", &self.chat),
            ("thread", &self.thread),
            ("user", &self.user),
            ("role", &self.role),
        ]
    }

    /// At least one field is given.
    pub(super) fn names_a_place(&self) -> bool {
        self.fields().iter().any(|(_, value)| value.is_some())
    }

    /// How specific the rule is: the lowest tier wins, and within one the first in the file (design §6).
    fn tier(&self) -> u8 {
        match self {
            Self { thread: Some(_), .. } => 0,
            Self { chat: Some(_), .. } | Self { user: Some(_), .. } => 1,
            Self { role: Some(_), .. } => 2,
            Self { guild: Some(_), .. } => 3,
            Self { account: Some(_), .. } => 4,
            _ => 5,
        }
    }

    /// Everything `self` matches is taken by `earlier`, which stands before it in the file.
    pub(super) fn is_shadowed_by(&self, earlier: &Self) -> bool {
        earlier.tier() <= self.tier()
            && earlier.names_a_place()
            && earlier
                .fields()
                .iter()
                .zip(self.fields())
                .all(|((_, theirs), (_, ours))| theirs.is_none() || *theirs == ours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(fields: &str) -> Binding {
        toml::from_str(&format!("agent = \"a\"\n{}", fields.replace(',', "\n"))).unwrap()
    }

    #[test]
    fn an_earlier_binding_shadows_what_it_wholly_covers() {
        // The earlier one, the later one, and whether the later one can never win.
        let table = [
            ("chat = 1", "chat = 1", true),
            ("chat = 1", "chat = 1, user = 2", true),
            ("user = 2", "chat = 1, user = 2", true),
            ("account = 'x'", "account = 'x', channel = 'telegram'", true),
            ("guild = 1, role = 3", "guild = 1, role = 3, account = 'x'", true),
            ("chat = 1, thread = 5", "chat = 1, thread = 5, account = 'x'", true),
            ("chat = 1", "chat = 2", false),
            ("chat = 1, user = 2", "chat = 1", false),
            ("chat = 1", "chat = 1, thread = 5", false),
            ("guild = 1", "guild = 1, role = 3", false),
            ("channel = 'telegram'", "channel = 'telegram', account = 'x'", false),
            ("account = 'x'", "chat = 1, account = 'x'", false),
            ("", "chat = 1", false),
        ];
        for (earlier, later, shadowed) in table {
            assert_eq!(binding(later).is_shadowed_by(&binding(earlier)), shadowed, "{earlier} / {later}");
        }
    }
}
