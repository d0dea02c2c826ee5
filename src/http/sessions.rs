//! Sessions and their transcripts.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};

use super::Api;
use super::error::ApiError;
use crate::control::admin::{Sessions, Transcript, TranscriptLine};
use crate::control::retention::{self, Old};
use crate::store::notes::{Mark, Swept};
use crate::store::retention::Going;
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Since {
    older_than: u64,
    depth: Option<i64>,
    id: Option<i64>,
    limit: Option<i64>,
}

/// The body of `POST sessions/prune`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prune {
    /// Only sessions in which nothing has changed for so long, in milliseconds.
    pub older_than: u64,
}

/// The body of `POST notes/prune`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// Only notes that are so old, in milliseconds.
    pub older_than: u64,
    /// Where to go on.
    pub from: Mark,
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

/// `GET sessions/old?older_than=&depth=&id=&limit=`: what `sessions/prune` would remove, children first, behind the
/// session with this depth and number.
pub(super) async fn old(
    State(api): State<Arc<Api>>,
    query: Result<Query<Since>, QueryRejection>,
) -> Result<Json<Vec<Going>>, ApiError> {
    let Query(Since { older_than, depth, id, limit }) = query?;
    let old = Old { before: before(&api, older_than)?, after: depth.zip(id), limit: rows(limit) };
    Ok(Json(api.store.read(old).await?))
}

/// `POST sessions/prune`: takes a batch of old sessions out of use; the node erases them. Nothing is left when it
/// answers with none.
pub(super) async fn prune(
    State(api): State<Arc<Api>>,
    body: Result<Json<Prune>, JsonRejection>,
) -> Result<Json<Vec<Going>>, ApiError> {
    let Json(Prune { older_than }) = body?;
    Ok(Json(retention::prune(&api.store, before(&api, older_than)?).await?))
}

/// `POST notes/prune`: removes notes that are needed no longer from a stretch of them, and says where the next begins.
pub(super) async fn sweep(
    State(api): State<Arc<Api>>,
    body: Result<Json<Sweep>, JsonRejection>,
) -> Result<Json<Swept>, ApiError> {
    let Json(Sweep { older_than, from }) = body?;
    Ok(Json(retention::sweep(&api.store, before(&api, older_than)?, from).await?))
}

fn before(api: &Api, older_than: u64) -> Result<i64, ApiError> {
    let now = api.store.now();
    let before = i64::try_from(older_than).ok().filter(|older_than| *older_than <= now);
    let before = before.ok_or_else(|| ApiError::bad_request("`older_than` is before 1970."))?;
    Ok(now - before)
}

/// How many rows a caller gets: 50 when it does not say, `MOST` at most.
pub(super) fn rows(limit: Option<i64>) -> i64 {
    limit.unwrap_or(50).clamp(1, MOST)
}
