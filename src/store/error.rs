//! What can go wrong with the database, by what the caller does about it.

/// Why a transaction or a read failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The caller no longer owns what it wanted to change: it stops quietly. Nothing was changed.
    #[error("another worker has taken over")]
    Stale,
    /// A session is no longer there: it was pruned or forgotten as somebody looked at it. Nothing was changed.
    #[error("the session is gone")]
    Gone,
    /// The event was stored before. Nothing was changed.
    #[error("the event is known")]
    Duplicate,
    /// A stored value can't be read.
    #[error("{0}")]
    Content(String),
    /// The database can't be opened as it is; the text says what to do.
    #[error("{0}")]
    Refused(String),
    /// The process is shutting down.
    #[error("the database is closed")]
    Closed,
    /// The database failed.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// SQLite failed at work.
    #[error("database: {0}")]
    Lite(#[from] rusqlite::Error),
    /// A commit that several transactions shared failed; nothing of this one was stored.
    #[error("database: {0}")]
    Commit(String),
}

impl StoreError {
    /// The same failure for another member of the group.
    pub(super) fn again(&self) -> Self {
        Self::Commit(self.to_string())
    }

    /// PostgreSQL's requests to run the transaction again, serialization failure and deadlock; and what it sees
    /// when a session goes as the transaction waits for its lock: looked up again, it is not found.
    pub(super) fn wants_retry(&self) -> bool {
        if matches!(self, Self::Gone) {
            return true;
        }
        let Self::Database(sqlx::Error::Database(error)) = self else { return false };
        matches!(error.code().as_deref(), Some("40001" | "40P01"))
    }
}
