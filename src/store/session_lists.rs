//! Lists of sessions, for people and for agents.

use super::sessions::{Kind, Status};
use super::{Row, StoreError, Tx, params, sql};
use crate::models::Answer;

/// One row of a list of sessions.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Summary {
    /// Its number.
    pub id: i64,
    /// The stable key.
    pub key: String,
    /// Its tree.
    pub tree_id: i64,
    /// The agent.
    pub agent: String,
    /// What it is called within its tree.
    pub label: Option<String>,
    /// What it was made for.
    pub kind: Kind,
    /// What it is doing.
    pub status: Status,
    /// The key of the session above it.
    pub parent_key: Option<String>,
    /// The number of the session above it.
    pub parent_id: Option<i64>,
    /// Sessions above it.
    pub depth: i64,
    /// What it was asked to do.
    pub task: Option<String>,
    /// The conversation, written out; empty while its thread is being opened.
    pub conversation: String,
    /// Which generation is the current one.
    pub generation: i64,
    /// Entries so far.
    pub entries: i64,
    /// Tokens read.
    pub input_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// US dollars × 1,000,000.
    pub cost_micros: i64,
    /// The model it thinks with, where it is not its agent's.
    #[serde(default)]
    pub model: Option<String>,
    /// Where the run that it was made for stands.
    #[serde(default)]
    pub run_status: Option<String>,
    /// When it last changed.
    pub updated_at: i64,
}

fn read(tx: &Tx<'_>, row: &Row) -> Result<Summary, StoreError> {
    let status = match row.get::<Option<String>>("turn_status")? {
        _ if row.get::<Option<i64>>("archived_at")?.is_some() => Status::Archived,
        Some(word) => Status::read(&word)?,
        None if row.flag("queued")? => Status::Queued,
        None => Status::Idle,
    };
    Ok(Summary {
        id: row.get("id")?,
        key: row.get("key")?,
        tree_id: row.get("tree_id")?,
        agent: tx.agent(row)?,
        label: row.get("label")?,
        kind: Kind::read(&row.get::<String>("kind")?)?,
        status,
        parent_key: row.get("parent_key")?,
        parent_id: row.get("parent_id")?,
        depth: row.get("depth")?,
        task: row.get("task")?,
        conversation: conversation(row)?,
        generation: row.get("generation")?,
        entries: row.get::<i64>("next_seq")? - 1,
        input_tokens: row.get("input_tokens")?,
        output_tokens: row.get("output_tokens")?,
        cost_micros: row.get("cost_micros")?,
        model: row.get("model")?,
        run_status: row.get("run_status")?,
        updated_at: row.get("updated_at")?,
    })
}

pub(super) fn conversation(row: &Row) -> Result<String, StoreError> {
    let Some(channel) = row.get::<Option<String>>("channel")? else { return Ok(String::new()) };
    let pieces: [String; 4] = [channel, row.get("account")?, row.get("chat")?, row.get("thread")?];
    Ok(pieces.join(":").trim_end_matches(':').to_owned())
}

/// Which sessions are wanted. The default is all that are there.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'a> {
    /// The one with this key.
    pub key: Option<&'a str>,
    /// The one with this number.
    pub id: Option<i64>,
    /// Those of this tree.
    pub tree_id: Option<i64>,
    /// Those of this agent.
    pub agent: Option<&'a str>,
    /// The one with this label, in lower case.
    pub label: Option<&'a str>,
    /// Those whose label, task or key contains this, in lower case.
    pub search: Option<&'a str>,
    /// Those that have changed since.
    pub since: Option<i64>,
    /// Archived ones too.
    pub archived: bool,
    /// Those behind this one in the list: its `updated_at` and number.
    pub behind: Option<(i64, i64)>,
}

/// Sessions, the most recently changed first, at most `limit`.
pub async fn list(tx: &mut Tx<'_>, filter: &Filter<'_>, limit: i64) -> Result<Vec<Summary>, StoreError> {
    let agents = filter.agent.map(|agent| tx.listed([agent]));
    let rows = tx
        .all(
        sql!(
            "SELECT s.*, c.channel, c.account, c.chat, c.thread, p.key AS parent_key,
                 (SELECT t.status FROM turns t WHERE t.session_id = s.id AND t.status IN ('running', 'waiting'))
                     AS turn_status,
                 (SELECT MAX(r.status) FROM runs r WHERE r.session_id = s.id) AS run_status,
                 CASE WHEN EXISTS (SELECT 1 FROM inbox i WHERE i.session_id = s.id AND i.turn_id IS NULL AND i.wake = 1)
                     THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS queued
             FROM sessions s LEFT JOIN conversations c ON c.id = s.conversation_id
                 LEFT JOIN sessions p ON p.id = s.parent_id
             WHERE s.erase_at IS NULL AND (CAST($1 AS TEXT) IS NULL OR s.key = $1)
               AND (CAST($2 AS BIGINT) IS NULL OR s.id = $2)
               AND (CAST($3 AS BIGINT) IS NULL OR s.tree_id = $3)
               AND (CAST($4 AS TEXT) IS NULL OR REPLACE($4, '\"' || s.agent || '\"', '') <> $4)
               AND (CAST($5 AS TEXT) IS NULL OR s.label_key = $5)
               AND (CAST($6 AS TEXT) IS NULL OR LOWER(COALESCE(s.label, '') || ' ' || COALESCE(s.task, '') || ' ' || s.key)
                    LIKE '%' || $6 || '%')
               AND (CAST($7 AS BIGINT) IS NULL OR s.updated_at >= $7)
               AND (CAST($8 AS BIGINT) = 1 OR s.archived_at IS NULL)
               AND (CAST($9 AS BIGINT) IS NULL OR s.updated_at < $9 OR (s.updated_at = $9 AND s.id < $10))
             ORDER BY s.updated_at DESC, s.id DESC LIMIT $11"
        ),
        params![
            filter.key,
            filter.id,
            filter.tree_id,
            agents,
            filter.label,
            filter.search,
            filter.since,
            filter.archived,
            filter.behind.map(|behind| behind.0),
            filter.behind.map(|behind| behind.1),
            limit,
        ],
    )
    .await?;
    rows.iter().map(|row| read(tx, row)).collect()
}

/// The last answer of each session of a tree that has given one, as far as a list of the tree's sessions goes. Of each
/// transcript only the end is read.
pub async fn last_answers(
    tx: &mut Tx<'_>,
    tree_id: i64,
    limit: i64,
) -> Result<Vec<(i64, Answer)>, StoreError> {
    tx.all(
        sql!(
            "SELECT e.session_id, e.body FROM (
                 SELECT id FROM sessions WHERE tree_id = $1 AND erase_at IS NULL AND archived_at IS NULL
                 ORDER BY updated_at DESC, id DESC LIMIT $2) s
             JOIN entries e ON e.session_id = s.id AND e.seq = (
                 SELECT a.seq FROM entries a WHERE a.session_id = s.id AND a.role = 'assistant'
                 ORDER BY a.seq DESC LIMIT 1)"
        ),
        params![tree_id, limit],
    )
    .await?
    .iter()
    .map(|row| Ok((row.get("session_id")?, row.json("body")?)))
    .collect()
}
