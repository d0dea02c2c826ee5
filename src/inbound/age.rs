//! What comes late: messages of a time when nobody was there to read them.

use roundtable_contract::{ChatKind, Message};

/// Older than this, in milliseconds, a message is late: what was written in a conversation meanwhile is one turn.
const LATE: i64 = 30 * 60_000;

/// Older than this, in milliseconds, a message in a group is past: the talk has gone on without us.
const PAST: i64 = 6 * 3_600_000;

/// How long a late message waits for the next one that is fetched, in milliseconds.
pub const PAUSE: i64 = 2_000;

/// How old a message is, as far as that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// It is read at once.
    Fresh,
    /// It is read with the others of its conversation that come late.
    Late,
    /// It wakes nobody any more.
    Past,
}

/// How old a message is at the time `now`.
pub fn age(message: &Message, now: i64) -> Age {
    match now - message.at {
        age if age > PAST && message.chat_kind == ChatKind::Group => Age::Past,
        age if age > LATE => Age::Late,
        _ => Age::Fresh,
    }
}
