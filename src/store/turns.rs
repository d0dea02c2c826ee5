//! Turns: one activation of a session each, owned by one worker at a time.

use super::conversations::{self, Place};
use super::inbox::ItemKind;
use super::{Row, StoreError, Tx, params, sql, words};

words!(
    /// What a turn is doing or how it ended.
    TurnStatus {
        /// A worker is at it, or will be when a lease is over.
        Running = "running",
        /// It is a row that waits for an event or a time.
        Waiting = "waiting",
        /// It answered.
        Done = "done",
        /// It could not.
        Failed = "failed",
        /// Somebody stopped it.
        Cancelled = "cancelled",
        /// Its time was over.
        TimedOut = "timed_out",
    }
);

/// What a worker holds while it works at a turn: without the right token it changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Its row.
    pub id: i64,
    /// The fencing token of this claim.
    pub token: i64,
    /// The session.
    pub session_id: i64,
    /// Its tree.
    pub tree_id: i64,
    /// The session's generation when the turn began.
    pub generation: i64,
    /// The agent.
    pub agent: String,
    /// The item that started it.
    pub trigger_id: i64,
    /// The origin conversation.
    pub conversation_id: i64,
    /// The exchange it is a turn of.
    pub exchange_id: Option<i64>,
    /// Claims in a row after which nothing was committed, this one included.
    pub claims: i64,
    /// When its time is over.
    pub deadline: i64,
}

/// Who claims, and how long a claim holds without renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimant {
    /// This process.
    pub node: String,
    /// Milliseconds.
    pub lease: i64,
}

fn read(tx: &Tx<'_>, row: &Row) -> Result<Turn, StoreError> {
    Ok(Turn {
        id: row.get("id")?,
        token: row.get("token")?,
        session_id: row.get("session_id")?,
        tree_id: row.get("tree_id")?,
        generation: row.get("generation")?,
        agent: tx.agent(row)?,
        trigger_id: row.get("trigger_id")?,
        conversation_id: row.get("conversation_id")?,
        exchange_id: row.get("exchange_id")?,
        claims: row.get("claims")?,
        deadline: row.get("deadline")?,
    })
}

/// What a new turn is made of.
#[derive(Debug, Clone, Copy)]
pub struct NewTurn<'a> {
    /// The session; its lock is held.
    pub session: &'a super::sessions::Session,
    /// The item that starts it.
    pub trigger: &'a super::inbox::Item,
    /// Milliseconds it may take.
    pub timeout: i64,
    /// `Running` with a claimant, or an end for a turn that only records what became of its items.
    pub status: TurnStatus,
}

/// Opens a turn for the claimant.
pub async fn open(tx: &mut Tx<'_>, new: &NewTurn<'_>, by: &Claimant) -> Result<Turn, StoreError> {
    let now = tx.now();
    let ended = (new.status != TurnStatus::Running).then_some(now);
    let row = tx
        .one(
            sql!(
                "INSERT INTO turns (session_id, tree_id, generation, agent, status, trigger_id, conversation_id,
                                    exchange_id, node, token, lease_until, held_at, claims, step, deadline,
                                    created_at, ended_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10, $11, 1, 0, $12, $11, $13) RETURNING *"
            ),
            params![
                new.session.id,
                new.session.tree_id,
                new.session.generation,
                &new.session.agent,
                new.status.as_str(),
                new.trigger.id,
                new.trigger.conversation_id,
                new.trigger.exchange_id,
                &by.node,
                now + by.lease,
                now,
                now + new.timeout,
                ended,
            ],
        )
        .await?;
    read(tx, &row)
}

