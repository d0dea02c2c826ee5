//! The Telegram channel: long polling in, `sendMessage` and `editMessageText` out.
//!
//! One [`Telegram`] is one bot. It keeps nothing durable and never retries a send; the core decides.
//! Where to look: `poll` (listening), `update` (what comes in), `render` (what goes out), `send`,
//! `reconcile` (was it sent?), `error` (what refusals mean), `api` (the one way to the server).
//!
//! teloxide supplies requests and types. Its dispatcher and its update listeners are not used: they
//! confirm an update before anybody has stored it.

mod api;
mod batch;
mod content;
mod entity;
mod error;
mod listening;
mod poll;
mod reconcile;
mod render;
mod send;
#[cfg(test)]
mod stand_in;
mod tame;
mod topics;
mod update;
mod wire;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use roundtable_contract::{
    AccountId, Channel, Conversation, Edge, Edits, Limits, Outgoing, Part, Receipt, Reconcile, RunError,
    SendError, Threads, Typing,
};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use url::Url;

use api::Api;
pub use batch::Batch;
use listening::Listening;
use send::Address;

/// What an account is configured with. Made by the core's configuration.
#[derive(Clone)]
pub struct Config {
    /// The account, `telegram:<name>`.
    pub account: AccountId,
    /// The bot's token, as @BotFather gave it. Shown nowhere.
    pub token: String,
    /// The Bot API server, `https://api.telegram.org` or a local one.
    pub api_url: Url,
    /// Rates and patience; start from [`default_limits`].
    pub limits: Limits,
    /// What is done about sends of unknown outcome.
    pub exactly_once: ExactlyOnce,
    /// How long a poll waits for updates, 1 to 50 seconds. A poll without any answer is given up
    /// [`Limits::send_timeout`] later.
    pub poll_timeout: Duration,
    /// Pauses between polls that failed.
    pub backoff: Backoff,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, token: _, api_url, limits, exactly_once, poll_timeout, backoff } = self;
        f.debug_struct("Config")
            .field("account", account)
            .field("token", &"(hidden)")
            .field("api_url", &api_url.as_str())
            .field("limits", limits)
            .field("exactly_once", exactly_once)
            .field("poll_timeout", poll_timeout)
            .field("backoff", backoff)
            .finish()
    }
}

/// How a message is kept from being seen twice, on a platform with neither idempotency keys nor history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExactlyOnce {
    /// After an unknown outcome, edits that change nothing find out whether the message is there.
    #[default]
    Probe,
    /// A stub is sent first and the text put in by an edit: only a stub can be seen twice.
    Edit,
    /// The send is repeated once, and the message may be seen twice.
    Send,
}

/// Pauses between polls that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure; doubled with each further one.
    pub first: Duration,
    /// The longest.
    pub most: Duration,
    /// While another program polls with the same token: longer than a long poll, so that two programs
    /// do not cut each other's polls short all the time.
    pub conflict: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { first: seconds(1), most: seconds(30), conflict: seconds(55) }
    }
}

/// What Telegram lets one bot send, and for how long it shows that somebody types
/// (<https://core.telegram.org/bots/faq#broadcasting-to-users>).
pub fn default_limits() -> Limits {
    Limits {
        chat_per_second: 1.0,
        chat_burst: 5,
        group_per_minute: 20,
        total_per_second: 30.0,
        send_timeout: Duration::from_secs(15),
        typing_lasts: Duration::from_secs(5),
        repeat_unknown: true,
    }
}

/// One bot on Telegram.
pub struct Telegram {
    config: Config,
    api: Api,
    listening: Listening,
}

impl Telegram {
    /// The bot of `config`. Sends nothing yet; fails only if there can be no HTTP client.
    pub fn new(config: Config) -> Result<Self, RunError> {
        let api = Api::new(&config.api_url, &config.token, config.limits.send_timeout)?;
        Ok(Self { config, api, listening: Listening::default() })
    }
}

#[async_trait]
impl Channel for Telegram {
    fn account(&self) -> &AccountId {
        &self.config.account
    }

    fn limits(&self) -> Limits {
        self.config.limits
    }

    fn render(&self, outgoing: &Outgoing) -> Vec<Part> {
        render::render(outgoing, self.config.exactly_once)
    }

    /// Private chats and basic groups of a bot share one counter; supergroups have their own.
    fn id_space(&self, conversation: &Conversation) -> String {
        match Address::of(conversation) {
            Ok(address) if address.chat.0 > -1_000_000_000_000 => "common".to_owned(),
            _ => conversation.chat.to_string(),
        }
    }

    async fn run(&self, _shard: u32, edge: &dyn Edge, stop: CancellationToken) -> Result<(), RunError> {
        match stop.run_until_cancelled(poll::listen(self, edge)).await {
            None => Ok(()),
            Some(error) => Err(error),
        }
    }

    /// The nonce has no use here: Telegram takes none.
    async fn send(&self, to: &Conversation, part: &Part, _nonce: &str) -> Result<Receipt, SendError> {
        self.send_part(to, part).await
    }

    fn edits(&self) -> Option<&dyn Edits> {
        Some(self)
    }

    fn typing(&self) -> Option<&dyn Typing> {
        Some(self)
    }

    fn threads(&self) -> Option<&dyn Threads> {
        Some(self)
    }

    fn reconcile(&self) -> Option<&dyn Reconcile> {
        (self.config.exactly_once == ExactlyOnce::Probe).then_some(self as &dyn Reconcile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn telegram(exactly_once: ExactlyOnce) -> Telegram {
        Telegram::new(Config {
            account: AccountId::new("telegram", "main"),
            token: "123:SECRET".into(),
            api_url: Url::parse("https://api.telegram.org").unwrap(),
            limits: default_limits(),
            exactly_once,
            poll_timeout: Duration::from_secs(25),
            backoff: Backoff::default(),
        })
        .unwrap()
    }

    #[test]
    fn the_token_is_not_shown() {
        let shown = format!("{:?}", telegram(ExactlyOnce::Probe).config);
        assert!(shown.contains("telegram") && !shown.contains("SECRET"), "{shown}");
    }

    #[test]
    fn chats_with_one_counter_share_an_id_space() {
        let telegram = telegram(ExactlyOnce::Probe);
        let space = |text: &str| telegram.id_space(&text.parse().unwrap());
        assert_eq!(space("telegram:main:55"), "common");
        assert_eq!(space("telegram:main:55:7"), "common");
        assert_eq!(space("telegram:main:-123"), "common");
        assert_eq!(space("telegram:main:-1001234567890"), "-1001234567890");
        assert_eq!(space("telegram:main:-1001234567890:42"), "-1001234567890");
    }

    #[test]
    fn only_probing_can_reconcile() {
        assert!(telegram(ExactlyOnce::Probe).reconcile().is_some());
        assert!(telegram(ExactlyOnce::Edit).reconcile().is_none());
        assert!(telegram(ExactlyOnce::Send).reconcile().is_none());
    }
}
