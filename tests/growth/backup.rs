//! `roundtable backup`, and a node that goes on with the copy.

use std::os::unix::fs::PermissionsExt as _;
use std::pin::pin;

use async_trait::async_trait;
use roundtable::store::{Read, Sql, StoreError, Tx};
use serde_json::Value;
use sqlx::{Connection as _, SqliteConnection};

use crate::support::databases::Database;
use crate::support::requests::{heard, next_text};
use crate::support::world::World;

/// What was said at a terminal long ago: so much that it takes longer to copy than it takes to answer.
const MUCH: &str =
    "WITH RECURSIVE lines(line) AS (SELECT 1 UNION ALL SELECT line + 1 FROM lines WHERE line < 20000)
    INSERT INTO local_lines (account, chat, delivery, sender, text, created_at)
    SELECT 'main', 'old', NULL, 'Ann', hex(randomblob(500)), 1700000000000 FROM lines";

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
async fn a_copy_that_is_made_while_people_are_answered_is_whole_and_good_to_go_on_with() {
    let mut world = World::start().await;
    let (ann, bob) = (world.telegram.user("ann"), world.telegram.user("bob"));
    let call = world.model.hold("slow");
    ann.says("slow");
    call.arrived().await.unwrap();
    world.stored().await.changes(MUCH).await;
    let copy = world.folder().join("copy.db");
    let mut backup = pin!(world.begins("backup copy.db --json", ""));
    let (mut said, mut meanwhile) = (0, 0);
    let ran = loop {
        said += 1;
        bob.says(&said.to_string());
        let began = copy.exists();
        tokio::select! {
            ran = &mut backup => break ran,
            answer = next_text(&bob) => {
                assert_eq!(answer, format!("echo: {said}"));
                meanwhile += usize::from(began);
            }
        }
    };
    assert_eq!(next_text(&bob).await, format!("echo: {said}"));
    assert!(meanwhile > 0, "nobody was answered as it was copied");
    let bytes = std::fs::metadata(&copy).unwrap().len();
    assert_eq!(ran.json(), serde_json::json!({ "file": "copy.db", "bytes": bytes, "broken": [] }));
    // Telegram has nothing left to offer.
    world.settled().await;
    world.kill_node().await;
    drop(call);
    world.configure(|text| text.replace("data/roundtable.db", "copy.db"));
    world.url = format!("sqlite:{}", copy.display());

    // It holds all that Bob had said until a moment, and what was answered then but for what was on its way.
    let kept = world.stored().await.read(Heard(bob.id().to_string())).await;
    let until = kept.questions.len();
    assert_eq!(kept.questions, (1..=until).map(|number| number.to_string()).collect::<Vec<_>>());
    assert!((1..=said).contains(&until) && until.abs_diff(kept.answers) <= 2, "{kept:?} of {said}");

    // The new node does what was to be done at that moment. What came later is lost with the database.
    world.start_node().await;
    assert_eq!(next_text(&ann).await, "echo: slow");
    bob.says("more");
    let mut again = Vec::new();
    let more = loop {
        match next_text(&bob).await {
            answer if answer == format!("echo: {until}") => again.push(answer),
            answer => break answer,
        }
    };
    assert_eq!(more, "echo: more");
    assert!(again.len() <= 1, "{again:?}");
    let asked = world.model.requests().into_iter().rfind(|request| request.asks("more")).unwrap();
    assert_eq!(heard(&asked), [kept.questions, vec!["more".to_owned()]].concat().join("\n"));
    world.end().await;
}

/// What a database knows of somebody.
struct Heard(String);

/// What was said, and how many answers are known to have been seen.
#[derive(Debug)]
struct Kept {
    questions: Vec<String>,
    answers: usize,
}

#[async_trait]
impl Read for Heard {
    type Output = Kept;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Kept, StoreError> {
        let both = |text| Sql { lite: text, pg: text };
        let who = [self.0.as_str().into()];
        let questions = tx.all(both("SELECT body FROM inbox WHERE sender = $1 ORDER BY id"), &who).await?;
        let text = |body: Value| body["text"].as_str().unwrap_or_default().to_owned();
        let questions = questions.iter().map(|row| row.json("body").map(text)).collect::<Result<_, _>>()?;
        let answers = "SELECT d.id FROM deliveries d JOIN conversations c ON c.id = d.conversation_id
                       WHERE c.chat = $1 AND d.state = 'sent'";
        Ok(Kept { questions, answers: tx.all(both(answers), &who).await?.len() })
    }
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
