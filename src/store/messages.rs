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

/// Remembers a message that we delivered, so that a reply to it finds its session. The space is that of where it is
/// visible, which its chat may have left since.
pub async fn delivered(
    tx: &mut Tx<'_>,
    id: MessageId,
    delivery_id: i64,
    space_id: i64,
) -> Result<(), StoreError> {
    tx.execute(
        sql!(
            "INSERT INTO messages (space_id, message_id, conversation_id, delivery_id, session_id, created_at)
             SELECT CAST($4 AS BIGINT), CAST($1 AS BIGINT), d.conversation_id, d.id, d.session_id, CAST($3 AS BIGINT)
             FROM deliveries d WHERE d.id = $2
             ON CONFLICT (space_id, message_id)
             DO UPDATE SET delivery_id = excluded.delivery_id, session_id = excluded.session_id"
        ),
        params![id.0, delivery_id, tx.now(), space_id],
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

/// The known numbers of a space behind `after`, rising; at most `limit`.
pub async fn behind(
    tx: &mut Tx<'_>,
    space_id: i64,
    after: MessageId,
    limit: i64,
) -> Result<Vec<MessageId>, StoreError> {
    let rows = tx
        .all(
            sql!(
                "SELECT message_id FROM messages WHERE space_id = $1 AND message_id > $2
                 ORDER BY message_id LIMIT $3"
            ),
            params![space_id, after.0, limit],
        )
        .await?;
    rows.iter().map(|row| Ok(MessageId(row.get("message_id")?))).collect()
}
