//! What a transaction leaves to do once it is committed. Hints: a poll finds all of it too.

use std::sync::Arc;

use super::Engine;
use crate::store::News;

/// Who has to be told of a commit.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Effects {
    /// A session has something to do, or a wait is over.
    pub work: bool,
    /// Conversations that have something to deliver.
    pub said: Vec<i64>,
    /// Turns that were cancelled.
    pub cancelled: Vec<i64>,
    /// Runs whose requesters are told later.
    #[cfg(feature = "planted-faults")]
    pub untold: Vec<i64>,
}

impl Effects {
    /// Adds what another part of the transaction leaves to do.
    pub fn join(&mut self, other: Self) {
        self.work |= other.work;
        self.said.extend(other.said);
        self.cancelled.extend(other.cancelled);
        #[cfg(feature = "planted-faults")]
        self.untold.extend(other.untold);
    }
}

impl Engine {
    /// Tells everybody whom a commit concerns.
    pub fn follow(self: &Arc<Self>, effects: &Effects) {
        self.cancelled(&effects.cancelled);
        #[cfg(feature = "planted-faults")]
        self.tell_late(&effects.untold);
        for turn in effects.cancelled.iter().filter(|turn| !self.driven.contains(**turn)) {
            self.store.tell(News::Cancelled(*turn));
        }
        for conversation_id in &effects.said {
            self.team.outlet.hint(*conversation_id);
        }
        if effects.work || !effects.cancelled.is_empty() {
            self.wake();
            // Only of what has just come up: two full nodes would tell each other of it for ever.
            if self.is_full() {
                self.store.tell(News::Work);
            }
        }
    }
}