/// Records progress of a turn that the caller owns; [`StoreError::Stale`] if it doesn't any more.
/// The caller has locked the session.
pub async fn progress(tx: &mut Tx<'_>, turn: &Turn, step: i64) -> Result<(), StoreError> {
    #[cfg(feature = "planted-faults")]
    let turn = &super::planted::unchecked(tx, turn).await?;
    let changed = tx
        .execute(
            sql!(
                "UPDATE turns SET claims = 0, step = $3 WHERE id = $1 AND token = $2 AND status = 'running'"
            ),
            params![turn.id, turn.token, step],
        )
        .await?;
    if changed == 0 { Err(StoreError::Stale) } else { Ok(()) }
}

/// The same of a step's answer, which is the entry `seq` of its session. [`StoreError::Duplicate`]: the step has one, of
/// which the caller was told nothing for so long that it asked again.
pub async fn answered(tx: &mut Tx<'_>, turn: &Turn, step: i64, seq: i64) -> Result<(), StoreError> {
    #[cfg(feature = "planted-faults")]
    let turn = &super::planted::unchecked(tx, turn).await?;
    let changed = tx
        .execute(
            sql!(
                "UPDATE turns SET claims = 0, step = $3 WHERE id = $1 AND token = $2 AND status = 'running'
                   AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.session_id = $4 AND e.seq = $5 AND e.turn_id = $1
                       AND e.step = $3 AND e.role = 'assistant')"
            ),
            params![turn.id, turn.token, step, turn.session_id, seq - 1],
        )
        .await?;
    if changed == 0 {
        check(tx, turn).await?;
        return Err(StoreError::Duplicate);
    }
    Ok(())
}

/// [`StoreError::Stale`] if a turn is not the caller's any more.
pub async fn check(tx: &mut Tx<'_>, turn: &Turn) -> Result<(), StoreError> {
    #[cfg(feature = "planted-faults")]
    let turn = &super::planted::unchecked(tx, turn).await?;
    let held = tx
        .optional(
            sql!("SELECT id FROM turns WHERE id = $1 AND token = $2 AND status = 'running'"),
            params![turn.id, turn.token],
        )
        .await?;
    held.map(drop).ok_or(StoreError::Stale)
}

/// Where a turn is at work, and what it is tied to; [`StoreError::Stale`] if it is not the caller's any more.
pub async fn desk(tx: &mut Tx<'_>, turn: &Turn) -> Result<(Place, Ties), StoreError> {
    #[cfg(feature = "planted-faults")]
    let turn = &super::planted::unchecked(tx, turn).await?;
    let row = tx
        .optional(
            sql!(
                "SELECT c.id, c.channel, c.account, c.chat, c.thread, c.kind, c.title, c.guild, c.parent, c.run_id,
                     c.moved_at, c.space_id, i.kind AS trigger_kind, s.kind AS session_kind, s.key, s.label, s.model,
                     CASE WHEN EXISTS (SELECT 1 FROM sessions o WHERE o.tree_id = s.tree_id AND o.id <> s.id)
                         THEN CAST(0 AS BIGINT) ELSE CAST(1 AS BIGINT) END AS alone
                 FROM turns t JOIN conversations c ON c.id = t.conversation_id JOIN sessions s ON s.id = t.session_id
                     JOIN inbox i ON i.id = t.trigger_id
                 WHERE t.id = $1 AND t.token = $2 AND t.status = 'running'"
            ),
            params![turn.id, turn.token],
        )
        .await?
        .ok_or(StoreError::Stale)?;
    Ok((conversations::read(&row)?, Ties::read(&row)?))
}

/// Ends a turn that the caller owns, or suspends it (`Waiting`); [`StoreError::Stale`] if it is not the
/// caller's any more.
pub async fn leave(
    tx: &mut Tx<'_>,
    turn: &Turn,
    status: TurnStatus,
    reason: Option<&str>,
) -> Result<(), StoreError> {
    #[cfg(feature = "planted-faults")]
    let turn = &super::planted::unchecked(tx, turn).await?;
    let ended = (status != TurnStatus::Waiting).then_some(tx.now());
    let changed = tx
        .execute(
            sql!(
                "UPDATE turns SET status = $3, reason = $4, ended_at = $5, claims = 0, lease_until = 0, held_at = $6
                 WHERE id = $1 AND token = $2 AND status = 'running'"
            ),
            params![turn.id, turn.token, status.as_str(), reason, ended, tx.now()],
        )
        .await?;
    if changed == 0 { Err(StoreError::Stale) } else { Ok(()) }
}

