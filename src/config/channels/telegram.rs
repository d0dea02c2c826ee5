//! `[channels.telegram.<account>]`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::{Bots, DirectMessages};
use crate::config::{Secret, WebUrl, period, values};

/// One Telegram bot.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Telegram {
    /// Whether it is connected. The token of an account that isn't may be missing.
    pub enabled: bool,
    /// The bot's token.
    pub token: Secret,
    /// The Bot API server.
    pub api_url: WebUrl,
    /// Allow-listed groups by number, or `*`.
    #[serde(deserialize_with = "values::ids")]
    pub groups: Vec<String>,
    /// What differs in a group, by number; `*` is all others.
    pub group: BTreeMap<String, Group>,
    /// Who may write to the bot in private.
    pub dm: DirectMessages,
    /// People by number who are known without pairing.
    #[serde(deserialize_with = "values::ids")]
    pub users: Vec<String>,
    /// People by number who own the bot without a code.
    #[serde(deserialize_with = "values::ids")]
    pub owners: Vec<String>,
    /// What becomes of other bots' messages.
    pub bots: Bots,
    /// How a send of unknown outcome is settled.
    pub exactly_once: ExactlyOnce,
    /// How fast it may send.
    pub limits: Rates,
    /// How long one `getUpdates` waits; 50 s at most (platforms.md §4.2).
    #[serde(deserialize_with = "period::read")]
    pub poll_timeout: Duration,
    /// When a send is given up; its outcome is then unknown.
    #[serde(deserialize_with = "period::read")]
    pub send_timeout: Duration,
    /// How the connection is kept.
    pub connection: TelegramConnection,
}

impl Default for Telegram {
    fn default() -> Self {
        Self {
            enabled: true,
            token: Secret::default(),
            api_url: WebUrl::telegram(),
            groups: Vec::new(),
            group: BTreeMap::new(),
            dm: DirectMessages::Pairing,
            users: Vec::new(),
            owners: Vec::new(),
            bots: Bots::Ignore,
            exactly_once: ExactlyOnce::Probe,
            limits: Rates::default(),
            poll_timeout: Duration::from_secs(30),
            send_timeout: Duration::from_secs(10),
            connection: TelegramConnection::default(),
        }
    }
}

/// How polling goes on after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct TelegramConnection {
    /// The pause after a failure; doubled with each further one, to half a minute.
    #[serde(deserialize_with = "period::read")]
    pub retry: Duration,
    /// The pause while another program polls with the same token.
    #[serde(deserialize_with = "period::read")]
    pub conflict: Duration,
}

impl Default for TelegramConnection {
    fn default() -> Self {
        Self { retry: Duration::from_secs(1), conflict: Duration::from_secs(55) }
    }
}

impl Telegram {
    /// Who is heard in group `chat`: its own table, else that of `*`, else everyone.
    pub fn senders(&self, chat: &str) -> Senders {
        self.group.get(chat).or_else(|| self.group.get("*")).map_or(Senders::Everyone, |group| group.senders)
    }
}

/// What differs in one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Group {
    /// Who is heard.
    pub senders: Senders,
}

/// Who is heard in an allow-listed group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Senders {
    /// All members.
    #[default]
    Everyone,
    /// Owners, paired people and `users`.
    Known,
}

/// How a send of unknown outcome is settled (design §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExactlyOnce {
    /// Look for it with edits that change nothing.
    #[default]
    Probe,
    /// Send a stub first and put the text in by edits.
    Edit,
    /// Send again, once.
    Send,
}

/// How fast an account may send; 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Rates {
    /// Messages a second to one chat.
    #[serde(deserialize_with = "values::rate")]
    pub chat_per_second: f64,
    /// Messages that may go to a quiet chat at once.
    pub chat_burst: u32,
    /// Messages a minute to one group.
    pub group_per_minute: u32,
    /// Messages a second over all chats.
    #[serde(deserialize_with = "values::rate")]
    pub total_per_second: f64,
}

impl Default for Rates {
    fn default() -> Self {
        Self { chat_per_second: 1.0, chat_burst: 5, group_per_minute: 20, total_per_second: 30.0 }
    }
}
