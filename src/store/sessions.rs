//! Sessions: one agent's durable context each.

use super::{Row, StoreError, Tx, params, sql, words};

words!(
    /// What a session was made for.
    Kind {
        /// An agent's own session with no conversation.
        Main = "main",
        /// A private chat.
        Direct = "direct",
        /// A group, channel, thread or topic.
        Group = "group",
        /// Spawned by another session.
        Subagent = "subagent",
        /// Made by the API or a webhook.
        Api = "api",
    }
);

words!(
    /// What a session is doing, as people and models are told. Derived, never stored.
    Status {
        /// Nothing to do.
        Idle = "idle",
        /// Something waits for a free slot or its time.
        Queued = "queued",
        /// A turn is at work.
        Running = "running",
        /// A turn waits for something.
        Waiting = "waiting",
        /// Ended; readable.
        Archived = "archived",
    }
);

/// A stored session, as far as turns need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its row.
    pub id: i64,
    /// The tree it belongs to.
    pub tree_id: i64,
    /// The stable key, `agent:…`.
    pub key: String,
    /// Rises with `/new`.
    pub generation: i64,
    /// The agent whose context it is.
    pub agent: String,
    /// It was archived.
    pub archived: bool,
    /// Its open turn, if there is one.
    pub open_turn: Option<i64>,
    /// Its unconsumed items.
    pub pending: i64,
}

impl Session {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            tree_id: row.get("tree_id")?,
            key: row.get("key")?,
            generation: row.get("generation")?,
            agent: row.get("agent")?,
            archived: row.get::<Option<i64>>("archived_at")?.is_some(),
            open_turn: row.get("open_turn")?,
            pending: row.get("pending")?,
        })
    }
}

/// Locks a session and reads it. The lock comes before any lock on its turns.
pub async fn lock(tx: &mut Tx<'_>, id: i64) -> Result<Session, StoreError> {
    tx.lock(
        sql!(lite: "SELECT id FROM sessions WHERE id = $1", pg: "SELECT id FROM sessions WHERE id = $1 FOR UPDATE"),
        params![id],
    )
    .await?;
    let row = tx
        .one(
            sql!(
                "SELECT s.*, (SELECT t.id FROM turns t WHERE t.session_id = s.id
                              AND t.status IN ('running', 'waiting')) AS open_turn,
                     (SELECT COUNT(*) FROM inbox i WHERE i.session_id = s.id AND i.turn_id IS NULL) AS pending
                 FROM sessions s WHERE s.id = $1"
            ),
            params![id],
        )
        .await?;
    Session::read(&row)
}

/// The session of an agent for a conversation, if it has one.
pub async fn find(tx: &mut Tx<'_>, conversation_id: i64, agent: &str) -> Result<Option<i64>, StoreError> {
    let row = tx
        .optional(
            sql!("SELECT id FROM sessions WHERE conversation_id = $1 AND agent = $2 AND kind <> 'subagent'"),
            params![conversation_id, agent],
        )
        .await?;
    row.map(|row| row.get("id")).transpose()
}

/// The sessions that belong to a conversation and are not archived.
pub async fn of_conversation(tx: &mut Tx<'_>, conversation_id: i64) -> Result<Vec<i64>, StoreError> {
    tx.all(
        sql!(
            "SELECT id FROM sessions WHERE conversation_id = $1 AND kind <> 'subagent' AND archived_at IS NULL
             ORDER BY id"
        ),
        params![conversation_id],
    )
    .await?
    .iter()
    .map(|row| row.get("id"))
    .collect()
}

/// What a new session is made of.
#[derive(Debug, Clone, Copy)]
pub struct NewSession<'a> {
    /// The stable key; if it is taken, that session is returned.
    pub key: &'a str,
    /// What it is for.
    pub kind: Kind,
    /// The agent.
    pub agent: &'a str,
    /// The conversation it belongs to.
    pub conversation_id: i64,
    /// The tree to grow in; `None` starts one.
    pub tree_id: Option<i64>,
}

