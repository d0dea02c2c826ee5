//! The trait that every platform implements, and the one that the core gives it.

use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::{
    AcceptError, AccountId, Connection, Conversation, Event, MessageId, Outgoing, Part, Receipt, RunError,
    SendError,
};

/// One account on one platform.
///
/// Mandatory methods are what no channel can do without; whatever a platform may lack is a capability
/// that returns `None`, so that "can't" is never mistaken for "did".
///
/// Adapters keep no durable state, decide no routing and never retry a send: they say what happened.
#[async_trait]
pub trait Channel: Send + Sync + 'static {
    /// Which account this is. Constant.
    fn account(&self) -> &AccountId;

    /// How fast and how patiently the core may send. Constant.
    fn limits(&self) -> Limits;

    /// Turns an answer into the messages to send, in order. Pure: no I/O, the same parts every time.
    /// Called before a transaction or inside one. Empty only for a text with nothing visible in it.
    fn render(&self, outgoing: &Outgoing) -> Vec<Part>;

    /// The name of the counter that numbers this conversation's messages. Conversations with the same
    /// name share one rising sequence of [`MessageId`]s. Pure.
    fn id_space(&self, conversation: &Conversation) -> String;

    /// How many connections the account is split into; each hears of conversations of its own. Any node may have any of
    /// them; whoever has the first one sends. Constant.
    fn shards(&self) -> u32 {
        1
    }

    /// Connects and listens until `stop` fires, giving every event to `edge` and confirming it to the
    /// platform only after [`Edge::accept`] returned `Ok`. `shard` is the connection to hold, below
    /// [`Channel::shards`], which nobody else holds meanwhile. Reconnects by itself; an `Err` means the account is of
    /// no use as configured.
    async fn run(&self, shard: u32, edge: &dyn Edge, stop: CancellationToken) -> Result<(), RunError>;

    /// Sends one part (its `stub`, when it has one) and returns its number. The core calls it for one
    /// part of a conversation at a time, with no lock or database connection held, and drops the call
    /// after [`Limits::send_timeout`]; that counts as [`SendError::Unknown`]. `nonce` is the same for
    /// every attempt at this part and for no other part (at most 25 characters).
    async fn send(&self, to: &Conversation, part: &Part, nonce: &str) -> Result<Receipt, SendError>;

    /// Changing a message that was sent.
    fn edits(&self) -> Option<&dyn Edits> {
        None
    }

    /// "… is typing".
    fn typing(&self) -> Option<&dyn Typing> {
        None
    }

    /// Finding out whether a send of unknown outcome is visible. Without it the core repeats the send
    /// if [`Limits::repeat_unknown`] says so, and otherwise leaves it `unknown`.
    fn reconcile(&self) -> Option<&dyn Reconcile> {
        None
    }

    /// Opening threads (Discord) or topics (Telegram) for agents.
    fn threads(&self) -> Option<&dyn Threads> {
        None
    }
}

/// Opening threads.
///
/// Where a thread grows out of a message (Discord) the core sends that message first and opens the thread
/// from it, which may be repeated freely. Elsewhere (Telegram) one call opens it; whether a call of unknown
/// outcome has done so is known by the platform's own event, [`Event::Opened`](crate::Event).
#[async_trait]
pub trait Threads: Send + Sync {
    /// Whether a thread grows out of a message of ours. Constant.
    fn grows_from_message(&self) -> bool;

    /// Whether the core has been given everything that the platform had to tell `ago` ago, by when a call of unknown
    /// outcome was over: only then does the lack of an [`Event::Opened`](crate::Event) say that it opened nothing.
    /// If not, the core asks again a little later. Not asked where threads grow out of messages.
    fn has_told_all(&self, ago: Duration) -> bool;

    /// Opens a thread called `name` (at most 100 characters are used) beside or under `at`; `from` is the
    /// opening message where [`Threads::grows_from_message`] says so. Returns the thread's conversation. With the
    /// same `from` any number of calls open one thread. Called with the deadline of a send.
    async fn open(
        &self,
        at: &Conversation,
        name: &str,
        from: Option<MessageId>,
    ) -> Result<Conversation, SendError>;
}

/// Edits of our own messages. Idempotent: the same edit twice is one edit.
#[async_trait]
pub trait Edits: Send + Sync {
    /// Gives message `id` the content of `part` (its body, not its stub). `Ok` also when it has it.
    async fn edit(&self, at: &Conversation, id: MessageId, part: &Part) -> Result<(), SendError>;
}

