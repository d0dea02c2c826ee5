//! Deliveries: one row for every message part that must become visible. Order is by id within a
//! conversation; the rules of order and retry are the outbox's.

mod lists;
mod outcome;

use roundtable_contract::{MessageId, Part};

use super::{Row, StoreError, Tx, chats, params, sql, words};

pub use lists::{Counts, Listed, counts, discard, list, retry, state};
pub use outcome::{Shown, Thread, opening_thread, settle, start_call};

words!(
    /// What is known about a delivery.
    State {
        /// To be sent.
        Pending = "pending",
        /// A call is on its way, or was when the process died.
        Sending = "sending",
        /// Visible; its number is known.
        Sent = "sent",
        /// The platform will never take it.
        Failed = "failed",
        /// It may be visible.
        Unknown = "unknown",
        /// Nobody wants it any more.
        Cancelled = "cancelled",
    }
);

/// The due time of what is never looked at again by itself: a delivery whose outcome stays unknown.
/// It holds nothing back.
pub const NEVER: i64 = i64::MAX;

/// After this many milliseconds in which it could, other messages pass one that does not go out.
pub const STUCK: i64 = 5 * 60 * 1000;

/// The kind of a delivery that opens a thread: its body is the thread's name, its stub the message that the thread
/// grows out of, where it does.
pub const THREAD: &str = "thread";

/// A stored delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its row.
    pub id: i64,
    /// Where it must appear.
    pub conversation_id: i64,
    /// Where it was last called for, or its stub is, if the chat has moved since: the conversation's address of then.
    pub called_in: Option<i64>,
    /// The message it is a part of.
    pub answer: String,
    /// The run whose thread it opens.
    pub opens_for: Option<i64>,
    /// What is sent.
    pub part: Part,
    /// What is known.
    pub state: State,
    /// The newest message known there before the first call.
    pub after: Option<MessageId>,
    /// Its number, once known (for two-step deliveries before the second step).
    pub message: Option<MessageId>,
    /// Calls so far.
    pub attempts: i64,
    /// Calls of unknown outcome so far.
    pub unknowns: i64,
    /// Not to be touched before.
    pub due_at: i64,
    /// When the call in flight is over at the latest.
    pub call_until: Option<i64>,
    /// When it was made.
    pub created_at: i64,
}

impl Delivery {
    /// The same for every attempt at this part, and for no other part; at most 25 characters.
    pub fn nonce(&self) -> String {
        format!("{:x}-{:x}", self.created_at, self.id)
    }

    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            conversation_id: row.get("conversation_id")?,
            called_in: row.get("called_in")?,
            answer: row.get("answer")?,
            opens_for: if row.get::<String>("kind")? == THREAD { row.get("run_id")? } else { None },
            part: row.json("body")?,
            state: State::read(row.text("state")?)?,
            after: row.get::<Option<i64>>("after_id")?.map(MessageId),
            message: row.get::<Option<i64>>("message_id")?.map(MessageId),
            attempts: row.get("attempts")?,
            unknowns: row.get("unknowns")?,
            due_at: row.get("due_at")?,
            call_until: row.get("call_until")?,
            created_at: row.get("created_at")?,
        })
    }
}

/// On whose behalf something becomes visible: an answer to it goes to this session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Author {
    /// The tree.
    pub tree_id: i64,
    /// The session that speaks, or of which is spoken.
    pub session_id: i64,
    /// The turn that wrote it; stopping that one cancels it.
    pub turn_id: Option<i64>,
    /// The run whose result it is.
    pub run_id: Option<i64>,
}

impl From<&super::turns::Turn> for Author {
    fn from(turn: &super::turns::Turn) -> Self {
        Self { tree_id: turn.tree_id, session_id: turn.session_id, turn_id: Some(turn.id), run_id: None }
    }
}

/// What becomes visible, and on whose behalf.
#[derive(Debug, Clone, Copy)]
pub struct NewAnswer<'a> {
    /// Where.
    pub conversation_id: i64,
    /// On whose behalf; `None` for the program's own words.
    pub author: Option<Author>,
    /// `answer` or `notice`.
    pub kind: &'a str,
    /// A name for the message that its parts belong to.
    pub name: &'a str,
    /// The parts, in order.
    pub parts: &'a [Part],
    /// The first part is born `sending`; its call, which the caller makes at once, is over after so many milliseconds.
    pub send_within: Option<i64>,
}

