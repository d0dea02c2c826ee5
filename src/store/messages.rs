//! The message map: every platform message whose number is known, and the session that wrote ours.

use roundtable_contract::MessageId;

use super::{StoreError, Tx, params, sql};

/// Remembers a message that was received.
pub async fn received(
    tx: &mut Tx<'_>,
    space_id: i64,
    id: MessageId,
    conversation_id: i64,
) -> Result<(), StoreError> {
    tx.execute(
        sql!(
            "INSERT INTO messages (space_id, message_id, conversation_id, created_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (space_id, message_id) DO NOTHING"
        ),
        params![space_id, id.0, conversation_id, tx.now()],
    )
    .await?;
    Ok(())
}

/// Remembers a message that we delivered, so that a reply to it finds its session.
pub async fn delivered(tx: &mut Tx<'_>, id: MessageId, delivery_id: i64) -> Result<(), StoreError> {
    tx.execute(
        sql!(
            "INSERT INTO messages (space_id, message_id, conversation_id, delivery_id, session_id, created_at)
             SELECT c.space_id, CAST($1 AS BIGINT), c.id, d.id, d.session_id, CAST($3 AS BIGINT)
             FROM deliveries d JOIN conversations c ON c.id = d.conversation_id WHERE d.id = $2
             ON CONFLICT (space_id, message_id)
             DO UPDATE SET delivery_id = excluded.delivery_id, session_id = excluded.session_id"
        ),
        params![id.0, delivery_id, tx.now()],
    )
    .await?;
    Ok(())
}

/// The newest number known in a space, 0 when none is.
pub async fn newest(tx: &mut Tx<'_>, space_id: i64) -> Result<MessageId, StoreError> {
    let row = tx
        .one(
            sql!("SELECT COALESCE(MAX(message_id), 0) AS newest FROM messages WHERE space_id = $1"),
            params![space_id],
        )
        .await?;
    Ok(MessageId(row.get("newest")?))
}

/// What is known of a space behind `after`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The first number that belongs to a call of ours begun later than `since`. What we received says
    /// nothing: a message may be read long after it was written.
    pub before: Option<MessageId>,
    /// All numbers known between `after` and `before`.
    pub taken: Vec<MessageId>,
}

/// Reads what is known behind `after`; at most `limit` numbers, and nothing behind the last of them.
pub async fn known(
    tx: &mut Tx<'_>,
    space_id: i64,
    after: MessageId,
    since: i64,
    limit: usize,
) -> Result<Known, StoreError> {
    let rows = tx
        .all(
            sql!(
                "SELECT m.message_id, COALESCE(d.created_at, 0) AS begun FROM messages m
                 LEFT JOIN deliveries d ON d.id = m.delivery_id
                 WHERE m.space_id = $1 AND m.message_id > $2 ORDER BY m.message_id LIMIT $3"
            ),
            params![space_id, after.0, i64::try_from(limit).unwrap_or(i64::MAX)],
        )
        .await?;
    let mut known = Known { before: None, taken: Vec::with_capacity(rows.len()) };
    for row in &rows {
        let id = MessageId(row.get("message_id")?);
        if row.get::<i64>("begun")? > since || known.taken.len() + 1 == limit {
            known.before = Some(id);
            break;
        }
        known.taken.push(id);
    }
    Ok(known)
}
