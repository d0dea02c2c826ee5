//! Which delivery of a conversation is next. Pure.
//!
//! Order is that of first visibility: nothing is called while something older is on its way or unknown.
//! Parts of one message wait for each other however long it takes; other messages pass one that has been
//! stuck for five minutes, so that a conversation never dies of one message. Time in which nothing at all could go out
//! does not count.

use crate::store::deliveries::{Delivery, State};

/// What a conversation's lane does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next<'a> {
    /// Send this one.
    Send(&'a Delivery),
    /// Find out about this one: it may be visible.
    Look(&'a Delivery),
    /// Nothing before this time.
    Wait(i64),
    /// Nothing at all.
    Idle,
}

/// Decides, from a conversation's open deliveries in order. Others pass what was made by the time `stuck_until`.
pub fn next(open: &[Delivery], now: i64, stuck_until: i64) -> Next<'_> {
    let mut stuck: Vec<&str> = Vec::new();
    let mut earliest: Option<i64> = None;
    for delivery in open {
        if stuck.contains(&delivery.answer.as_str()) {
            continue;
        }
        let ready = match delivery.state {
            State::Sending => delivery.call_until.unwrap_or(0),
            _ => delivery.due_at,
        };
        if ready <= now {
            return match delivery.state {
                State::Pending => Next::Send(delivery),
                _ => Next::Look(delivery),
            };
        }
        earliest = Some(earliest.map_or(ready, |earliest| earliest.min(ready)));
        if delivery.created_at > stuck_until {
            break;
        }
        stuck.push(&delivery.answer);
    }
    earliest.map_or(Next::Idle, Next::Wait)
}

#[cfg(test)]
mod tests {
    use roundtable_contract::Part;

    use super::*;

    const NOW: i64 = 10_000_000;
    const STUCK: i64 = NOW - 5000;

    fn delivery(id: i64, answer: &str, state: State, due_at: i64) -> Delivery {
        Delivery {
            id,
            conversation_id: 1,
            called_in: None,
            answer: answer.into(),
            opens_for: None,
            part: Part { body: String::new(), text: String::new(), stub: None },
            state,
            after: None,
            message: None,
            attempts: 0,
            unknowns: 0,
            due_at,
            call_until: Some(due_at),
            created_at: NOW - 1000,
        }
    }

    #[test]
    fn the_oldest_goes_first_and_holds_the_others_back() {
        let first = delivery(1, "a", State::Pending, NOW + 5);
        let second = delivery(2, "b", State::Pending, NOW);
        assert_eq!(next(&[first.clone(), second.clone()], NOW, STUCK), Next::Wait(NOW + 5));
        assert_eq!(next(&[first.clone(), second], NOW + 5, STUCK), Next::Send(&first));
        assert_eq!(next(&[], NOW, STUCK), Next::Idle);
    }

    #[test]
    fn a_call_of_a_dead_process_is_looked_into_when_it_must_be_over() {
        let lost = delivery(1, "a", State::Sending, NOW + 5);
        assert_eq!(next(std::slice::from_ref(&lost), NOW, STUCK), Next::Wait(NOW + 5));
        assert_eq!(next(std::slice::from_ref(&lost), NOW + 5, STUCK), Next::Look(&lost));
        let unknown = delivery(1, "a", State::Unknown, NOW);
        assert_eq!(next(std::slice::from_ref(&unknown), NOW, STUCK), Next::Look(&unknown));
    }

    #[test]
    fn other_messages_pass_a_stuck_one_but_not_parts_of_the_same() {
        let mut stuck = delivery(1, "a", State::Pending, NOW + 60_000);
        stuck.created_at = STUCK;
        let same = delivery(2, "a", State::Pending, NOW);
        let other = delivery(3, "b", State::Pending, NOW);
        assert_eq!(next(&[stuck.clone(), same.clone(), other.clone()], NOW, STUCK), Next::Send(&other));
        assert_eq!(next(&[stuck, same], NOW, STUCK), Next::Wait(NOW + 60_000));
    }
}
