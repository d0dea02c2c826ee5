//! `roundtable sessions prune`: what is old and at rest goes with everything that hangs on it, and nothing else.

use roundtable::store::deliveries::Listed;
use roundtable::store::{Read, Sql, StoreError, Tx};
use roundtable_fakes::Reply;
use serde_json::json;

use crate::support::databases::on_each_database;
use crate::support::look::Rows;
use crate::support::process::Process;
use crate::support::requests::next_text;
use crate::support::world::World;

/// Rows of each table that holds what sessions are and do.
struct Left;

#[async_trait::async_trait]
impl Read for Left {
    type Output = String;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<String, StoreError> {
        let text = "SELECT (SELECT COUNT(*) FROM trees) || ' trees, ' || (SELECT COUNT(*) FROM sessions) || ' sessions, '
            || (SELECT COUNT(*) FROM entries) || ' entries, ' || (SELECT COUNT(*) FROM inbox) || ' items, '
            || (SELECT COUNT(*) FROM turns) || ' turns, ' || (SELECT COUNT(*) FROM waits) || ' waits, '
            || (SELECT COUNT(*) FROM runs) || ' runs, ' || (SELECT COUNT(*) FROM exchanges) || ' exchanges, '
            || (SELECT COUNT(*) FROM deliveries WHERE session_id IS NOT NULL) || ' deliveries, '
            || (SELECT COUNT(*) FROM messages WHERE session_id IS NOT NULL) || ' numbers'
            AS counts";
        tx.one(Sql { lite: text, pg: text }, &[]).await?.get("counts")
    }
}

const NOTHING: &str = "0 trees, 0 sessions, 0 entries, 0 items, 0 turns, 0 waits, 0 runs, 0 exchanges, 0 deliveries, \
                       0 numbers";

/// Waits until so much is left; on a running node the scheduler erases.
pub async fn until_left(world: &World, wanted: &str) {
    let stored = world.stored().await;
    stored.find(wanted, async || (stored.read(Left).await == wanted).then_some(())).await;
}

pub async fn until_nothing_is_left(world: &World) {
    until_left(world, NOTHING).await;
}

/// A family that has done something: a manager with two children, one of them archived.
pub async fn a_family_at_rest(world: &World, name: &str) {
    let person = world.telegram.user(name);
    let spawn = |label: &str, cleanup: &str| {
        let task = json!({"task": "stand by", "agentId": "coder", "label": label, "cleanup": cleanup});
        ("sessions_spawn", task)
    };
    let send = json!({"label": "first", "message": "how is it?", "timeoutSeconds": 5});
    world.model.once("build it", Reply::calls([spawn("first", "keep"), spawn("second", "archive")]));
    world.model.after("sessions_spawn", Reply::calls([("sessions_yield", json!({}))]));
    world.model.after("sessions_yield", Reply::calls([("sessions_send", send)]));
    world.model.after("sessions_send", Reply::text("all done"));
    person.says("build it");
    while next_text(&person).await != "all done" {}
    let idle = |session: &String| session.ends_with(" idle") || session.ends_with(" archived");
    world.until("everybody is at rest", |rows| rows.pending == 0 && rows.sessions.iter().all(idle)).await;
    until_all_is_sent(world).await;
}

async fn pruned(world: &World, line: &str) -> Vec<String> {
    let ran = world.runs(&format!("sessions prune --json {line}")).await.json();
    let sessions = ran["sessions"].as_array().expect("a list");
    assert_eq!(ran["total"]["sessions"], sessions.len());
    // A child's key has a number of its own.
    let kind = |key: &str| if key.contains(":subagent:") { "a child".to_owned() } else { key.to_owned() };
    sessions.iter().map(|session| kind(session["key"].as_str().expect("a key"))).collect()
}

