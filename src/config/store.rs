//! `[store]`: the database.

use serde::Deserialize;

use super::Secret;

/// The database.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Store {
    /// `sqlite:<path>` or `postgres://user@host/db`. A secret, because it may hold a password.
    pub url: Secret,
    /// Connections to PostgreSQL, or readers of SQLite.
    pub max_connections: u32,
}

impl Default for Store {
    fn default() -> Self {
        Self { url: Secret::from("sqlite:data/roundtable.db".to_owned()), max_connections: 32 }
    }
}
