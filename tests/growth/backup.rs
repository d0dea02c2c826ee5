//! `roundtable backup`, and a node that goes on with the copy.

use std::os::unix::fs::PermissionsExt as _;

use sqlx::{Connection as _, SqliteConnection};

use crate::support::databases::Database;
use crate::support::requests::{heard, next_text};
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_goes_on_with_a_copy_that_was_made_while_another_ran() {
    let mut world = World::start().await;
    let ann = world.telegram.user("ann");
    ann.says("hello");
    assert_eq!(next_text(&ann).await, "echo: hello");
    let call = world.model.hold("slow");
    ann.says("slow");
    call.arrived().await.unwrap();
    let copy = world.folder().join("copy.db");
    let ran = world.runs("backup copy.db --json").await;
    let bytes = std::fs::metadata(&copy).unwrap().len();
    assert_eq!(ran.json(), serde_json::json!({ "file": "copy.db", "bytes": bytes, "broken": [] }));
    assert!(ran.stderr.ends_with("and was checked.\n"), "{ran:?}");
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let again = world.runs("backup copy.db").await;
    assert_eq!(again.failure(), "copy.db is there already and is not overwritten. Name a file that is not.");
    assert_eq!(std::fs::metadata(&copy).unwrap().len(), bytes);

    // The node is lost with its database; a new one has the copy, in which the question is not answered yet.
    world.kill_node().await;
    drop(call);
    world.configure(|text| text.replace("data/roundtable.db", "copy.db"));
    world.url = format!("sqlite:{}", copy.display());
    world.start_node().await;
    assert_eq!(next_text(&ann).await, "echo: slow");
    ann.says("more");
    assert_eq!(next_text(&ann).await, "echo: more");
    let asked = world.model.requests();
    assert_eq!(heard(asked.last().unwrap()), "hello\nslow\nmore");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_says_what_is_wrong_with_the_rows() {
    let world = World::start().await;
    let ann = world.telegram.user("ann");
    ann.says("hello");
    assert_eq!(next_text(&ann).await, "echo: hello");
    world.stored().await.changes("DELETE FROM entries WHERE seq = 1").await;
    let ran = world.runs("backup copy.db").await;
    assert_eq!(
        ran.failure(),
        "copy.db is a whole copy, but the database itself is not as it should be: 1 transcripts with gaps. Please \
         report this."
    );
    assert!(world.folder().join("copy.db").exists());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_a_copy_of_a_damaged_file() {
    let mut world = World::start().await;
    let ann = world.telegram.user("ann");
    ann.says("hello");
    assert_eq!(next_text(&ann).await, "echo: hello");
    world.stop_node().await;
    let file = world.data_dir().join("roundtable.db");
    // What the node has not put there yet is put there now, and nothing is left that could mend it.
    let mut conn = SqliteConnection::connect(&world.url).await.unwrap();
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    assert!(bytes.len() > 4096 * 4, "only {} bytes", bytes.len());
    // Every page but the first, which says what kind of a file it is.
    bytes[4096..].fill(0x5a);
    std::fs::write(&file, bytes).unwrap();
    let ran = world.runs("backup copy.db").await;
    assert!(ran.failure().contains("malformed") || ran.failure().contains("damaged"), "{ran:?}");
    assert!(!world.folder().join("copy.db").exists(), "it is still there");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_has_its_own_tools() {
    if !Database::all().contains(&Database::Postgres) {
        return;
    }
    let fresh = Database::Postgres.fresh().await;
    let world = World::setting().on(&fresh.url).start().await;
    let ran = world.runs("backup copy.db").await;
    assert_eq!(
        ran.failure(),
        "This database is PostgreSQL, which has its own tools: `pg_dump --format=custom --file=FILE` with the address \
         of store.url copies it while nodes run, and `pg_restore` brings it back."
    );
    world.end().await;
}
