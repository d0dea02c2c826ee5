//! Exchanges: conversations between two agents, opened by `sessions_send`.

use super::{Row, StoreError, Tx, params, sql};

/// A stored exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Its row.
    pub id: i64,
    /// The tree of the session that opened it.
    pub tree_id: i64,
    /// Who opened it.
    pub sender_id: i64,
    /// The other.
    pub target_id: i64,
    /// Where it was opened, and where what is said in it is shown.
    pub conversation_id: i64,
    /// Answers wake the other side, to and fro.
    pub reply_back: bool,
    /// Messages in it so far.
    pub turns: i64,
    /// The most it may have.
    pub max_turns: i64,
    /// What restricts the target's tools, as JSON.
    pub policy: String,
    /// The session whose word it is.
    pub next_id: i64,
    /// Until when whoever spoke last waited for the answer; `None`: it did not.
    pub due_at: Option<i64>,
    /// It has ended.
    pub ended: bool,
}

impl Exchange {
    /// The other side.
    pub fn partner(&self, session_id: i64) -> i64 {
        if session_id == self.sender_id { self.target_id } else { self.sender_id }
    }
}

fn read(row: &Row) -> Result<Exchange, StoreError> {
    Ok(Exchange {
        id: row.get("id")?,
        tree_id: row.get("tree_id")?,
        sender_id: row.get("sender_id")?,
        target_id: row.get("target_id")?,
        conversation_id: row.get("conversation_id")?,
        reply_back: row.flag("reply_back")?,
        turns: row.get("turns")?,
        max_turns: row.get("max_turns")?,
        policy: row.get("policy")?,
        next_id: row.get("next_id")?,
        due_at: row.get("due_at")?,
        ended: row.get::<Option<i64>>("ended_at")?.is_some(),
    })
}

/// A new exchange.
#[derive(Debug, Clone, Copy)]
pub struct NewExchange<'a> {
    /// The sender's tree.
    pub tree_id: i64,
    /// Who opens it.
    pub sender_id: i64,
    /// The other.
    pub target_id: i64,
    /// The sender's origin conversation.
    pub conversation_id: i64,
    /// Answers wake the other side.
    pub reply_back: bool,
    /// Messages with its first one, and those of the exchange that it was asked back in.
    pub turns: i64,
    /// The most messages it may have.
    pub max_turns: i64,
    /// What restricts the target's tools, as JSON.
    pub policy: &'a str,
    /// When nobody waits for its answer any more.
    pub due_at: Option<i64>,
}

/// Opens an exchange with its first message and returns its number.
pub async fn open(tx: &mut Tx<'_>, new: &NewExchange<'_>) -> Result<i64, StoreError> {
    tx.one(
        sql!(
            "INSERT INTO exchanges (tree_id, sender_id, target_id, conversation_id, reply_back, turns, max_turns, policy,
                 next_id, due_at, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $3, $9, $10) RETURNING id"
        ),
        params![
            new.tree_id,
            new.sender_id,
            new.target_id,
            new.conversation_id,
            new.reply_back,
            new.turns,
            new.max_turns,
            new.policy,
            new.due_at,
            tx.now(),
        ],
    )
    .await?
    .get("id")
}

/// The exchange with this number.
pub async fn get(tx: &mut Tx<'_>, id: i64) -> Result<Exchange, StoreError> {
    read(&tx.one(sql!("SELECT * FROM exchanges WHERE id = $1"), params![id]).await?)
}

/// The same, locked: nobody else ends it until the end of the transaction, and it is as it is under the lock.
pub async fn take(tx: &mut Tx<'_>, id: i64) -> Result<Exchange, StoreError> {
    let row = tx
        .one(
            sql!(
                lite: "SELECT * FROM exchanges WHERE id = $1",
                pg: "SELECT * FROM exchanges WHERE id = $1 FOR UPDATE"
            ),
            params![id],
        )
        .await?;
    read(&row)
}

/// Locks the open exchanges of a session: what was said in them is there when the lock is, and no more is said before
/// the end of the transaction.
pub async fn hold_open(tx: &mut Tx<'_>, session_id: i64) -> Result<(), StoreError> {
    tx.lock(
        sql!(
            lite: "SELECT id FROM exchanges WHERE ended_at IS NULL AND (sender_id = $1 OR target_id = $1)",
            pg: "SELECT id FROM exchanges WHERE ended_at IS NULL AND (sender_id = $1 OR target_id = $1)
                 ORDER BY id FOR UPDATE"
        ),
        params![session_id],
    )
    .await
}

