//! Faults that tests put in the way of calls, one by one or at random from a seed.

use std::{collections::VecDeque, time::Duration};

use crate::{hold::Gate, rng::Rng};

/// What goes wrong with a call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The connection closes; nothing was done.
    DropBefore,
    /// It was done, then the connection closes without an answer.
    DropAfter,
    /// A proxy's 502 page; nothing was done.
    Html502Before,
    /// It was done, the answer is a proxy's 502 page.
    Html502After,
    /// It is done that much later.
    DelayBefore(Duration),
    /// It is done at once and answered that much later.
    DelayAfter(Duration),
    /// It was done; the answer breaks off in the middle of its JSON.
    TruncatedJson,
    /// 429; the chat's penalty window of so many seconds begins.
    RateLimit {
        /// Seconds.
        retry_after: u64,
    },
    /// Another error answer; nothing was done.
    Error {
        /// The HTTP status.
        code: u16,
        /// The whole description, with its prefix.
        description: String,
    },
    /// No answer ever, the connection stays open; nothing was done.
    Hang,
    /// 409: another poller has come.
    Conflict,
}

/// Random faults for long runs.
#[derive(Debug, Clone)]
pub struct Chaos {
    /// The same seed and the same calls give the same faults.
    pub seed: u64,
    /// The share of calls that are hit, 0 to 1.
    pub share: f64,
    /// What may happen; one is picked.
    pub faults: Vec<Fault>,
    /// The methods that may be hit, any case; empty means all.
    pub methods: Vec<String>,
}

/// What is in a call's way.
#[derive(Debug, Clone)]
pub(crate) enum Obstacle {
    Fault(Fault),
    Gate(Gate),
}

#[derive(Debug)]
struct Rule {
    method: String,
    chat: Option<i64>,
    obstacle: Obstacle,
}

/// All rules; each hits one call.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: VecDeque<Rule>,
    chaos: Option<(Chaos, Rng)>,
}

impl Faults {
    /// Puts something in the way of the next call of `method` (to `chat`, when given) that has no older rule.
    pub fn add(&mut self, method: &str, chat: Option<i64>, obstacle: Obstacle) {
        self.rules.push_back(Rule { method: method.to_ascii_lowercase(), chat, obstacle });
    }

    /// Starts or ends random faults.
    pub fn set_chaos(&mut self, chaos: Option<Chaos>) {
        self.chaos = chaos.map(|chaos| {
            let rng = Rng::seeded(chaos.seed);
            (chaos, rng)
        });
    }

    /// Takes what is in the way of a call (`method` in lower case).
    pub fn take(&mut self, method: &str, chat: Option<i64>) -> Option<Obstacle> {
        let hit = |rule: &Rule| rule.method == method && (rule.chat.is_none() || rule.chat == chat);
        if let Some(at) = self.rules.iter().position(hit) {
            return self.rules.remove(at).map(|rule| rule.obstacle);
        }
        let (chaos, rng) = self.chaos.as_mut()?;
        let meant = chaos.methods.is_empty() || chaos.methods.iter().any(|m| m.eq_ignore_ascii_case(method));
        if !meant || chaos.faults.is_empty() || !rng.chance(chaos.share) {
            return None;
        }
        let pick = usize::try_from(rng.below(chaos.faults.len() as u64)).unwrap_or(0);
        Some(Obstacle::Fault(chaos.faults[pick].clone()))
    }

    /// Rules that no call has met yet.
    pub fn unmet(&self) -> impl Iterator<Item = String> {
        self.rules
            .iter()
            .map(|rule| format!("{} was to meet {:?} and never came", rule.method, rule.obstacle))
    }
}
