//! One way to speak to both databases: statements, parameters, rows, and a connection in a transaction.

use std::borrow::Cow;

use rusqlite::types::FromSql;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Decode, PgConnection, Postgres, Row as _, Type};

use super::StoreError;
use super::lite::{Lite, LiteRow};
#[cfg(feature = "planted-faults")]
use super::planted::rows as lite_rows;
use super::renames::Renames;

/// A statement. The same text for both databases wherever they agree (`$1` serves both).
#[derive(Debug, Clone, Copy)]
pub struct Sql {
    /// The text for SQLite.
    pub lite: &'static str,
    /// The text for PostgreSQL.
    pub pg: &'static str,
}

/// Writes a statement: `sql!("…")`, or `sql!(lite: "…", pg: "…")` where the databases differ.
/// Every statement of the program is written with it, so that a test can prepare each on both.
macro_rules! sql {
    (lite: $lite:literal, pg: $pg:literal) => {
        $crate::store::Sql { lite: $lite, pg: $pg }
    };
    ($text:literal) => {
        $crate::store::Sql { lite: $text, pg: $text }
    };
}
pub(crate) use sql;

/// A parameter. `None` binds a null of the right type.
#[derive(Debug, Clone)]
pub enum Param<'a> {
    /// A number, a time in milliseconds, or a flag (0 or 1).
    Int(Option<i64>),
    /// A text.
    Text(Option<Cow<'a, str>>),
}

/// PostgreSQL takes no NUL in a text, so neither database gets one.
fn storable(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { text }
}

macro_rules! param_from {
    ($($from:ty => $make:expr),+ $(,)?) => {
        $(impl<'a> From<$from> for Param<'a> {
            fn from(value: $from) -> Self {
                let make: fn($from) -> Param<'a> = $make;
                make(value)
            }
        })+
    };
}

param_from!(
    i64 => |n| Param::Int(Some(n)),
    Option<i64> => Param::Int,
    bool => |flag| Param::Int(Some(i64::from(flag))),
    &'a str => |text| Param::Text(Some(storable(text.into()))),
    &'a String => |text| Param::Text(Some(storable(text.into()))),
    String => |text| Param::Text(Some(storable(text.into()))),
    Option<&'a str> => |text| Param::Text(text.map(|text| storable(text.into()))),
    Option<String> => |text| Param::Text(text.map(|text| storable(text.into()))),
);

/// Parameters in order: `params![id, name]`.
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$($crate::store::Param::from($value)),*]
    };
}
pub(crate) use params;

/// One row of a result.
pub enum Row {
    /// From SQLite.
    Lite(LiteRow),
    /// From PostgreSQL.
    Pg(PgRow),
}

impl Row {
    /// The value of a column: `i64`, `String` or an `Option` of them.
    pub fn get<T>(&self, column: &str) -> Result<T, StoreError>
    where
        T: FromSql + for<'r> Decode<'r, Postgres> + Type<Postgres>,
    {
        Ok(match self {
            Self::Lite(row) => row.get(column)?,
            Self::Pg(row) => row.try_get(column)?,
        })
    }

    /// A column that holds a text, without a copy of it.
    pub fn text(&self, column: &str) -> Result<&str, StoreError> {
        Ok(match self {
            Self::Lite(row) => row.text(column)?,
            Self::Pg(row) => row.try_get(column)?,
        })
    }

    /// A column that holds 0 or 1.
    pub fn flag(&self, column: &str) -> Result<bool, StoreError> {
        Ok(self.get::<i64>(column)? != 0)
    }

    /// A column that holds JSON.
    pub fn json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        serde_json::from_str(self.text(column)?)
            .map_err(|error| StoreError::Content(format!("column {column} holds unreadable JSON: {error}")))
    }
}

/// A connection to either database.
pub(super) enum Conn<'c> {
    Lite(&'c mut Lite),
    Pg(&'c mut PgConnection),
}

/// A connection inside a transaction. Bodies get one, use it, and never commit themselves.
pub struct Tx<'c> {
    conn: Conn<'c>,
    now: i64,
    renames: &'c Renames,
}

impl<'c> Tx<'c> {
    pub(super) fn new(conn: Conn<'c>, now: i64, renames: &'c Renames) -> Self {
        Self { conn, now, renames }
    }

