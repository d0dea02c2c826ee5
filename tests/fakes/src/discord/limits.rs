//! Rate limits: one window per bot, route and channel or guild, and one over everything.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use crate::faults::Scope;

/// So many calls in so much time.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// Calls.
    pub calls: u32,
    /// The window's length.
    pub per: Duration,
}

impl Limit {
    /// No limit that a test would reach.
    pub const NONE: Self = Self { calls: 1_000_000, per: Duration::from_secs(1) };

    /// What Discord is seen to do, by route.
    pub fn real() -> impl Iterator<Item = (String, Self)> {
        let routes = [
            ("create_message", 5, 5_000),
            ("edit_message", 5, 5_000),
            ("delete_message", 5, 1_000),
            ("create_reaction", 1, 250),
            ("typing", 5, 5_000),
            ("rename", 2, 600_000),
        ];
        routes
            .into_iter()
            .map(|(route, calls, ms)| (route.to_owned(), Self { calls, per: Duration::from_millis(ms) }))
    }

    fn per_ms(&self) -> u64 {
        u64::try_from(self.per.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Which window a call counts in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub bot: u64,
    pub route: String,
    /// The channel or guild of the path.
    pub major: String,
}

impl Key {
    /// The opaque name in the answer's headers.
    pub fn bucket(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.route.hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }
}

#[derive(Debug, Clone, Copy)]
struct Window {
    used: u32,
    reset_ms: u64,
    /// Since when calls are refused, and why.
    refused: Option<(u64, Scope)>,
}

/// What the headers of an answer say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    pub limit: u32,
    pub remaining: u32,
    pub reset_ms: u64,
}

/// A call that is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub scope: Scope,
    pub left_ms: u64,
    /// The client had been told to wait and did not.
    pub early: bool,
}

/// A call that was on its way when another was refused is not too early.
const ON_ITS_WAY_MS: u64 = 100;
/// Clients may be early by what is lost in rounding.
const ROUNDING_MS: u64 = 10;

/// The state of all limits.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    windows: HashMap<Key, Window>,
    /// By bot.
    global: HashMap<u64, Window>,
}

impl Limits {
    /// Refuses calls of `key` for `ms` from now on.
    pub fn refuse(&mut self, key: &Key, scope: Scope, ms: u64, now_ms: u64) {
        let window = Window { used: 0, reset_ms: now_ms + ms, refused: Some((now_ms, scope)) };
        if scope == Scope::Global {
            self.global.insert(key.bot, window);
        } else {
            self.windows.insert(key.clone(), window);
        }
    }

    /// Counts a call.
    pub fn charge(&mut self, key: &Key, own: Limit, global: Limit, now_ms: u64) -> Result<Slot, Refusal> {
        let all = self.global.entry(key.bot).or_insert(Window { used: 0, reset_ms: 0, refused: None });
        all.count(global, Scope::Global, now_ms)?;
        let window =
            self.windows.entry(key.clone()).or_insert(Window { used: 0, reset_ms: 0, refused: None });
        window.count(own, Scope::User, now_ms)?;
        Ok(Slot { limit: own.calls, remaining: own.calls - window.used, reset_ms: window.reset_ms })
    }
}

impl Window {
    fn count(&mut self, limit: Limit, scope: Scope, now_ms: u64) -> Result<(), Refusal> {
        let rounding = if self.refused.is_some() { ROUNDING_MS } else { 0 };
        if now_ms + rounding >= self.reset_ms {
            *self = Self { used: 0, reset_ms: now_ms + limit.per_ms(), refused: None };
        }
        let left_ms = self.reset_ms.saturating_sub(now_ms).max(1);
        if let Some((since, scope)) = self.refused {
            return Err(Refusal { scope, left_ms, early: now_ms > since + ON_ITS_WAY_MS });
        }
        if self.used >= limit.calls {
            self.refused = Some((now_ms, scope));
            return Err(Refusal { scope, left_ms, early: false });
        }
        self.used += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_window_refuses_until_it_ends_and_tells_who_does_not_wait() {
        let two = Limit { calls: 2, per: Duration::from_secs(1) };
        let key = Key { bot: 1, route: "create_message".into(), major: "7".into() };
        let mut limits = Limits::default();
        let mut charge = |now| limits.charge(&key, two, Limit::NONE, now).map(|slot| slot.remaining);
        assert_eq!((charge(1_000), charge(1_000)), (Ok(1), Ok(0)));
        let refused = |left_ms, early| Err(Refusal { scope: Scope::User, left_ms, early });
        assert_eq!(charge(1_100), refused(900, false));
        assert_eq!(charge(1_150), refused(850, false), "was on its way");
        assert_eq!(charge(1_500), refused(500, true));
        assert_eq!(charge(2_000), Ok(1));
    }
}
