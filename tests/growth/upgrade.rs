//! A database of every earlier schema, with data in it, comes up: what it holds is there, and what it had to do is done.

use std::fs;
use std::path::{Path, PathBuf};

use roundtable::store::SCHEMA;
use serde_json::Value;
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

use crate::support::databases::Database;
use crate::support::requests::{heard, next_text};
use crate::support::world::World;

/// What the first schema held of a chat with Ann: a question that was answered, one that is not, and a word of the
/// program that is not sent. Written as the program of that schema wrote it; later ones have all these columns.
const ROWS: &str = r#"
INSERT INTO spaces (id, channel, account, name) VALUES (1, 'telegram', 'main', 'common');
INSERT INTO conversations (id, channel, account, chat, thread, kind, title, space_id, created_at)
    VALUES (1, 'telegram', 'main', '{ann}', '', 'direct', NULL, 1, 1700000000000);
INSERT INTO trees (id, created_at) VALUES (1, 1700000000000);
INSERT INTO sessions (id, tree_id, key, generation, kind, agent, label, conversation_id, parent_id, depth, task, next_seq,
        input_tokens, output_tokens, cost_micros, created_at, updated_at, archived_at)
    VALUES (1, 1, 'agent:manager:telegram:main:dm:{ann}', 1, 'direct', 'manager', NULL, 1, NULL, 0, NULL, 3,
        20, 10, 0, 1700000000000, 1700000000000, NULL);
INSERT INTO inbox (id, session_id, tree_id, kind, wake, conversation_id, sender, sender_name, message_id, body, not_before,
        created_at, turn_id)
    VALUES (1, 1, 1, 'user', 1, 1, '{ann}', 'Ann', 2, '{"text":"remember the number 42"}', 0, 1700000000000, 1),
           (2, 1, 1, 'user', 1, 1, '{ann}', 'Ann', 4, '{"text":"which number was it?"}', 0, 1700000000000, NULL);
INSERT INTO turns (id, session_id, tree_id, generation, agent, status, trigger_id, conversation_id, node, token, lease_until,
        held_at, claims, step, deadline, created_at, ended_at)
    VALUES (1, 1, 1, 1, 'manager', 'done', 1, 1, 'node-1', 1, 0, 1700000000000, 0, 1, 1700000900000, 1700000000000,
        1700000000000);
INSERT INTO entries (session_id, seq, tree_id, generation, turn_id, step, role, provenance, author, author_name, body,
        model, input_tokens, cached_tokens, output_tokens, cost_micros, created_at)
    VALUES (1, 1, 1, 1, 1, 0, 'user', 'user', '{ann}', 'Ann', '{"text":"remember the number 42"}',
        NULL, NULL, NULL, NULL, NULL, 1700000000000),
           (1, 2, 1, 1, 1, 1, 'assistant', 'agent', 'manager', 'Manager', '{"text":"I shall."}',
        'fake', 20, 0, 10, 0, 1700000000000);
INSERT INTO deliveries (id, conversation_id, tree_id, session_id, turn_id, kind, answer, part, parts, body, state, after_id,
        message_id, attempts, unknowns, due_at, created_at, sent_at)
    VALUES (1, 1, 1, 1, 1, 'answer', 'turn:1', 0, 1, '{"body":"{\"text\":\"I shall.\"}","text":"I shall."}', 'sent', 2,
        3, 1, 0, 1700000000000, 1700000000000, 1700000000000),
           (2, 1, NULL, NULL, NULL, 'notice', 'notice:1', 0, 1,
        '{"body":"{\"text\":\"on its way\"}","text":"on its way"}', 'pending', NULL,
        NULL, 0, 0, 1700000000000, {now}, NULL);
INSERT INTO messages (space_id, message_id, conversation_id, delivery_id, session_id, created_at)
    VALUES (1, 2, 1, NULL, NULL, 1700000000000), (1, 3, 1, 1, 1, 1700000000000), (1, 4, 1, NULL, NULL, 1700000000000);
