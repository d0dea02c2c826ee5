//! Inbox items: what a session must react to. An item is consumed by exactly one turn.

mod item;

use roundtable_contract::MessageId;

use super::{Row, StoreError, Tx, params, sql};

pub use item::{Author, Body, Item, ItemKind, NewItem, Quoted, To};

/// The `not_before` of an item that waits for something else than a time.
pub const NEVER: i64 = i64::MAX;

/// Adds an item and returns its id. The caller holds the session's lock.
pub async fn push(tx: &mut Tx<'_>, item: &NewItem<'_>) -> Result<i64, StoreError> {
    tx.one(
        sql!(
            "INSERT INTO inbox (session_id, tree_id, kind, wake, conversation_id, exchange_id, run_id, sender, sender_name,
                                message_id, policy, body, merge_key, not_before, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) RETURNING id"
        ),
        params![
            item.session_id,
            item.tree_id,
            item.kind.as_str(),
            item.wake,
            item.conversation_id,
            item.exchange_id,
            item.run_id,
            item.sender,
            item.sender_name,
            item.message_id.map(|id| id.0),
            item.policy,
            json(item.body),
            item.merge_key,
            item.not_before,
            tx.now(),
        ],
    )
    .await?
    .get("id")
}

fn json(body: &Body) -> String {
    serde_json::to_string(body).expect("plain data is always JSON")
}

fn read(row: &Row) -> Result<Item, StoreError> {
    Ok(Item {
        id: row.get("id")?,
        kind: ItemKind::read(row.text("kind")?)?,
        wake: row.flag("wake")?,
        conversation_id: row.get("conversation_id")?,
        exchange_id: row.get("exchange_id")?,
        run_id: row.get("run_id")?,
        sender: row.get("sender")?,
        sender_name: row.get("sender_name")?,
        message_id: row.get::<Option<i64>>("message_id")?.map(MessageId),
        policy: row.get("policy")?,
        body: row.json("body")?,
        merge_key: row.get("merge_key")?,
        not_before: row.get("not_before")?,
    })
}

/// A session's unconsumed items, oldest first. The caller holds the session's lock.
pub async fn pending(tx: &mut Tx<'_>, session_id: i64) -> Result<Vec<Item>, StoreError> {
    tx.all(
        sql!("SELECT * FROM inbox WHERE session_id = $1 AND turn_id IS NULL ORDER BY id"),
        params![session_id],
    )
    .await?
    .iter()
    .map(read)
    .collect()
}

/// What an item restricts the turn to that it starts.
pub async fn policy(tx: &mut Tx<'_>, id: i64) -> Result<Option<String>, StoreError> {
    tx.one(sql!("SELECT policy FROM inbox WHERE id = $1"), params![id]).await?.get("policy")
}

/// How many items of a session are unconsumed.
pub async fn count_pending(tx: &mut Tx<'_>, session_id: i64) -> Result<i64, StoreError> {
    tx.one(
        sql!("SELECT COUNT(*) AS count FROM inbox WHERE session_id = $1 AND turn_id IS NULL"),
        params![session_id],
    )
    .await?
    .get("count")
}

/// Gives items to the turn that consumes them.
pub async fn consume(tx: &mut Tx<'_>, items: &[Item], turn_id: i64) -> Result<(), StoreError> {
    for item in items {
        let changed = tx
            .execute(
                sql!("UPDATE inbox SET turn_id = $2 WHERE id = $1 AND turn_id IS NULL"),
                params![item.id, turn_id],
            )
            .await?;
        if changed == 0 {
            return Err(StoreError::Stale);
        }
    }
    Ok(())
}

/// An item that was made from a platform message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    /// The item.
    pub id: i64,
    /// The session it went to.
    pub session_id: i64,
    /// A turn has taken it.
    pub consumed: bool,
    /// A turn has taken it or an earlier version of it.
    pub read: bool,
}

/// The items that were made from a platform message, one for each addressee.
pub async fn of_message(
    tx: &mut Tx<'_>,
    conversation_id: i64,
    message_id: MessageId,
) -> Result<Vec<Made>, StoreError> {
    tx.all(
        sql!(
            "SELECT MAX(id) AS id, session_id, MIN(COALESCE(turn_id, 0)) AS oldest_turn,
                 MAX(COALESCE(turn_id, 0)) AS newest_turn FROM inbox
             WHERE conversation_id = $1 AND message_id = $2
               AND EXISTS (SELECT 1 FROM sessions s WHERE s.id = inbox.session_id AND s.erase_at IS NULL)
             GROUP BY session_id ORDER BY session_id"
        ),
        params![conversation_id, message_id.0],
    )
    .await?
    .iter()
    .map(|row| {
        Ok(Made {
            id: row.get("id")?,
            session_id: row.get("session_id")?,
            consumed: row.get::<i64>("oldest_turn")? != 0,
            read: row.get::<i64>("newest_turn")? != 0,
        })
    })
    .collect()
}

