//! The turn machine, without I/O: what a turn does next follows from what it has committed.
//!
//! The state of a turn is its committed entries and nothing else, so that going on after a crash is the
//! same as going on after a step: the driver reads the entries, asks [`next`], does it, commits, asks again.

use std::time::Duration;

use crate::agents::is_silent;
use crate::models::{Answer, ModelError, ToolCall};
use crate::store::entries::{Content, Entry};

/// Steps after which a turn is taken to run away.
pub const MAX_STEPS: i64 = 100;

/// The same call this many times in a row is a loop.
const LOOP: usize = 3;

/// A model's wish to wait up to this long suspends the turn; a longer one ends it.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Ask the model.
    CallModel {
        /// The number of the step this begins.
        step: i64,
    },
    /// Make these calls of the newest answer; their results are missing.
    RunCalls {
        /// The step they belong to.
        step: i64,
        /// Index within the step, and the call.
        calls: Vec<(i64, ToolCall)>,
    },
    /// End the turn: it would go on for ever.
    Stop(Runaway),
}

/// Why a turn would go on for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runaway {
    /// The same call again and again.
    Loop {
        /// The tool.
        tool: String,
    },
    /// Too many steps.
    Steps,
}

/// What follows from the committed entries of a turn, oldest first.
pub fn next(entries: &[Entry]) -> Action {
    match patiently(entries) {
        Action::RunCalls { step, calls } => match looping(entries) {
            Some(tool) => Action::Stop(Runaway::Loop { tool }),
            None => Action::RunCalls { step, calls },
        },
        other => other,
    }
}

/// The same for a turn that may make the same call as often as it likes: it looks after children at work.
pub fn patiently(entries: &[Entry]) -> Action {
    let newest = entries.iter().rev().find_map(|entry| match &entry.content {
        Content::Answer(answer) => Some((entry.step, answer)),
        _ => None,
    });
    let Some((step, answer)) = newest else { return Action::CallModel { step: 1 } };
    let calls = missing(entries, step, answer);
    if !calls.is_empty() {
        return Action::RunCalls { step, calls };
    }
    if step >= MAX_STEPS {
        return Action::Stop(Runaway::Steps);
    }
    Action::CallModel { step: step + 1 }
}

fn missing(entries: &[Entry], step: i64, answer: &Answer) -> Vec<(i64, ToolCall)> {
    let done = |index| {
        entries.iter().any(|entry| {
            entry.step == step
                && entry.call_index == Some(index)
                && matches!(entry.content, Content::Result(_))
        })
    };
    (0..).zip(&answer.calls).filter(|(index, _)| !done(*index)).map(|(i, call)| (i, call.clone())).collect()
}

/// The tool whose last calls in a row were all the same.
fn looping(entries: &[Entry]) -> Option<String> {
    let mut calls = entries.iter().rev().filter_map(|entry| match &entry.content {
        Content::Answer(answer) => Some(answer.calls.iter().rev()),
        _ => None,
    });
    let mut calls = calls.by_ref().flatten();
    let newest = calls.next()?;
    let same = calls.take_while(|call| call.asks_the_same(newest)).take(LOOP - 1).count();
    (same == LOOP - 1).then(|| newest.name.clone())
}

/// How a turn ends whose model asked for no more calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The text is the answer.
    Say,
    /// Nothing is shown, on purpose.
    Silent,
    /// There is nothing to show, and it was not on purpose.
    Empty,
}

/// Reads an answer without calls.
pub fn ending(answer: &Answer) -> Ending {
    if is_silent(&answer.text) {
        Ending::Silent
    } else if answer.text.trim().is_empty() {
        Ending::Empty
    } else {
        Ending::Say
    }
}

