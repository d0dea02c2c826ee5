//! What the core looks up before it asks for a decision.

/// Stored facts about the sender and the conversation of one message. The default is a stranger in an
/// unknown place.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts<'a> {
    /// The sender paired as an owner (those of the configuration are known to the policy).
    pub owner: bool,
    /// The sender was let in at run time.
    pub known: bool,
    /// The group was allow-listed at run time.
    pub group_allowed: bool,
    /// Somebody paired as an owner, of whatever account: each platform knows its own people, and they run one bot.
    pub owners_exist: bool,
    /// An owner code is waiting to be sent: a bare code is taken for one.
    pub code_open: bool,
    /// The conversation is a thread that the bot opened.
    pub our_thread: bool,
    /// A near miss was answered with a suggestion here within the last hour.
    pub hinted: bool,
    /// The session that wrote the message which this one answers.
    pub reply_session: Option<i64>,
    /// The session that the sender's messages go to here.
    pub focus: Option<Focus>,
    /// The live sessions of the conversation's trees that have a label, the most recently active tree first.
    pub live_labels: &'a [LiveLabel],
}

/// Whom a sender speaks to in a conversation until further notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Focus {
    /// The session.
    pub session: i64,
    /// The sender has set it for themselves; else it is everyone's.
    pub own: bool,
}

/// A session that can be spoken to by its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveLabel {
    /// The label, as given.
    pub label: String,
    /// Its tree.
    pub tree: i64,
    /// The session.
    pub session: i64,
}