/// Takes the time until `due_at` from a turn that was just suspended: as its deadline moves by all the time that it waits,
/// it comes earlier by what of that is known now. What nobody is there for after `due_at` is not taken.
pub async fn pay(tx: &mut Tx<'_>, turn: &Turn, due_at: i64) -> Result<(), StoreError> {
    tx.execute(
        sql!("UPDATE turns SET deadline = deadline - ($2 - held_at) WHERE id = $1"),
        params![turn.id, due_at],
    )
    .await?;
    Ok(())
}

/// Cancels an open turn, whoever owns it: its worker finds its token worthless. The caller has locked
/// the session.
pub async fn cancel(tx: &mut Tx<'_>, turn_id: i64, reason: &str) -> Result<(), StoreError> {
    tx.execute(
        sql!(
            "UPDATE turns SET status = 'cancelled', reason = $2, ended_at = $3, token = token + 1, lease_until = 0
             WHERE id = $1 AND status IN ('running', 'waiting')"
        ),
        params![turn_id, reason, tx.now()],
    )
    .await?;
    tx.execute(
        sql!(
            "UPDATE waits SET resolved_at = $2, outcome = 'cancelled' WHERE turn_id = $1 AND resolved_at IS NULL"
        ),
        params![turn_id, tx.now()],
    )
    .await?;
    Ok(())
}

/// Whether a session's open turn is one of this conversation.
pub async fn is_open_in(tx: &mut Tx<'_>, session_id: i64, conversation_id: i64) -> Result<bool, StoreError> {
    let row = tx
        .optional(
            sql!(
                "SELECT id FROM turns WHERE session_id = $1 AND conversation_id = $2 AND status IN ('running', 'waiting')"
            ),
            params![session_id, conversation_id],
        )
        .await?;
    Ok(row.is_some())
}

/// A turn as it is.
pub async fn get(tx: &mut Tx<'_>, id: i64) -> Result<Turn, StoreError> {
    let row = tx.one(sql!("SELECT * FROM turns WHERE id = $1"), params![id]).await?;
    read(tx, &row)
}

/// What a turn's session and trigger are: what its end means to others follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ties {
    /// What started it.
    pub trigger: ItemKind,
    /// Its session was spawned.
    pub spawned: bool,
    /// The stable key of its session.
    pub key: String,
    /// The label of its session.
    pub label: Option<String>,
    /// The model that its session thinks with, where it is not its agent's.
    pub model: Option<String>,
    /// Its session is the only one of its tree.
    pub alone: bool,
}

impl Ties {
    /// Whether a person speaks with its session, and not only who has spawned it.
    pub fn is_spoken_with(&self) -> bool {
        !self.spawned || self.trigger == ItemKind::User
    }

    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            trigger: ItemKind::read(&row.get::<String>("trigger_kind")?)?,
            spawned: row.get::<String>("session_kind")? == super::sessions::Kind::Subagent.as_str(),
            key: row.get("key")?,
            label: row.get("label")?,
            model: row.get("model")?,
            alone: row.flag("alone")?,
        })
    }

    /// Whether others may be waiting for the turn's end. If so, it is decided under the tree's lock.
    pub fn bind(&self, turn: &Turn) -> bool {
        self.spawned || turn.exchange_id.is_some() || self.trigger == ItemKind::Announce
    }
}

