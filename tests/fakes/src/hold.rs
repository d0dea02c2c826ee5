//! A gate in the way of one call: the test sees the call arrive, decides when it is processed and whether it is answered.

use std::sync::Arc;

use anyhow::Context as _;
use tokio::{sync::watch, time::timeout};

use crate::PATIENCE;

/// What the test has told the call to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Order {
    /// Stay where it is.
    Wait,
    /// Be processed, but keep the answer back.
    Process,
    /// Be processed if it is not yet, and answered.
    Answer,
    /// End without an answer, by a closed connection.
    Cut,
}

#[derive(Debug)]
struct State {
    arrived: bool,
    processed: bool,
    order: Order,
}

/// The test's end of a gate. Dropping it lets the call go on.
#[derive(Debug)]
pub struct Hold {
    what: String,
    state: Arc<watch::Sender<State>>,
}

/// The server's end of a gate. One call waits at it; later ones pass.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<watch::Sender<State>>);

/// Makes a gate; `what` names the awaited call in error messages.
pub(crate) fn gate(what: impl Into<String>) -> (Gate, Hold) {
    let state = Arc::new(watch::Sender::new(State { arrived: false, processed: false, order: Order::Wait }));
    (Gate(Arc::clone(&state)), Hold { what: what.into(), state })
}

impl Hold {
    /// Waits until the call is here; it is not processed yet. Fails after [`PATIENCE`].
    pub async fn arrived(&self) -> anyhow::Result<()> {
        self.until("did not arrive", |state| state.arrived).await
    }

    /// Has the call processed and waits for that; its answer stays back. Killing the client now means: the platform has
    /// done it, nobody knows.
    pub async fn process(&self) -> anyhow::Result<()> {
        self.arrived().await?;
        self.order(Order::Process);
        self.until("was not processed", |state| state.processed).await
    }

    /// Lets the call be processed (if it is not yet) and answered.
    pub fn release(self) {
        self.order(Order::Answer);
    }

    /// Closes the call's connection without an answer, processed or not.
    pub fn cut(self) {
        self.order(Order::Cut);
    }

    fn order(&self, order: Order) {
        self.state.send_modify(|state| state.order = state.order.max(order));
    }

    async fn until(&self, failure: &str, mut holds: impl FnMut(&State) -> bool) -> anyhow::Result<()> {
        let mut state = self.state.subscribe();
        let reached = timeout(PATIENCE, state.wait_for(|state| holds(state))).await;
        reached.with_context(|| format!("{} {failure} within {PATIENCE:?}", self.what))??;
        Ok(())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.order(Order::Answer);
    }
}

impl Gate {
    /// The call is here: returns once it is told more than to wait.
    pub async fn arrive(&self) -> Order {
        self.0.send_modify(|state| state.arrived = true);
        self.beyond(Order::Wait).await
    }

    /// The call has been processed: returns once it is to be answered or cut.
    pub async fn processed(&self) -> Order {
        self.0.send_modify(|state| state.processed = true);
        self.beyond(Order::Process).await
    }

    async fn beyond(&self, order: Order) -> Order {
        let mut state = self.0.subscribe();
        match state.wait_for(|state| state.order > order).await {
            Ok(state) => state.order,
            // Unreachable: this gate itself keeps the sender alive. A held call must never hang for ever.
            Err(_closed) => Order::Answer,
        }
    }
}
