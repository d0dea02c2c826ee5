//! The two databases that every store test runs on.

use std::sync::Arc;

use anyhow::Context as _;
use roundtable::store::{Access, Store};
use roundtable::time::Clock;
use sqlx::AssertSqlSafe;
use tempfile::TempDir;

use super::postgres::postgres;

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

/// A database of one test's own, gone with it.
pub struct Fresh {
    /// For `store.url`.
    pub url: String,
    /// SQLite's file; PostgreSQL's databases go with the server.
    _folder: Option<TempDir>,
}

impl Fresh {
    /// One that somebody else made and takes away.
    pub fn at(url: String) -> Self {
        Self { url, _folder: None }
    }
}

impl Database {
    /// Those that there are on this machine. SQLite always is.
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self::Sqlite];
        all.extend(postgres().map(|_| Self::Postgres));
        all
    }

    /// A new, empty database.
    pub async fn fresh(self) -> Fresh {
        match self {
            Self::Sqlite => {
                let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder can be made");
                let url = format!("sqlite:{}", folder.path().join("test.db").display());
                Fresh { url, _folder: Some(folder) }
            }
            Self::Postgres => {
                let server = postgres().expect("`all` gives it only where it is");
                Fresh { url: server.fresh_database().await, _folder: None }
            }
        }
    }
}

/// Opens a database as a node does, with its writer running.
pub async fn open(url: &str, clock: Arc<dyn Clock>) -> Store {
    let (store, writer) = Store::open(url, 4, Access::Node, clock).await.expect("a new database opens");
    tokio::spawn(writer);
    store
}

/// Changes something in one of PostgreSQL's databases, or about them all in `postgres`.
pub async fn change(database: &str, statement: &str) -> anyhow::Result<()> {
    let server = postgres().context("there is no PostgreSQL here")?;
    let mut admin = server.connect(database).await;
    sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut admin).await?;
    Ok(())
}

/// Runs a test on each database, one after the other, each time with the address of a new one.
pub async fn on_each_database(test: impl AsyncFn(&str)) {
    for database in Database::all() {
        let fresh = database.fresh().await;
        test(&fresh.url).await;
    }
}

#[tokio::test]
async fn only_a_durable_database_waits_for_the_disk() {
    use sqlx::Connection as _;
    let Some(server) = super::postgres::postgres() else { return };
    let urls = [(server.fresh_database().await, "off"), (server.fresh_durable_database().await, "on")];
    for (url, expected) in urls {
        let mut conn = sqlx::PgConnection::connect(&url).await.expect("it was just made");
        let fsync: String = sqlx::query_scalar("SHOW fsync").fetch_one(&mut conn).await.expect("it says");
        assert_eq!(fsync, expected, "{url}");
    }
}
