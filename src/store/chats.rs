//! Chats with several conversations: topics side by side.
//!
//! A lost message is found by its number in the chat, so there must be no second one that could be found in
//! its place: of a chat, one message is on its way or unknown at a time. Others pass one that has been stuck
//! for five minutes, as they do within a conversation, but not in the very moment in which it is looked for; and one that
//! is still looked for, or may be seen under a number that nobody knows, makes every look beside it unclear.

use roundtable_contract::MessageId;

use super::deliveries::{NEVER, STUCK};
use super::{StoreError, Tx, params, sql};

/// Locks the chat of a conversation: all its conversations, by id.
pub async fn lock(tx: &mut Tx<'_>, conversation_id: i64) -> Result<(), StoreError> {
    tx.lock(
        sql!(
            lite: "SELECT id FROM conversations WHERE id = $1",
            pg: "SELECT c.id FROM conversations here
                 JOIN conversations c ON c.channel = here.channel AND c.account = here.account AND c.chat = here.chat
                 WHERE here.id = $1 ORDER BY c.id FOR UPDATE OF c"
        ),
        params![conversation_id],
    )
    .await
}

/// Whether a new message of this conversation must wait for one of the chat's other conversations that may be visible
/// under a number that nobody knows: for those that are looked for, if made after `stuck_until`; for one that was given
/// up, until its last call has been over for a while. The caller has locked the chat.
pub async fn is_busy(tx: &mut Tx<'_>, conversation_id: i64, stuck_until: i64) -> Result<bool, StoreError> {
    let lost: i64 = tx
        .one(
            sql!(
                "SELECT COUNT(*) AS lost FROM conversations here
                 JOIN conversations c ON c.channel = here.channel AND c.account = here.account AND c.chat = here.chat
                 JOIN deliveries d ON d.conversation_id = c.id
                 WHERE here.id = $1 AND c.id <> $1 AND d.state IN ('pending', 'sending', 'unknown')
                   AND d.state <> 'pending' AND d.message_id IS NULL
                   AND ((d.due_at < $4 AND d.created_at > $2) OR (d.due_at = $4 AND d.call_until > $3))"
            ),
            params![conversation_id, stuck_until, tx.now() - STUCK, NEVER],
        )
        .await?
        .get("lost")?;
    Ok(lost > 0)
}

/// Whether a message of this conversation may go out at once: nothing is open in it, and nothing of the chat
/// makes it wait. The caller has locked the chat.
pub async fn is_clear(tx: &mut Tx<'_>, conversation_id: i64) -> Result<bool, StoreError> {
    let open: i64 = tx
        .one(
            sql!(
                "SELECT COUNT(*) AS open FROM conversations here
                 JOIN conversations c ON c.channel = here.channel AND c.account = here.account AND c.chat = here.chat
                 JOIN deliveries d ON d.conversation_id = c.id
                 WHERE here.id = $1 AND d.state IN ('pending', 'sending', 'unknown')
                   AND ((c.id = $1 AND d.due_at < $3)
                     OR (c.id <> $1 AND d.state <> 'pending' AND d.message_id IS NULL
                       AND (d.due_at < $3 OR d.call_until > $2)))"
            ),
            params![conversation_id, tx.now() - STUCK, NEVER],
        )
        .await?
        .get("open")?;
    Ok(open == 0)
}

/// How many messages of the chat, other than `id`, may be visible under a number behind `after` that nobody knows: those
/// that are looked for, and strays. A stray is not there if a message of ours that was made after its last call has a
/// number up to `after`, or if its own last call was answered with one. What was there already when it was lost was not
/// made later, whatever the times say: a clock may have been set back. The conversation may be an address that the chat
/// had before it moved.
pub async fn lost_behind(
    tx: &mut Tx<'_>,
    conversation_id: i64,
    id: i64,
    after: i64,
) -> Result<i64, StoreError> {
    tx.one(
        sql!(
            "SELECT (SELECT COUNT(*) FROM deliveries d JOIN conversations c ON d.conversation_id = COALESCE(c.moved_to, c.id)
                         AND COALESCE(d.called_in, d.conversation_id) = c.id
                     WHERE c.channel = here.channel AND c.account = here.account AND c.chat = here.chat
                       AND d.id <> $2 AND d.state IN ('pending', 'sending', 'unknown')
                       AND d.state <> 'pending' AND d.message_id IS NULL AND d.due_at < $4)
                 + (SELECT COUNT(*) FROM deliveries d JOIN conversations c ON d.conversation_id = COALESCE(c.moved_to, c.id)
                        AND COALESCE(d.called_in, d.conversation_id) = c.id
                    WHERE c.channel = here.channel AND c.account = here.account AND c.chat = here.chat
                      AND d.id <> $2 AND d.stray > 0
                      AND (d.stray = 2 OR d.message_id IS NULL OR d.message_id > $3) AND NOT EXISTS (
                          SELECT 1 FROM messages m JOIN deliveries later ON later.id = m.delivery_id
                          WHERE m.space_id = here.space_id AND m.message_id > COALESCE(d.after_id, 0)
                            AND m.message_id <= $3
                            AND later.id > COALESCE(d.newest_at_loss, d.id) AND later.created_at > d.call_until)) AS count
             FROM conversations here WHERE here.id = $1"
        ),
        params![conversation_id, id, after, NEVER],
    )
    .await?
    .get("count")
}

/// The chat's other conversation whose message has waited longest for its turn.
pub async fn waiting_beside(tx: &mut Tx<'_>, conversation_id: i64) -> Result<Option<i64>, StoreError> {
    let row = tx
        .optional(
            sql!(
                "SELECT d.conversation_id FROM conversations here
                 JOIN conversations c ON c.channel = here.channel AND c.account = here.account AND c.chat = here.chat
                 JOIN deliveries d ON d.conversation_id = c.id
                 WHERE here.id = $1 AND c.id <> $1 AND d.state IN ('pending', 'sending', 'unknown')
                   AND d.state = 'pending' AND d.due_at <= $2 ORDER BY d.id LIMIT 1"
            ),
            params![conversation_id, tx.now()],
        )
        .await?;
    row.map(|row| row.get("conversation_id")).transpose()
}

/// The session whose message is on its way to a conversation's chat right now, unless the one that is `answered` is
/// another, whose number is known: there is one at most, and whoever answers it may do so in another conversation of the
/// chat.
pub async fn session_in_flight(
    tx: &mut Tx<'_>,
    conversation_id: i64,
    answered: MessageId,
) -> Result<Option<i64>, StoreError> {
    let row = tx
        .optional(
            sql!(
                "SELECT d.session_id FROM conversations here
                 JOIN conversations c ON c.channel = here.channel AND c.account = here.account AND c.chat = here.chat
                 JOIN deliveries d ON d.conversation_id = c.id
                 LEFT JOIN sessions s ON s.id = d.session_id
                 WHERE here.id = $1 AND d.state IN ('pending', 'sending', 'unknown') AND d.state <> 'pending'
                   AND d.message_id IS NULL AND d.due_at < $3 AND s.erase_at IS NULL
                   AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.space_id = here.space_id AND m.message_id = $2)
                 ORDER BY d.id LIMIT 1"
            ),
            params![conversation_id, answered.0, NEVER],
        )
        .await?;
    Ok(row.map(|row| row.get("session_id")).transpose()?.flatten())
}
