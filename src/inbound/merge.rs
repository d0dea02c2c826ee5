//! Pieces of one message: albums, and long texts that a client cut up.

use roundtable_contract::Message;

/// How long a piece waits for the next one, in milliseconds.
pub const PAUSE: i64 = 500;

/// Clients cut texts at about 4,000 characters: a text as long as this may have a sequel.
const LONG: usize = 3_000;

/// The name of the message that this one is a piece of; `None`: it stands alone. `open` is the name of a
/// message of the same sender whose pieces are still coming in.
pub fn piece(message: &Message, open: Option<&str>) -> Option<String> {
    if let Some(album) = &message.album {
        return Some(format!("album:{album}"));
    }
    let long = message.text.chars().nth(LONG - 1).is_some();
    match open.filter(|open| open.starts_with("long:")) {
        Some(open) => Some(open.to_owned()),
        None if long => Some(format!("long:{}", message.id)),
        None => None,
    }
}
