//! What the API says when it can't: `{"error": {"code": "…", "message": "…"}}`.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::control::admin::Refusal;
use crate::store::StoreError;

/// The body of every answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What is wrong.
    pub error: Problem,
}

/// What is wrong, for programs and for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A word that stays the same.
    pub code: String,
    /// A sentence.
    pub message: String,
}

/// An error on its way to the caller.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    fn unreadable(status: StatusCode, why: &str) -> Self {
        let code = if status == StatusCode::PAYLOAD_TOO_LARGE { "too_large" } else { "bad_request" };
        Self::new(status, code, format!("The request can't be read: {why}."))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let error = Problem { code: self.code.into(), message: self.message };
        (self.status, Json(ErrorBody { error })).into_response()
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            Refusal::NoDelivery(_) | Refusal::NotLetIn(_) => Self::not_found(message),
            Refusal::Settled { .. } => Self::new(StatusCode::CONFLICT, "settled", message),
            Refusal::Owned => Self::new(StatusCode::CONFLICT, "owned", message),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if let StoreError::Closed = error {
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "The node is shutting down.");
        }
        tracing::error!(%error, "an HTTP request failed");
        let message = "The database failed; the node's log says how.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "database", message)
    }
}

macro_rules! from_rejection {
    ($($rejection:ty),+) => {
        $(impl From<$rejection> for ApiError {
            fn from(rejection: $rejection) -> Self {
                Self::unreadable(rejection.status(), &rejection.body_text())
            }
        })+
    };
}

from_rejection!(JsonRejection, PathRejection, QueryRejection);
