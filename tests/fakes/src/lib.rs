//! A Telegram Bot API server, a Discord server (REST and gateway) and a model server over real sockets, for tests and for trying the program without an account.
//!
//! All keep state, are as strict as the real ones and write down every call. What a correct client never does (an unknown
//! method or field, an entity that cuts a character, a call inside a penalty window, a tool call without its result) is recorded as
//! a *violation*; [`TelegramFake::finish`], [`DiscordFake::finish`] and [`ModelFake::finish`] fail on those and on output that nobody read. Tests act in the
//! verbs of people (`telegram.user("ann").says("hi")`) and wait for facts, never for time.

mod call;
mod clock;
pub mod discord;
mod fake;
mod faults;
mod hold;
mod model;
mod names;
mod rng;
mod sending;
mod server;
mod telegram;

pub use call::Call;
pub use discord::DiscordFake;
pub use faults::{Chaos, Fault, Scope};
pub use hold::Hold;
pub use model::{Api, ChatMessage, ModelFake, ModelRequest, Reply, Role, ToolDef, ToolUse};
pub use rng::Rng;

pub use telegram::{Flood, GroupKind, Message, Place, Seat, Settings, TelegramFake, Update, World};

use std::time::Duration;

/// How long a test waits for a fact before it fails: a busy machine takes its time.
pub const PATIENCE: Duration = Duration::from_secs(30);
