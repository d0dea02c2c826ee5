//! Deliveries: one row for every message part that must become visible. Order is by id within a
//! conversation; the rules of order and retry are the outbox's.

use roundtable_contract::{Conversation, MessageId, Part};

use super::conversations::{self, About};

use super::{Row, StoreError, Tx, chats, messages, params, sql, words};

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

/// After this many milliseconds other messages pass one that does not go out.
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
    /// The first part is born `sending`, with this time-out in milliseconds: the caller sends it at once.
    pub send_within: Option<i64>,
}

/// Stores an answer's parts. Returns the first if it was born `sending`, which happens only when
/// nothing else is on its way to the conversation or its chat.
pub async fn insert(tx: &mut Tx<'_>, new: &NewAnswer<'_>) -> Result<Option<Delivery>, StoreError> {
    let mut first = None;
    let mut clear = false;
    if new.send_within.is_some() && !new.parts.is_empty() {
        // Two sessions may answer in one conversation, or in one chat: only one of them finds it clear.
        chats::lock(tx, new.conversation_id).await?;
        clear = chats::is_clear(tx, new.conversation_id).await?;
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

/// Marks a call as on its way (T6). `after` is kept from an earlier call that may have been seen.
/// [`StoreError::Stale`]: not now, because the delivery has changed, or because another new message of the
/// chat is on its way.
pub async fn start_call(tx: &mut Tx<'_>, delivery: &Delivery, within: i64) -> Result<Delivery, StoreError> {
    // The second step of a two-step delivery has its number and need not be alone.
    if delivery.message.is_none() {
        chats::lock(tx, delivery.conversation_id).await?;
        if chats::is_busy(tx, delivery.conversation_id).await? {
            return Err(StoreError::Stale);
        }
    }
    let row = tx
        .optional(
            sql!(
                "UPDATE deliveries SET state = 'sending', attempts = attempts + 1, call_until = $3,
                     after_id = CASE WHEN unknowns > 0 AND after_id IS NOT NULL THEN after_id
                         ELSE (SELECT COALESCE(MAX(m.message_id), 0) FROM messages m WHERE m.space_id =
                             (SELECT c.space_id FROM conversations c WHERE c.id = deliveries.conversation_id)) END
                 WHERE id = $1 AND state = $2 RETURNING *"
            ),
            params![delivery.id, delivery.state.as_str(), tx.now() + within],
        )
        .await?;
    row.as_ref().map(Delivery::read).transpose()?.ok_or(StoreError::Stale)
}

/// What a call, or a look at the platform, has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// It is visible (T7).
    Sent(MessageId),
    /// Its stub is visible; the text comes next.
    Stubbed(MessageId),
    /// The thread is there.
    Opened(Thread),
    /// It is not, and may be tried again at this time.
    Later {
        /// When.
        due_at: i64,
        /// Why.
        error: String,
    },
    /// It may be; look again at this time.
    Unknown {
        /// When.
        due_at: i64,
        /// Why.
        error: String,
    },
    /// It is not and never will be.
    Failed(String),
}

/// A thread that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// Its conversation.
    pub address: Conversation,
    /// Its id space.
    pub space: String,
}

/// Records what is known about a delivery now. What is visible stays so, whatever is learned later.
pub async fn settle(tx: &mut Tx<'_>, id: i64, shown: &Shown) -> Result<(), StoreError> {
    let (state, message, due_at, error) = match shown {
        Shown::Sent(message) => (State::Sent, Some(message.0), None, None),
        Shown::Opened(_) => (State::Sent, None, None, None),
        // The text goes in by an edit, which needs no looking for: the second step is a new call.
        Shown::Stubbed(message) => (State::Pending, Some(message.0), None, None),
        Shown::Later { due_at, error } => (State::Pending, None, Some(*due_at), Some(error)),
        Shown::Unknown { due_at, error } => (State::Unknown, None, Some(*due_at), Some(error)),
        Shown::Failed(error) => (State::Failed, None, None, Some(error)),
    };
    tx.execute(
        sql!(
            "UPDATE deliveries SET state = $2, message_id = COALESCE($3, message_id), due_at = COALESCE($4, due_at),
                 error = $5,
                 unknowns = unknowns + CASE WHEN $2 = 'unknown' AND state = 'sending' THEN 1 ELSE 0 END,
                 sent_at = CASE WHEN $2 = 'sent' THEN $6 ELSE sent_at END
             WHERE id = $1 AND state <> 'sent'"
        ),
        params![
            id,
            state.as_str(),
            message,
            due_at,
            error.map(String::as_str),
            tx.now()
        ],
    )
    .await?;
    if let Shown::Sent(message) | Shown::Stubbed(message) = shown {
        messages::delivered(tx, *message, id).await?;
    }
    if let Shown::Opened(thread) = shown {
        opened(tx, id, thread).await?;
    }
    Ok(())
}

/// Makes the conversation of a thread that was opened, for the run that asked for it.
async fn opened(tx: &mut Tx<'_>, id: i64, thread: &Thread) -> Result<(), StoreError> {
    let row = tx.one(sql!("SELECT * FROM deliveries WHERE id = $1"), params![id]).await?;
    let delivery = Delivery::read(&row)?;
    let home = conversations::get(tx, delivery.conversation_id).await?;
    let about = About {
        kind: home.kind,
        title: Some(&delivery.part.body),
        guild: home.guild.as_deref(),
        parent: (thread.address.chat != home.address.chat).then_some(&home.address.chat),
        space: &thread.space,
    };
    let place = conversations::find_or_create(tx, &thread.address, &about).await?;
    match delivery.opens_for {
        Some(run_id) => conversations::opened_for(tx, place.id, run_id).await,
        None => Ok(()),
    }
}

