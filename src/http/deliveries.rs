//! Deliveries: what is still to become visible, and what never did.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};

use super::Api;
use super::error::ApiError;
use super::sessions::rows;
use crate::control::admin::{Deliveries, Discard, Retry};
use crate::store::deliveries::Listed;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    #[serde(default)]
    all: bool,
    limit: Option<i64>,
}

/// `GET deliveries?all=&limit=`: the newest, newest first; without `all` those that need attention.
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    query: Result<Query<Which>, QueryRejection>,
) -> Result<Json<Vec<Listed>>, ApiError> {
    let Query(Which { all, limit }) = query?;
    Ok(Json(api.store.read(Deliveries { all, limit: rows(limit) }).await?))
}

/// The answer to a change.
#[derive(Serialize)]
pub(super) struct Changed {
    id: i64,
}

/// `POST deliveries/{id}/retry`.
pub(super) async fn retry(
    State(api): State<Arc<Api>>,
    id: Result<Path<i64>, PathRejection>,
) -> Result<Json<Changed>, ApiError> {
    let Path(id) = id?;
    let conversation = api.store.commit(Retry(id)).await??;
    api.outlet.hint(conversation);
    Ok(Json(Changed { id }))
}

/// `POST deliveries/{id}/discard`.
pub(super) async fn discard(
    State(api): State<Arc<Api>>,
    id: Result<Path<i64>, PathRejection>,
) -> Result<Json<Changed>, ApiError> {
    let Path(id) = id?;
    api.store.commit(Discard(id)).await??;
    Ok(Json(Changed { id }))
}
