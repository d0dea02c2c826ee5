//! `[http]`: API, dashboard, metrics.

use std::net::{Ipv4Addr, SocketAddr};

use serde::Deserialize;

use super::Secret;

/// The HTTP server.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Http {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What callers must present; `None`: the program makes one and keeps it in `node.data_dir`.
    pub token: Option<Secret>,
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: (Ipv4Addr::LOCALHOST, 7080).into(), token: None }
    }
}