/// Makes a session and returns its id.
pub async fn create(tx: &mut Tx<'_>, new: &NewSession<'_>) -> Result<i64, StoreError> {
    let tree_id: i64 = match new.tree_id {
        Some(id) => id,
        None => tx
            .one(sql!("INSERT INTO trees (created_at) VALUES ($1) RETURNING id"), params![tx.now()])
            .await?
            .get("id")?,
    };
    tx.one(
        sql!(
            "INSERT INTO sessions (tree_id, key, generation, kind, agent, conversation_id, depth, next_seq,
                                   created_at, updated_at)
             VALUES ($1, $2, 1, $3, $4, $5, 0, 1, $6, $6)
             ON CONFLICT (key) DO UPDATE SET key = excluded.key RETURNING id"
        ),
        params![tree_id, new.key, new.kind.as_str(), new.agent, new.conversation_id, tx.now()],
    )
    .await?
    .get("id")
}

/// Reserves `count` entry numbers and returns the first. Locks the session.
pub async fn reserve(tx: &mut Tx<'_>, id: i64, count: i64) -> Result<i64, StoreError> {
    spend(tx, id, count, [0; 3]).await
}

/// The same for the entry of a model call, whose tokens read and written and cost are added.
pub async fn spend(
    tx: &mut Tx<'_>,
    id: i64,
    count: i64,
    [input, output, cost_micros]: [i64; 3],
) -> Result<i64, StoreError> {
    tx.one(
        sql!(
            "UPDATE sessions SET next_seq = next_seq + $2, updated_at = $3, input_tokens = input_tokens + $4,
                 output_tokens = output_tokens + $5, cost_micros = cost_micros + $6 WHERE id = $1
             RETURNING next_seq - $2 AS first"
        ),
        params![id, count, tx.now(), input, output, cost_micros],
    )
    .await?
    .get("first")
}

/// Starts a new generation under the same key; the old transcript stays readable.
pub async fn renew(tx: &mut Tx<'_>, id: i64) -> Result<(), StoreError> {
    tx.execute(
        sql!("UPDATE sessions SET generation = generation + 1, updated_at = $2 WHERE id = $1"),
        params![id, tx.now()],
    )
    .await?;
    Ok(())
}

/// One row of a list of sessions.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Summary {
    /// The stable key.
    pub key: String,
    /// The agent.
    pub agent: String,
    /// What it was made for.
    pub kind: Kind,
    /// What it is doing.
    pub status: Status,
    /// The conversation, written out.
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
    /// When it last changed.
    pub updated_at: i64,
}

fn summary(row: &Row) -> Result<Summary, StoreError> {
    let status = match row.get::<Option<String>>("turn_status")? {
        _ if row.get::<Option<i64>>("archived_at")?.is_some() => Status::Archived,
        Some(word) => Status::read(&word)?,
        None if row.flag("queued")? => Status::Queued,
        None => Status::Idle,
    };
    let thread: String = row.get("thread")?;
    let chat = format!(
        "{}:{}:{}",
        row.get::<String>("channel")?,
        row.get::<String>("account")?,
        row.get::<String>("chat")?
    );
    Ok(Summary {
        key: row.get("key")?,
        agent: row.get("agent")?,
        kind: Kind::read(&row.get::<String>("kind")?)?,
        status,
        conversation: if thread.is_empty() { chat } else { format!("{chat}:{thread}") },
        generation: row.get("generation")?,
        entries: row.get::<i64>("next_seq")? - 1,
        input_tokens: row.get("input_tokens")?,
        output_tokens: row.get("output_tokens")?,
        cost_micros: row.get("cost_micros")?,
        updated_at: row.get("updated_at")?,
    })
}

/// The most recently changed sessions, newest first; with `key`, that one.
pub async fn list(tx: &mut Tx<'_>, key: Option<&str>, limit: i64) -> Result<Vec<Summary>, StoreError> {
    tx.all(
        sql!(
            "SELECT s.*, c.channel, c.account, c.chat, c.thread,
                 (SELECT t.status FROM turns t WHERE t.session_id = s.id AND t.status IN ('running', 'waiting'))
                     AS turn_status,
                 CASE WHEN EXISTS (SELECT 1 FROM inbox i WHERE i.session_id = s.id AND i.turn_id IS NULL AND i.wake = 1)
                     THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS queued
             FROM sessions s JOIN conversations c ON c.id = s.conversation_id
             WHERE (CAST($1 AS TEXT) IS NULL OR s.key = $1)
             ORDER BY s.updated_at DESC, s.id DESC LIMIT $2"
        ),
        params![key, limit],
    )
    .await?
    .iter()
    .map(summary)
    .collect()
}
