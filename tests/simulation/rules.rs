//! What must hold whenever a transaction is over, and at the end.

use std::collections::BTreeMap;

use async_trait::async_trait;
use roundtable::store::{Audit, Param, Read, Row, Sql, Store, StoreError, Tx};

use super::node::{MAX_CHILDREN, MAX_DEPTH};
use super::world::World;

/// What must never be, with a statement that counts it.
const NEVER: [(&str, &str); 8] = [
    (
        "waits for children that nobody can end",
        "SELECT COUNT(*) AS broken FROM waits w JOIN turns t ON t.id = w.turn_id
         WHERE w.resolved_at IS NULL AND w.kind = 'runs' AND NOT EXISTS (
             SELECT 1 FROM runs r WHERE r.requester_id = w.session_id AND r.requester_generation = t.generation
                AND r.ended_at IS NULL)",
    ),
    (
        "waits for an answer in an exchange that has ended",
        "SELECT COUNT(*) AS broken FROM waits w JOIN exchanges e ON e.id = w.exchange_id
         WHERE w.resolved_at IS NULL AND e.ended_at IS NOT NULL",
    ),
    (
        "open waits of turns that do not wait",
        "SELECT COUNT(*) AS broken FROM waits w JOIN turns t ON t.id = w.turn_id
         WHERE w.resolved_at IS NULL AND t.status <> 'waiting'",
    ),
    (
        "turns that wait for nothing that ever was",
        "SELECT COUNT(*) AS broken FROM turns t
         WHERE t.status = 'waiting' AND NOT EXISTS (SELECT 1 FROM waits w WHERE w.turn_id = t.id)",
    ),
    (
        "steps that were answered twice",
        "SELECT COUNT(*) AS broken FROM (SELECT 1 AS one FROM entries WHERE role = 'assistant'
             GROUP BY turn_id, step HAVING COUNT(*) > 1) twice",
    ),
    (
        "parts that were stored twice",
        "SELECT COUNT(*) AS broken FROM (SELECT 1 AS one FROM deliveries
             GROUP BY answer, part HAVING COUNT(*) > 1) twice",
    ),
    (
        "messages that were taken twice",
        "SELECT COUNT(*) AS broken FROM (SELECT 1 AS one FROM inbox WHERE message_id IS NOT NULL AND wake = 1
             GROUP BY session_id, conversation_id, message_id HAVING COUNT(*) > 1) twice",
    ),
    (
        "runs that ended without an outcome",
        "SELECT COUNT(*) AS broken FROM runs WHERE (ended_at IS NULL) <> (outcome IS NULL)",
    ),
];

/// Numbers with limits.
const LIMITS: [(&str, &str, i64); 2] = [
    (
        "live children of one session",
        "SELECT COALESCE(MAX(live), 0) AS most FROM (SELECT COUNT(*) AS live FROM runs WHERE ended_at IS NULL
             AND turn_id <> 0 GROUP BY requester_id) counted",
        MAX_CHILDREN,
    ),
    ("levels", "SELECT COALESCE(MAX(depth), 0) AS most FROM sessions", MAX_DEPTH),
];

fn sql(text: &'static str) -> Sql {
    Sql { lite: text, pg: text }
}

/// What was seen of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    status: String,
    token: i64,
    entries: i64,
    said: i64,
}

impl Seen {
    fn has_ended(&self) -> bool {
        !["running", "waiting"].contains(&self.status.as_str())
    }
}

/// Looks after the rules of a world.
#[derive(Default)]
pub struct Watch {
    turns: BTreeMap<i64, Seen>,
}

impl Watch {
    /// Looks at what must hold at any moment.
    pub async fn look(&mut self, world: &World, store: &Store) {
        world.count(|counts| counts.checks += 1);
        let seen = store.read(Look).await.expect("the database can be read");
        seen.broken.iter().for_each(|rule| world.breaks(rule));
        for (id, turn) in seen.turns {
            let Some(before) = self.turns.insert(id, turn.clone()) else { continue };
            if before.has_ended() && turn != before {
                world.breaks(format_args!("turn {id} had ended and has changed: {before:?}, {turn:?}"));
            }
            if turn.token < before.token || turn.entries < before.entries || turn.said < before.said {
                world.breaks(format_args!("turn {id} has gone back: {before:?}, {turn:?}"));
            }
        }
    }

    /// What is not over yet, or wrong, of a world at rest.
    pub async fn audit(world: &World, store: &Store) -> Vec<String> {
        world.count(|counts| counts.checks += 1);
        let mut broken = store.read(Audit).await.expect("the database can be read");
        let read = store.read(Taken).await.expect("the database can be read");
        for heard in world.platform.heard() {
            let message = &heard.message;
            let name = format!("message {} of {}", message.id, message.conversation);
            if !read.events.contains(message.key.as_str()) {
                broken.push(format!("{name} was not accepted"));
            }
            let takers = read.items.get(&(message.conversation.to_string(), message.id.0)).copied();
            if heard.for_agents && takers != Some(1) {
                broken.push(format!("{name} was read by {} turns", takers.unwrap_or(0)));
            }
        }
        broken
    }
}

