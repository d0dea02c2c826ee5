//! Pieces of one message: albums, and long texts that a client cut up.

use roundtable_contract::Message;

/// How long a piece waits for the next one, in milliseconds.
pub const PAUSE: i64 = 500;

/// Clients cut texts at about 4,000 characters: a text as long as this may have a sequel.
const LONG: usize = 3_000;

/// The name of the message that this one may be the first piece of; `None`: it stands alone.
pub fn begins(message: &Message) -> Option<String> {
    match &message.album {
        Some(album) => Some(format!("album:{album}")),
        None => message.text.chars().nth(LONG - 1).map(|_| format!("long:{}", message.id)),
    }
}

/// Whether it is a further piece of the message `name`, of the same sender in the same conversation, whose
/// pieces are still coming in.
pub fn continues(message: &Message, name: &str) -> bool {
    match &message.album {
        Some(album) => name.strip_prefix("album:") == Some(album),
        None => name.starts_with("long:"),
    }
}
