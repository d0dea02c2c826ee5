//! Owners and groups that were let in.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use roundtable_contract::Conversation;
use serde::{Deserialize, Serialize};

use super::Api;
use super::error::ApiError;
use crate::control::admin::{self, Refusal, Revoke};

/// The answer of `POST pair/owner`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewCode {
    /// What the owner-to-be sends to the bot.
    pub code: String,
}

/// The body and the answer of `POST pair/revoke`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    /// The group, or a thread in it.
    pub conversation: Conversation,
}

/// `POST pair/owner`: a new code, which voids the one before.
pub(super) async fn owner(State(api): State<Arc<Api>>) -> Result<Json<NewCode>, ApiError> {
    let code = admin::new_owner_code(&api.store).await?.ok_or(Refusal::Owned)?;
    Ok(Json(NewCode { code }))
}

/// `POST pair/revoke`: the group is no longer let in.
pub(super) async fn revoke(
    State(api): State<Arc<Api>>,
    body: Result<Json<Revoked>, JsonRejection>,
) -> Result<Json<Revoked>, ApiError> {
    let Json(revoked) = body?;
    api.store.commit(Revoke(revoked.conversation.clone())).await??;
    Ok(Json(revoked))
}
