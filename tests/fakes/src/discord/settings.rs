//! What the platform can be set to.

use std::{collections::BTreeMap, time::Duration};

use super::limits::Limit;

/// How a connection to the gateway begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hello {
    /// With HELLO.
    Sent,
    /// With silence.
    Withheld,
    /// With op 7 in place of it.
    Reconnect,
    /// Not at all: the socket is taken and never opened.
    Never,
}

/// What becomes of IDENTIFY and RESUME.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    /// What should.
    Answered,
    /// Nothing: heartbeats are answered, and no session begins.
    Ignored,
    /// The end of the connection, without a close frame.
    Cut,
    /// A RESUME is answered with this close code, an IDENTIFY as it should be.
    NoResume(u16),
}

/// What the platform can be set to. Change it with `DiscordFake::set`.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a nonce with `enforce_nonce` finds its message again.
    pub nonce_window: Duration,
    /// Limits by route; a route that is not named has [`Limit::NONE`].
    pub limits: BTreeMap<String, Limit>,
    /// The limit over all routes.
    pub global_limit: Limit,
    /// From so many invalid requests (401, 403, 429 that is not shared) on, everything is answered with a page.
    pub invalid_limit: u32,
    /// How many edits of messages older than an hour are allowed.
    pub old_edits: u32,
    /// What HELLO says.
    pub heartbeat: Duration,
    /// Heartbeats are answered.
    pub acks: bool,
    /// How connections begin.
    pub hello: Hello,
    /// How sessions begin.
    pub greeting: Greeting,
    /// The gateway takes connections.
    pub gateway: bool,
    /// The least time between two IDENTIFYs of one bot (5 s for real); sooner is answered with op 9.
    pub identify_gap: Duration,
    /// How many IDENTIFYs a bot has; going over kills its token.
    pub identify_budget: u32,
    /// How long after the first of them it has as many again.
    pub identify_reset: Duration,
    /// How many guilds one shard may have; with more a bot is refused with 4011.
    pub guilds_per_shard: usize,
    /// How many events a session can replay.
    pub replay: usize,
    /// How long a session can be resumed after its connection ended.
    pub session_life: Duration,
    /// How many events that the client has seen are sent once more at RESUME.
    pub repeat_on_resume: u64,
    /// A new thread's first message is told before the thread.
    pub message_before_thread: bool,
    /// The bots may ask for MESSAGE_CONTENT.
    pub message_content: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let ten_minutes = Duration::from_secs(600);
        Self {
            nonce_window: Duration::from_secs(180),
            limits: BTreeMap::from([("rename".to_owned(), Limit { calls: 2, per: ten_minutes })]),
            global_limit: Limit::NONE,
            invalid_limit: 10_000,
            old_edits: 3,
            heartbeat: Duration::from_millis(41_250),
            acks: true,
            hello: Hello::Sent,
            greeting: Greeting::Answered,
            gateway: true,
            identify_gap: Duration::ZERO,
            identify_budget: 1_000,
            identify_reset: Duration::from_secs(24 * 3600),
            guilds_per_shard: 2_500,
            replay: 10_000,
            session_life: Duration::from_secs(180),
            repeat_on_resume: 0,
            message_before_thread: false,
            message_content: true,
        }
    }
}
