//! `roundtable sessions prune`: what is old and at rest goes for good.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::api::{CallError, Node};
use super::{Context, offline, out};
use crate::config::{self, Config};
use crate::control::retention::{self, Old};
use crate::http::{Prune, Sweep};
use crate::store::notes::{Mark, Swept};
use crate::store::retention::Going;
use crate::store::{Access, Store};
use crate::time::{Clock as _, SystemClock};

/// Rows of one page of a dry run.
const PAGE: i64 = 500;

/// What `sessions prune` is asked for.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only sessions in which nothing has changed for so long: a whole number and ms, s, m, h or d.
    #[arg(long, value_name = "PERIOD", default_value = "30d", value_parser = config::parse_period)]
    older_than: Duration,
    /// Only say what would go.
    #[arg(long)]
    dry_run: bool,
}

/// What went, or would go.
#[derive(Serialize)]
struct Pruned {
    dry_run: bool,
    sessions: Vec<Going>,
    total: Total,
}

#[derive(Serialize)]
struct Total {
    sessions: usize,
    entries: i64,
    turns: i64,
    deliveries: i64,
    notes: u64,
}

pub(super) async fn run(
    context: &Context,
    config: &Config,
    node: Option<Node>,
    arguments: Arguments,
) -> anyhow::Result<()> {
    let Arguments { older_than, dry_run } = arguments;
    let older_than = u64::try_from(older_than.as_millis())?;
    // No period is longer than a year, so it fits.
    let before = |store: &Store| store.now() - older_than.cast_signed();
    let (sessions, notes) = match (node, dry_run) {
        (Some(node), true) => (ask_what_is_old(&node, older_than).await?, 0),
        (None, true) => {
            offline::with(config, Access::Look, async |store| {
                let (before, mut all) = (before(&store), Vec::new());
                loop {
                    let page = store.read(Old { before, after: place_of_last(&all), limit: PAGE }).await?;
                    if page.is_empty() {
                        return Ok((all, 0));
                    }
                    all.extend(page);
                }
            })
            .await?
        }
        (Some(node), false) => {
            (ask_to_prune(&node, older_than).await?, ask_to_sweep(&node, older_than).await?)
        }
        (None, false) => {
            offline::with(config, Access::Node, async |store| {
                let (before, mut all) = (before(&store), Vec::new());
                loop {
                    let batch = retention::prune(&store, before).await?;
                    if batch.is_empty() {
                        break;
                    }
                    all.extend(batch);
                }
                retention::erase(&store).await?;
                Ok((all, sweep(async |from| retention::sweep(&store, before, from).await).await?))
            })
            .await?
        }
    };
    let pruned = Pruned::new(dry_run, sessions, notes);
    eprintln!("{}", pruned.words());
    let now = SystemClock::new().now();
    out::data(context.json, &pruned, |pruned| list(&pruned.sessions, now))
}

async fn ask_what_is_old(node: &Node, older_than: u64) -> Result<Vec<Going>, CallError> {
    let mut all = Vec::new();
    loop {
        let mut query = vec![("older_than", older_than.to_string()), ("limit", PAGE.to_string())];
        if let Some((depth, id)) = place_of_last(&all) {
            query.extend([("depth", depth.to_string()), ("id", id.to_string())]);
        }
        let page: Vec<Going> = node.get("sessions/old", &query).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

async fn ask_to_prune(node: &Node, older_than: u64) -> Result<Vec<Going>, CallError> {
    let mut all = Vec::new();
    loop {
        let batch: Vec<Going> = node.post("sessions/prune", &Prune { older_than }).await?;
        if batch.is_empty() {
            return Ok(all);
        }
        all.extend(batch);
    }
}

async fn ask_to_sweep(node: &Node, older_than: u64) -> Result<u64, CallError> {
    sweep(async |from| node.post("notes/prune", &Sweep { older_than, from }).await).await
}

/// Goes through all notes; gives how many were removed.
async fn sweep<E>(stretch: impl AsyncFn(Mark) -> Result<Swept, E>) -> Result<u64, E> {
    let (mut removed, mut next) = (0, Some(Mark::START));
    while let Some(from) = next {
        let swept = stretch(from).await?;
        removed += swept.removed;
        next = swept.next;
    }
    Ok(removed)
}

/// Where the next page begins.
fn place_of_last(all: &[Going]) -> Option<(i64, i64)> {
    all.last().map(|last| (last.depth, last.id))
}

impl Pruned {
    fn new(dry_run: bool, sessions: Vec<Going>, notes: u64) -> Self {
        let sum = |count: fn(&Going) -> i64| sessions.iter().map(count).sum();
        let total = Total {
            sessions: sessions.len(),
            entries: sum(|going| going.entries),
            turns: sum(|going| going.turns),
            deliveries: sum(|going| going.deliveries),
            notes,
        };
        Self { dry_run, sessions, total }
    }

    fn words(&self) -> String {
        let Total { sessions, entries, turns, deliveries, notes } = self.total;
        let notes = match notes {
            0 => String::new(),
            notes => format!(" {notes} notes of old messages, of use for nothing any more, are gone too."),
        };
        if sessions == 0 {
            return format!("There is no session that is so old and at rest.{notes}");
        }
        let go = if self.dry_run { "Would go" } else { "Gone for good" };
        let s = if sessions == 1 { "" } else { "s" };
        format!(
            "{go}: {sessions} session{s} with {entries} entries, {turns} turns and {deliveries} deliveries.{notes}"
        )
    }
}

fn list(sessions: &[Going], now: i64) -> String {
    if sessions.is_empty() {
        return String::new();
    }
    let row = |going: &Going| {
        [
            going.key.clone(),
            if going.archived { "archived" } else { "idle" }.to_owned(),
            out::age(now, going.updated_at),
            going.entries.to_string(),
            going.turns.to_string(),
            going.deliveries.to_string(),
            going.conversation.clone(),
        ]
    };
    let header = ["SESSION", "STATUS", "CHANGED", "ENTRIES", "TURNS", "DELIVERIES", "CONVERSATION"];
    out::table(header, sessions.iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn going(key: &str, depth: i64, archived: bool) -> Going {
        Going {
            id: 1,
            key: key.into(),
            depth,
            archived,
            conversation: if archived { String::new() } else { "telegram:main:55".into() },
            updated_at: 0,
            entries: 12,
            turns: 3,
            deliveries: 4,
        }
    }

    #[test]
    fn what_goes_is_told() {
        let both = vec![
            going("agent:coder:subagent:7", 1, true),
            going("agent:manager:telegram:main:dm:55", 0, false),
        ];
        let pruned = Pruned::new(true, both, 0);
        insta::assert_snapshot!(pruned.words(), @"Would go: 2 sessions with 24 entries, 6 turns and 8 deliveries.");
        insta::assert_snapshot!(list(&pruned.sessions, 40 * 86_400_000), @r"
        SESSION                            STATUS    CHANGED  ENTRIES  TURNS  DELIVERIES  CONVERSATION
        agent:coder:subagent:7             archived  40 d     12       3      4
        agent:manager:telegram:main:dm:55  idle      40 d     12       3      4           telegram:main:55
        ");
        let one = Pruned::new(false, pruned.sessions[..1].to_vec(), 0);
        insta::assert_snapshot!(one.words(), @"Gone for good: 1 session with 12 entries, 3 turns and 4 deliveries.");
        let none = Pruned::new(false, Vec::new(), 7);
        insta::assert_snapshot!(none.words(), @"There is no session that is so old and at rest. 7 notes of old messages, of use for nothing any more, are gone too.");
    }
}
