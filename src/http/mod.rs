//! The HTTP API.
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Secret};

/// temp
pub struct Api {
    /// temp
    pub store: crate::store::Store,
    /// temp
    pub front: Arc<crate::inbound::Front>,
    /// temp
    pub edges: Arc<crate::inbound::Edges>,
    /// temp
    pub local: Arc<crate::local::Local>,
    /// temp
    pub outlet: Arc<dyn crate::engine::Outlet>,
    /// temp
    pub states: Arc<crate::inbound::States>,
    /// temp
    pub token: Secret,
    /// temp
    pub config: Arc<Config>,
}

/// temp
pub async fn serve(_listener: TcpListener, _api: Arc<Api>, stop: CancellationToken) {
    stop.cancelled().await;
}