/// What is not over, a line each, for the story of a world that does not come to rest.
pub async fn left_over(store: &Store) -> Vec<String> {
    store.read(LeftOver).await.expect("the database can be read")
}

const OPEN: &str = "SELECT 'turn ' || id || ' of session ' || session_id || ' is ' || status || ', token ' || token
         || ', step ' || step || ', lease until ' || lease_until || ', of ' || node AS line
     FROM turns WHERE status IN ('running', 'waiting')
     UNION ALL SELECT 'wait ' || id || ' of turn ' || turn_id || ', ' || kind || ', step ' || step || ', due '
         || COALESCE(due_at, 0) || ', ' || COALESCE(outcome, 'open') FROM waits
     WHERE turn_id IN (SELECT id FROM turns WHERE status IN ('running', 'waiting'))
     UNION ALL SELECT kind || ' item ' || id || ' of session ' || session_id || ', not before ' || not_before
     FROM inbox WHERE turn_id IS NULL AND wake = 1
     UNION ALL SELECT 'run ' || id || ' of session ' || session_id || ' for session ' || requester_id
         || ' is ' || status || ', due ' || COALESCE(due_at, 0) FROM runs WHERE ended_at IS NULL
     UNION ALL SELECT 'exchange ' || id || ' of session ' || sender_id || ' with session ' || target_id
         || ', next ' || next_id FROM exchanges WHERE ended_at IS NULL
     UNION ALL SELECT 'delivery ' || id || ' is ' || state || ', due ' || due_at || ': ' || COALESCE(error, '')
     FROM deliveries WHERE state IN ('pending', 'sending', 'unknown', 'failed')";

struct LeftOver;

#[async_trait]
impl Read for LeftOver {
    type Output = Vec<String>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<String>, StoreError> {
        let none: [Param<'_>; 0] = [];
        tx.all(sql(OPEN), &none).await?.iter().map(|row| row.get("line")).collect()
    }
}

struct Look;

struct Looked {
    broken: Vec<String>,
    turns: Vec<(i64, Seen)>,
}

#[async_trait]
impl Read for Look {
    type Output = Looked;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Looked, StoreError> {
        let none: [Param<'_>; 0] = [];
        let mut broken = Vec::new();
        for (rule, count) in NEVER {
            let count: i64 = tx.one(sql(count), &none).await?.get("broken")?;
            if count > 0 {
                broken.push(format!("{count} {rule}"));
            }
        }
        for (what, most, limit) in LIMITS {
            let most: i64 = tx.one(sql(most), &none).await?.get("most")?;
            if most > limit {
                broken.push(format!("{most} {what}, of {limit}"));
            }
        }
        let text = "SELECT t.id, t.status, t.token, COALESCE(e.entries, 0) AS entries, COALESCE(d.said, 0) AS said
             FROM turns t
             LEFT JOIN (SELECT turn_id, COUNT(*) AS entries FROM entries GROUP BY turn_id) e ON e.turn_id = t.id
             LEFT JOIN (SELECT turn_id, COUNT(*) AS said FROM deliveries WHERE turn_id IS NOT NULL
                        GROUP BY turn_id) d ON d.turn_id = t.id
             ORDER BY t.id";
        let read = |row: &Row| {
            let (status, token) = (row.get("status")?, row.get("token")?);
            let seen = Seen { status, token, entries: row.get("entries")?, said: row.get("said")? };
            Ok((row.get("id")?, seen))
        };
        let turns = tx.all(sql(text), &none).await?;
        let turns = turns.iter().map(read).collect::<Result<_, StoreError>>()?;
        Ok(Looked { broken, turns })
    }
}

struct Taken;

struct Accepted {
    events: std::collections::BTreeSet<String>,
    /// Messages, by conversation and number, with how many turns have taken them.
    items: BTreeMap<(String, i64), i64>,
}

#[async_trait]
impl Read for Taken {
    type Output = Accepted;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Accepted, StoreError> {
        let none: [Param<'_>; 0] = [];
        let events = tx.all(sql("SELECT key FROM events"), &none).await?;
        let events = events.iter().map(|row| row.get("key")).collect::<Result<_, _>>()?;
        let text = "SELECT c.channel || ':' || c.account || ':' || c.chat
                 || CASE WHEN c.thread = '' THEN '' ELSE ':' || c.thread END AS place, i.message_id,
                 COUNT(DISTINCT i.turn_id) AS takers
             FROM inbox i JOIN conversations c ON c.id = i.conversation_id
             WHERE i.message_id IS NOT NULL GROUP BY c.id, i.message_id";
        let rows = tx.all(sql(text), &none).await?;
        let item = |row: &Row| Ok(((row.get("place")?, row.get("message_id")?), row.get("takers")?));
        let items = rows.iter().map(item).collect::<Result<_, StoreError>>()?;
        Ok(Accepted { events, items })
    }
}
