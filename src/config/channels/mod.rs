//! `[channels.<platform>.<account>]`: the bot logins.

mod discord;
mod telegram;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use discord::{Discord, DiscordConnection, DiscordGroup, DiscordRates, DiscordSenders};
pub use telegram::{ExactlyOnce, Group, Rates, Senders, Telegram, TelegramConnection};

/// The accounts by platform.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Channels {
    /// Discord bots by account name.
    pub discord: BTreeMap<String, Discord>,
    /// Telegram bots by account name.
    pub telegram: BTreeMap<String, Telegram>,
    /// The chat in the terminal and the browser: the account `local:main`.
    pub local: Local,
}

/// The chat in the terminal and the browser. Whoever reaches it holds the HTTP token, so it has no
/// sender policy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Local {
    /// Whether it is offered.
    pub enabled: bool,
}

impl Default for Local {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// Who may write to a bot in private.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DirectMessages {
    /// Whom an owner has let in.
    #[default]
    Pairing,
    /// Only `users` and `owners`.
    Allowlist,
    /// Anybody on the platform.
    Open,
    /// Nobody.
    Off,
}

/// What becomes of other bots' messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bots {
    /// They are dropped.
    #[default]
    Ignore,
    /// They are heard when they mention ours.
    Mentioned,
}
