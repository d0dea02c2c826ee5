//! Opening the database: the file and its lock, the schema and its version, and clear words when it can't be.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};

use super::lite::{BUSY, Connections, Lite};
use super::pool::Pool;
use super::pulse::Pulse;
use super::{Backend, Store, StoreError, news, writer};
use crate::time::Clock;

static SQLITE: Migrator = sqlx::migrate!("src/store/migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("src/store/migrations/postgres");

/// The schema version of this binary: the number of its newest migration.
pub const SCHEMA: i64 = 9;

/// What becomes of a transaction whose node was paused or cut off in the middle of it: the server ends it, so that its
/// locks do not hold the other nodes up. The same for those that wait for such locks; they are repeated.
const STALLED: [(&str, &str); 2] = [("idle_in_transaction_session_timeout", "3s"), ("lock_timeout", "3s")];

/// What the database is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A node: migrates, and on SQLite is the only one.
    Node,
    /// A command that looks while a node may be running.
    Look,
}

impl Store {
    /// Opens the database at `url` (`sqlite:PATH` or `postgres://…`). The returned future is SQLite's
    /// writer, or what tells PostgreSQL's other nodes of news; it must be polled, and ends when the last `Store` is
    /// dropped.
    pub async fn open(
        url: &str,
        connections: u32,
        access: Access,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, BoxFuture<'static, ()>), StoreError> {
        let (backend, writer) = match url.strip_prefix("sqlite:") {
            Some(path) => {
                let path = PathBuf::from(path.trim_start_matches("//"));
                let (backend, writer) = open_sqlite(&path, access, clock.clone()).await?;
                (backend, writer)
            }
            None => open_postgres(url, connections, access).await?,
        };
        let store = Self { backend, clock, pulse: Arc::new(Pulse::new()), renames: Arc::default() };
        if let Backend::Pg { wall, .. } = &store.backend {
            wall.begin(&store).await?;
        }
        Ok((store, writer))
    }

    /// Follows PostgreSQL's clock, so that all nodes compare leases on one. Called with every renewal of leases. On
    /// SQLite there is one node and nothing to do.
    pub async fn anchor_clock(&self) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Pg { wall, .. } => wall.follow(self).await,
            Backend::Lite { .. } => Ok(()),
        }
    }
}

async fn open_sqlite(
    path: &Path,
    access: Access,
    clock: Arc<dyn Clock>,
) -> Result<(Backend, BoxFuture<'static, ()>), StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY)
        .disable_statement_logging();
    let lock = match access {
        Access::Node => {
            let lock = lock_file(path)?;
            private_file(path);
            Some(lock)
        }
        Access::Look if path.exists() => None,
        Access::Look => {
            return Err(StoreError::Refused(format!(
                "There is no database at {}. Start `roundtable` once, or point store.url at the right file.",
                path.display()
            )));
        }
    };
    let explain = |error| explain_sqlite(path, error);
    if access == Access::Node && path.exists() && Lite::only_reads(path).map_err(explain)? {
        return Err(read_only(path.display()));
    }
    let options = options.create_if_missing(access == Access::Node);
    let mut conn = options.connect().await.map_err(|error| explain(error.into()))?;
    check_version(current_version(&mut conn).await.map_err(explain)?, access)?;
    if access == Access::Node {
        // What lies beside it may be another user's, who has looked into it.
        for statement in ["BEGIN IMMEDIATE", "ROLLBACK"] {
            sqlx::query(statement).execute(&mut conn).await.map_err(|error| explain(error.into()))?;
        }
        SQLITE.run(&mut conn).await.map_err(|error| explain(migrate_error(error)))?;
    }
    let (sender, serve) = writer::writer(Lite::open(path).map_err(explain)?, clock);
    conn.close().await.map_err(|error| explain(error.into()))?;
    let readers = Arc::new(Connections::reading(path));
    Ok((
        Backend::Lite { writer: sender, readers, shared: false, deaf: None, _lock: Arc::new(lock) },
        serve.boxed(),
    ))
}

/// Makes a folder that only this user can look into: transcripts are kept there.
pub(crate) fn private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes the database's file, if it is not there, such that only this user can read it; SQLite gives the files beside it
/// the same mode. What stands in the way is left for SQLite to say.
fn private_file(path: &Path) {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let _ = options.open(path);
}

