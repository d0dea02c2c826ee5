//! What must hold whenever a transaction is over, and at the end.

mod left_over;
mod never;

use std::collections::BTreeMap;

use async_trait::async_trait;
use roundtable::store::{Audit, Param, Read, Row, Sql, Store, StoreError, Tx};

use super::world::World;
use never::{LIMITS, NEVER};

pub use left_over::left_over;

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
