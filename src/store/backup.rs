//! A copy of an SQLite database, made while a node may be at work on it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::check::unsound;
use super::db::Conn;
use super::lite::{BUSY, Lite};
use super::{Backend, Store, StoreError, Tx};

/// A copy that was made.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Backup {
    /// Its size.
    pub bytes: u64,
    /// The rules that its rows break, a line for each. The database itself breaks them too.
    pub broken: Vec<String>,
}

impl Store {
    /// Copies the database as it is at this moment into a new file that only this user can read, and checks the copy:
    /// its pages and indexes, and what must hold of its rows at any moment.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] with what to do: PostgreSQL has its own tools, a file that is there is not overwritten,
    /// a copy that is damaged or can't be written is removed.
    pub async fn backup(&self, to: &Path) -> Result<Backup, StoreError> {
        let Backend::Lite { readers, .. } = &self.backend else {
            return Err(StoreError::Refused(POSTGRES.into()));
        };
        new_private_file(to)?;
        let copied = copy(readers.path(), to).and_then(|()| keep(to).map_err(|error| unwritten(to, &error)));
        let outcome = match copied {
            Ok(bytes) => self.check(to).await.map(|broken| Backup { bytes, broken }),
            Err(error) => Err(error),
        };
        if outcome.is_err() {
            // It is ours and good for nothing. What is said is why.
            let _ = fs::remove_file(to);
        }
        outcome
    }

    async fn check(&self, file: &Path) -> Result<Vec<String>, StoreError> {
        let mut copy = Lite::open_read_only(file)?;
        let found = copy.integrity()?;
        if !found.is_empty() {
            return Err(StoreError::Refused(format!(
                "The copy is damaged, so it was removed: {}. Check the disk, and the database with SQLite's \
                 `PRAGMA integrity_check`.",
                found.join("; ")
            )));
        }
        unsound(&mut Tx::new(Conn::Lite(&mut copy), self.now(), &self.renames)).await
    }
}

const POSTGRES: &str = "This database is PostgreSQL, which has its own tools: `pg_dump --format=custom --file=FILE` with \
    the address of store.url copies it while nodes run, and `pg_restore` brings it back.";

fn new_private_file(path: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(StoreError::Refused(format!(
            "{} is there already and is not overwritten. Name a file that is not.",
            path.display()
        ))),
        Err(error) => Err(unwritten(path, &error)),
    }
}

/// SQLite fills the empty file with one view of the database; the writer of a node is not held up.
fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let Some(name) = to.to_str() else {
        return Err(StoreError::Refused(format!("SQLite takes no such file name: {}.", to.display())));
    };
    let copied = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY).and_then(|conn| {
        conn.busy_timeout(BUSY)?;
        conn.execute("VACUUM INTO ?1", [name])
    });
    copied.map(drop).map_err(|error| unwritten(to, &error))
}

/// Waits until the copy and its name are on the disk; gives its size in bytes.
fn keep(path: &Path) -> io::Result<u64> {
    let file = File::open(path)?;
    file.sync_all()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()?;
    Ok(file.metadata()?.len())
}

fn unwritten(path: &Path, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Refused(format!("The copy {} can't be written: {error}.", path.display()))
}
