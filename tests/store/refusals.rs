//! A database that can't be used as it is: the program says what to do and changes nothing.

use std::path::Path;
use std::sync::Arc;

use roundtable::store::{Access, SCHEMA, Store, StoreError};
use roundtable::time::SystemClock;
use sqlx::{Connection, PgConnection, SqliteConnection};

use crate::support::databases::{Database, Fresh, open};
use crate::support::postgres::postgres;

/// The sentence with which a database is refused, its path written as `<db>`.
async fn refusal(url: &str, access: Access) -> String {
    match Store::open(url, 2, access, Arc::new(SystemClock::new())).await {
        Err(StoreError::Refused(why)) => why.replace(path(url), "<db>"),
        Err(other) => panic!("not refused but failed: {other}"),
        Ok(_) => panic!("it was opened"),
    }
}

fn path(url: &str) -> &str {
    url.strip_prefix("sqlite:").unwrap_or(url)
}

async fn used(database: Database) -> Fresh {
    let fresh = database.fresh().await;
    drop(open(&fresh.url, Arc::new(SystemClock::new())).await);
    fresh
}

#[tokio::test]
async fn a_database_that_is_newer_than_the_program() {
    const NEWER: &str =
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                         SELECT 999, 'future', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
    for database in Database::all() {
        let fresh = used(database).await;
        match database {
            Database::Sqlite => {
                let mut conn = SqliteConnection::connect(&fresh.url).await.expect("it was just made");
                sqlx::query(NEWER).execute(&mut conn).await.expect("the table is sqlx's");
            }
            Database::Postgres => {
                let mut conn = PgConnection::connect(&fresh.url).await.expect("it was just made");
                sqlx::query(NEWER).execute(&mut conn).await.expect("the table is sqlx's");
            }
        }
        for access in [Access::Node, Access::Look] {
            let expected = format!(
                "The database has schema 999, this roundtable knows up to {SCHEMA}. It was written by a newer version: \
                 start that one, or restore a backup from before the upgrade. Nothing was changed."
            );
            assert_eq!(refusal(&fresh.url, access).await, expected, "{database:?}");
        }
    }
}

#[tokio::test]
async fn a_file_that_is_no_database() {
    let fresh = Database::Sqlite.fresh().await;
    let garbage = "this was a database once ".repeat(200);
    std::fs::write(path(&fresh.url), &garbage).expect("the folder is ours");
    assert_eq!(
        refusal(&fresh.url, Access::Node).await,
        "The file <db> is damaged or no SQLite database. Nothing was changed. Restore a backup, or move the file \
         away to start with an empty one."
    );
    assert_eq!(std::fs::read_to_string(path(&fresh.url)).expect("it is there"), garbage);
}

#[tokio::test]
async fn a_second_node_on_the_same_file() {
    let fresh = Database::Sqlite.fresh().await;
    let first = open(&fresh.url, Arc::new(SystemClock::new())).await;
    assert_eq!(
        refusal(&fresh.url, Access::Node).await,
        "Another roundtable is running on <db>. SQLite serves one process: stop the other one, give this one \
         another node.data_dir, or share a PostgreSQL (store.url = \"postgres://…\")."
    );
    // A command may look meanwhile, and when the first has gone, the file is free.
    let look = Store::open(&fresh.url, 2, Access::Look, Arc::new(SystemClock::new())).await;
    assert!(look.is_ok());
    drop((look, first));
    drop(open(&fresh.url, Arc::new(SystemClock::new())).await);
}

#[tokio::test]
async fn a_file_that_another_program_holds() {
    let fresh = used(Database::Sqlite).await;
    let mut other = SqliteConnection::connect(&fresh.url).await.expect("it was just made");
    sqlx::query("PRAGMA locking_mode = EXCLUSIVE").execute(&mut other).await.expect("SQLite knows it");
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.expect("nobody else is there");
    assert_eq!(
        refusal(&fresh.url, Access::Node).await,
        "The database <db> is locked by another program for more than 5 s. Close that program and start again."
    );
}

#[tokio::test]
async fn a_look_at_what_is_not_there_or_empty() {
    let fresh = Database::Sqlite.fresh().await;
    assert_eq!(
        refusal(&fresh.url, Access::Look).await,
        "There is no database at <db>. Start `roundtable` once, or point store.url at the right file."
    );
    assert!(!Path::new(path(&fresh.url)).exists(), "a look made a file");
    if Database::all().contains(&Database::Postgres) {
        let empty = Database::Postgres.fresh().await;
        assert_eq!(
            refusal(&empty.url, Access::Look).await,
            "The database is empty. Start `roundtable` once to set it up."
        );
    }
}

#[tokio::test]
async fn a_postgresql_without_the_database() {
    let Some(server) = postgres() else { return };
    let why = refusal(&server.url("none"), Access::Node).await;
    let said = ["PostgreSQL can't be reached: ", "database \"none\" does not exist"];
    assert!(said.iter().all(|words| why.contains(words)), "{why}");
    assert!(why.ends_with("Check store.url and that the server runs."), "{why}");
}