/// How long a turn with so much time left waits after a failed model call, or `None`: it ends. Without time to ask
/// again there is nothing to wait for.
pub fn pause_after(error: &ModelError, left: Duration) -> Option<Duration> {
    match error {
        ModelError::RateLimited { after: Some(after), .. } if *after <= LONGEST_PAUSE && *after < left => {
            Some(*after)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::entries::CallResult;
    use crate::store::inbox::{Body, ItemKind};

    fn entry(step: i64, call_index: Option<i64>, content: Content) -> Entry {
        Entry { seq: 0, generation: 1, turn_id: 1, step, call_index, content, size: 0, created_at: 0 }
    }

    fn input(text: &str) -> Entry {
        let body = Body { text: text.into(), ..Body::default() };
        entry(0, None, Content::Input { kind: ItemKind::User, author: "Ann".into(), body })
    }

    fn call(name: &str, argument: i64) -> ToolCall {
        ToolCall { id: format!("{name}-{argument}"), name: name.into(), arguments: json!({"n": argument}) }
    }

    fn asks(step: i64, calls: Vec<ToolCall>) -> Entry {
        entry(step, None, Content::Answer(Answer { calls, ..Answer::default() }))
    }

    fn result(step: i64, index: i64) -> Entry {
        let result = CallResult { call_id: String::new(), tool: String::new(), content: "{}".into() };
        entry(step, Some(index), Content::Result(result))
    }

    #[test]
    fn a_new_turn_asks_the_model() {
        assert_eq!(next(&[input("hi")]), Action::CallModel { step: 1 });
    }

    #[test]
    fn calls_without_results_are_made_and_only_those() {
        let entries = [input("hi"), asks(1, vec![call("a", 1), call("b", 2)]), result(1, 0)];
        assert_eq!(next(&entries), Action::RunCalls { step: 1, calls: vec![(1, call("b", 2))] });
        let entries = [&entries[..], &[result(1, 1)]].concat();
        assert_eq!(next(&entries), Action::CallModel { step: 2 });
    }

    #[test]
    fn what_was_said_meanwhile_does_not_hide_a_missing_result() {
        let entries = [input("hi"), asks(1, vec![call("a", 1)]), input("also")];
        assert_eq!(next(&entries), Action::RunCalls { step: 1, calls: vec![(0, call("a", 1))] });
    }

    #[test]
    fn the_third_equal_call_in_a_row_stops_the_turn() {
        let mut entries = vec![input("hi")];
        for step in 1..=2 {
            entries.extend([asks(step, vec![call("a", 1)]), result(step, 0)]);
        }
        entries.push(asks(3, vec![call("a", 1)]));
        assert_eq!(next(&entries), Action::Stop(Runaway::Loop { tool: "a".into() }));
        let other = entries.len() - 1;
        entries[other] = asks(3, vec![call("a", 2)]);
        assert!(matches!(next(&entries), Action::RunCalls { .. }));
    }

    #[test]
    fn a_turn_has_an_end() {
        let entries = [input("hi"), asks(MAX_STEPS, vec![call("a", 1)]), result(MAX_STEPS, 0)];
        assert_eq!(next(&entries), Action::Stop(Runaway::Steps));
    }

    #[test]
    fn silence_is_the_whole_answer_or_none() {
        for (text, expected) in [
            ("NO_REPLY", Ending::Silent),
            ("  no_reply\n", Ending::Silent),
            ("ANNOUNCE_SKIP", Ending::Silent),
            ("NO_REPLY, because", Ending::Say),
            ("Well. NO_REPLY", Ending::Say),
            (" \n", Ending::Empty),
            ("yes", Ending::Say),
        ] {
            assert_eq!(ending(&Answer { text: text.into(), ..Answer::default() }), expected, "{text:?}");
        }
    }

    #[test]
    fn only_a_bearable_pause_is_waited_for() {
        let limited = |after| ModelError::RateLimited { model: "m".into(), after };
        let minute = Duration::from_secs(60);
        let day = minute * 60 * 24;
        assert_eq!(pause_after(&limited(Some(minute)), day), Some(minute));
        assert_eq!(pause_after(&limited(Some(minute * 60)), day), None);
        assert_eq!(pause_after(&limited(Some(minute)), minute), None);
        assert_eq!(pause_after(&limited(None), day), None);
        assert_eq!(pause_after(&ModelError::Refused { model: "m".into(), reason: "no".into() }, day), None);
    }
}
