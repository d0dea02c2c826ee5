//! `[channels.discord.<account>]`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::{Bots, DirectMessages};
use crate::config::{Secret, WebUrl, period, values};

/// One Discord bot.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Discord {
    /// Whether it is connected. The token of an account that isn't may be missing.
    pub enabled: bool,
    /// The bot's token.
    pub token: Secret,
    /// The server; it names the gateway.
    pub api_url: WebUrl,
    /// Connections that its servers are shared out to; the same on all nodes.
    pub shards: u32,
    /// Allow-listed servers and channels by number, or `*`.
    #[serde(deserialize_with = "values::ids")]
    pub guilds: Vec<String>,
    /// What differs on a server or in a channel, by number; `*` is all others.
    pub group: BTreeMap<String, DiscordGroup>,
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
    /// How fast it may send, beside the limits that Discord names by itself.
    pub limits: DiscordRates,
    /// When a send is given up; its outcome is then unknown.
    #[serde(deserialize_with = "period::read")]
    pub send_timeout: Duration,
    /// For how long after a send a repetition shows nothing new.
    #[serde(deserialize_with = "period::read")]
    pub nonce_window: Duration,
    /// How the connection is kept.
    pub connection: DiscordConnection,
}

impl Default for Discord {
    fn default() -> Self {
        Self {
            enabled: true,
            token: Secret::default(),
            api_url: WebUrl::discord(),
            shards: 1,
            guilds: vec!["*".to_owned()],
            group: BTreeMap::new(),
            dm: DirectMessages::Pairing,
            users: Vec::new(),
            owners: Vec::new(),
            bots: Bots::Ignore,
            limits: DiscordRates::default(),
            send_timeout: Duration::from_secs(10),
            nonce_window: Duration::from_secs(60),
            connection: DiscordConnection::default(),
        }
    }
}

/// How the connection to the gateway is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct DiscordConnection {
    /// The pause after a failure; doubled with each further one, to half a minute.
    #[serde(deserialize_with = "period::read")]
    pub retry: Duration,
    /// Between two logins.
    #[serde(deserialize_with = "period::read")]
    pub login: Duration,
    /// When silence means that nobody is there.
    #[serde(deserialize_with = "period::read")]
    pub patience: Duration,
    /// How often the channels in use are looked through for what the gateway left out.
    #[serde(deserialize_with = "period::read")]
    pub sweep: Duration,
}

impl Default for DiscordConnection {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { retry: seconds(1), login: seconds(5), patience: seconds(10), sweep: seconds(600) }
    }
}

/// What differs on one server or in one channel.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct DiscordGroup {
    /// Who is heard.
    pub senders: DiscordSenders,
    /// The roles by number, for `senders = "roles"`.
    #[serde(deserialize_with = "values::ids")]
    pub roles: Vec<String>,
}

/// Who is heard on an allow-listed server or in such a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiscordSenders {
    /// All members.
    #[default]
    Everyone,
    /// Owners, paired people and `users`.
    Known,
    /// Members with one of `roles`.
    Roles,
}

/// How fast an account may send; 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct DiscordRates {
    /// Messages a second to one channel.
    #[serde(deserialize_with = "values::rate")]
    pub chat_per_second: f64,
    /// Messages that may go to a quiet channel at once.
    pub chat_burst: u32,
    /// Messages a second over all channels.
    #[serde(deserialize_with = "values::rate")]
    pub total_per_second: f64,
}

impl Default for DiscordRates {
    fn default() -> Self {
        Self { chat_per_second: 1.0, chat_burst: 5, total_per_second: 50.0 }
    }
}
