//! What a node counts of its sends, for `/metrics`.
//!
//! The numbers are the node's own, because a test has several nodes in one process, and no library's, because they are
//! few and the recorder that the `metrics` crates have for Prometheus calibrates a clock when it is made, which can take
//! longer than all the rest of a start. They begin with the process; what must outlive it is in the database.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use roundtable_contract::{AccountId, Found, SendError};

use crate::store::deliveries::{Delivery, NEVER, Shown, State};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counted {
    /// The outcome of a send became unknown, or is again when it could not be repeated. That ends in one of the seven ways that follow, unless people decide before.
    Unknown,
    /// It is visible.
    Visible,
    /// It is not there, and is sent again.
    Absent,
    /// It may be there; it is sent again while that shows nothing new.
    Resent,
    /// Nobody can tell; it is sent once more and may be seen twice.
    Repeated,
    /// Nobody can tell whether a stub is there; another is sent, and one of them may stay as it is.
    StubRepeated,
    /// It stays unknown until people decide.
    GivenUp,
    /// The platform lets nobody look: it has failed.
    Refused,
    /// A message will never be shown, and was not unknown before.
    Failed,
}

impl Counted {
    /// What there is to count when this is stored of a delivery as it was `seen`; `found`: by a look at the platform.
    pub fn of(seen: &Delivery, shown: &Shown, found: Option<&Result<Found, SendError>>) -> Option<Self> {
        let counted = match (seen.state, shown) {
            (State::Sending, Shown::Unknown { .. } | Shown::StillUnknown { .. }) => Self::Unknown,
            (State::Unknown, Shown::Unknown { due_at: NEVER, .. }) => Self::GivenUp,
            (State::Unknown, Shown::Unknown { .. }) => return None,
            (State::Unknown, Shown::Sent(_) | Shown::Stubbed(_) | Shown::Opened(_)) => Self::Visible,
            (State::Unknown, Shown::Later { .. }) => match found {
                Some(Ok(Found::Absent)) => Self::Absent,
                _ => Self::StubRepeated,
            },
            (State::Unknown, Shown::Repeated { .. }) => Self::Repeated,
            (State::Unknown, Shown::Failed(_)) => Self::Refused,
            (_, Shown::Failed(_)) => Self::Failed,
            _ => return None,
        };
        Some(counted)
    }
}

/// The counters of a node.
#[derive(Default)]
pub struct Metrics(Mutex<BTreeMap<(AccountId, Counted), u64>>);

impl Metrics {
    /// Counts. Called after the commit, because a transaction's body may run more than once; what was committed
    /// without a confirmation is not counted.
    pub fn count(&self, account: &AccountId, what: Counted) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((account.clone(), what)).or_default() += 1;
    }

    /// How often it was counted.
    pub fn of(&self, account: &AccountId, what: Counted) -> u64 {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(&(account.clone(), what)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use roundtable_contract::{MessageId, Part};

    fn seen(state: State, stub: Option<&str>) -> Delivery {
        Delivery {
            id: 1,
            conversation_id: 1,
            called_in: None,
            answer: "a".into(),
            opens_for: None,
            part: Part { body: String::new(), text: String::new(), stub: stub.map(Into::into) },
            state,
            after: None,
            message: None,
            attempts: 1,
            unknowns: 1,
            due_at: 0,
            call_until: None,
            created_at: 0,
        }
    }

    #[test]
    fn an_unknown_outcome_is_counted_when_it_begins_and_when_it_ends() {
        let (sending, unknown) = (seen(State::Sending, None), seen(State::Unknown, None));
        let later = Shown::Later { due_at: 1, error: String::new() };
        let repeated = Shown::Repeated { due_at: 1, error: String::new() };
        let still = |due_at| Shown::Unknown { due_at, error: String::new() };
        let (absent, unclear) = (Ok(Found::Absent), Ok(Found::Unclear));
        for (seen, shown, found, counted) in [
            (&sending, Shown::Sent(MessageId(1)), None, None),
            (&sending, later.clone(), None, None),
            (&sending, Shown::Failed(String::new()), None, Some(Counted::Failed)),
            (&sending, still(1), None, Some(Counted::Unknown)),
            (&unknown, still(1), Some(&unclear), None),
            (&unknown, still(NEVER), Some(&unclear), Some(Counted::GivenUp)),
            (&unknown, Shown::Sent(MessageId(1)), None, Some(Counted::Visible)),
            (&unknown, later.clone(), Some(&absent), Some(Counted::Absent)),
            (&unknown, repeated, Some(&unclear), Some(Counted::Repeated)),
            (&seen(State::Unknown, Some("…")), later, Some(&unclear), Some(Counted::StubRepeated)),
            (&unknown, Shown::Failed(String::new()), None, Some(Counted::Refused)),
        ] {
            assert_eq!(Counted::of(seen, &shown, found), counted, "{:?} {shown:?} {found:?}", seen.state);
        }
    }
}
