//! What a call or a look at the platform means for a delivery. Pure.

use roundtable_contract::{Found, Limits, Receipt, SendError};

use crate::store::deliveries::{Delivery, NEVER, Shown};
use crate::time::millis;

/// A platform that can't be reached is tried again for so long, by one process without a break.
const GIVE_UP: i64 = 24 * 60 * 60 * 1000;

/// How soon what could not be told yet is looked at again, at first and at last.
const LOOK_AGAIN: (i64, i64) = (300, 5000);

const FIRST_PAUSE: i64 = 1000;
const LONGEST_PAUSE: i64 = 5 * 60 * 1000;

/// Reads the outcome of a call, of a delivery that has been tried since then. A chat that moved is the caller's matter;
/// here it is tried again at once.
pub fn of_call(
    delivery: &Delivery,
    outcome: &Result<Receipt, SendError>,
    limits: &Limits,
    tried_since: i64,
    now: i64,
) -> Shown {
    match outcome {
        Ok(receipt) if delivery.part.stub.is_some() && delivery.message.is_none() => {
            Shown::Stubbed(receipt.id)
        }
        Ok(receipt) => Shown::Sent(receipt.id),
        Err(error @ SendError::Rejected { .. }) => Shown::Failed(error.to_string()),
        // The second step, where the chat was before.
        Err(error @ SendError::Moved { .. }) if delivery.message.is_some() => {
            Shown::Failed(error.to_string())
        }
        Err(error @ SendError::RateLimited { after, .. }) => {
            again(delivery, now + millis(*after), error.to_string())
        }
        Err(error @ SendError::Moved { .. }) => later(now, error),
        Err(error @ SendError::Unreachable { .. }) if now - tried_since > GIVE_UP => {
            Shown::Failed(format!("{error}; given up after 24 hours"))
        }
        Err(error @ SendError::Unreachable { .. }) => {
            again(delivery, now + pause(delivery.attempts), error.to_string())
        }
        // An edit may be repeated freely; a send must be looked for, after everything on its way has landed.
        Err(error @ SendError::Unknown { .. }) if delivery.message.is_some() => {
            later(now + pause(delivery.attempts), error)
        }
        Err(error @ SendError::Unknown { .. }) => {
            Shown::Unknown { due_at: now + millis(limits.send_timeout), error: error.to_string() }
        }
    }
}

/// Reads what a look at the platform has found. `tried_since` is when this process began to try.
pub fn of_look(
    delivery: &Delivery,
    found: &Result<Found, SendError>,
    limits: &Limits,
    tried_since: i64,
    now: i64,
) -> Shown {
    match found {
        Ok(Found::Visible(receipt)) if delivery.part.stub.is_some() => Shown::Stubbed(receipt.id),
        Ok(Found::Visible(receipt)) => Shown::Sent(receipt.id),
        Ok(Found::Absent) => Shown::Later { due_at: now, error: "it was lost on the way".into() },
        Ok(Found::Further(_) | Found::Repeatable(_)) => {
            Shown::Unknown { due_at: now, error: "it is being looked for".into() }
        }
        Ok(Found::Later) => looked_in_vain(
            delivery,
            "it is looked for when all that waits is read",
            LOOK_AGAIN,
            tried_since,
            now,
        ),
        // A stub that is seen twice costs nothing, a message that never comes does.
        Ok(Found::Unclear) if delivery.part.stub.is_some() => Shown::Later {
            due_at: now + if delivery.unknowns <= 1 { 0 } else { pause(delivery.unknowns - 1) },
            error: "its outcome is unknown; its stub is sent again".into(),
        },
        Ok(Found::Unclear) if limits.repeat_unknown && delivery.unknowns <= 1 => {
            Shown::Repeated { due_at: now, error: "its outcome is unknown; it is sent once more".into() }
        }
        Ok(Found::Unclear) => Shown::Unknown {
            due_at: NEVER,
            error: "its outcome is unknown; `roundtable deliveries retry` sends it again".into(),
        },
        Err(error @ SendError::RateLimited { after, .. }) => {
            Shown::Unknown { due_at: now + millis(*after), error: error.to_string() }
        }
        Err(error @ SendError::Rejected { .. }) => Shown::Failed(error.to_string()),
        Err(error) => {
            looked_in_vain(delivery, &error.to_string(), (FIRST_PAUSE, LONGEST_PAUSE), tried_since, now)
        }
    }
}

/// Looks are not counted: the pause after one that failed is as long as the looking has lasted, and so it doubles. While
/// nobody was there nobody looked.
fn looked_in_vain(
    delivery: &Delivery,
    why: &str,
    (shortest, longest): (i64, i64),
    tried_since: i64,
    now: i64,
) -> Shown {
    let lasted = now - delivery.call_until.unwrap_or(delivery.created_at).max(tried_since);
    if lasted <= GIVE_UP {
        return Shown::Unknown { due_at: now + lasted.clamp(shortest, longest), error: why.to_owned() };
    }
    Shown::Unknown {
        due_at: NEVER,
        error: format!(
            "{why}; it was looked for for 24 hours; its outcome is unknown; `roundtable deliveries retry` sends it again"
        ),
    }
}

fn later(due_at: i64, error: &SendError) -> Shown {
    Shown::Later { due_at, error: error.to_string() }
}

/// This call has shown nothing. What was found out about an earlier one that may have holds no longer by then.
pub fn again(delivery: &Delivery, due_at: i64, error: String) -> Shown {
    let may_be_seen = delivery.unknowns > 0 && delivery.message.is_none();
    match may_be_seen {
        true => Shown::StillUnknown { due_at, error },
        false => Shown::Later { due_at, error },
    }
}

