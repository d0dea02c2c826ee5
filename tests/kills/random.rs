//! A small source of repeatable numbers.

use std::time::{SystemTime, UNIX_EPOCH};

/// The seed of this run: `ROUNDTABLE_PROVE_SEED`, else another one each time. Printed, to be given again.
pub fn seed() -> u64 {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64);
    let given = std::env::var("ROUNDTABLE_PROVE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(now);
    println!("ROUNDTABLE_PROVE_SEED={seed}");
    seed
}

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
pub struct Random(u64);

impl Random {
    /// The same seed, the same numbers.
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}
