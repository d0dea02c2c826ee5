//! The HTTP API: health for everybody, everything else for whoever presents the node's token.
//!
//! Handlers read and change through `control` and the local channel; none of them holds a state of its own.

mod deliveries;
mod error;
mod guard;
mod health;
mod local;
mod metrics;
mod nodes;
mod pair;
mod sessions;
#[cfg(test)]
mod tests;
mod typed;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, FromRef};
use axum::http::Method;
use axum::http::Uri;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use axum::{Router, http::StatusCode};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Secret};
use crate::engine::Outlet;
use crate::inbound::{Edges, Front, States};
use crate::local::Local;
use crate::metrics::Metrics;
use crate::store::Store;

use error::ApiError;
pub use error::{ErrorBody, Problem};
pub use health::Health;
pub use local::{Chat, Chats, Page, Said, Saying, check_chat};
pub use pair::{NewCode, Revoked};
pub use sessions::{Prune, Sweep};

/// The largest request body, in bytes.
const MAX_BODY: usize = 256 * 1024;

/// How long requests may go on after the stop. Long polls end at once.
const GRACE: Duration = Duration::from_secs(3);

/// What the API works on.
pub struct Api {
    /// The database.
    pub store: Store,
    /// The way in, for what is said in the local channel.
    pub front: Arc<Front>,
    /// The accounts there are.
    pub edges: Arc<Edges>,
    /// The local channel.
    pub local: Arc<Local>,
    /// The way out, for what shall be sent again.
    pub outlet: Arc<dyn Outlet>,
    /// How the accounts' connections are.
    pub states: Arc<States>,
    /// What was counted.
    pub metrics: Arc<Metrics>,
    /// This node, among those that share the database.
    pub node: String,
    /// What callers must present.
    pub token: Secret,
    /// The configuration.
    pub config: Arc<Config>,
}

#[derive(Clone)]
struct Shared {
    api: Arc<Api>,
    stop: CancellationToken,
}

impl FromRef<Shared> for Arc<Api> {
    fn from_ref(shared: &Shared) -> Self {
        shared.api.clone()
    }
}

impl FromRef<Shared> for CancellationToken {
    fn from_ref(shared: &Shared) -> Self {
        shared.stop.clone()
    }
}

/// All routes. Requests that wait for something end when `stop` fires.
pub fn router(api: Arc<Api>, stop: CancellationToken) -> Router {
    let shared = Shared { api, stop };
    let guard = from_fn_with_state(shared.clone(), guard::guard);
    let guarded = Router::new()
        .route("/sessions", get(sessions::list))
        .route("/sessions/entries", get(sessions::entries))
        .route("/sessions/old", get(sessions::old))
        .route("/sessions/prune", post(sessions::prune))
        .route("/notes/prune", post(sessions::sweep))
        .route("/deliveries", get(deliveries::list))
        .route("/deliveries/{id}/retry", post(deliveries::retry))
        .route("/deliveries/{id}/discard", post(deliveries::discard))
        .route("/local", get(local::chats))
        .route("/local/{chat}/messages", get(local::messages).post(local::say))
        .route("/nodes", get(nodes::list))
        .route("/pair/owner", post(pair::owner))
        .route("/pair/revoke", post(pair::revoke))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(guard.clone());
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::text).layer(guard))
        .nest("/api/v1", guarded)
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .with_state(shared)
}

/// Serves until `stop` fires and the requests in progress have ended, `GRACE` at most.
pub async fn serve(listener: TcpListener, api: Arc<Api>, stop: CancellationToken) {
    let router = router(api, stop.clone());
    let server = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    let overdue = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        ended = server.into_future() => {
            if let Err(error) = ended {
                tracing::error!(%error, "the HTTP server ended");
            }
        }
        () = overdue => tracing::warn!("some HTTP requests did not end in time and were cut off"),
    }
}

async fn no_route(uri: Uri) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "not_found", format!("There is nothing at {}.", uri.path()))
}

async fn no_method(method: Method, uri: Uri) -> ApiError {
    let message = format!("{} takes no {method}.", uri.path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}