/// How many messages of a sender a conversation has taken since `since`.
pub async fn count_of_sender(
    tx: &mut Tx<'_>,
    conversation_id: i64,
    sender: &str,
    since: i64,
) -> Result<i64, StoreError> {
    tx.one(
        sql!(
            "SELECT COUNT(*) AS count FROM inbox
             WHERE conversation_id = $1 AND message_id IS NOT NULL AND sender = $2 AND created_at > $3"
        ),
        params![conversation_id, sender, since],
    )
    .await?
    .get("count")
}

/// Replaces what an unconsumed item says.
pub async fn rewrite(tx: &mut Tx<'_>, id: i64, body: &Body) -> Result<(), StoreError> {
    tx.execute(sql!("UPDATE inbox SET body = $2 WHERE id = $1 AND turn_id IS NULL"), params![id, json(body)])
        .await?;
    Ok(())
}

/// The messages of a sender in a conversation whose pieces are still being collected: the sessions they are
/// for, and their merge keys.
pub async fn open_merges(
    tx: &mut Tx<'_>,
    conversation_id: i64,
    sender: &str,
) -> Result<Vec<(i64, String)>, StoreError> {
    tx.all(
        sql!(
            "SELECT DISTINCT session_id, merge_key FROM inbox
             WHERE conversation_id = $1 AND sender = $2 AND turn_id IS NULL AND merge_key IS NOT NULL
               AND not_before > $3 ORDER BY session_id"
        ),
        params![conversation_id, sender, tx.now()],
    )
    .await?
    .iter()
    .map(|row| Ok((row.get("session_id")?, row.get("merge_key")?)))
    .collect()
}

/// Another item of a batch arrived: those that are there wait for it.
pub async fn hold_batch(
    tx: &mut Tx<'_>,
    session_id: i64,
    merge_key: &str,
    not_before: i64,
) -> Result<(), StoreError> {
    tx.execute(
        sql!("UPDATE inbox SET not_before = $3 WHERE session_id = $1 AND turn_id IS NULL AND merge_key = $2"),
        params![session_id, merge_key, not_before],
    )
    .await?;
    Ok(())
}

/// Somebody wrote again: of what people said in a conversation and a session has not read, what came late and the
/// other pieces of the same message may be taken from `not_before` on, as the new message.
pub async fn hold_said(
    tx: &mut Tx<'_>,
    session_id: i64,
    conversation_id: i64,
    merge_key: Option<&str>,
    not_before: i64,
) -> Result<(), StoreError> {
    tx.execute(
        sql!(
            "UPDATE inbox SET not_before = $4 WHERE session_id = $1 AND turn_id IS NULL AND conversation_id = $2
               AND kind = 'user' AND not_before > 0 AND (merge_key IS NULL OR merge_key = $3)"
        ),
        params![session_id, conversation_id, merge_key, not_before],
    )
    .await?;
    Ok(())
}

/// Whether a session has not read a message of an exchange.
pub async fn has_unread(tx: &mut Tx<'_>, session_id: i64, exchange_id: i64) -> Result<bool, StoreError> {
    let row = tx
        .optional(
            sql!(
                "SELECT id FROM inbox WHERE session_id = $1 AND exchange_id = $2 AND turn_id IS NULL LIMIT 1"
            ),
            params![session_id, exchange_id],
        )
        .await?;
    Ok(row.is_some())
}

/// Gives a session's unread messages of an exchange to a turn that has answered them in another way.
pub async fn consume_exchange(
    tx: &mut Tx<'_>,
    session_id: i64,
    exchange_id: i64,
    turn_id: i64,
) -> Result<(), StoreError> {
    tx.execute(
        sql!("UPDATE inbox SET turn_id = $3 WHERE session_id = $1 AND exchange_id = $2 AND turn_id IS NULL"),
        params![session_id, exchange_id, turn_id],
    )
    .await?;
    Ok(())
}

