//! Sessions: one agent's durable context each.

use super::{Row, StoreError, Tx, params, sql, trees, words};

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
    /// What it was made for.
    pub kind: Kind,
    /// The agent whose context it is.
    pub agent: String,
    /// What it is called within its tree.
    pub label: Option<String>,
    /// The session above it.
    pub parent_id: Option<i64>,
    /// Sessions above it.
    pub depth: i64,
    /// Where it belongs; a spawned one's is known when its thread is open.
    pub conversation_id: Option<i64>,
    /// It was archived.
    pub archived: bool,
    /// It is out of use, and its rows are being erased.
    pub erased: bool,
    /// Its open turn, if there is one.
    pub open_turn: Option<i64>,
    /// Its unconsumed items.
    pub pending: i64,
}

impl Session {
    fn read(tx: &Tx<'_>, row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            tree_id: row.get("tree_id")?,
            key: row.get("key")?,
            generation: row.get("generation")?,
            kind: Kind::read(&row.get::<String>("kind")?)?,
            agent: tx.agent(row)?,
            label: row.get("label")?,
            parent_id: row.get("parent_id")?,
            depth: row.get("depth")?,
            conversation_id: row.get("conversation_id")?,
            archived: row.get::<Option<i64>>("archived_at")?.is_some(),
            erased: row.get::<Option<i64>>("erase_at")?.is_some(),
            open_turn: row.get("open_turn")?,
            pending: row.get("pending")?,
        })
    }

    /// What to call it: its label, else its agent.
    pub fn name(&self) -> &str {
        self.label.as_deref().unwrap_or(&self.agent)
    }
}

/// Locks a session and reads it; [`StoreError::Gone`] if it is out of use. The lock comes before any lock on its turns.
pub async fn lock(tx: &mut Tx<'_>, id: i64) -> Result<Session, StoreError> {
    hold(tx, id).await?;
    get_in_use(tx, id).await
}

/// Locks a session, in use or not.
pub async fn hold(tx: &mut Tx<'_>, id: i64) -> Result<(), StoreError> {
    tx.lock(
        sql!(lite: "SELECT id FROM sessions WHERE id = $1", pg: "SELECT id FROM sessions WHERE id = $1 FOR UPDATE"),
        params![id],
    )
    .await
}

/// Locks the tree of a session below which another is made: who takes it out of use takes with it all that is below it by
/// then.
pub async fn lock_above(tx: &mut Tx<'_>, parent: &Session) -> Result<(), StoreError> {
    trees::lock(tx, parent.tree_id).await?;
    get_in_use(tx, parent.id).await.map(drop)
}

async fn get_in_use(tx: &mut Tx<'_>, id: i64) -> Result<Session, StoreError> {
    in_use(tx, id).await?.ok_or(StoreError::Gone)
}

