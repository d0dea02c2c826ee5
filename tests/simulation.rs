//! The whole core in simulated worlds: engine, scheduler, outbox, inbound and timers on a real store, under one seed,
//! in virtual time, with nodes that die between any two awaits, wake-ups that get lost, commits that hang, reads that
//! fail, clocks that jump, events that come twice and out of order, and sends of unknown outcome.
//!
//! `ROUNDTABLE_PROVE_SEED` plays one seed and prints its story.

mod channel;
mod director;
#[cfg(feature = "planted-faults")]
mod faults;
mod life;
mod minds;
mod node;
mod people;
mod platform;
mod rules;
mod world;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use roundtable::store::{Access, Host, Store};
use roundtable::time::SystemClock;
use tempfile::TempDir;

use crate::support::seeds::seeds;
use director::{Played, play};
use world::Counts;

/// After so many worlds a long proof says how far it is.
const STRETCH: usize = 5_000;

/// A database for one world at a time.
struct Database {
    host: Host,
    _folder: TempDir,
}

impl Database {
    /// Made where there is memory to write to, if there is such a place: what is proved here is order.
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
        let folder = folder.expect("a temporary folder");
        let path = folder.path().join("simulation.db");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime can be made").block_on(async {
            let url = format!("sqlite:{}", path.display());
            let opened = Store::open(&url, 1, Access::Node, Arc::new(SystemClock::new())).await;
            drop(opened.expect("the database can be made"));
        });
        Self { host: Host::new(&path), _folder: folder }
    }
}

/// Plays the worlds of these seeds, as many at a time as the machine has cores. Gives how much happened, and what was
/// broken, by seed.
fn play_all(seeds: &[u64]) -> (Counts, BTreeMap<u64, Played>) {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(seeds.len());
    let (mut all, mut broken) = (Counts::default(), BTreeMap::new());
    std::thread::scope(|scope| {
        let work = || {
            let (database, mut counts, mut broken) = (Database::new(), Counts::default(), Vec::new());
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(seed) = seeds.get(number) else { break };
                let played = play(*seed, &database.host);
                counts.add(played.counts);
                if let Some(rule) = played.broken.first() {
                    println!("ROUNDTABLE_PROVE_SEED={seed}: {rule}");
                    broken.push((*seed, played));
                }
                if number > 0 && number.is_multiple_of(STRETCH) {
                    println!("simulation: {number} of {} seeds", seeds.len());
                }
            }
            (counts, broken)
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            let (counts, found) = thread.join().expect("a world does not panic");
            all.add(counts);
            broken.extend(found);
        }
    });
    (all, broken)
}

#[test]
fn no_seed_breaks_a_rule() {
    let (counts, broken) = play_all(&seeds("ROUNDTABLE_PROVE_SIMULATE", 500));
    println!("simulation: {counts}");
    if let Some((seed, played)) = broken.first_key_value() {
        panic!(
            "{} seeds break a rule. The first:\n{}\nROUNDTABLE_PROVE_SEED={seed}",
            broken.len(),
            played.last_words
        );
    }
}

#[test]
fn a_seed_tells_the_same_story_again() {
    let (one, other) = (Database::new(), Database::new());
    for seed in 1..=10 {
        let (first, again) = (play(seed, &one.host).story, play(seed, &other.host).story);
        for (line, (first, again)) in first.iter().zip(&again).enumerate() {
            assert_eq!(first, again, "line {line} of seed {seed}");
        }
        assert_eq!(first.len(), again.len(), "seed {seed}");
    }
}