/// The thread of a run is there: its task can be taken, and belongs there.
pub async fn release_task(tx: &mut Tx<'_>, run_id: i64, conversation_id: i64) -> Result<(), StoreError> {
    tx.execute(
        sql!(
            "UPDATE inbox SET not_before = 0, conversation_id = $2 WHERE run_id = $1 AND kind = 'task' AND turn_id IS NULL"
        ),
        params![run_id, conversation_id],
    )
    .await?;
    Ok(())
}

/// Whether a session has an unread message of a person for a turn of this conversation, all of it or the first pieces.
pub async fn has_user_item(
    tx: &mut Tx<'_>,
    session_id: i64,
    conversation_id: i64,
) -> Result<bool, StoreError> {
    tx.one(
        sql!(
            "SELECT CASE WHEN COUNT(*) > 0 THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS there FROM inbox
             WHERE session_id = $1 AND conversation_id = $2 AND kind = 'user' AND wake = 1 AND turn_id IS NULL"
        ),
        params![session_id, conversation_id],
    )
    .await?
    .flag("there")
}

/// Whether a turn has read a message of a person.
pub async fn turn_heard_user(tx: &mut Tx<'_>, turn_id: i64) -> Result<bool, StoreError> {
    tx.one(
        sql!(
            "SELECT CASE WHEN COUNT(*) > 0 THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS there FROM inbox
             WHERE turn_id = $1 AND kind = 'user'"
        ),
        params![turn_id],
    )
    .await?
    .flag("there")
}

/// Whether outcomes of runs lie in a session's inbox.
pub async fn has_outcomes(tx: &mut Tx<'_>, session_id: i64) -> Result<bool, StoreError> {
    tx.one(
        sql!(
            "SELECT CASE WHEN COUNT(*) > 0 THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS there FROM inbox
             WHERE session_id = $1 AND kind = 'announce' AND turn_id IS NULL"
        ),
        params![session_id],
    )
    .await?
    .flag("there")
}

/// When the pieces of a batch that are there may be taken, if any is there.
pub async fn batch_due(tx: &mut Tx<'_>, session_id: i64, merge_key: &str) -> Result<Option<i64>, StoreError> {
    tx.one(
        sql!(
            "SELECT MIN(not_before) AS due FROM inbox WHERE session_id = $1 AND turn_id IS NULL AND merge_key = $2"
        ),
        params![session_id, merge_key],
    )
    .await?
    .get("due")
}

/// Whether a session has something that will start a turn.
pub async fn has_work(tx: &mut Tx<'_>, session_id: i64) -> Result<bool, StoreError> {
    tx.one(
        sql!("SELECT COUNT(*) AS count FROM inbox WHERE session_id = $1 AND turn_id IS NULL AND wake = 1"),
        params![session_id],
    )
    .await?
    .get::<i64>("count")
    .map(|count| count > 0)
}

/// Sessions in use that have something to do, no open turn, and nobody at work on it; not those that wait for their
/// thread, nor those of agents that are `full`.
pub async fn claimable(tx: &mut Tx<'_>, limit: i64, full: &[String]) -> Result<Vec<i64>, StoreError> {
    let full = tx.listed(full.iter().map(String::as_str));
    tx.all(
        sql!(
            "SELECT i.session_id, MIN(i.id) AS oldest FROM inbox i JOIN sessions s ON s.id = i.session_id
             WHERE i.turn_id IS NULL AND i.wake = 1 AND i.not_before <= $1 AND s.erase_at IS NULL
               AND NOT EXISTS (SELECT 1 FROM turns t WHERE t.session_id = i.session_id
                               AND t.status IN ('running', 'waiting'))
               AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.session_id = i.session_id AND r.status = 'opening')
               AND REPLACE($3, '\"' || s.agent || '\"', '') = $3
             GROUP BY i.session_id ORDER BY oldest LIMIT $2"
        ),
        params![tx.now(), limit, full],
    )
    .await?
    .iter()
    .map(|row| row.get("session_id"))
    .collect()
}

/// When the next held item may be taken, if one is held.
pub async fn next_due(tx: &mut Tx<'_>) -> Result<Option<i64>, StoreError> {
    tx.one(
        sql!(
            "SELECT MIN(not_before) AS due FROM inbox WHERE turn_id IS NULL AND wake = 1 AND not_before > $1
               AND not_before < $2"
        ),
        params![tx.now(), NEVER],
    )
    .await?
    .get("due")
}
