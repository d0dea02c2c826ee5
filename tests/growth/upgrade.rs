//! A database of every earlier schema, with data in it, comes up: what it holds is there, and what it had to do is done.

mod rows;

use std::fs;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use roundtable::store::deliveries::{Listed, State};
use roundtable::store::{Read, SCHEMA, Sql, StoreError, Tx};
use roundtable_fakes::{Call, GroupKind, Message, ModelRequest, Place, Reply, Seat};
use serde_json::{Value, json};
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

use crate::support::databases::Database;
use crate::support::requests::{heard, made, next_text, today};
use crate::support::world::World;

/// PostgreSQL counts on behind what was inserted with numbers.
const COUNTERS: &str = "
SELECT setval(pg_get_serial_sequence('spaces', 'id'), 20), setval(pg_get_serial_sequence('conversations', 'id'), 20),
    setval(pg_get_serial_sequence('trees', 'id'), 20), setval(pg_get_serial_sequence('sessions', 'id'), 20),
    setval(pg_get_serial_sequence('inbox', 'id'), 20), setval(pg_get_serial_sequence('turns', 'id'), 20),
    setval(pg_get_serial_sequence('runs', 'id'), 20), setval(pg_get_serial_sequence('exchanges', 'id'), 20),
    setval(pg_get_serial_sequence('waits', 'id'), 20), setval(pg_get_serial_sequence('deliveries', 'id'), 20);";

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

/// The people, and a group that became a supergroup when no node ran.
struct People {
    ann: Seat,
    bob: Seat,
    eve: Seat,
    dan: Seat,
    fay: Seat,
    gil: Seat,
    hal: Seat,
    old: Place,
    cooks: Place,
    /// What Ann said in the group before it moved.
    asked: Message,
    /// The number of what Gil was told as the last node died.
    shown: i64,
}

impl People {
    async fn of(world: &World) -> Self {
        let names = ["ann", "bob", "eve", "dan", "fay", "gil", "hal"];
        let [ann, bob, eve, dan, fay, gil, hal] = names.map(|name| world.telegram.user(name));
        // Whoever has never started the bot can't be written to.
        [&ann, &bob, &eve, &dan, &fay, &gil, &hal].into_iter().for_each(Seat::unblocks_bot);
        let old = world.telegram.new_group("cooks", GroupKind::Basic);
        old.promote_bot();
        let asked = ann.in_group("cooks").mentions_bot("and for dinner?");
        let cooks = old.migrate();
        let shown = is_shown(world, &gil, "Twelve.").await;
        Self { ann, bob, eve, dan, fay, gil, hal, old, cooks, asked, shown }
    }

    /// The rows of a schema, with these people's ids and today's times.
    fn rows(&self, schema: i64) -> String {
        let now = i64::try_from(today() * 1000).expect("a sensible time");
        let values = [
            ("{ann}", self.ann.id()),
            ("{bob}", self.bob.id()),
            ("{eve}", self.eve.id()),
            ("{dan}", self.dan.id()),
            ("{fay}", self.fay.id()),
            ("{gil}", self.gil.id()),
            ("{hal}", self.hal.id()),
            ("{old}", self.old.chat_id()),
            ("{cooks}", self.cooks.chat_id()),
            ("{asked}", self.asked.id),
            ("{shown}", self.shown),
            ("{now}", now),
            ("{hour_ago}", now - 3_600_000),
        ];
        values.iter().fold(rows::of(schema), |rows, (name, value)| rows.replace(name, &value.to_string()))
    }
}

/// The bot writes to somebody without a node, as one did that died before it was told of it. Gives the message's number.
async fn is_shown(world: &World, to: &Seat, text: &str) -> i64 {
    // A node does the same; whoever comes first does it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = format!("{}/bot{}/sendMessage", world.telegram.url(), world.telegram.token());
    let sent = reqwest::Client::new().post(url).json(&json!({"chat_id": to.id(), "text": text}));
    let answer: Value = sent.send().await.expect("it is sent").json().await.expect("the answer is JSON");
    assert_eq!(next_text(to).await, text);
    answer["result"]["message_id"].as_i64().unwrap_or_else(|| panic!("no number in {answer}"))
}

/// A second model, for the child that has one of its own.
fn add_model(text: String) -> String {
    let (from, to) =
        (text.find("[models.main]").expect("a model"), text.find("[channels").expect("a channel"));
    let other = text[from..to].replace("[models.main]", "[models.other]").replace("\"fake\"", "\"other\"");
    format!("{text}\n{other}")
}

