//! `[store]`: the database.

use serde::Deserialize;

use super::Secret;

/// The database.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Store {
    /// `sqlite:<path>` or `postgres://user@host/db`. A secret, because it may hold a password.
    pub url: Secret,
    /// Connections to PostgreSQL; SQLite has no use for it.
    pub max_connections: u32,
}

impl Default for Store {
    fn default() -> Self {
        Self { url: Secret::from("sqlite:data/roundtable.db".to_owned()), max_connections: 32 }
    }
}

impl Store {
    /// The password in the address, as it is written there.
    pub fn password(&self) -> Option<Secret> {
        let (_, address) = self.url.expose().split_once("://")?;
        let (login, _) = address.split('/').next()?.rsplit_once('@')?;
        let (_, password) = login.split_once(':')?;
        Some(Secret::from(password.to_owned()))
    }
}
