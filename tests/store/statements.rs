//! Every statement of the program can be prepared on both databases. (sqlx checks them only when they run.)

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use roundtable::time::SystemClock;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqlSafeStr, SqliteConnection};

use crate::support::databases::{Database, open};

/// A statement as it stands in the sources.
struct Statement {
    at: String,
    /// `None`: `sql!(…).pg`, for PostgreSQL alone.
    lite: Option<String>,
    pg: String,
}

/// All that is written with `sql!` in the store.
fn statements() -> Vec<Statement> {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the store has sources") {
            let path = entry.expect("they can be read").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    let sources = files.iter().filter(|path| path.extension().is_some_and(|ext| ext == "rs"));
    sources.flat_map(|path| in_file(path)).collect()
}

fn in_file(path: &Path) -> Vec<Statement> {
    let text = fs::read_to_string(path).expect("it is a text");
    let name = path.file_name().expect("a file has a name").to_string_lossy();
    let mut found = Vec::new();
    for (start, opening) in text.match_indices("sql!(") {
        let line = text[..start].lines().count();
        let before = text[..start].lines().next_back().unwrap_or_default();
        // The macro's own documentation.
        if before.trim_start().starts_with("//") {
            continue;
        }
        let mut rest = &text[start + opening.len()..];
        let (lite, pg) = match literal(&mut rest, "") {
            Some(both) => (both.clone(), both),
            None => {
                let lite = literal(&mut rest, "lite:").unwrap_or_else(|| panic!("{name}:{line}: no literal"));
                (lite, literal(&mut rest, "pg:").unwrap_or_else(|| panic!("{name}:{line}: no text for pg")))
            }
        };
        let pg_alone = rest.trim_start().trim_start_matches(')').starts_with(".pg");
        let lite = (!pg_alone).then_some(lite);
        found.push(Statement { at: format!("src/store/{name}:{line}"), lite, pg });
    }
    found
}

/// Reads `label "…"` off the front of a source.
fn literal(source: &mut &str, label: &str) -> Option<String> {
    let mut chars = source.trim_start().strip_prefix(label)?.trim_start().strip_prefix('"')?.chars();
    let mut text = String::new();
    loop {
        match chars.next()? {
            '"' => break,
            // A line that ends with a backslash goes on at the next word.
            '\\' => match chars.next()? {
                '\n' => chars = chars.as_str().trim_start().chars(),
                'n' => text.push('\n'),
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
    *source = chars.as_str().trim_start_matches(',');
    Some(text)
}

#[test]
fn literals_are_read_as_the_compiler_reads_them() {
    let mut source = "\n  lite: \"a \\\"b\\\" \\\n     c\",\n pg: \"d\")";
    assert_eq!(literal(&mut source, "lite:").as_deref(), Some("a \"b\" c"));
    assert_eq!(literal(&mut source, "pg:").as_deref(), Some("d"));
    assert_eq!(literal(&mut source, ""), None);
}

#[tokio::test]
async fn every_statement_prepares_on_both_databases() {
    let statements = statements();
    assert!(statements.len() > 60, "only {} statements were found", statements.len());
    let mut wrong = Vec::new();
    for database in Database::all() {
        let fresh = database.fresh().await;
        drop(open(&fresh.url, Arc::new(SystemClock::new())).await);
        match database {
            Database::Sqlite => {
                let mut conn = SqliteConnection::connect(&fresh.url).await.expect("it was just made");
                for Statement { at, lite, .. } in &statements {
                    let Some(sql) = lite else { continue };
                    if let Err(error) = conn.prepare(AssertSqlSafe(sql.as_str()).into_sql_str()).await {
                        wrong.push(format!("SQLite, {at}: {error}\n{sql}"));
                    }
                }
            }
            Database::Postgres => {
                let mut conn = PgConnection::connect(&fresh.url).await.expect("it was just made");
                for Statement { at, pg, .. } in &statements {
                    if let Err(error) = conn.prepare(AssertSqlSafe(pg.as_str()).into_sql_str()).await {
                        wrong.push(format!("PostgreSQL, {at}: {error}\n{pg}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