/// Ends all exchanges of a session, whoever's word it is: it is taken out of use.
pub async fn end_all(tx: &mut Tx<'_>, session_id: i64, reason: &str) -> Result<(), StoreError> {
    tx.execute(
        sql!(
            "UPDATE exchanges SET ended_at = $2, reason = $3 WHERE ended_at IS NULL
               AND (sender_id = $1 OR target_id = $1)"
        ),
        params![session_id, tx.now(), reason],
    )
    .await?;
    Ok(())
}

/// The open exchange between two sessions in which it is the first one's word. When there are several it is that of the
/// `current` turn, or else the oldest, which was asked first.
pub async fn owed(
    tx: &mut Tx<'_>,
    by: i64,
    to: i64,
    current: Option<i64>,
) -> Result<Option<Exchange>, StoreError> {
    let row = tx
        .optional(
            sql!(
                "SELECT * FROM exchanges WHERE next_id = $1 AND ended_at IS NULL
                   AND ((sender_id = $1 AND target_id = $2) OR (sender_id = $2 AND target_id = $1))
                 ORDER BY CASE WHEN id = $3 THEN 0 ELSE 1 END, id LIMIT 1"
            ),
            params![by, to, current],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// The open exchanges in which it is this session's word.
pub async fn owed_by(tx: &mut Tx<'_>, by: i64) -> Result<Vec<Exchange>, StoreError> {
    tx.all(sql!("SELECT * FROM exchanges WHERE next_id = $1 AND ended_at IS NULL ORDER BY id"), params![by])
        .await?
        .iter()
        .map(read)
        .collect()
}

/// The open exchanges in which the other's word would set a session to work.
pub async fn awaited_by(tx: &mut Tx<'_>, session_id: i64) -> Result<Vec<Exchange>, StoreError> {
    tx.all(
        sql!(
            "SELECT * FROM exchanges WHERE ended_at IS NULL AND next_id <> $1 AND (sender_id = $1 OR target_id = $1)
               AND (due_at IS NOT NULL OR reply_back = 1) ORDER BY id"
        ),
        params![session_id],
    )
    .await?
    .iter()
    .map(read)
    .collect()
}

/// The newest message of an exchange, an inbox item of whoever is to answer it. Each such item waits to be read or has
/// begun a turn.
pub async fn newest_message(tx: &mut Tx<'_>, exchange: &Exchange) -> Result<Option<i64>, StoreError> {
    tx.one(
        sql!(
            "SELECT MAX(id) AS id FROM (
                 SELECT id FROM inbox WHERE session_id = $1 AND exchange_id = $2 AND turn_id IS NULL
                 UNION ALL SELECT trigger_id AS id FROM turns WHERE session_id = $1 AND exchange_id = $2) messages"
        ),
        params![exchange.next_id, exchange.id],
    )
    .await?
    .get("id")
}

/// Counts one more message; the next word is `next_id`'s, and is waited for until `due_at`.
pub async fn spoken(tx: &mut Tx<'_>, id: i64, next_id: i64, due_at: Option<i64>) -> Result<(), StoreError> {
    tx.execute(
        sql!("UPDATE exchanges SET turns = turns + 1, next_id = $2, due_at = $3 WHERE id = $1"),
        params![id, next_id, due_at],
    )
    .await?;
    Ok(())
}

/// The opener has spoken again, with this policy for the target's tools.
pub async fn restrict(tx: &mut Tx<'_>, id: i64, policy: &str) -> Result<(), StoreError> {
    tx.execute(sql!("UPDATE exchanges SET policy = $2 WHERE id = $1"), params![id, policy]).await?;
    Ok(())
}

/// Ends an exchange; it may have ended before.
pub async fn end(tx: &mut Tx<'_>, id: i64, reason: &str) -> Result<(), StoreError> {
    tx.execute(
        sql!("UPDATE exchanges SET ended_at = $2, reason = $3 WHERE id = $1 AND ended_at IS NULL"),
        params![id, tx.now(), reason],
    )
    .await?;
    Ok(())
}
