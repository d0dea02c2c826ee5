//! The turns that a node drives, each with the means to stop its task.

use std::collections::HashMap;
use std::sync::Mutex;

use tokio_util::sync::CancellationToken;

use super::lock;

/// What is at work here, by the numbers of the turns, with the fencing token of the claim that it works under.
#[derive(Default)]
pub(super) struct Driven(Mutex<HashMap<i64, (i64, CancellationToken)>>);

impl Driven {
    /// A task begins to drive a turn.
    pub(super) fn begin(&self, turn: i64, claim: i64) -> CancellationToken {
        let cancel = CancellationToken::new();
        lock(&self.0).insert(turn, (claim, cancel.clone()));
        cancel
    }

    /// The task is over. A turn that was resumed meanwhile has another, which stays.
    pub(super) fn end(&self, turn: i64, claim: i64) {
        let mut driven = lock(&self.0);
        if driven.get(&turn).is_some_and(|(newest, _)| *newest == claim) {
            driven.remove(&turn);
        }
    }

    /// Stops the tasks of these turns.
    pub(super) fn stop(&self, turns: &[i64]) {
        let driven = lock(&self.0);
        for (_, cancel) in turns.iter().filter_map(|turn| driven.get(turn)) {
            cancel.cancel();
        }
    }

    pub(super) fn contains(&self, turn: i64) -> bool {
        lock(&self.0).contains_key(&turn)
    }

    /// All of them, in order: whoever locks several turns does it in this one.
    pub(super) fn all(&self) -> Vec<i64> {
        let mut turns: Vec<i64> = lock(&self.0).keys().copied().collect();
        turns.sort_unstable();
        turns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_ends_late_leaves_its_turn_to_the_one_that_resumed_it() {
        let driven = Driven::default();
        let first = driven.begin(7, 1);
        let second = driven.begin(7, 2);
        driven.end(7, 1);
        assert_eq!(driven.all(), [7]);
        driven.stop(&[7]);
        assert!(second.is_cancelled() && !first.is_cancelled());
        driven.end(7, 2);
        assert!(!driven.contains(7));
    }
}
