//! The engine: queues, caps, stopping, waiting, recovery, limits, draining.

mod caps;
mod claims;
mod draining;
mod limits;
mod queue;
mod recovery;
mod stopping;
mod waiting;

use roundtable::models::{ModelMessage, Request};
use serde_json::json;

use crate::support::bench::Does;
use crate::support::databases::Database;
use crate::support::world::{Setting, World};

/// Runs a test on each database.
pub async fn on_each(test: impl AsyncFn(Setting)) {
    for database in Database::all() {
        let fresh = database.fresh().await;
        test(World::setting().on(&fresh.url)).await;
    }
}

/// A model that calls the tool once and then says what it got.
fn calls_then_tells(request: &Request) -> Does {
    match request.messages.last() {
        Some(ModelMessage::Tool { content, .. }) => Does::Says(content.clone()),
        _ => Does::Calls(vec![json!({})]),
    }
}