/// Typing indicators. Best effort: a failure is not worth a retry.
#[async_trait]
pub trait Typing: Send + Sync {
    /// Shows the indicator once; it fades by itself within [`Limits::typing_lasts`]. A pause that the platform asks
    /// for ([`SendError::RateLimited`]) is told only if it is one for messages too.
    async fn typing(&self, at: &Conversation) -> Result<(), SendError>;
}

/// Read-back after a send of unknown outcome. The core waits [`Limits::send_timeout`] before it asks,
/// so that a request still on its way has landed or died.
#[async_trait]
pub trait Reconcile: Send + Sync {
    /// Looks for the part on the platform, with one call at most: the core keeps the pace and asks again
    /// after [`Found::Further`]. No other call of ours is on its way to the chat meanwhile.
    async fn find(&self, lost: &Lost<'_>) -> Result<Found, SendError>;
}

/// A send whose outcome is unknown, and what the core knows about the messages around it.
#[derive(Debug, Clone, Copy)]
pub struct Lost<'a> {
    /// Where it was to appear.
    pub conversation: &'a Conversation,
    /// What was sent.
    pub part: &'a Part,
    /// The nonce it was sent with.
    pub nonce: &'a str,
    /// How long ago the first attempt began, at most.
    pub age: Duration,
    /// The part is newer than this: the newest message known in the id space before the first attempt, or
    /// the last number that was ruled out.
    pub after: MessageId,
    /// Known numbers behind `after`, rising: messages we received, and our own that were delivered.
    pub taken: &'a [MessageId],
    /// Numbers ruled out so far.
    pub ruled_out: u32,
    /// How many other deliveries of the same chat are of unknown outcome too.
    pub others_unknown: u32,
}

/// What a read-back found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It is there.
    Visible(Receipt),
    /// It is not there: sending it again, whenever that is, shows it once.
    Absent,
    /// It may be there, but sending it again within this time shows it once all the same.
    Repeatable(Duration),
    /// It does not have this number: ask again with it as `after`.
    Further(MessageId),
    /// It can't be told yet: ask again a little later.
    Later,
    /// The platform gives no answer that can be trusted.
    Unclear,
}

/// What an account may send, and how patient the core is with it. 0 in a rate means no limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Messages a second to one chat.
    pub chat_per_second: f64,
    /// Messages that may go to a quiet chat at once.
    pub chat_burst: u32,
    /// Messages a minute to one group.
    pub group_per_minute: u32,
    /// Messages a second over all chats.
    pub total_per_second: f64,
    /// When a call is given up; its outcome is then unknown.
    pub send_timeout: Duration,
    /// How long one typing indicator is seen.
    pub typing_lasts: Duration,
    /// Sends of unknown outcome that cannot be found are repeated once (and may then be seen twice).
    pub repeat_unknown: bool,
}

/// What the core offers an adapter. Given to [`Channel::run`]; every method may be called from any task.
#[async_trait]
pub trait Edge: Send + Sync {
    /// Stores an event: when this returns `Ok`, it survives a crash, and a second event with the same
    /// key does nothing. Events of one conversation must be offered one after the other, in order;
    /// different conversations may be offered at the same time. Blocks while the database is behind.
    async fn accept(&self, event: Event) -> Result<(), AcceptError>;

    /// Remembers how far `scope` of the account has been read. Called after everything up to
    /// `position` was accepted; a process that starts again gets it from [`Edge::position`].
    async fn advance(&self, account: &AccountId, scope: &str, position: i64) -> Result<(), AcceptError>;

    /// The position last given to [`Edge::advance`] and its age, or `None`.
    async fn position(&self, account: &AccountId, scope: &str) -> Option<(i64, Duration)>;

    /// All scopes of the account with the positions last given to [`Edge::advance`]: what has been read
    /// before, and how far. Called after a (re)connection, to fetch what was missed.
    async fn positions(&self, account: &AccountId) -> Result<Vec<(String, i64)>, AcceptError>;

    /// Says as whom the account is connected, for people. Called after every login.
    fn connected(&self, _account: &AccountId, _profile: Profile) {}

    /// Says how a connection is. Called on every change and after every completed poll or heartbeat.
    fn report(&self, connection: &Connection, state: AccountState);
}

/// Our own bot, as its platform knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The name that people call it by, `@roundtable_bot`.
    pub name: String,
    /// An address that opens a private chat with it, to which a text can be appended that is then sent there.
    pub link: Option<String>,
}

/// The state of one of an account's connections, for `/readyz` and people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountState {
    /// Connecting for the first time, or after a loss.
    Connecting,
    /// A poll or heartbeat has just completed.
    Ready,
    /// It will be tried again; the reason is for the operator.
    Degraded(String),
    /// It will not be tried again; the reason says what to do.
    Stopped(String),
}
