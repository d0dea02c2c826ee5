//! The local channel's log.

use roundtable_contract::AccountId;

use super::{Row, StoreError, Tx, params, sql};

/// One line of a local conversation.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Line {
    /// Its number; rises over all local conversations.
    pub id: i64,
    /// The person's or the agent's name.
    pub sender: String,
    /// Whether a person of this side wrote it (and not the team).
    pub own: bool,
    /// The text.
    pub text: String,
}

/// Adds a line. One with a known delivery is there already and keeps its number. Lines are added one after the other:
/// whoever has read up to one must never find an older one behind it.
pub async fn append(
    tx: &mut Tx<'_>,
    account: &AccountId,
    chat: &str,
    delivery: Option<&str>,
    sender: &str,
    text: &str,
) -> Result<i64, StoreError> {
    // The number is any that nothing else in this program locks.
    tx.lock(sql!(lite: "SELECT 1", pg: "SELECT pg_advisory_xact_lock(7332)"), params![]).await?;
    tx.one(
        sql!(
            "INSERT INTO local_lines (account, chat, delivery, sender, text, created_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (delivery) DO UPDATE SET delivery = excluded.delivery RETURNING id"
        ),
        params![&account.name, chat, delivery, sender, text, tx.now()],
    )
    .await?
    .get("id")
}

/// Lines of a conversation behind `after`, oldest first.
pub async fn lines(
    tx: &mut Tx<'_>,
    account: &AccountId,
    chat: &str,
    after: i64,
    limit: i64,
) -> Result<Vec<Line>, StoreError> {
    tx.all(
        sql!(
            "SELECT id, delivery, sender, text FROM local_lines
             WHERE account = $1 AND chat = $2 AND id > $3 ORDER BY id LIMIT $4"
        ),
        params![&account.name, chat, after, limit],
    )
    .await?
    .iter()
    .map(read)
    .collect()
}

/// The newest lines of a conversation, oldest first.
pub async fn newest(
    tx: &mut Tx<'_>,
    account: &AccountId,
    chat: &str,
    limit: i64,
) -> Result<Vec<Line>, StoreError> {
    let mut lines = tx
        .all(
            sql!(
                "SELECT id, delivery, sender, text FROM local_lines
                 WHERE account = $1 AND chat = $2 ORDER BY id DESC LIMIT $3"
            ),
            params![&account.name, chat, limit],
        )
        .await?
        .iter()
        .map(read)
        .collect::<Result<Vec<_>, _>>()?;
    lines.reverse();
    Ok(lines)
}

/// The conversations that have lines, the one with the newest line first, with that line's number.
pub async fn chats(
    tx: &mut Tx<'_>,
    account: &AccountId,
    limit: i64,
) -> Result<Vec<(String, i64)>, StoreError> {
    tx.all(
        sql!(
            "SELECT chat, MAX(id) AS last_id FROM local_lines WHERE account = $1
             GROUP BY chat ORDER BY MAX(id) DESC LIMIT $2"
        ),
        params![&account.name, limit],
    )
    .await?
    .iter()
    .map(|row| Ok((row.get("chat")?, row.get("last_id")?)))
    .collect()
}

fn read(row: &Row) -> Result<Line, StoreError> {
    Ok(Line {
        id: row.get("id")?,
        sender: row.get("sender")?,
        own: row.get::<Option<String>>("delivery")?.is_none(),
        text: row.get("text")?,
    })
}
