//! Both schemas are one: the same tables, views, columns, keys and indexes.

use std::collections::BTreeSet;
use std::sync::Arc;

use roundtable::time::SystemClock;
use sqlx::{Connection, PgConnection, SqliteConnection};

use crate::support::databases::{Database, Fresh, open};

const SQLITE_COLUMNS: &str = "
    SELECT t.name || '.' || c.name
        || CASE c.type WHEN 'INTEGER' THEN ' number' WHEN 'TEXT' THEN ' text' ELSE ' ' || c.type END
        || CASE WHEN c.\"notnull\" = 1 OR c.pk > 0 THEN ' required' ELSE '' END
        || COALESCE(' default ' || c.dflt_value, '')
    FROM sqlite_schema t JOIN pragma_table_info(t.name) c
    WHERE t.type IN ('table', 'view') AND t.name NOT LIKE 'sqlite%' AND t.name <> '_sqlx_migrations'";

const POSTGRES_COLUMNS: &str = "
    SELECT table_name || '.' || column_name
        || CASE data_type WHEN 'bigint' THEN ' number' WHEN 'text' THEN ' text' ELSE ' ' || data_type END
        || CASE is_nullable WHEN 'NO' THEN ' required' ELSE '' END
        || COALESCE(' default ' || REPLACE(column_default, '::text', ''), '')
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'";

/// Keys and unique indexes by their columns, since only the indexes made by hand have names of ours.
const SQLITE_UNIQUE: &str = "
    SELECT name || ' (' || (SELECT group_concat(k.name, ', ') FROM pragma_index_info(i_name) k) || ')' FROM (
        SELECT t.name AS name, i.name AS i_name FROM sqlite_schema t JOIN pragma_index_list(t.name) i
        WHERE t.type = 'table' AND t.name <> '_sqlx_migrations' AND i.\"unique\" = 1)
    UNION
    SELECT t.name || ' (' || c.name || ')' FROM sqlite_schema t JOIN pragma_table_info(t.name) c
    WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name <> '_sqlx_migrations' AND c.pk = 1
      AND NOT EXISTS (SELECT 1 FROM pragma_table_info(t.name) more WHERE more.pk = 2)";

const POSTGRES_UNIQUE: &str = "
    SELECT DISTINCT c.relname || ' (' || (
        SELECT string_agg(a.attname, ', ' ORDER BY k.place)
        FROM unnest(i.indkey) WITH ORDINALITY k (number, place)
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number) || ')'
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relname <> '_sqlx_migrations' AND i.indisunique";

const SQLITE_INDEXES: &str = "
    SELECT i.name || ' ON ' || i.tbl_name || ' (' || (SELECT group_concat(k.name, ', ') FROM pragma_index_info(i.name) k)
        || ')' || CASE WHEN i.sql LIKE '% WHERE %' THEN ' partial' ELSE '' END
    FROM sqlite_schema i WHERE i.type = 'index' AND i.sql IS NOT NULL";

const POSTGRES_INDEXES: &str = "
    SELECT x.relname || ' ON ' || c.relname || ' (' || (
        SELECT string_agg(a.attname, ', ' ORDER BY k.place)
        FROM unnest(i.indkey) WITH ORDINALITY k (number, place)
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number)
        || ')' || CASE WHEN i.indpred IS NOT NULL THEN ' partial' ELSE '' END
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relname <> '_sqlx_migrations'
      AND NOT EXISTS (SELECT 1 FROM pg_constraint made WHERE made.conindid = i.indexrelid)";

async fn migrated(database: Database) -> Fresh {
    let fresh = database.fresh().await;
    drop(open(&fresh.url, Arc::new(SystemClock::new())).await);
    fresh
}

#[tokio::test]
async fn both_databases_have_the_same_schema() {
    if !Database::all().contains(&Database::Postgres) {
        return;
    }
    let (lite, pg) = (migrated(Database::Sqlite).await, migrated(Database::Postgres).await);
    let mut lite = SqliteConnection::connect(&lite.url).await.expect("it was just made");
    let mut pg = PgConnection::connect(&pg.url).await.expect("it was just made");
    for (what, in_lite, in_pg) in [
        ("columns", SQLITE_COLUMNS, POSTGRES_COLUMNS),
        ("unique keys", SQLITE_UNIQUE, POSTGRES_UNIQUE),
        ("indexes", SQLITE_INDEXES, POSTGRES_INDEXES),
    ] {
        let lite: Vec<String> = sqlx::query_scalar(in_lite).fetch_all(&mut lite).await.expect("SQLite tells");
        let pg: Vec<String> = sqlx::query_scalar(in_pg).fetch_all(&mut pg).await.expect("PostgreSQL tells");
        let (lite, pg): (BTreeSet<_>, BTreeSet<_>) = (lite.into_iter().collect(), pg.into_iter().collect());
        assert!(lite.len() > 10, "{what}: {lite:?}");
        let (only_lite, only_pg): (Vec<_>, Vec<_>) =
            (lite.difference(&pg).collect(), pg.difference(&lite).collect());
        assert!(
            only_lite.is_empty() && only_pg.is_empty(),
            "{what}\nonly SQLite: {only_lite:#?}\nonly PostgreSQL: {only_pg:#?}"
        );
    }
}
