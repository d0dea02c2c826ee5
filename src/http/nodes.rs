//! The nodes that share the database.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::Api;
use super::error::ApiError;
use crate::control::admin::Nodes;
use crate::store::nodes::Node;

/// `GET nodes`: all of them, the oldest first.
pub(super) async fn list(State(api): State<Arc<Api>>) -> Result<Json<Vec<Node>>, ApiError> {
    Ok(Json(api.store.read(Nodes).await?))
}
