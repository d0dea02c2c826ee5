//! Every request waits until the test picks it: for tests that choose the order in which models answer.

use std::sync::{Arc, Mutex, PoisonError};

use super::{ModelFake, ModelRequest};
use crate::hold::{Gate, Hold, gate};

/// The requests that wait to be picked.
#[derive(Debug, Default)]
pub(super) struct Desk(Mutex<Option<Vec<Waiting>>>);

type Waiting = (Arc<ModelRequest>, Hold);

impl Desk {
    /// The gate of a request that comes now, if requests wait.
    pub(super) fn wait(&self, request: &ModelRequest) -> Option<Gate> {
        let mut desk = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = desk.as_mut()?;
        let (gate, hold) = gate(format!("the model request {}", request.number));
        waiting.push((Arc::new(request.clone()), hold));
        Some(gate)
    }

    /// A request has ended, picked or not.
    pub(super) fn leave(&self, number: usize) {
        let mut desk = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        desk.iter_mut().for_each(|waiting| waiting.retain(|(request, _)| request.number != number));
    }

    fn pick(&self, number: usize) -> Option<Hold> {
        let mut desk = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = desk.as_mut()?;
        let at = waiting.iter().position(|(request, _)| request.number == number)?;
        Some(waiting.remove(at).1)
    }
}

impl ModelFake {
    /// From now on every request waits for [`ModelFake::answer`].
    pub fn hold_all(&self) {
        *self.fake.desk.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
    }

    /// The requests that wait now, in the order in which they came.
    pub fn waiting(&self) -> Vec<Arc<ModelRequest>> {
        let desk = self.fake.desk.0.lock().unwrap_or_else(PoisonError::into_inner);
        desk.iter().flatten().map(|(request, _)| Arc::clone(request)).collect()
    }

    /// How many wait now.
    pub fn waiting_count(&self) -> usize {
        let desk = self.fake.desk.0.lock().unwrap_or_else(PoisonError::into_inner);
        desk.iter().flatten().count()
    }

    /// Answers one that waits, by the rules; `false`: its client has gone away.
    pub fn answer(&self, request: &ModelRequest) -> bool {
        self.fake.desk.pick(request.number).map(Hold::release).is_some()
    }
}