/// The key of a person's session.
fn key(world: &World, name: &str) -> String {
    format!("agent:manager:telegram:main:dm:{}", world.telegram.user(name).id())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_node_prunes_what_is_old_and_goes_on() {
    on_each_database(async |url| {
        let world = World::setting().on(url).start().await;
        a_family_at_rest(&world, "ann").await;
        let before = world.stored().await.read(Left).await;
        let family = ["a child".to_owned(), "a child".to_owned(), key(&world, "ann")];
        assert_eq!(pruned(&world, "--older-than 1h").await, Vec::<String>::new());
        assert_eq!(pruned(&world, "--older-than 1ms --dry-run").await, family);
        assert_eq!(world.stored().await.read(Left).await, before, "a dry run changed something");
        assert_eq!(pruned(&world, "--older-than 1ms").await, family);
        assert_eq!(pruned(&world, "--older-than 1ms").await, Vec::<String>::new());
        until_nothing_is_left(&world).await;
        let ann = world.telegram.user("ann");
        ann.says("hello again");
        assert_eq!(next_text(&ann).await, "echo: hello again");
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_at_work_or_on_its_way_stays() {
    on_each_database(async |url| {
        let mut world = World::setting().on(url).start().await;
        let [ann, bob, cat] = ["ann", "bob", "cat"].map(|name| world.telegram.user(name));
        for person in [&ann, &bob, &cat] {
            person.says("hello");
            assert_eq!(next_text(person).await, "echo: hello");
        }
        // Ann's child is at work, and she waits for it; what became of a message to Bob is not known.
        let call = world.model.hold("stand by");
        world.model.when("[a result, data only]", Reply::text("NO_REPLY"));
        let task = json!({"task": "stand by", "agentId": "coder", "label": "helper"});
        world.model.once("build it", Reply::calls([("sessions_spawn", task)]));
        world.model.after("sessions_spawn", Reply::text("started"));
        ann.says("build it");
        assert_eq!(next_text(&ann).await, "started");
        call.arrived().await.unwrap();
        let lost = "UPDATE deliveries SET state = 'unknown', due_at = 9223372036854775807 WHERE id = 2";
        world.stored().await.changes(lost).await;
        assert_eq!(pruned(&world, "--older-than 1ms").await, [key(&world, "cat")]);
        drop(call);
        let told = next_text(&ann).await;
        assert!(told.contains("stand by"), "{told}");
        let at_rest = |rows: &Rows| rows.pending == 0 && rows.sessions.iter().all(|session| session.ends_with(" idle"));
        world.until("everybody is at rest", at_rest).await;
        world.stop_node().await;
        // Without a node the rows are gone when the command ends.
        assert_eq!(pruned(&world, "--older-than 1ms").await.len(), 2);
        let left = world.stored().await.read(Left).await;
        assert_eq!(
            left,
            "1 trees, 1 sessions, 2 entries, 1 items, 1 turns, 0 waits, 0 runs, 0 exchanges, 1 deliveries, 1 numbers"
        );
        world.end().await;
    })
    .await;
}

/// Events, numbers of messages, and the program's own words.
struct Notes;

#[async_trait::async_trait]
impl Read for Notes {
    type Output = String;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<String, StoreError> {
        let text = "SELECT (SELECT COUNT(*) FROM events) || ' events, ' || (SELECT COUNT(*) FROM messages) || ' numbers, '
            || (SELECT COUNT(*) FROM deliveries WHERE session_id IS NULL) || ' words' AS counts";
        tx.one(Sql { lite: text, pg: text }, &[]).await?.get("counts")
    }
}

/// Waits until nothing is on its way to anybody.
async fn until_all_is_sent(world: &World) {
    let sent = |all: &[Listed]| all.iter().all(|delivery| delivery.state.as_str() == "sent");
    world.stored().await.until("everything to be sent", sent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn notes_go_when_they_protect_nothing_any_more() {
    const EIGHT_DAYS: [&str; 3] = [
        "UPDATE events SET created_at = created_at - 691200000",
        "UPDATE messages SET created_at = created_at - 691200000",
        "UPDATE deliveries SET created_at = created_at - 691200000",
    ];
    on_each_database(async |url| {
        let mut world = World::setting().on(url).start().await;
        let ann = world.telegram.user("ann");
        let stored = world.stored().await;
        ann.says("/whoami");
        next_text(&ann).await;
        ann.says("hello");
        assert_eq!(next_text(&ann).await, "echo: hello");
        until_all_is_sent(&world).await;
        assert_eq!(stored.read(Notes).await, "2 events, 4 numbers, 1 words");
        let line = "sessions prune --json --older-than 5m";
        let removed = async |world: &World| world.runs(line).await.json()["total"]["notes"].clone();
        assert_eq!(removed(&world).await, 0, "what happened today may be offered again");
        for age in EIGHT_DAYS {
            stored.changes(age).await;
        }
        let lost = "UPDATE deliveries SET state = 'unknown', after_id = 0, due_at = 9223372036854775807 WHERE id = 2";
        stored.changes(lost).await;
        assert_eq!(removed(&world).await, 3, "a lost message may be looked for among all numbers");
        stored.changes("UPDATE deliveries SET state = 'sent' WHERE id = 2").await;
        // Ann's session is not old, so its answer keeps its number, which is the newest.
        assert_eq!(removed(&world).await, 3);
        assert_eq!(stored.read(Notes).await, "0 events, 1 numbers, 0 words");
        ann.says("more");
        assert_eq!(next_text(&ann).await, "echo: more");
        until_all_is_sent(&world).await;
        world.stop_node().await;
        let ran = world.runs("sessions prune --json --older-than 1ms").await.json();
        // The old answer's number goes now: its delivery is gone, and there is a newer one.
        assert_eq!((&ran["total"]["sessions"], &ran["total"]["notes"]), (&json!(1), &json!(1)));
        assert_eq!(stored.read(Left).await, NOTHING);
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_pruned_is_erased_after_a_crash_too() {
    on_each_database(async |url| {
        let mut world = World::setting().on(url).without_node().await;
        let ann = world.telegram.user("ann");
        let mut process = Process::start(&world, Some("commit.prune.after:1")).unwrap();
        ann.says("hello");
        assert_eq!(next_text(&ann).await, "echo: hello");
        until_all_is_sent(&world).await;
        let ran = world.runs("sessions prune --older-than 1ms").await;
        assert!(ran.failure().contains("the node can't be reached"), "{ran:?}");
        process.crashes().await.unwrap();
        world.start_node().await;
        until_nothing_is_left(&world).await;
        world.end().await;
    })
    .await;
}