/// Takes the lock that makes this process the only node on the file, and keeps it while the file lives.
fn lock_file(path: &Path) -> Result<File, StoreError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        private_folder(folder).map_err(|error| {
            StoreError::Refused(format!("The folder {} can't be made: {error}.", folder.display()))
        })?;
    }
    let lock = path.with_extension("lock");
    let refused = |why: String| StoreError::Refused(why);
    let file = File::create(&lock)
        .map_err(|error| refused(format!("The lock file {} can't be made: {error}.", lock.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(refused(format!(
            "Another roundtable is running on {}. SQLite serves one process: stop the other one, give this one \
             another node.data_dir, or share a PostgreSQL (store.url = \"postgres://…\").",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => {
            Err(refused(format!("The lock file {} can't be locked: {error}.", lock.display())))
        }
    }
}

fn explain_sqlite(path: &Path, error: StoreError) -> StoreError {
    let path = path.display();
    StoreError::Refused(match primary_code(&error) {
        5 | 6 => format!(
            "The database {path} is locked by another program for more than {} s. Close that program and start again.",
            BUSY.as_secs()
        ),
        8 => return read_only(path),
        10 => format!(
            "The disk that holds {path} is full or fails ({error}). Make room, or look at the disk, and start again."
        ),
        11 | 26 => format!(
            "The file {path} is damaged or no SQLite database. Nothing was changed. Restore a backup, or move the file \
             away to start with an empty one."
        ),
        13 => format!("The disk that holds {path} is full. Make room and start again."),
        14 => format!(
            "The database {path} can't be opened. Is it a file, does its folder exist, and may this user read and write both?"
        ),
        _ => return error,
    })
}

/// SQLite's result code (<https://sqlite.org/rescode.html>), whichever way it was called; extended codes carry the primary
/// one in their low byte. 0: the error is none of SQLite's.
fn primary_code(error: &StoreError) -> i32 {
    let code = match error {
        StoreError::Database(sqlx::Error::Database(error)) => error.code().and_then(|code| code.parse().ok()),
        StoreError::Lite(error) => error.sqlite_error().map(|error| error.extended_code),
        _ => None,
    };
    code.map_or(0, |code: i32| code & 0xff)
}

fn read_only(path: std::path::Display<'_>) -> StoreError {
    StoreError::Refused(format!(
        "The database {path} is read-only. Make it and its folder writable for this user, and {path}-wal and {path}-shm \
         if they are there."
    ))
}

async fn open_postgres(
    url: &str,
    connections: u32,
    access: Access,
) -> Result<(Backend, BoxFuture<'static, ()>), StoreError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| StoreError::Refused(format!("store.url is no PostgreSQL address: {error}.")))?
        .application_name("roundtable")
        .disable_statement_logging();
    let unreachable = |error| {
        StoreError::Refused(format!(
            "PostgreSQL can't be reached: {error}. Check store.url and that the server runs."
        ))
    };
    // Migrations may take their time.
    let mut conn = options.connect().await.map_err(unreachable)?;
    check_version(current_version_pg(&mut conn).await?, access)?;
    if access == Access::Node {
        POSTGRES.run(&mut conn).await.map_err(migrate_error)?;
    }
    conn.close().await?;
    let pool = Pool::connect(options.clone().options(STALLED), connections).await.map_err(unreachable)?;
    let (teller, carry) = news::teller(pool.clone(), options);
    Ok((Backend::Pg { pool, teller, wall: Arc::default() }, carry.boxed()))
}

async fn current_version(conn: &mut sqlx::SqliteConnection) -> Result<Option<i64>, StoreError> {
    let tables: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_master WHERE name = '_sqlx_migrations'")
            .fetch_one(&mut *conn)
            .await?;
    if tables == 0 {
        return Ok(None);
    }
    Ok(sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations").fetch_one(&mut *conn).await?)
}

async fn current_version_pg(conn: &mut sqlx::PgConnection) -> Result<Option<i64>, StoreError> {
    let there: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *conn)
        .await?;
    if !there {
        return Ok(None);
    }
    Ok(sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations").fetch_one(&mut *conn).await?)
}

fn check_version(found: Option<i64>, access: Access) -> Result<(), StoreError> {
    match found {
        Some(found) if found > SCHEMA => Err(StoreError::Refused(format!(
            "The database has schema {found}, this roundtable knows up to {SCHEMA}. It was written by a newer version: \
             start that one, or restore a backup from before the upgrade. Nothing was changed."
        ))),
        Some(found) if found < SCHEMA && access == Access::Look => Err(StoreError::Refused(format!(
            "The database has schema {found}, this roundtable needs {SCHEMA}. Start `roundtable` once to upgrade it."
        ))),
        None if access == Access::Look => {
            Err(StoreError::Refused("The database is empty. Start `roundtable` once to set it up.".into()))
        }
        _ => Ok(()),
    }
}

fn migrate_error(error: sqlx::migrate::MigrateError) -> StoreError {
    match error {
        sqlx::migrate::MigrateError::Execute(error) => StoreError::Database(error),
        other => {
            StoreError::Refused(format!("The database can't be upgraded: {other}. Nothing was changed."))
        }
    }
}
