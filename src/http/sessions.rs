//! Sessions and their transcripts.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;

use super::Api;
use super::error::ApiError;
use crate::control::admin::{Sessions, Transcript, TranscriptLine};
use crate::store::session_lists::Summary;

/// Rows that one answer has at most.
const MOST: i64 = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    key: Option<String>,
    limit: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Where {
    key: String,
    #[serde(default)]
    after: i64,
    limit: Option<i64>,
}

/// `GET sessions?limit=&key=`: the most recently changed, newest first.
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    query: Result<Query<Which>, QueryRejection>,
) -> Result<Json<Vec<Summary>>, ApiError> {
    let Query(Which { key, limit }) = query?;
    Ok(Json(api.store.read(Sessions { key, limit: rows(limit) }).await?))
}

/// `GET sessions/entries?key=&after=&limit=`: a transcript, oldest first.
pub(super) async fn entries(
    State(api): State<Arc<Api>>,
    query: Result<Query<Where>, QueryRejection>,
) -> Result<Json<Vec<TranscriptLine>>, ApiError> {
    let Query(Where { key, after, limit }) = query?;
    let found = api.store.read(Transcript { key: key.clone(), after, limit: rows(limit) }).await?;
    found.map(Json).ok_or_else(|| ApiError::not_found(format!("There is no session `{key}`.")))
}

/// How many rows a caller gets: 50 when it does not say, `MOST` at most.
pub(super) fn rows(limit: Option<i64>) -> i64 {
    limit.unwrap_or(50).clamp(1, MOST)
}
