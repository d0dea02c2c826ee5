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
    /// The event, or the answer of a step, was stored before. Nothing was changed.
    #[error("it was stored before")]
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
    #[error("database: {}", in_words(.0))]
    Lite(#[from] rusqlite::Error),
    /// A commit that several transactions shared failed, in words; nothing of this one was stored.
    #[error("{0}")]
    Commit(String),
    /// The database has not answered for long: it may have been stored or not.
    #[error("database: no answer")]
    Silent,
    /// The database was lost at the commit: it may have been stored or not.
    #[error("database, at a commit: {0}")]
    Unconfirmed(sqlx::Error),
}

impl StoreError {
    /// The same failure for another member of the group.
    pub(super) fn again(&self) -> Self {
        Self::Commit(self.to_string())
    }

    /// PostgreSQL's requests to run the transaction again: serialization failure, deadlock, and a lock that somebody
    /// else has had for long; and what it sees when somebody else has just made what it makes, which is found the next
    /// time, or when a session goes as the transaction waits for its lock: looked up again, it is not found.
    pub(super) fn wants_retry(&self) -> bool {
        if matches!(self, Self::Gone) {
            return true;
        }
        let (Self::Database(error) | Self::Unconfirmed(error)) = self else { return false };
        matches!(code(error).as_deref(), Some("23505" | "40001" | "40P01" | "55P03"))
    }

    /// The connection was lost before the commit was asked for, so nothing was stored. Connections of the pool that
    /// were at rest when the server was restarted are found to be lost only when they are used.
    pub(super) fn is_lost(&self) -> bool {
        let Self::Database(error) = self else { return false };
        // https://www.postgresql.org/docs/current/errcodes-appendix.html: class 08, connection exception; 25P03, the
        // transaction stood still for too long; 57P01 to 57P03, the server goes down or is not up yet.
        let told = code(error).is_some_and(|code| {
            code.starts_with("08") || matches!(code.as_str(), "25P03" | "57P01" | "57P02" | "57P03")
        });
        told || matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_))
    }

    /// Another connection may do better: this one does not answer, or its server writes nothing. That is a standby, or
    /// was told to; a new connection finds the server that writes after a fail-over, or that this one does again.
    pub(super) fn spoils(&self) -> bool {
        match self {
            Self::Silent => true,
            Self::Database(error) => code(error).as_deref() == Some("25006"),
            _ => false,
        }
    }

    /// The database is in trouble, rather than what it was asked.
    pub(crate) fn is_trouble(&self) -> bool {
        match self {
            Self::Stale | Self::Duplicate | Self::Gone | Self::Content(_) => false,
            Self::Database(sqlx::Error::RowNotFound) => false,
            // Data exceptions, constraints, and what was repeated in vain.
            Self::Database(error) => !code(error).is_some_and(|code| {
                ["22", "23", "40"].iter().any(|class| code.starts_with(class)) || code == "55P03"
            }),
            Self::Lite(error) => error.sqlite_error_code() != Some(rusqlite::ErrorCode::ConstraintViolation),
            _ => true,
        }
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned())
}

/// What SQLite says, and what to do about it where that is known.
fn in_words(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => "its disk is full: make room, and what waits goes on".into(),
        _ => error.to_string(),
    }
}