/// Reads a session without locking it, unless it is out of use.
pub async fn in_use(tx: &mut Tx<'_>, id: i64) -> Result<Option<Session>, StoreError> {
    match get(tx, id).await {
        Ok(session) => Ok((!session.erased).then_some(session)),
        Err(StoreError::Gone) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Locks several sessions, in the order of their numbers whatever the order given, and reads them in the order given.
pub async fn lock_all(tx: &mut Tx<'_>, ids: &[i64]) -> Result<Vec<Session>, StoreError> {
    let mut ordered = ids.to_vec();
    ordered.sort_unstable();
    for id in ordered {
        hold(tx, id).await?;
    }
    let mut sessions = Vec::with_capacity(ids.len());
    for id in ids {
        sessions.push(get_in_use(tx, *id).await?);
    }
    Ok(sessions)
}

/// The tree of a session, if it is still there.
pub async fn tree_of(tx: &mut Tx<'_>, id: i64) -> Result<Option<i64>, StoreError> {
    let row = tx.optional(sql!("SELECT tree_id FROM sessions WHERE id = $1"), params![id]).await?;
    row.map(|row| row.get("tree_id")).transpose()
}

/// Reads a session without locking it; [`StoreError::Gone`] if there is none.
pub async fn get(tx: &mut Tx<'_>, id: i64) -> Result<Session, StoreError> {
    let row = tx
        .optional(
            sql!(
                "SELECT s.*, (SELECT t.id FROM turns t WHERE t.session_id = s.id
                              AND t.status IN ('running', 'waiting')) AS open_turn,
                     (SELECT COUNT(*) FROM inbox i WHERE i.session_id = s.id AND i.turn_id IS NULL) AS pending
                 FROM sessions s WHERE s.id = $1"
            ),
            params![id],
        )
        .await?
        .ok_or(StoreError::Gone)?;
    Session::read(tx, &row)
}

/// The session with this key, if there is one.
pub async fn find_key(tx: &mut Tx<'_>, key: &str) -> Result<Option<i64>, StoreError> {
    let row = tx.optional(sql!("SELECT id FROM sessions WHERE key = $1"), params![key]).await?;
    row.map(|row| row.get("id")).transpose()
}

/// The session that a conversation's others are children of: its oldest.
pub async fn root_of_conversation(tx: &mut Tx<'_>, conversation_id: i64) -> Result<Option<i64>, StoreError> {
    let row = tx
        .optional(
            sql!(
                "SELECT id FROM sessions WHERE conversation_id = $1 AND parent_id IS NULL AND archived_at IS NULL
                 ORDER BY id LIMIT 1"
            ),
            params![conversation_id],
        )
        .await?;
    row.map(|row| row.get("id")).transpose()
}

/// The stable key of a session.
pub async fn key(tx: &mut Tx<'_>, id: i64) -> Result<String, StoreError> {
    tx.one(sql!("SELECT key FROM sessions WHERE id = $1"), params![id]).await?.get("key")
}

/// The session of an agent for a conversation, if it has one.
pub async fn find(tx: &mut Tx<'_>, conversation_id: i64, agent: &str) -> Result<Option<i64>, StoreError> {
    for stored in tx.ids_of(agent) {
        let row = tx
            .optional(
                sql!(
                    "SELECT id FROM sessions WHERE conversation_id = $1 AND agent = $2 AND kind <> 'subagent'"
                ),
                params![conversation_id, stored],
            )
            .await?;
        if let Some(row) = row {
            return row.get("id").map(Some);
        }
    }
    Ok(None)
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

/// What a forked session begins with: what another had said up to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fork {
    /// The other session.
    pub session_id: i64,
    /// Its generation then.
    pub generation: i64,
    /// The last entry that counts.
    pub seq: i64,
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
    /// What it is called; free in its tree.
    pub label: Option<&'a str>,
    /// The conversation it belongs to, where it is known.
    pub conversation_id: Option<i64>,
    /// The session above it, locked or at least read in this transaction; `None` starts a tree.
    pub parent: Option<&'a Session>,
    /// What it was made for, in words.
    pub task: Option<&'a str>,
    /// What it begins with.
    pub fork: Option<Fork>,
    /// The model it thinks with, where it is not its agent's.
    pub model: Option<&'a str>,
}

/// Makes a session and returns its id.
pub async fn create(tx: &mut Tx<'_>, new: &NewSession<'_>) -> Result<i64, StoreError> {
    let tree_id: i64 = match new.parent {
        Some(parent) => parent.tree_id,
        None => tx
            .one(sql!("INSERT INTO trees (created_at) VALUES ($1) RETURNING id"), params![tx.now()])
            .await?
            .get("id")?,
    };
    tx.one(
        sql!(
            "INSERT INTO sessions (tree_id, key, generation, kind, agent, label, label_key, conversation_id, parent_id,
                 depth, task, fork_id, fork_generation, fork_seq, model, next_seq, created_at, updated_at)
             VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 1, $15, $15)
             ON CONFLICT (key) DO UPDATE SET key = excluded.key RETURNING id"
        ),
        params![
            tree_id,
            new.key,
            new.kind.as_str(),
            new.agent,
            new.label,
            new.label.map(str::to_ascii_lowercase),
            new.conversation_id,
            new.parent.map(|parent| parent.id),
            new.parent.map_or(0, |parent| parent.depth + 1),
            new.task,
            new.fork.map(|fork| fork.session_id),
            new.fork.map(|fork| fork.generation),
            new.fork.map(|fork| fork.seq),
            new.model,
            tx.now(),
        ],
    )
    .await?
    .get("id")
}

/// What a session begins with, if it was forked.
pub async fn fork(tx: &mut Tx<'_>, id: i64) -> Result<Option<Fork>, StoreError> {
    let row = tx
        .one(sql!("SELECT fork_id, fork_generation, fork_seq FROM sessions WHERE id = $1"), params![id])
        .await?;
    Ok(match row.get::<Option<i64>>("fork_id")? {
        Some(session_id) => {
            Some(Fork { session_id, generation: row.get("fork_generation")?, seq: row.get("fork_seq")? })
        }
        None => None,
    })
}

/// The conversation of a spawned session is there now.
pub async fn place(tx: &mut Tx<'_>, id: i64, conversation_id: i64) -> Result<(), StoreError> {
    tx.execute(sql!("UPDATE sessions SET conversation_id = $2 WHERE id = $1"), params![id, conversation_id])
        .await?;
    Ok(())
}

/// Ends a session: it stays readable, is spoken to no more, and its label is free.
pub async fn archive(tx: &mut Tx<'_>, id: i64) -> Result<(), StoreError> {
    tx.execute(
        sql!("UPDATE sessions SET archived_at = $2, updated_at = $2 WHERE id = $1 AND archived_at IS NULL"),
        params![id, tx.now()],
    )
    .await?;
    Ok(())
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

/// What a session has cost so far, in US dollars × 1,000,000.
pub async fn cost_micros(tx: &mut Tx<'_>, id: i64) -> Result<i64, StoreError> {
    tx.one(sql!("SELECT cost_micros FROM sessions WHERE id = $1"), params![id]).await?.get("cost_micros")
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