/// The thread of this name in a chat that is being opened; for the platform's own event about it.
pub async fn opening_thread(
    tx: &mut Tx<'_>,
    address: &Conversation,
    name: &str,
) -> Result<Option<i64>, StoreError> {
    let rows = tx
        .all(
            sql!(
                "SELECT d.* FROM deliveries d JOIN conversations c ON c.id = d.conversation_id
                 WHERE c.channel = $1 AND c.account = $2 AND c.chat = $3 AND d.kind = 'thread' AND d.attempts > 0
                   AND d.state IN ('pending', 'sending', 'unknown') ORDER BY d.id"
            ),
            params![&address.account.channel, &address.account.name, address.chat.as_str()],
        )
        .await?;
    for row in &rows {
        let delivery = Delivery::read(row)?;
        if delivery.part.body == name {
            return Ok(Some(delivery.id));
        }
    }
    Ok(None)
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

/// Cancels what a session has written and nobody has seen yet.
pub async fn cancel_of_session(tx: &mut Tx<'_>, session_id: i64) -> Result<(), StoreError> {
    tx.execute(
        sql!("UPDATE deliveries SET state = 'cancelled' WHERE session_id = $1 AND state = 'pending'"),
        params![session_id],
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
    tx.all(
        sql!(
            "SELECT DISTINCT d.conversation_id FROM deliveries d JOIN conversations c ON c.id = d.conversation_id
             WHERE d.state IN ('pending', 'sending', 'unknown') AND d.due_at <= $3
               AND c.channel = $1 AND c.account = $2"
        ),
        params![channel, account, tx.now()],
    )
    .await?
    .iter()
    .map(|row| row.get("conversation_id"))
    .collect()
}

/// The session whose message is on its way to a conversation right now.
pub async fn session_in_flight(tx: &mut Tx<'_>, conversation_id: i64) -> Result<Option<i64>, StoreError> {
    let row = tx
        .optional(
            sql!(
                "SELECT session_id FROM deliveries WHERE conversation_id = $1 AND state IN ('sending', 'unknown')
                 ORDER BY id LIMIT 1"
            ),
            params![conversation_id],
        )
        .await?;
    Ok(row.map(|row| row.get("session_id")).transpose()?.flatten())
}

/// One row of a list of deliveries.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Listed {
    /// Its number.
    pub id: i64,
    /// Where it must appear.
    pub conversation: String,
    /// What is known.
    pub state: State,
    /// Which part of how many.
    pub part: i64,
    /// How many parts the message has.
    pub parts: i64,
    /// Calls so far.
    pub attempts: i64,
    /// Calls of unknown outcome so far.
    pub unknowns: i64,
    /// What the platform said last.
    pub error: Option<String>,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

/// The newest deliveries, newest first; without `all`, those that are neither sent nor cancelled.
pub async fn list(tx: &mut Tx<'_>, all: bool, limit: i64) -> Result<Vec<Listed>, StoreError> {
    tx.all(
        sql!(
            "SELECT d.*, c.channel, c.account, c.chat, c.thread FROM deliveries d
             JOIN conversations c ON c.id = d.conversation_id
             WHERE $1 = 1 OR d.state IN ('pending', 'sending', 'unknown', 'failed')
             ORDER BY d.id DESC LIMIT $2"
        ),
        params![all, limit],
    )
    .await?
    .iter()
    .map(|row| {
        let pieces: [String; 4] =
            [row.get("channel")?, row.get("account")?, row.get("chat")?, row.get("thread")?];
        Ok(Listed {
            id: row.get("id")?,
            conversation: pieces.join(":").trim_end_matches(':').to_owned(),
            state: State::read(&row.get::<String>("state")?)?,
            part: row.get::<i64>("part")? + 1,
            parts: row.get("parts")?,
            attempts: row.get("attempts")?,
            unknowns: row.get("unknowns")?,
            error: row.get("error")?,
            created_at: row.get("created_at")?,
        })
    })
    .collect()
}

/// Puts a delivery that is not sent, on its way or wanted no more back in the queue, due now, and returns its
/// conversation; `None`: it is in no such state.
pub async fn retry(tx: &mut Tx<'_>, id: i64) -> Result<Option<i64>, StoreError> {
    let row = tx
        .optional(
            sql!(
                "UPDATE deliveries SET state = 'pending', due_at = $2, error = NULL
                 WHERE id = $1 AND state IN ('failed', 'unknown', 'pending', 'cancelled') RETURNING conversation_id"
            ),
            params![id, tx.now()],
        )
        .await?;
    row.map(|row| row.get("conversation_id")).transpose()
}

/// What is known about the delivery with this number; `None`: there is none.
pub async fn state(tx: &mut Tx<'_>, id: i64) -> Result<Option<State>, StoreError> {
    let row = tx.optional(sql!("SELECT state FROM deliveries WHERE id = $1"), params![id]).await?;
    row.map(|row| State::read(&row.get::<String>("state")?)).transpose()
}

/// Gives a delivery up; `false`: it is sent, on its way, or given up already.
pub async fn discard(tx: &mut Tx<'_>, id: i64) -> Result<bool, StoreError> {
    let changed = tx
        .execute(
            sql!(
                "UPDATE deliveries SET state = 'cancelled' WHERE id = $1 AND state IN ('failed', 'unknown', 'pending')"
            ),
            params![id],
        )
        .await?;
    Ok(changed == 1)
}

/// Whether any delivery of an account is still to be sent now; for the drain at shutdown.
pub async fn open_count(tx: &mut Tx<'_>) -> Result<i64, StoreError> {
    tx.one(
        sql!(
            "SELECT COUNT(*) AS count FROM deliveries WHERE state IN ('pending', 'sending') AND due_at <= $1"
        ),
        params![tx.now()],
    )
    .await?
    .get("count")
}
