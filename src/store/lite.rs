//! SQLite without a detour: a statement runs on the thread that asks for it and is over when the call
//! returns.
//!
//! sqlx gives each SQLite connection a thread of its own, and then every statement costs two changes of
//! threads, which is several times what the statement itself costs. sqlx still migrates the file.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::{FromSql, FromSqlError, Value, ValueRef};
use rusqlite::{CachedStatement, Connection, OpenFlags};

use super::StoreError;
use super::db::Param;

/// How long SQLite waits for another process (a backup, a shell) that holds the file.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// Prepared statements that a connection keeps: more than the program has.
const STATEMENTS: usize = 400;

/// A connection to a file.
pub(super) struct Lite(Connection);

/// One row, copied out of its statement.
pub struct LiteRow {
    columns: Arc<[String]>,
    values: Vec<Value>,
}

impl LiteRow {
    pub(super) fn get<T: FromSql>(&self, column: &str) -> Result<T, StoreError> {
        T::column_result(self.value(column)?).map_err(|error| wrong_type(column, &error))
    }

    pub(super) fn text(&self, column: &str) -> Result<&str, StoreError> {
        self.value(column)?.as_str().map_err(|error| wrong_type(column, &error))
    }

    fn value(&self, column: &str) -> Result<ValueRef<'_>, StoreError> {
        let index = self.columns.iter().position(|name| name == column);
        let index = index.ok_or_else(|| StoreError::Content(format!("there is no column {column}")))?;
        Ok((&self.values[index]).into())
    }
}

fn wrong_type(column: &str, error: &FromSqlError) -> StoreError {
    StoreError::Content(format!("column {column}: {error}"))
}

impl Lite {
    /// Opens a file that is there and has been migrated.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    /// Another connection to the same file, which only reads.
    #[cfg(feature = "planted-faults")]
    pub(super) fn beside(&self) -> Result<Self, StoreError> {
        let path = self.0.path().map(PathBuf::from).ok_or(StoreError::Closed)?;
        Self::open_with(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    /// Opens a file that is not to be changed.
    pub(super) fn open_read_only(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    /// Whether a file can only be opened for reading, which SQLite says before the first write only when it is asked. It
    /// does nothing about the file: a journal that a reader makes would be read-only too, and stay.
    pub(super) fn only_reads(path: &Path) -> Result<bool, StoreError> {
        let mode = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Ok(Connection::open_with_flags(path, mode)?.is_readonly(rusqlite::MAIN_DB)?)
    }

    /// What SQLite finds wrong with the file's pages and indexes, a line for each; the first hundred.
    pub(super) fn integrity(&mut self) -> Result<Vec<String>, StoreError> {
        let rows = self.rows("PRAGMA integrity_check", &[], usize::MAX)?;
        let mut found =
            rows.iter().map(|row| row.get("integrity_check")).collect::<Result<Vec<String>, _>>()?;
        found.retain(|line| line != "ok");
        Ok(found)
    }

    fn open_with(path: &Path, mode: OpenFlags) -> Result<Self, StoreError> {
        // No two threads ever use one connection at the same time.
        let conn = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        conn.busy_timeout(BUSY)?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS);
        // Otherwise a statement that could use a partial index for some values is planned anew for every value.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        // NORMAL may lose the last commits when the power fails.
        conn.pragma_update(None, "synchronous", "FULL")?;
        // Otherwise what undoes a part of a transaction is a file, as soon as it is long.
        conn.pragma_update(None, "temp_store", "MEMORY")?;
        Ok(Self(conn))
    }

    /// Deletes every row of the program's own tables.
    pub(super) fn clear(&mut self) -> Result<(), StoreError> {
        let named = "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 1) <> '_'
                     AND substr(name, 1, 7) <> 'sqlite_'";
        for table in self.rows(named, &[], usize::MAX)? {
            self.execute(&format!("DELETE FROM {}", table.text("name")?), &[])?;
        }
        self.execute("DELETE FROM sqlite_sequence", &[]).map(drop)
    }

    /// Runs a statement that gives no rows and returns how many rows it changed.
    pub(super) fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, StoreError> {
        let changed = self.bound(sql, params)?.raw_execute()?;
        Ok(changed as u64)
    }

    /// Runs a statement and returns its rows, the first `limit`.
    pub(super) fn rows(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        limit: usize,
    ) -> Result<Vec<LiteRow>, StoreError> {
        let mut statement = self.bound(sql, params)?;
        let columns: Arc<[String]> = statement.column_names().into_iter().map(str::to_owned).collect();
        let mut found = Vec::new();
        let mut rows = statement.raw_query();
        while found.len() < limit
            && let Some(row) = rows.next()?
        {
            let values = (0..columns.len()).map(|index| row.get(index)).collect::<Result<_, _>>()?;
            found.push(LiteRow { columns: columns.clone(), values });
        }
        Ok(found)
    }

    /// SQLite numbers `$3` by where it first stands in the text, so parameters go by their names.
    fn bound(&self, sql: &str, params: &[Param<'_>]) -> Result<CachedStatement<'_>, StoreError> {
        let mut statement = self.0.prepare_cached(sql)?;
        for index in 1..=statement.parameter_count() {
            let number =
                statement.parameter_name(index).and_then(|name| name.get(1..)?.parse::<usize>().ok());
            let param = number.and_then(|number| params.get(number.checked_sub(1)?));
            match param {
                Some(Param::Int(value)) => statement.raw_bind_parameter(index, value)?,
                Some(Param::Text(value)) => statement.raw_bind_parameter(index, value.as_deref())?,
                None => return Err(StoreError::Content(format!("parameter {index} has no value: {sql}"))),
            }
        }
        Ok(statement)
    }
}

/// Connections to a file. Nothing waits for anything but its statements while it has one, so there are never more of
/// them than threads that use them.
pub(super) struct Connections {
    path: PathBuf,
    mode: OpenFlags,
    idle: Mutex<Vec<Lite>>,
}

/// A connection on loan; it goes back when it is dropped.
pub(super) struct Loan<'a> {
    lender: &'a Connections,
    conn: Option<Lite>,
}

impl Connections {
    /// Connections that only read.
    pub(super) fn reading(path: &Path) -> Self {
        Self::with(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    /// Connections that may write too.
    pub(super) fn writing(path: &Path) -> Self {
        Self::with(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    fn with(path: &Path, mode: OpenFlags) -> Self {
        Self { path: path.to_owned(), mode, idle: Mutex::default() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn take(&self) -> Result<Loan<'_>, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let conn = match idle {
            Some(conn) => conn,
            None => Lite::open_with(&self.path, self.mode)?,
        };
        Ok(Loan { lender: self, conn: Some(conn) })
    }
}

impl Loan<'_> {
    pub(super) fn conn(&mut self) -> &mut Lite {
        self.conn.as_mut().expect("it is taken only by the drop")
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        // One that was left amid a transaction is closed.
        if let Some(conn) = self.conn.take().filter(|conn| conn.0.is_autocommit()) {
            self.lender.idle.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
        }
    }
}