    /// The time of this transaction, the same for all its statements.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// The agent in a row's column `agent`, by the id that it has today.
    pub(super) fn agent(&self, row: &Row) -> Result<String, StoreError> {
        Ok(self.renames.today(row.text("agent")?).to_owned())
    }

    /// All ids that an agent may be stored under, today's first.
    pub(super) fn ids_of(&self, agent: &str) -> Vec<String> {
        self.renames.all(agent).map(str::to_owned).collect()
    }

    /// One text with all ids that these agents may be stored under, each between quotes. Taking an id that is in it out of
    /// it (SQL's `REPLACE`) changes it.
    pub(super) fn listed<'a>(&'a self, agents: impl IntoIterator<Item = &'a str>) -> String {
        let ids = agents.into_iter().flat_map(|agent| self.renames.all(agent));
        ids.fold(String::new(), |listed, id| listed + "\"" + id + "\"")
    }

    /// Locks rows until the end of the transaction (PostgreSQL's `FOR UPDATE`). On SQLite, whose one writer
    /// is alone in any case, it does nothing.
    ///
    /// A statement of its own, on purpose: whatever is read after it is read as it is under the lock.
    pub async fn lock(&mut self, sql: Sql, params: &[Param<'_>]) -> Result<(), StoreError> {
        if let Conn::Pg(conn) = &mut self.conn {
            pg(sql, params).execute(&mut **conn).await?;
        }
        Ok(())
    }

    /// Runs a statement and returns how many rows it changed.
    pub async fn execute(&mut self, sql: Sql, params: &[Param<'_>]) -> Result<u64, StoreError> {
        #[cfg(feature = "planted-faults")]
        super::planted::wrote(sql.lite);
        Ok(match &mut self.conn {
            Conn::Lite(conn) => conn.execute(sql.lite, params)?,
            Conn::Pg(conn) => pg(sql, params).execute(&mut **conn).await?.rows_affected(),
        })
    }

    /// The first row, if there is one.
    pub async fn optional(&mut self, sql: Sql, params: &[Param<'_>]) -> Result<Option<Row>, StoreError> {
        Ok(match &mut self.conn {
            Conn::Lite(conn) => lite_rows(conn, sql.lite, params, 1)?.pop().map(Row::Lite),
            Conn::Pg(conn) => pg(sql, params).fetch_optional(&mut **conn).await?.map(Row::Pg),
        })
    }

    /// The only row.
    pub async fn one(&mut self, sql: Sql, params: &[Param<'_>]) -> Result<Row, StoreError> {
        self.optional(sql, params).await?.ok_or(StoreError::Database(sqlx::Error::RowNotFound))
    }

    /// All rows.
    pub async fn all(&mut self, sql: Sql, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        Ok(match &mut self.conn {
            Conn::Lite(conn) => {
                lite_rows(conn, sql.lite, params, usize::MAX)?.into_iter().map(Row::Lite).collect()
            }
            Conn::Pg(conn) => {
                pg(sql, params).fetch_all(&mut **conn).await?.into_iter().map(Row::Pg).collect()
            }
        })
    }
}

#[cfg(not(feature = "planted-faults"))]
fn lite_rows(
    conn: &mut Lite,
    sql: &str,
    params: &[Param<'_>],
    limit: usize,
) -> Result<Vec<LiteRow>, StoreError> {
    conn.rows(sql, params, limit)
}

fn pg<'q>(sql: Sql, params: &[Param<'q>]) -> Query<'q, Postgres, PgArguments> {
    params.iter().fold(sqlx::query(sql.pg), |query, param| match param.clone() {
        Param::Int(value) => query.bind(value),
        Param::Text(value) => query.bind(value),
    })
}

/// An enum that is stored as a word.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal $(| $alias:literal)?),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash,
            serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word $(, alias = $alias)?)] $variant),+
        }

        impl $name {
            /// The word as it is stored and shown.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// Reads a stored word.
            pub fn read(word: &str) -> Result<Self, $crate::store::StoreError> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::store::StoreError::Content(
                        format!("`{word}` is no {}", stringify!($name)),
                    )),
                }
            }
        }
    };
}
pub(crate) use words;
