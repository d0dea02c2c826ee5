//! A database that can't be used: at the start the program says why and stops; later it waits.

use std::sync::Arc;

use roundtable::app::App;
use roundtable::config::{self, Sources};
use sqlx::{Connection, SqliteConnection};

use crate::support::requests::next_text;
use crate::support::world::World;

/// What the start of another node in this world is refused with; the path of the database is written as `<db>`.
async fn refusal(world: &World) -> String {
    let sources = Sources {
        file: Some(world.file.clone()),
        cwd: world.folder().to_owned(),
        user_dir: None,
        env: world.env.clone(),
    };
    let config = config::load(&sources).expect("the configuration is fine").config;
    match App::start(Arc::new(config)).await {
        Ok(_) => panic!("it started"),
        Err(error) => format!("{error:#}").replace(path(world), "<db>"),
    }
}

fn path(world: &World) -> &str {
    world.url.strip_prefix("sqlite:").expect("these tests are about SQLite")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_node_is_sent_away_and_the_first_goes_on() {
    let world = World::start().await;
    let ann = world.telegram.user("ann");
    assert_eq!(
        refusal(&world).await,
        "Another roundtable is running on <db>. SQLite serves one process: stop the other one, give this one \
         another node.data_dir, or share a PostgreSQL (store.url = \"postgres://…\")."
    );
    ann.says("still there?");
    assert_eq!(next_text(&ann).await, "echo: still there?");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_left_alone() {
    let world = World::setting().without_node().await;
    let garbage = "this was a database once ".repeat(1_000);
    std::fs::create_dir_all(world.folder().join("data")).unwrap();
    std::fs::write(path(&world), &garbage).unwrap();
    let why = refusal(&world).await;
    assert!(why.starts_with("The file <db> is damaged or no SQLite database. Nothing was changed."), "{why}");
    assert_eq!(std::fs::read_to_string(path(&world)).unwrap(), garbage);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_no_file_is_named_with_what_to_look_at() {
    let world = World::setting().without_node().await;
    std::fs::create_dir_all(path(&world)).unwrap();
    assert_eq!(
        refusal(&world).await,
        "The database <db> can't be opened. Is it a file, does its folder exist, and may this user read and write both?"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_database_is_left_alone() {
    let mut world = World::start().await;
    world.stop_node().await;
    let mut conn = SqliteConnection::connect(&world.url).await.unwrap();
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 SELECT 999, 'future', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
    sqlx::query(newer).execute(&mut conn).await.unwrap();
    let why = refusal(&world).await;
    assert!(why.starts_with("The database has schema 999, this roundtable knows up to "), "{why}");
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version = 999").execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    world.start_node().await;
    let ann = world.telegram.user("ann");
    ann.says("all well?");
    assert_eq!(next_text(&ann).await, "echo: all well?");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_while_another_program_locks_the_file_is_answered_when_it_is_free() {
    let world = World::start().await;
    let (ann, bob) = (world.telegram.user("ann"), world.telegram.user("bob"));
    ann.says("before");
    assert_eq!(next_text(&ann).await, "echo: before");
    let held = world.model.hold("half way");
    ann.says("half way");
    held.arrived().await.unwrap();
    world.settled().await;
    let mut other = SqliteConnection::connect(&world.url).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    held.release();
    bob.says("locked out");
    // What cannot be stored is not confirmed either.
    let waits = |world: &roundtable_fakes::World| world.pending_updates() > 0;
    world.telegram.wait_until("Bob's message stays with Telegram", waits).await.unwrap();
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(next_text(&ann).await, "echo: half way");
    assert_eq!(next_text(&bob).await, "echo: locked out");
    world.end().await;
}
