//! Notes of what the platforms and the program have said, and their removal once nothing needs them: words of the
//! program itself, numbers of messages, and events that were taken.
//!
//! They are gone through in the order of their keys, a window in a transaction, because no index has their ages.

use super::{StoreError, Tx, params, sql};

/// Notes are needed for so long, in milliseconds: no platform offers anything again that is older than a day, and
/// nothing is sent or looked for that is older than that.
pub const NEEDED: i64 = 7 * 24 * 60 * 60 * 1000;

/// Rows that one window has.
const WINDOW: i64 = 1000;

/// How far the notes have been gone through: everything up to and with this.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// A delivery.
    Words(i64),
    /// A space, and a number in it.
    Numbers(i64, i64),
    /// Channel, account and key of an event.
    Events(String, String, String),
}

impl Mark {
    /// Before everything.
    pub const START: Self = Self::Words(0);
}

/// A window that was gone through.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Swept {
    /// So many notes were removed.
    pub removed: u64,
    /// Where to go on; `None`: that was all.
    pub next: Option<Mark>,
}

/// Removes what is older than `before` from the window behind `from`.
pub async fn sweep(tx: &mut Tx<'_>, before: i64, from: &Mark) -> Result<Swept, StoreError> {
    match from {
        Mark::Words(id) => words(tx, before, *id).await,
        Mark::Numbers(space_id, id) => numbers(tx, before, *space_id, *id).await,
        Mark::Events(channel, account, key) => events(tx, before, [channel, account, key]).await,
    }
}

async fn words(tx: &mut Tx<'_>, before: i64, from: i64) -> Result<Swept, StoreError> {
    let window = tx
        .all(sql!("SELECT id FROM deliveries WHERE id > $1 ORDER BY id LIMIT $2"), params![from, WINDOW])
        .await?;
    let Some(last) = window.last() else { return Ok(Swept { removed: 0, next: Some(Mark::Numbers(0, 0)) }) };
    let last: i64 = last.get("id")?;
    let removed = tx
        .execute(
            sql!(
                "DELETE FROM deliveries WHERE id > $1 AND id <= $2 AND created_at < $3 AND session_id IS NULL
                   AND state IN ('sent', 'cancelled')"
            ),
            params![from, last, before],
        )
        .await?;
    Ok(Swept { removed, next: Some(Mark::Words(last)) })
}

/// The newest number of a space stays: what is sent next is behind it. So do those of deliveries that are still there, and
/// those among which one that is not over may be looked for.
async fn numbers(tx: &mut Tx<'_>, before: i64, space_id: i64, id: i64) -> Result<Swept, StoreError> {
    let window = tx
        .all(
            sql!(
                "SELECT space_id, message_id FROM messages WHERE (space_id, message_id) > ($1, $2)
                 ORDER BY space_id, message_id LIMIT $3"
            ),
            params![space_id, id, WINDOW],
        )
        .await?;
    let Some(last) = window.last() else {
        let none = String::new;
        return Ok(Swept { removed: 0, next: Some(Mark::Events(none(), none(), none())) });
    };
    let last: (i64, i64) = (last.get("space_id")?, last.get("message_id")?);
    let removed = tx
        .execute(
            sql!(
                "DELETE FROM messages WHERE (space_id, message_id) > ($1, $2) AND (space_id, message_id) <= ($3, $4)
                   AND created_at < $5
                   AND (delivery_id IS NULL OR NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id = messages.delivery_id))
                   AND message_id < (SELECT MAX(n.message_id) FROM messages n WHERE n.space_id = messages.space_id)
                   AND NOT EXISTS (SELECT 1 FROM deliveries d JOIN conversations c ON c.id = COALESCE(d.called_in, d.conversation_id)
                       WHERE d.state IN ('pending', 'sending', 'unknown') AND c.space_id = messages.space_id
                         AND d.after_id < messages.message_id)"
            ),
            params![space_id, id, last.0, last.1, before],
        )
        .await?;
    Ok(Swept { removed, next: Some(Mark::Numbers(last.0, last.1)) })
}

async fn events(
    tx: &mut Tx<'_>,
    before: i64,
    [channel, account, key]: [&str; 3],
) -> Result<Swept, StoreError> {
    let window = tx
        .all(
            sql!(
                "SELECT channel, account, key FROM events WHERE (channel, account, key) > ($1, $2, $3)
                 ORDER BY channel, account, key LIMIT $4"
            ),
            params![channel, account, key, WINDOW],
        )
        .await?;
    let Some(last) = window.last() else { return Ok(Swept { removed: 0, next: None }) };
    let last: [String; 3] = [last.get("channel")?, last.get("account")?, last.get("key")?];
    let removed = tx
        .execute(
            sql!(
                "DELETE FROM events WHERE (channel, account, key) > ($1, $2, $3)
                   AND (channel, account, key) <= ($4, $5, $6) AND created_at < $7"
            ),
            params![channel, account, key, &last[0], &last[1], &last[2], before],
        )
        .await?;
    let [channel, account, key] = last;
    Ok(Swept { removed, next: Some(Mark::Events(channel, account, key)) })
}
