//! The moments at which the program is made to die: around every commit and every outgoing call.

use std::collections::BTreeSet;
use std::path::Path;

use super::errands::Errand;
use crate::support::databases::Database;

/// When a process passes a boundary.
#[derive(Debug, Clone, Copy)]
pub enum When {
    /// While all conversations are in flight, so many times at least.
    Working(u32),
    /// In the process that takes up what one left that died at the first point.
    Recovering(&'static str, u32),
    /// When it is told to stop.
    Stopping,
    /// While somebody is on an errand, so many times at least.
    During(Errand, u32),
    /// Not under this load, for this reason.
    Never(&'static str),
}

use When::{During, Never, Recovering, Stopping, Working};

/// A point with turns at work and messages on their way, at which a first process dies.
const MIDDLE: &str = "commit.finish.after:4";

/// The boundaries that the load passes by itself, or would, and how a test gets there.
pub const BOUNDARIES: [(&str, When); 31] = [
    ("commit.accept", Working(7)),
    ("commit.claim", Working(2)),
    ("commit.answer", Working(2)),
    ("commit.calls", Working(3)),
    ("commit.result", Working(2)),
    ("commit.finish", Working(4)),
    ("commit.suspend", Working(2)),
    ("commit.resume", Working(2)),
    ("commit.sending", Working(2)),
    ("commit.settle", Working(3)),
    ("commit.advance", Working(2)),
    ("commit.opened", Working(1)),
    ("commit.thread_seen", Working(1)),
    ("commit.expire", Working(1)),
    ("commit.take_lease", Working(7)),
    ("commit.renew", Working(2)),
    ("commit.take_over", Recovering("call.model.before:9", 2)),
    ("commit.void_leases", Recovering(MIDDLE, 1)),
    ("commit.new_code", Recovering(MIDDLE, 1)),
    ("commit.give_back", Never("another node must be there: see `nodes::drained`")),
    ("commit.release", Stopping),
    ("call.model", Working(5)),
    ("call.tool", Working(2)),
    ("call.telegram.send", Working(3)),
    ("call.telegram.find", Recovering("call.telegram.send.after:3", 1)),
    ("call.telegram.open", Working(1)),
    ("call.telegram.edit", Never("only the two steps of edit mode need it: see `TWO_STEPS`")),
    ("call.discord.send", Working(3)),
    ("call.discord.find", Recovering("call.discord.send.after:3", 1)),
    ("call.discord.open", Working(1)),
    ("call.discord.edit", Never("nothing is sent in two steps there")),
];

/// The boundaries that somebody must make the program pass while it has all its other work.
pub const ERRANDS: [(&str, When); 12] = [
    ("commit.moved", During(Errand::Migrates, 1)),
    ("commit.move", During(Errand::MigratesUnheard, 1)),
    ("commit.close", During(Errand::Limits, 1)),
    // What a person says, and the answer.
    ("commit.local_line", During(Errand::Chats, 1)),
    ("commit.local_line", During(Errand::Chats, 2)),
    ("commit.revoke_chat", During(Errand::Revokes, 1)),
    ("commit.retry_delivery", During(Errand::Retries, 1)),
    ("commit.discard_delivery", During(Errand::Discards, 1)),
    ("commit.prune", During(Errand::Prunes, 1)),
    ("commit.sweep", During(Errand::Prunes, 1)),
    ("commit.erase", During(Errand::Prunes, 1)),
    ("commit.abandon", During(Errand::Panics, 1)),
];

/// The boundaries that are passed in another way when messages are sent in two steps.
pub const TWO_STEPS: [(&str, When); 5] = [
    ("commit.finish", Working(4)),
    ("commit.sending", Working(3)),
    ("call.telegram.send", Working(3)),
    ("call.telegram.edit", Working(3)),
    ("commit.settle", Working(4)),
];

/// The boundaries after which something else is done when what may have been seen is sent once more.
pub const ONCE_MORE: [(&str, When); 2] = [("call.telegram.send", Working(3)), ("commit.settle", Working(4))];

/// The boundaries that are passed in another way when children are at work, or have ended.
pub const TEAMS: [(&str, When); 5] = [
    ("commit.finish", Working(20)),
    ("commit.resume", Working(6)),
    ("call.telegram.send", Working(16)),
    ("call.discord.send", Working(16)),
    ("commit.settle", Working(20)),
];

/// One death to be died.
#[derive(Debug, Clone)]
pub struct Point {
    /// Where, with the number of passes, as the program takes it.
    pub at: String,
    /// When a process gets there.
    pub when: When,
}

/// The deaths around these boundaries.
pub fn points(boundaries: &[(&'static str, When)], database: Database) -> Vec<Point> {
    let both_sides = boundaries.iter().flat_map(|&(name, when)| {
        let pass = match when {
            Working(pass) | Recovering(_, pass) | During(_, pass) => pass,
            Stopping => 1,
            Never(_) => 0,
        };
        // PostgreSQL's leases end by themselves: another node may be alive.
        let there = pass > 0 && (name != "commit.void_leases" || database == Database::Sqlite);
        ["before", "after"]
            .into_iter()
            .filter(move |_| there)
            .map(move |side| Point { at: format!("{name}.{side}:{pass}"), when })
    });
    both_sides.collect()
}

/// Nobody adds a transaction or an outgoing call without saying what a kill there means.
#[test]
fn every_boundary_of_the_program_is_listed() {
    let mut found = BTreeSet::new();
    scan(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    let listed = BOUNDARIES.iter().chain(&ERRANDS).map(|(name, _)| (*name).to_owned());
    let listed: BTreeSet<String> = listed.collect();
    assert_eq!(found, listed, "left: boundaries in the sources; right: those of the kill tests");
    let reasons = BOUNDARIES.iter().filter_map(|(name, when)| match when {
        Never(reason) => Some((name, reason)),
        _ => None,
    });
    reasons.for_each(|(name, reason)| println!("{name} is not died at: {reason}"));
}

/// Finds the names of transactions and the kinds of calls in the sources under a folder.
fn scan(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("the sources can be read") {
        let path = entry.expect("the sources can be read").path();
        if path.is_dir() {
            scan(&path, found);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let names = between(&text, "const NAME: &'static str = \"", "\"");
        found.extend(names.map(|name| format!("commit.{name}")));
        let calls = between(&text, "crash::point(\"call\", ", ", Side::");
        found.extend(calls.map(|call| format!("call.{}", call.trim_matches('"'))));
        // The terminal's channel is a table: its calls are commits.
        for platform in ["telegram", "discord"] {
            for call in between(&text, "crash::call(", ", Side::") {
                let kind = call.split_once(", ").expect("an account and a kind").1;
                match kind.trim_matches('"') {
                    // A delivery's call is one of these, decided beside the point.
                    "step.name()" => {
                        found.extend(["send", "open", "edit"].map(|step| format!("call.{platform}.{step}")))
                    }
                    kind => drop(found.insert(format!("call.{platform}.{kind}"))),
                }
            }
        }
    }
}

fn between<'a>(text: &'a str, before: &'a str, after: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).filter_map(move |rest| rest.split(after).next())
}