"#;

/// PostgreSQL counts on behind what was inserted with numbers.
const COUNTERS: &str = "
SELECT setval(pg_get_serial_sequence('spaces', 'id'), 10), setval(pg_get_serial_sequence('conversations', 'id'), 10),
    setval(pg_get_serial_sequence('trees', 'id'), 10), setval(pg_get_serial_sequence('sessions', 'id'), 10),
    setval(pg_get_serial_sequence('inbox', 'id'), 10), setval(pg_get_serial_sequence('turns', 'id'), 10),
    setval(pg_get_serial_sequence('deliveries', 'id'), 10);";

/// The migrations of one kind of database up to a schema, in a folder of their own.
fn migrations(kind: &str, schema: i64) -> TempDir {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/migrations").join(kind);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files =
        fs::read_dir(all).expect("there are migrations").map(|entry| entry.expect("they can be read").path());
    let number = |path: &PathBuf| -> i64 {
        let name = path.file_name().expect("a file has a name").to_string_lossy();
        name.split('_').next().expect("it has a number").parse().expect("it begins with a number")
    };
    for file in files.filter(|path| number(path) <= schema) {
        fs::copy(&file, folder.path().join(file.file_name().expect("a file has a name")))
            .expect("it is copied");
    }
    folder
}

/// Makes a database as the program of an earlier schema left it.
async fn left_by(schema: i64, database: Database, url: &str, rows: &str) {
    match database {
        Database::Sqlite => {
            let folder = migrations("sqlite", schema);
            let mut conn = SqliteConnection::connect(&format!("{url}?mode=rwc")).await.expect("a new file");
            let migrator = Migrator::new(folder.path()).await.expect("migrations");
            migrator.run(&mut conn).await.expect("they run");
            sqlx::raw_sql(AssertSqlSafe(rows)).execute(&mut conn).await.expect("the rows fit");
            conn.close().await.expect("it is written");
        }
        Database::Postgres => {
            let folder = migrations("postgres", schema);
            let mut conn = PgConnection::connect(url).await.expect("a new database");
            let migrator = Migrator::new(folder.path()).await.expect("migrations");
            migrator.run(&mut conn).await.expect("they run");
            let rows = format!("{rows}{COUNTERS}");
            sqlx::raw_sql(AssertSqlSafe(rows)).execute(&mut conn).await.expect("the rows fit");
        }
    }
}

async fn comes_up(schema: i64, database: Database) {
    let fresh = database.fresh().await;
    let mut world = World::setting().on(&fresh.url).without_node().await;
    let ann = world.telegram.user("ann");
    let now = std::time::UNIX_EPOCH.elapsed().expect("it is after 1970").as_millis();
    let rows = ROWS.replace("{ann}", &ann.id().to_string()).replace("{now}", &now.to_string());
    left_by(schema, database, &fresh.url, &rows).await;
    let refused = world.runs("sessions list").await;
    assert_eq!(
        refused.failure(),
        format!(
            "The database has schema {schema}, this roundtable needs {SCHEMA}. Start `roundtable` once to upgrade it."
        )
    );
    world.start_node().await;
    let mut said = [next_text(&ann).await, next_text(&ann).await];
    said.sort();
    assert_eq!(said, ["echo: which number was it?", "on its way"], "schema {schema}, {database:?}");
    let asked = world.model.requests();
    assert_eq!(heard(asked.last().expect("it was asked")), "remember the number 42\nwhich number was it?");
    let listed: Value = world.runs("sessions list --json").await.json();
    let (entries, read) = (&listed[0]["entries"], &listed[0]["input_tokens"]);
    assert!(entries == 4 && read.as_i64() > Some(20), "schema {schema}, {database:?}: {listed}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_earlier_schema_comes_up_with_what_it_holds() {
    const { assert!(SCHEMA > 1, "there is no earlier one") };
    for database in Database::all() {
        for schema in 1..SCHEMA {
            comes_up(schema, database).await;
        }
    }
}
