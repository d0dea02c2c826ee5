//! The chat in the terminal, typed and read as a person does.

use std::io::Write as _;
use std::process::{Command, Stdio};

use roundtable::store::conversations;
use roundtable::store::deliveries::State;
use roundtable::store::{Read, StoreError, Tx};
use roundtable_fakes::Reply;

use crate::support::databases::on_each_database;
use crate::support::terminal::Terminal;
use crate::support::world::World;

#[test]
fn a_fresh_start_in_a_terminal_is_a_chat_with_the_demo_team() {
    let folder = tempfile::tempdir().unwrap();
    let listen = ("ROUNDTABLE_HTTP__LISTEN", "127.0.0.1:0");
    let mut terminal = Terminal::start(folder.path(), &[], &[listen]);
    terminal.sees("you ›");
    terminal.enters("Who are you?");
    terminal.sees("Manager");
    terminal.sees("demo");
    terminal.enters("who is at the table?");
    terminal.sees("At the table: Coder");
    terminal.enters("/whoami");
    terminal.sees("roundtable");
    terminal.enters("/quit");
    assert!(terminal.ends().success());
    assert!(folder.path().join("data/roundtable.db").exists());
}

/// The whole demonstration, with nothing but the program.
#[test]
fn a_team_builds_a_page_in_the_terminal_and_answers_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let listen = ("ROUNDTABLE_HTTP__LISTEN", "127.0.0.1:0");
    let mut terminal = Terminal::start(folder.path(), &[], &[listen]);
    terminal.sees("you ›");
    terminal.enters("Build a website that displays the current price of Bitcoin and deploy it to Vercel.");
    terminal.sees("Manager › I have asked the researcher");
    terminal.sees("researcher finished · ");
    terminal.sees("Manager › ");
    terminal.sees("The researcher says: Use Coinbase");
    terminal.sees("Coder › The page is written.");
    terminal.sees("<title>");
    terminal.sees("vercel --prod");
    terminal.sees("Manager › That is the page");
    terminal.enters("@coder how do I deploy it?");
    terminal.sees("Coder › To deploy it to Vercel");
    terminal.enters("@researcher how often may the page ask for the price?");
    terminal.sees("Researcher › Every 30 seconds");
    terminal.enters("/quit");
    assert!(terminal.ends().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_appear_while_one_types_and_conversations_have_names() {
    let world = World::setting().without_node().await;
    let call = world.model.hold("slow question");
    world.model.when("in the kitchen", Reply::text("we are in the kitchen"));
    let config = world.file.display().to_string();
    let env: Vec<_> = world.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut terminal = Terminal::start(world.folder(), &["chat", "--config", &config], &env);
    terminal.sees("you ›");
    terminal.enters("a slow question");
    call.arrived().await.unwrap();
    terminal.types("half a li");
    terminal.sees("half a li");
    call.release();
    terminal.sees("echo: a slow question");
    // The line that was begun is still there and goes on.
    terminal.sees("half a li");
    terminal.enters("ne");
    terminal.sees("echo: half a line");
    terminal.sees("you ›");
    terminal.enters("/open kitchen");
    terminal.sees("— kitchen —");
    terminal.sees("you ›");
    terminal.enters("what is in the kitchen?");
    terminal.sees("we are in the kitchen");
    terminal.sees("you ›");
    terminal.enters("/chats");
    terminal.sees("lobby");
    terminal.sees("you ›");
    terminal.enters("/quit");
    assert!(terminal.ends().success());
    let heard = world.model.requests();
    let last = heard.iter().find(|request| request.asks("in the kitchen")).unwrap();
    assert!(last.messages.iter().all(|message| !message.text.contains("slow")), "each has its own session");
    world.end().await;
}

#[test]
fn a_pipe_is_answered_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_roundtable"))
        .arg("chat")
        .env_clear()
        .env("HOME", folder.path())
        .env("ROUNDTABLE_HTTP__LISTEN", "127.0.0.1:0")
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"Who are you?\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{out}\n{err}");
    assert!(out.contains("demo model"), "{out}\n{err}");
}

struct Busy;

#[async_trait::async_trait]
impl Read for Busy {
    type Output = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let lobby = "local:main:lobby".parse().expect("it is an address");
        let place = conversations::find(tx, &lobby).await?.expect("somebody has spoken there");
        conversations::busy(tx, place.id).await
    }
}

/// A process died when it wrote an answer: whoever reads a pipe must not go before that has been looked for.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_looked_for_is_still_to_come() {
    on_each_database(async |url| {
        let world = World::setting().on(url).start().await;
        let ran = world.begins("chat", "hello\n").await;
        assert!(ran.stdout.contains("echo: hello"), "{ran:?}");
        let stored = world.stored().await;
        stored.until("it is sent", |all| all.iter().all(|one| one.state == State::Sent)).await;
        assert!(!stored.read(Busy).await);
        stored.changes("UPDATE deliveries SET state = 'unknown', due_at = 4102444800000").await;
        assert!(stored.read(Busy).await);
        // Nobody looks for it any more.
        stored.changes("UPDATE deliveries SET due_at = 9223372036854775807").await;
        assert!(!stored.read(Busy).await);
        world.end().await;
    })
    .await;
}

#[test]
fn without_a_platform_and_a_terminal_the_program_says_what_to_set() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_roundtable"))
        .env_clear()
        .env("HOME", folder.path())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8(output.stderr).unwrap().contains("TELEGRAM_BOT_TOKEN"));
}
