//! Deliveries as people see them, and what they may do to one.

use super::{NEVER, State};
use crate::store::{StoreError, Tx, params, sql};

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
    let listed = match all {
        true => sql!(
            "SELECT d.*, c.channel, c.account, c.chat, c.thread FROM deliveries d
             JOIN conversations c ON c.id = d.conversation_id ORDER BY d.id DESC LIMIT $1"
        ),
        // By indexes that hold no others: all that was ever sent is not gone through.
        false => sql!(
            "SELECT d.*, c.channel, c.account, c.chat, c.thread FROM deliveries d
             JOIN conversations c ON c.id = d.conversation_id
             WHERE d.id IN (SELECT id FROM deliveries WHERE state IN ('pending', 'sending', 'unknown')
                            UNION ALL SELECT id FROM deliveries WHERE state = 'failed')
             ORDER BY d.id DESC LIMIT $1"
        ),
    };
    tx.all(listed, params![limit])
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

/// How many deliveries there are that are neither sent nor cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// To be sent.
    pub pending: i64,
    /// On their way.
    pub sending: i64,
    /// Perhaps visible, and looked for.
    pub unknown: i64,
    /// Perhaps visible, and left to people.
    pub given_up: i64,
    /// Never to be seen.
    pub failed: i64,
}

/// Counts those that need attention, by indexes that hold no others.
pub async fn counts(tx: &mut Tx<'_>) -> Result<Counts, StoreError> {
    let row = tx
        .one(
            sql!(
                "SELECT COUNT(CASE WHEN state = 'pending' THEN 1 END) AS pending,
                     COUNT(CASE WHEN state = 'sending' THEN 1 END) AS sending,
                     COUNT(CASE WHEN state = 'unknown' AND due_at < $1 THEN 1 END) AS unknown,
                     COUNT(CASE WHEN state = 'unknown' AND due_at = $1 THEN 1 END) AS given_up,
                     (SELECT COUNT(*) FROM deliveries WHERE state = 'failed') AS failed
                 FROM deliveries WHERE state IN ('pending', 'sending', 'unknown')"
            ),
            params![NEVER],
        )
        .await?;
    Ok(Counts {
        pending: row.get("pending")?,
        sending: row.get("sending")?,
        unknown: row.get("unknown")?,
        given_up: row.get("given_up")?,
        failed: row.get("failed")?,
    })
}

/// Puts a delivery that is not sent, on its way or wanted no more back in the queue, due now, and returns its
/// conversation; `None`: it is in no such state.
pub async fn retry(tx: &mut Tx<'_>, id: i64) -> Result<Option<i64>, StoreError> {
    let row = tx
        .optional(
            sql!(
                "UPDATE deliveries SET state = 'pending', due_at = $2, error = NULL,
                     stray = CASE WHEN state = 'unknown' AND message_id IS NULL AND stray = 0 THEN 1 ELSE stray END
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
                "UPDATE deliveries SET state = 'cancelled',
                     stray = CASE WHEN state = 'unknown' AND message_id IS NULL AND stray = 0 THEN 1 ELSE stray END
                 WHERE id = $1 AND state IN ('failed', 'unknown', 'pending')"
            ),
            params![id],
        )
        .await?;
    Ok(changed == 1)
}
