//! What must hold whenever a transaction is over, and at the end.

mod delivered;
mod heard;
mod left_over;
mod never;
mod timers;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use roundtable::store::{Audit, Param, Read, Row, Sql, Store, StoreError, Tx};
use roundtable::time::Clock as _;

use super::node::Setup;
use super::world::{World, lock};
use delivered::Said;
use heard::Came;
use never::{LIMITS, NEVER};
use timers::{Due, Timers};

pub use left_over::left_over;

/// So many of a hundred worlds are looked at after every commit.
const CLOSELY: u64 = 10;

/// No parameters.
const NONE: [Param<'_>; 0] = [];

/// What only grows of a turn, until it ends.
const TURNS: &str =
    "SELECT t.id, t.status, t.token, COALESCE(e.entries, 0) AS entries, COALESCE(d.said, 0) AS said
     FROM turns t
     LEFT JOIN (SELECT turn_id, COUNT(*) AS entries FROM entries GROUP BY turn_id) e ON e.turn_id = t.id
     LEFT JOIN (SELECT turn_id, COUNT(*) AS said FROM deliveries WHERE turn_id IS NOT NULL
                GROUP BY turn_id) d ON d.turn_id = t.id";

/// What ends once, and how it has ended.
const ENDED: &str =
    "SELECT 'run ' || id AS name, status || ', wait ' || COALESCE(wait_id, 0) || ', ' || ended_at || ', '
         || COALESCE(outcome, '') AS how FROM runs WHERE ended_at IS NOT NULL
     UNION ALL SELECT 'wait ' || id, outcome || ', ' || resolved_at FROM waits WHERE resolved_at IS NOT NULL
     UNION ALL SELECT 'exchange ' || id, COALESCE(reason, '') || ', turn ' || turns || ', ' || ended_at
     FROM exchanges WHERE ended_at IS NOT NULL";

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
    /// Whether a turn may have become this.
    fn follows(&self, before: &Self) -> bool {
        let open = ["running", "waiting"].contains(&before.status.as_str());
        let grown = self.token >= before.token && self.entries >= before.entries && self.said >= before.said;
        if open { grown } else { self == before }
    }
}

/// What was seen of a world.
#[derive(Default)]
struct Before {
    turns: BTreeMap<i64, Seen>,
    ended: BTreeMap<String, String>,
}

/// Looks after the rules of a world.
pub struct Watch {
    world: Arc<World>,
    store: Store,
    setup: Setup,
    /// It looks after every commit.
    closely: bool,
    before: Mutex<Before>,
    timers: Mutex<Timers>,
}

impl Watch {
    /// Looks at the world's database with the eyes of `store`.
    pub fn new(world: &Arc<World>, store: Store, setup: &Setup) -> Self {
        let closely = world.chance(CLOSELY);
        Self {
            world: world.clone(),
            store,
            setup: setup.clone(),
            closely,
            before: Mutex::default(),
            timers: Mutex::default(),
        }
    }

    /// Looks at what a commit has left, in a world that is watched closely.
    pub async fn glance(&self) {
        if self.closely && self.world.is_sound() {
            self.look().await;
        }
    }

    /// Looks at what must hold at any moment.
    pub async fn look(&self) {
        let world = &self.world;
        world.count(|counts| counts.checks += 1);
        let (broken, now) = self.store.read(Look(&self.setup)).await.expect("the database can be read");
        broken.iter().for_each(|rule| world.breaks(rule));
        let times = self.store.read(Due).await.expect("the database can be read");
        lock(&self.timers).take(times).iter().for_each(|early| world.breaks(early));
        let mut before = lock(&self.before);
        for (id, turn) in &before.turns {
            let now = now.turns.get(id);
            if !now.is_some_and(|now| now.follows(turn)) {
                world.breaks(format_args!("turn {id} had ended, or goes back: {turn:?}, {now:?}"));
            }
        }
        for (name, how) in &before.ended {
            if now.ended.get(name) != Some(how) {
                let now = now.ended.get(name);
                world.breaks(format_args!("{name} had ended and has changed: {how}, {now:?}"));
            }
        }
        *before = now;
    }

    /// The last node has gone.
    pub async fn nobody(&self) {
        self.look().await;
        lock(&self.timers).gone(self.world.clock.now());
    }

    /// After that a node comes.
    pub fn somebody(&self) {
        lock(&self.timers).back(self.world.clock.now());
    }

    /// What is not over yet, or wrong, now that the world should be at rest.
    pub async fn audit(&self) -> Vec<String> {
        let (world, store) = (&self.world, &self.store);
        world.count(|counts| counts.checks += 1);
        let mut broken = store.read(Audit).await.expect("the database can be read");
        store.read(Said).await.expect("the database can be read").judge(&world.platform, &mut broken);
        let accepted = store.read(Came).await.expect("the database can be read");
        for heard in world.platform.heard() {
            if let Some(wrong) = accepted.wrong(&heard) {
                let message = &heard.message;
                broken.push(format!("message {} of {} {wrong}", message.id, message.conversation));
            }
        }
        broken
    }
}

struct Look<'a>(&'a Setup);

#[async_trait]
impl Read for Look<'_> {
    type Output = (Vec<String>, Before);

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(Vec<String>, Before), StoreError> {
        let mut broken = Vec::new();
        for (rule, count) in NEVER {
            let count: i64 = tx.one(sql(count), &NONE).await?.get("broken")?;
            if count > 0 {
                broken.push(format!("{count} {rule}"));
            }
        }
        for (what, most, limit) in LIMITS {
            let (most, limit): (i64, _) = (tx.one(sql(most), &NONE).await?.get("most")?, limit(self.0));
            if most > limit {
                broken.push(format!("{most} {what}, of {limit}"));
            }
        }
        let turn = |row: &Row| {
            let (status, token) = (row.get("status")?, row.get("token")?);
            let seen = Seen { status, token, entries: row.get("entries")?, said: row.get("said")? };
            Ok((row.get("id")?, seen))
        };
        let turns = tx.all(sql(TURNS), &NONE).await?.iter().map(turn).collect::<Result<_, StoreError>>()?;
        let ended = |row: &Row| Ok((row.get("name")?, row.get("how")?));
        let ended = tx.all(sql(ENDED), &NONE).await?.iter().map(ended).collect::<Result<_, StoreError>>()?;
        Ok((broken, Before { turns, ended }))
    }
}
