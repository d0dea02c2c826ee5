//! A small seeded generator (xorshift64*), so that a failed soak run can be repeated from its seed.

use std::hash::{BuildHasher, RandomState};

/// The generator.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The same seed gives the same sequence.
    pub fn seeded(seed: u64) -> Self {
        // Zero is the one state that xorshift never leaves; mixing also separates neighbouring seeds.
        Self((seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9) | 1)
    }

    /// A seed that differs from run to run.
    pub fn any() -> Self {
        Self::seeded(RandomState::new().hash_one(0))
    }

    /// A number below `bound`, which is not zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % bound
    }

    /// So many small letters.
    pub fn letters(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'a' + u8::try_from(self.below(26)).unwrap_or(0))).collect()
    }

    /// True in `share` (0 to 1) of the cases.
    pub fn chance(&mut self, share: f64) -> bool {
        let drawn = self.below(1_000_000) as f64;
        drawn < share * 1_000_000.0
    }
}