/// What a turn is tied to.
pub async fn ties(tx: &mut Tx<'_>, turn_id: i64) -> Result<Ties, StoreError> {
    let row = tx
        .one(
            sql!(
                "SELECT i.kind AS trigger_kind, s.kind AS session_kind, s.key, s.label, s.model, CAST(0 AS BIGINT) AS alone
                 FROM turns t JOIN inbox i ON i.id = t.trigger_id JOIN sessions s ON s.id = t.session_id
                 WHERE t.id = $1"
            ),
            params![turn_id],
        )
        .await?;
    Ties::read(&row)
}

/// The person whose wish led to a turn.
pub async fn asked_by(tx: &mut Tx<'_>, turn_id: i64) -> Result<String, StoreError> {
    let trigger = get(tx, turn_id).await?.trigger_id;
    person_behind(tx, trigger).await
}

/// The person whose wish led to an inbox item: who wrote it or, where agents lie between, who wrote what their turns
/// began with. What is being erased leads no further.
pub async fn person_behind(tx: &mut Tx<'_>, item_id: i64) -> Result<String, StoreError> {
    let (mut id, mut sender) = (item_id, String::new());
    loop {
        // What a run was asked for with, where the item is of one.
        let row = tx
            .optional(
                sql!(
                    "SELECT i.sender, i.kind, (
                         SELECT COALESCE(t.trigger_id, (SELECT MIN(p.id) FROM inbox p WHERE p.run_id = r.id AND p.kind = 'user'))
                         FROM runs r LEFT JOIN turns t ON t.id = r.turn_id WHERE r.id = i.run_id) AS asked
                     FROM inbox i WHERE i.id = $1"
                ),
                params![id],
            )
            .await?;
        let Some(row) = row else { return Ok(sender) };
        sender = row.get("sender")?;
        let before = match ItemKind::read(row.text("kind")?)? {
            ItemKind::User => None,
            ItemKind::Agent => sending(tx, id).await?.map(|turn| turn.trigger_id),
            ItemKind::Task | ItemKind::Announce | ItemKind::System => row.get("asked")?,
        };
        match before {
            Some(before) => id = before,
            None => return Ok(sender),
        }
    }
}

/// The turn in which an agent sent an item: the one that it had open then.
pub async fn sending(tx: &mut Tx<'_>, item_id: i64) -> Result<Option<Turn>, StoreError> {
    // Where one turn ended and the next began in that millisecond, it was the first: a turn does not send as it begins.
    let row = tx
        .optional(
            sql!(
                "SELECT t.* FROM inbox i JOIN sessions s ON s.key = i.sender JOIN turns t ON t.session_id = s.id
                 WHERE i.id = $1 AND t.trigger_id < i.id AND t.created_at <= i.created_at
                   AND (t.ended_at IS NULL OR t.ended_at >= i.created_at) ORDER BY t.id LIMIT 1"
            ),
            params![item_id],
        )
        .await?;
    row.map(|row| read(tx, &row)).transpose()
}

