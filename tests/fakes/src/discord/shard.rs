//! A bot on many guilds has several sessions, each with its own share of them.

use serde_json::{Value, json};

/// Which share, and of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    pub number: u64,
    of: u64,
}

impl Shard {
    /// The only one.
    pub const ALL: Self = Self { number: 0, of: 1 };

    /// Share `number` of so many, if there is one.
    pub fn new(number: u64, of: u64) -> Option<Self> {
        (number < of).then_some(Self { number, of })
    }

    /// What IDENTIFY says, which may be nothing.
    pub fn read(field: &Value) -> Option<Self> {
        match field.as_array().map(Vec::as_slice) {
            None if field.is_null() => Some(Self::ALL),
            Some([number, of]) => Self::new(number.as_u64()?, of.as_u64()?),
            _ => None,
        }
    }

    /// Whether it hears of a guild; of DMs only the first does.
    pub fn hears(self, guild: Option<u64>) -> bool {
        guild.map_or(0, |guild| (guild >> 22) % self.of) == self.number
    }

    /// As READY says it.
    pub fn json(self) -> Value {
        json!([self.number, self.of])
    }
}