fn pause(attempts: i64) -> i64 {
    let doublings = u32::try_from(attempts.clamp(1, 16) - 1).unwrap_or(0);
    (FIRST_PAUSE << doublings).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use roundtable_contract::{MessageId, Part};

    use super::*;
    use crate::store::deliveries::State;

    const NOW: i64 = 1_000_000_000;

    fn delivery() -> Delivery {
        Delivery {
            id: 1,
            conversation_id: 1,
            called_in: None,
            answer: "a".into(),
            opens_for: None,
            part: Part { body: String::new(), text: String::new(), stub: None },
            state: State::Sending,
            after: None,
            message: None,
            attempts: 1,
            unknowns: 1,
            due_at: 0,
            call_until: None,
            created_at: NOW,
        }
    }

    fn limits(repeat_unknown: bool) -> Limits {
        Limits {
            chat_per_second: 0.0,
            chat_burst: 0,
            group_per_minute: 0,
            total_per_second: 0.0,
            send_timeout: Duration::from_secs(10),
            typing_lasts: Duration::from_secs(5),
            repeat_unknown,
        }
    }

    #[test]
    fn a_pause_doubles_up_to_five_minutes_and_ends_after_a_day() {
        let error = Err(SendError::Unreachable { reason: "refused".into() });
        let due = |attempts| match of_call(
            &Delivery { attempts, unknowns: 0, ..delivery() },
            &error,
            &limits(true),
            NOW,
            NOW,
        ) {
            Shown::Later { due_at, .. } => due_at - NOW,
            other => panic!("{other:?}"),
        };
        assert_eq!([1, 2, 3, 9, 10, 1000].map(due), [1000, 2000, 4000, 256_000, 300_000, 300_000]);
        let day_ago = NOW - GIVE_UP - 1;
        assert!(matches!(of_call(&delivery(), &error, &limits(true), day_ago, NOW), Shown::Failed(_)));
    }

    #[test]
    fn an_unknown_send_is_looked_for_and_an_unknown_edit_is_made_again() {
        let error = Err(SendError::Unknown { reason: "no answer".into() });
        let shown = of_call(&delivery(), &error, &limits(true), NOW, NOW);
        assert!(matches!(shown, Shown::Unknown { due_at, .. } if due_at == NOW + 10_000));
        let second_step = Delivery { message: Some(MessageId(7)), ..delivery() };
        assert!(matches!(of_call(&second_step, &error, &limits(true), NOW, NOW), Shown::Later { .. }));
    }

    #[test]
    fn what_an_earlier_call_may_have_shown_is_looked_for_before_it_is_sent_again() {
        let part = Part { stub: Some("…".into()), ..delivery().part };
        let stub = Delivery { part, ..delivery() };
        let after = Duration::from_secs(9);
        for error in [
            SendError::Unreachable { reason: "refused".into() },
            SendError::RateLimited { after, whole_account: false },
        ] {
            let shown = |delivery: &Delivery| of_call(delivery, &Err(error.clone()), &limits(true), NOW, NOW);
            for lost in [delivery(), stub.clone()] {
                assert!(matches!(shown(&lost), Shown::StillUnknown { .. }), "{error}");
            }
            let second_step = Delivery { message: Some(MessageId(7)), ..stub.clone() };
            for sure in [second_step, Delivery { unknowns: 0, ..delivery() }] {
                assert!(matches!(shown(&sure), Shown::Later { .. }), "{error}");
            }
        }
    }

    #[test]
    fn looking_pauses_longer_and_longer_and_ends_after_a_day() {
        let again = |found: &Result<Found, SendError>, lasted, since| {
            let lost = Delivery { call_until: Some(NOW - lasted), ..delivery() };
            match of_look(&lost, found, &limits(true), since, NOW) {
                Shown::Unknown { due_at: NEVER, .. } => None,
                Shown::Unknown { due_at, .. } => Some(due_at - NOW),
                other => panic!("{other:?}"),
            }
        };
        let error = Err(SendError::Unreachable { reason: "refused".into() });
        let lasted = |lasted| again(&error, lasted, 0);
        assert_eq!([0, 1000, 2000, 64_000].map(lasted), [1000, 1000, 2000, 64_000].map(Some));
        assert_eq!([GIVE_UP, GIVE_UP + 1].map(lasted), [Some(300_000), None]);
        // It was lost by a process that was down for longer.
        assert_eq!(again(&error, GIVE_UP + 1, NOW - 2000), Some(2000));
        // Nothing failed: what waits is only not read yet.
        let later = |lasted| again(&Ok(Found::Later), lasted, 0);
        assert_eq!([0, 1000, GIVE_UP, GIVE_UP + 1].map(later), [Some(300), Some(1000), Some(5000), None]);
    }

    #[test]
    fn what_cannot_be_found_is_repeated_once_where_that_is_allowed() {
        let unclear = Ok(Found::Unclear);
        let once = |unknowns, repeat| {
            of_look(&Delivery { unknowns, ..delivery() }, &unclear, &limits(repeat), NOW, NOW)
        };
        assert!(matches!(once(1, true), Shown::Repeated { .. }));
        assert!(matches!(once(2, true), Shown::Unknown { due_at: NEVER, .. }));
        assert!(matches!(once(1, false), Shown::Unknown { due_at: NEVER, .. }));
        let part = Part { stub: Some("…".into()), ..delivery().part };
        let stub = Delivery { unknowns: 3, part, ..delivery() };
        let shown = of_look(&stub, &unclear, &limits(false), NOW, NOW);
        assert!(matches!(shown, Shown::Later { due_at, .. } if due_at == NOW + 2000), "{shown:?}");
    }
}