async fn comes_up(schema: i64, database: Database) {
    let fresh = database.fresh().await;
    let mut world = World::setting().on(&fresh.url).without_node().await;
    world.configure(add_model);
    // The numbers that the rows know are far from those that messages have here: what is not answered in time would not
    // be found.
    world.configure(|text| text.replace("send_timeout = \"700ms\"", "send_timeout = \"5s\""));
    world.env.insert("ROUNDTABLE_NODE__LEASE".to_owned(), "6s".to_owned());
    world.model.when("[a result, data only]", Reply::text("NO_REPLY"));
    world.model.when("stand by", Reply::text("I stand by."));
    world.model.when("how is it?", Reply::text("All is well."));
    world.model.when("add it up", Reply::text("Seven."));
    world.model.on(|request| request.result_of("sessions_send").map(Reply::text));
    let people = People::of(&world).await;
    left_by(schema, database, &fresh.url, &people.rows(schema)).await;
    let refused = world.runs("sessions list").await;
    assert_eq!(
        refused.failure(),
        format!(
            "The database has schema {schema}, this roundtable needs {SCHEMA}. Start `roundtable` once to upgrade it."
        )
    );
    world.start_node().await;
    goes_on(&world, &people).await;
    ends_what_was_under_way(&world, &people).await;
    if schema >= 2 {
        has_its_team(&world, &people).await;
        has_its_answer(&world, &people).await;
    }
    if (2..8).contains(&schema) {
        let found = "SELECT (SELECT stray FROM deliveries WHERE id = 16) || ', '
                         || (SELECT scope || ' ' || position FROM cursors WHERE channel = 'discord') AS found";
        assert_eq!(world.stored().await.read(Asked(found)).await, "1, 900/902 5", "{database:?}");
    }
    if schema >= 3 {
        let nodes = world.runs("nodes --json").await.json();
        assert_eq!((&nodes[0]["name"], &nodes[0]["alive"]), (&json!("east-1"), &json!(false)), "{nodes}");
    }
    if schema >= 4 {
        let left = "SELECT CAST((SELECT COUNT(*) FROM sessions WHERE erase_at IS NOT NULL)
                        + (SELECT COUNT(*) FROM entries WHERE body LIKE '%forget me%') AS TEXT) AS found";
        let stored = world.stored().await;
        stored.find("it is erased", async || (stored.read(Asked(left)).await == "0").then_some(())).await;
    }
    if schema >= 7 {
        has_moved(&world, &people).await;
    } else {
        // Nobody knew of the group before it was another.
        let said = next_text(&people.ann.in_group("cooks")).await;
        assert_eq!(said, "echo: Ann: @roundtable_bot and for dinner?");
    }
    if schema >= 6 {
        let waits = |one: &Listed| one.conversation == format!("telegram:main:{}", people.eve.id());
        let listed = world.deliveries().await;
        let one = listed.iter().find(|one| waits(one)).expect("it waits for the end of the pause");
        assert_eq!((one.state, one.attempts), (State::Pending, 0), "schema {schema}, {database:?}");
    }
    world.end().await;
}

/// Ann is answered, by an agent that remembers what was said.
async fn goes_on(world: &World, people: &People) {
    let mut said = [next_text(&people.ann).await, next_text(&people.ann).await];
    said.sort();
    assert_eq!(said, ["echo: which number was it?", "on its way"]);
    let asked = asked(world, "which number was it?");
    assert_eq!(heard(&asked), "remember the number 42\nwhich number was it?");
    let listed = world.runs("sessions list --json").await.json();
    let key = format!("agent:manager:telegram:main:dm:{}", people.ann.id());
    let session = listed.as_array().and_then(|all| all.iter().find(|one| one["key"] == key.as_str()));
    let session = session.unwrap_or_else(|| panic!("no {key} in {listed}"));
    assert!(session["entries"] == 4 && session["input_tokens"].as_i64() > Some(20), "{session}");
}

