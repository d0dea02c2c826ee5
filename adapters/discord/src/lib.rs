//! The Discord channel: the gateway in, REST out.
//!
//! One [`Discord`] is one bot. It keeps nothing durable and never retries a send; the core decides.
//! Where to look: `gateway` (a connection), `shard` (which servers are its own), `listen` (what is done with what it brings), `lane` (the order
//! of a channel's messages), `backfill` (what was missed), `update` (what comes in), `render` and `markup`
//! (what goes out), `send`, `reconcile` and `echo` (was it sent?), `error` (what refusals mean), `api`,
//! `bucket` and `clock` (the one way to the server, and its time).
//!
//! serenity supplies routes, requests and ids. Its client is not used: it drops events that it cannot parse,
//! gives the others without order, never resumes after a silent connection, and repeats sends by itself.

mod api;
mod backfill;
mod bucket;
mod clock;
mod content;
mod echo;
mod entity;
mod error;
mod gateway;
mod lane;
mod listen;
mod markup;
mod places;
mod reconcile;
mod render;
mod send;
mod shard;
mod socket;
mod update;
mod wire;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use roundtable_contract::{
    AccountId, Channel, Conversation, Edge, Edits, Limits, Outgoing, Part, Pause, Receipt, Reconcile,
    RunError, SendError, Threads, Typing,
};
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use api::{Api, ApiError, Call};
use echo::Echoes;
use shard::Shard;

/// What an account is configured with. Made by the core's configuration.
#[derive(Clone)]
pub struct Config {
    /// The account, `discord:<name>`.
    pub account: AccountId,
    /// The bot's token. Shown nowhere.
    pub token: String,
    /// The server, `https://discord.com`; it names the gateway.
    pub api_url: Url,
    /// Connections that the bot's servers are shared out to; at least 1.
    pub shards: u32,
    /// Rates and patience; start from [`default_limits`].
    pub limits: Limits,
    /// For how long after a send a repetition with the same nonce shows nothing new. Discord says "the past
    /// few minutes".
    pub nonce_window: Duration,
    /// Pauses and intervals.
    pub pauses: Pauses,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, token: _, api_url, shards, limits, nonce_window, pauses } = self;
        f.debug_struct("Config")
            .field("account", account)
            .field("token", &"(hidden)")
            .field("api_url", &api_url.as_str())
            .field("shards", shards)
            .field("limits", limits)
            .field("nonce_window", nonce_window)
            .field("pauses", pauses)
            .finish()
    }
}

/// Pauses and intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pauses {
    /// After the first failure; doubled with each further one.
    pub first: Duration,
    /// The longest after a failure.
    pub most: Duration,
    /// How long the gateway may take to open, to say hello and to answer a heartbeat; and three times that to
    /// let a session begin.
    pub patience: Duration,
    /// Between two logins: Discord takes one in five seconds.
    pub identify: Duration,
    /// How often positions are stored.
    pub store: Duration,
    /// How often the channels in use are looked through for what the gateway did not bring.
    pub sweep: Duration,
}

impl Pauses {
    /// The pauses between attempts that fail.
    fn growing(self) -> Pause {
        Pause::new(self.first, self.most)
    }
}

impl Default for Pauses {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            first: seconds(1),
            most: seconds(30),
            patience: seconds(10),
            identify: seconds(5),
            store: seconds(1),
            sweep: seconds(600),
        }
    }
}

/// The safe part of the time during which Discord remembers nonces.
pub const NONCE_WINDOW: Duration = Duration::from_secs(60);

/// What Discord lets one bot send (<https://discord.com/developers/docs/topics/rate-limits>, and what is
/// observed for one channel), and for how long it shows that somebody types.
pub fn default_limits() -> Limits {
    Limits {
        chat_per_second: 1.0,
        chat_burst: 5,
        group_per_minute: 0,
        total_per_second: 50.0,
        send_timeout: Duration::from_secs(10),
        typing_lasts: Duration::from_secs(10),
        repeat_unknown: false,
    }
}

/// One bot on Discord.
pub struct Discord {
    config: Config,
    api: Api,
    echoes: Echoes,
    /// Our own number.
    me: OnceCell<u64>,
    /// The connections on which the gateway tells this process at this time what happens.
    open: Mutex<BTreeSet<u32>>,
    /// When the last login began. Its holder logs in; all connections of the bot take turns.
    login: tokio::sync::Mutex<Option<Instant>>,
}

impl Discord {
    /// The bot of `config`. Sends nothing yet; fails only if there can be no HTTP client.
    pub fn new(config: Config) -> Result<Self, RunError> {
        let api = Api::new(&config.api_url, &config.token, config.limits.send_timeout)?;
        let (echoes, me) = (Echoes::default(), OnceCell::new());
        Ok(Self { config, api, echoes, me, open: Mutex::default(), login: tokio::sync::Mutex::default() })
    }

    /// Our own number, asked for once.
    async fn me(&self) -> Result<u64, ApiError> {
        let ask = async {
            let me = self.api.call(Call::me()).await?;
            wire::id(&me, "/id").ok_or_else(|| ApiError::Unknown("an answer without our number".into()))
        };
        self.me.get_or_try_init(|| ask).await.copied()
    }

    /// Whether the gateway shows us all our own messages at this time. A conversation does not say which server it is
    /// on, so all connections must be here for that.
    fn listens(&self) -> bool {
        self.open().len() == self.config.shards as usize
    }

    fn open(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Channel for Discord {
    fn account(&self) -> &AccountId {
        &self.config.account
    }

    fn limits(&self) -> Limits {
        self.config.limits
    }

    fn render(&self, outgoing: &Outgoing) -> Vec<Part> {
        render::render(outgoing)
    }

    /// Snowflakes rise over all channels, but what is newest is known of one channel at a time.
    fn id_space(&self, conversation: &Conversation) -> String {
        conversation.chat.to_string()
    }

    fn shards(&self) -> u32 {
        self.config.shards
    }

    async fn run(&self, shard: u32, edge: &dyn Edge, stop: CancellationToken) -> Result<(), RunError> {
        listen::listen(self, Shard { number: shard, of: self.config.shards }, edge, stop).await
    }

    async fn send(&self, to: &Conversation, part: &Part, nonce: &str) -> Result<Receipt, SendError> {
        self.send_part(to, part, nonce).await
    }

    fn edits(&self) -> Option<&dyn Edits> {
        Some(self)
    }

    fn typing(&self) -> Option<&dyn Typing> {
        Some(self)
    }

    fn reconcile(&self) -> Option<&dyn Reconcile> {
        Some(self)
    }

    fn threads(&self) -> Option<&dyn Threads> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_not_shown() {
        let config = Config {
            account: AccountId::new("discord", "main"),
            token: "SECRET".into(),
            api_url: Url::parse("https://discord.com").unwrap(),
            shards: 1,
            limits: default_limits(),
            nonce_window: NONCE_WINDOW,
            pauses: Pauses::default(),
        };
        let shown = format!("{:?}", Discord::new(config).unwrap().config);
        assert!(shown.contains("discord") && !shown.contains("SECRET"), "{shown}");
    }
}
