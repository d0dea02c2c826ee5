//! The simulation finds what is missing: with a guarantee taken away, some seed soon breaks a rule.

use roundtable_contract::planted::{Fault, plant};

use super::play_all;

/// Worlds that are played before it is asked whether one of them broke a rule.
const AT_ONCE: usize = 20;

const FAULTS: [(&str, Fault); 5] = [
    ("the fencing token is not checked", Fault::NoToken),
    ("events are not deduped", Fault::NoDedupe),
    ("the tree is not locked", Fault::NoTreeLock),
    ("announcements are later than the run's end", Fault::LateAnnouncement),
    ("the cursor is no low-water mark", Fault::NoLowWater),
];

#[test]
fn every_planted_fault_is_found() {
    let most =
        std::env::var("ROUNDTABLE_PROVE_FAULTS").ok().and_then(|text| text.parse().ok()).unwrap_or(2000);
    let seeds: Vec<u64> = (1..=most).collect();
    let mut missed = Vec::new();
    for (name, fault) in FAULTS {
        plant(Some(fault));
        let broken = seeds.chunks(AT_ONCE).map(|seeds| play_all(seeds).1).find(|broken| !broken.is_empty());
        plant(None);
        match broken.as_ref().and_then(|broken| broken.first_key_value()) {
            Some((seed, played)) => println!("fault: {name:<44} seed {seed:>5}: {}", played.broken[0]),
            None => missed.push(name),
        }
    }
    assert!(missed.is_empty(), "not found within {most} seeds: {missed:?}");
}