/// Turns whose worker is gone: still `running`, lease over. Ordered as their index is: by id, both databases would
/// go through all turns that ever were.
pub async fn abandoned(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<(i64, i64)>, StoreError> {
    tx.all(
        sql!(
            "SELECT id, session_id FROM turns WHERE status = 'running' AND lease_until < $1
             ORDER BY lease_until LIMIT $2"
        ),
        params![tx.now(), limit],
    )
    .await?
    .iter()
    .map(|row| Ok((row.get("id")?, row.get("session_id")?)))
    .collect()
}

/// Takes over an abandoned turn, or a waiting one whose wait was resolved. Its deadline moves by the time
/// during which nobody held it. `None`: somebody else was faster. The caller has locked the session.
pub async fn take(
    tx: &mut Tx<'_>,
    turn_id: i64,
    from: TurnStatus,
    by: &Claimant,
) -> Result<Option<Turn>, StoreError> {
    let now = tx.now();
    let row = tx
        .optional(
            sql!(
                "UPDATE turns SET status = 'running', node = $3, token = token + 1, lease_until = $4,
                     claims = claims + 1, deadline = deadline + ($5 - held_at), held_at = $5
                 WHERE id = $1 AND status = $2 AND lease_until < $5 RETURNING *"
            ),
            params![turn_id, from.as_str(), &by.node, now + by.lease, now],
        )
        .await?;
    row.map(|row| read(tx, &row)).transpose()
}

/// Keeps those of a node's running turns that it says it drives; their deadlines move by the time during which their
/// leases were over. One that was claimed for somebody who was gone when the claim was stored is driven by nobody: its
/// lease ends, and it is taken up.
pub async fn renew(tx: &mut Tx<'_>, by: &Claimant, driven: &[i64]) -> Result<(), StoreError> {
    if driven.is_empty() {
        return Ok(());
    }
    let now = tx.now();
    tx.execute(
        sql!(
            lite: "UPDATE turns SET deadline = deadline + CASE WHEN $3 - held_at > $2 - $3 THEN $3 - held_at ELSE 0 END,
                       lease_until = $2, held_at = $3
                   WHERE id IN (SELECT value FROM json_each($4)) AND node = $1 AND status = 'running' AND lease_until > 0",
            pg: "UPDATE turns SET deadline = deadline + CASE WHEN $3 - held_at > $2 - $3 THEN $3 - held_at ELSE 0 END,
                     lease_until = $2, held_at = $3
                 WHERE id IN (SELECT CAST(value AS BIGINT) FROM json_array_elements_text(CAST($4 AS JSON)))
                   AND node = $1 AND status = 'running' AND lease_until > 0"
        ),
        params![&by.node, now + by.lease, now, serde_json::to_string(driven).expect("numbers are always JSON")],
    )
    .await?;
    Ok(())
}

/// Gives all of a node's running turns back, so that they go on at once elsewhere. Not a failed claim.
pub async fn release_all(tx: &mut Tx<'_>, node: &str) -> Result<(), StoreError> {
    tx.execute(
        sql!(
            "UPDATE turns SET lease_until = 0, held_at = $2, claims = claims - 1, token = token + 1
             WHERE node = $1 AND status = 'running'"
        ),
        params![node, tx.now()],
    )
    .await?;
    Ok(())
}

/// How many turns of an agent are at work.
pub async fn count_running(tx: &mut Tx<'_>, agent: &str) -> Result<i64, StoreError> {
    let mut count = 0;
    for stored in tx.ids_of(agent) {
        let sql = sql!("SELECT COUNT(*) AS count FROM turns WHERE status = 'running' AND agent = $1");
        count += tx.one(sql, params![stored]).await?.get::<i64>("count")?;
    }
    Ok(count)
}

/// Whether an agent may begin one more turn, of which `cap` may be at work on all nodes; 0: as many as there are. If
/// so, nobody else of that agent begins one before the end of the transaction.
pub async fn has_room(tx: &mut Tx<'_>, agent: &str, cap: i64) -> Result<bool, StoreError> {
    if cap == 0 {
        return Ok(true);
    }
    // Nobody waits for the lock only to be told that there is no room.
    if count_running(tx, agent).await? >= cap {
        return Ok(false);
    }
    // The first number is any that nothing else in this program locks.
    tx.lock(sql!(lite: "SELECT $1", pg: "SELECT pg_advisory_xact_lock(7332, hashtext($1))"), params![agent])
        .await?;
    Ok(count_running(tx, agent).await? < cap)
}

/// Gives one running turn back without progress.
pub async fn abandon(tx: &mut Tx<'_>, turn_id: i64, node: &str) -> Result<(), StoreError> {
    tx.execute(
        sql!("UPDATE turns SET lease_until = 0, held_at = $3 WHERE id = $1 AND node = $2 AND status = 'running'"),
        params![turn_id, node, tx.now()],
    )
    .await?;
    Ok(())
}
