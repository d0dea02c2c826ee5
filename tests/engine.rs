//! The engine: queues, caps, stopping, waiting, recovery, limits, draining.

mod caps;
mod draining;
mod limits;
mod queue;
mod recovery;
mod stopping;
mod waiting;