/// Dan's turn goes on after its last answer, in the time that it had left; Fay's when its wait is over. What Gil was told is
/// looked for, found, and not said again.
async fn ends_what_was_under_way(world: &World, people: &People) {
    assert_eq!(next_text(&people.dan).await, "echo: who is there?");
    let asked = world.model.requests().into_iter().filter(|request| heard(request) == "who is there?");
    let calls: Vec<Vec<String>> =
        asked.map(|request| made(&request).into_iter().map(|(call, _)| call.name).collect()).collect();
    assert_eq!(calls, [["agents_list"]]);
    assert_eq!(next_text(&people.fay).await, "echo: are you busy?");
    let ended = "SELECT (SELECT status FROM turns WHERE id = 11) || ', ' || (SELECT status FROM turns WHERE id = 12) || ', '
                     || (SELECT outcome FROM waits WHERE id = 12) AS found";
    let stored = world.stored().await;
    assert_eq!(stored.read(Asked(ended)).await, "done, done, due");
    let found = "SELECT state || ' ' || COALESCE(message_id, 0) AS found FROM deliveries WHERE id = 13";
    let shown = format!("sent {}", people.shown);
    stored.find("it to be found", async || (stored.read(Asked(found)).await == shown).then_some(())).await;
    let looked = |call: &&Call| call.params["chat_id"] == people.gil.id();
    let looks = world.telegram.calls_of("editMessageText");
    assert_eq!(looks.iter().filter(looked).count(), 1, "{looks:#?}");
}

/// The manager still waits for its clerk, for as long as when the last node was seen, and has the answer.
async fn has_its_answer(world: &World, people: &People) {
    let said: Value = serde_json::from_str(&next_text(&people.hal).await).expect("it says what it was told");
    assert_eq!((&said["status"], &said["reply"]), (&json!("ok"), &json!("Seven.")), "{said}");
    let ended = "SELECT (SELECT status FROM turns WHERE id = 14) || ', ' || (SELECT reason FROM exchanges WHERE id = 2) AS found";
    assert_eq!(world.stored().await.read(Asked(ended)).await, "done, answered");
}

/// Both children do what they were asked to; the run had as much time left as when the last node was seen. Bob still
/// speaks to the helper, which knows what he had said before it was made.
async fn has_its_team(world: &World, people: &People) {
    let mut said = [next_text(&people.bob).await, next_text(&people.bob).await];
    said.sort();
    assert_eq!(said, ["Helper\nI stand by.", "scout\nAll is well."]);
    let tools = asked(world, "how is it?").tools;
    assert_eq!(tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["agents_list"]);
    people.bob.says("who is Tom?");
    assert_eq!(next_text(&people.bob).await, "Helper\necho: who is Tom?");
    let asked = asked(world, "who is Tom?");
    assert_eq!(asked.model, "other");
    let task = "[task from manager] {\"task\":\"stand by\"}";
    assert_eq!(heard(&asked), format!("my cat is called Tom\n{task}\nwho is Tom?"));
    let kept =
        "SELECT (SELECT guild || ' ' || parent || ' ' || run_id FROM conversations WHERE id = 3) || ', '
                    || (SELECT mode || ' ' || cleanup || ' ' || wait_id FROM runs WHERE id = 2) || ', '
                    || (SELECT max_turns || ' ' || reason FROM exchanges WHERE id = 1) AS found";
    let kept = world.stored().await.read(Asked(kept)).await;
    assert_eq!(kept, "900 901 1, session keep 7, 3 answered");
}

/// The answer of unknown outcome is looked for where the group was, and shown where it is. What was said there before it
/// moved belongs to its session.
async fn has_moved(world: &World, people: &People) {
    let here = people.ann.in_group("cooks");
    assert_eq!(next_text(&here).await, "Soup.");
    assert_eq!(next_text(&here).await, "echo: Ann: @roundtable_bot and for dinner?");
    let asked = asked(world, "and for dinner?");
    assert_eq!(heard(&asked), "Ann: what is for lunch?\nAnn: @roundtable_bot and for dinner?");
    let old = people.old.chat_id();
    let mut looks = world.telegram.calls_of("editMessageText");
    looks.retain(|call| call.params["chat_id"] != people.gil.id());
    assert!(!looks.is_empty() && looks.iter().all(|call| call.params["chat_id"] == old), "{looks:#?}");
}

/// The last request that ends in these words.
fn asked(world: &World, words: &str) -> ModelRequest {
    world.model.requests().into_iter().rfind(|request| request.asks(words)).expect("it was asked")
}

/// The answer to a question that both databases understand.
struct Asked(&'static str);

#[async_trait]
impl Read for Asked {
    type Output = String;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<String, StoreError> {
        tx.one(Sql { lite: self.0, pg: self.0 }, &[]).await?.get("found")
    }
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