/// Stores an answer's parts. Returns the first if it was born `sending`, which happens only when
/// nothing else is on its way to the conversation or its chat.
pub async fn insert(tx: &mut Tx<'_>, new: &NewAnswer<'_>) -> Result<Option<Delivery>, StoreError> {
    let mut first = None;
    let mut clear = false;
    if !new.parts.is_empty() {
        // Two sessions may answer in one conversation, or in one chat: their parts do not mix, and only one of them finds
        // it clear.
        chats::lock(tx, new.conversation_id).await?;
        clear = new.send_within.is_some() && chats::is_clear(tx, new.conversation_id).await?;
    }
    // With a join in place of the inner look-up, both databases would read all numbers of the space.
    let parts = i64::try_from(new.parts.len()).unwrap_or(i64::MAX);
    for (number, part) in (0..).zip(new.parts) {
        let send_within = new.send_within.filter(|_| clear && number == 0);
        let row = tx
            .one(
                sql!(
                    "INSERT INTO deliveries (conversation_id, tree_id, session_id, turn_id, run_id, kind, answer, part,
                         parts, body, state, after_id, attempts, due_at, call_until, created_at)
                     SELECT CAST($1 AS BIGINT), CAST($2 AS BIGINT), CAST($3 AS BIGINT), CAST($4 AS BIGINT),
                         CAST($14 AS BIGINT), CAST($5 AS TEXT), CAST($6 AS TEXT), CAST($7 AS BIGINT), CAST($8 AS BIGINT), CAST($9 AS TEXT),
                         CAST($10 AS TEXT),
                         CASE WHEN CAST($10 AS TEXT) = 'sending' THEN (SELECT COALESCE(MAX(m.message_id), 0)
                             FROM messages m
                             WHERE m.space_id = (SELECT c.space_id FROM conversations c WHERE c.id = $1)) END,
                         CAST($11 AS BIGINT), CAST($12 AS BIGINT), CAST($13 AS BIGINT), CAST($12 AS BIGINT)
                     RETURNING *"
                ),
                params![
                    new.conversation_id,
                    new.author.map(|author| author.tree_id),
                    new.author.map(|author| author.session_id),
                    new.author.and_then(|author| author.turn_id),
                    new.kind,
                    new.name,
                    number,
                    parts,
                    serde_json::to_string(part).expect("plain data is always JSON"),
                    if send_within.is_some() { State::Sending } else { State::Pending }.as_str(),
                    i64::from(send_within.is_some()),
                    tx.now(),
                    send_within.map(|within| tx.now() + within),
                    new.author.and_then(|author| author.run_id),
                ],
            )
            .await?;
        if send_within.is_some() {
            first = Some(Delivery::read(&row)?);
        }
    }
    Ok(first)
}

/// The open deliveries of a conversation in order, the first `limit`.
pub async fn open(tx: &mut Tx<'_>, conversation_id: i64, limit: i64) -> Result<Vec<Delivery>, StoreError> {
    tx.all(
        sql!(
            "SELECT * FROM deliveries WHERE conversation_id = $1 AND state IN ('pending', 'sending', 'unknown')
               AND due_at < $3 ORDER BY id LIMIT $2"
        ),
        params![conversation_id, limit, NEVER],
    )
    .await?
    .iter()
    .map(Delivery::read)
    .collect()
}

/// Cancels what a turn has written and nobody has seen yet.
pub async fn cancel_of_turn(tx: &mut Tx<'_>, turn_id: i64) -> Result<(), StoreError> {
    tx.execute(
        sql!("UPDATE deliveries SET state = 'cancelled' WHERE turn_id = $1 AND state = 'pending'"),
        params![turn_id],
    )
    .await?;
    Ok(())
}

/// Cancels what a session has written and nobody has seen yet; how a run of it ended is still told.
pub async fn cancel_of_session(tx: &mut Tx<'_>, session_id: i64) -> Result<(), StoreError> {
    tx.execute(
        sql!(
            "UPDATE deliveries SET state = 'cancelled'
             WHERE session_id = $1 AND state = 'pending' AND (run_id IS NULL OR kind = 'thread')"
        ),
        params![session_id],
    )
    .await?;
    Ok(())
}

/// Cancels everything of a session that nobody has seen for sure: it is to be erased.
pub async fn drop_of_session(tx: &mut Tx<'_>, session_id: i64) -> Result<(), StoreError> {
    tx.execute(
        sql!(
            "UPDATE deliveries SET state = 'cancelled' WHERE session_id = $1
               AND (state = 'pending' OR (state = 'unknown' AND due_at = $2))"
        ),
        params![session_id, NEVER],
    )
    .await?;
    Ok(())
}

/// Erases what the program itself has said in a conversation; it may have quoted a transcript.
pub async fn forget_own_words(tx: &mut Tx<'_>, conversation_id: i64) -> Result<(), StoreError> {
    tx.execute(
        sql!(
            "DELETE FROM deliveries WHERE session_id IS NULL AND conversation_id = $1
               AND state IN ('sent', 'failed', 'cancelled')"
        ),
        params![conversation_id],
    )
    .await?;
    Ok(())
}

/// Conversations of an account that have something to deliver or to look into now.
pub async fn due_conversations(
    tx: &mut Tx<'_>,
    channel: &str,
    account: &str,
) -> Result<Vec<i64>, StoreError> {
    // CROSS JOIN keeps SQLite from going through all conversations: it reads from left to right.
    tx.all(
        sql!(
            "SELECT DISTINCT d.conversation_id FROM deliveries d CROSS JOIN conversations c
             WHERE c.id = d.conversation_id AND d.state IN ('pending', 'sending', 'unknown') AND d.due_at <= $3
               AND c.channel = $1 AND c.account = $2"
        ),
        params![channel, account, tx.now()],
    )
    .await?
    .iter()
    .map(|row| row.get("conversation_id"))
    .collect()
}
