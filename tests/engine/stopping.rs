//! `/stop`, `/new` and deadlines: a turn ends early, once, and the session goes on.

use roundtable::models::ModelMessage;
use roundtable_fakes::{ModelRequest, PATIENCE, Reply, Role};
use serde_json::json;

use super::on_each;
use crate::support::bench::{Bench, Does, Setup};
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn stop_ends_a_model_call_and_everything_that_waits() {
    on_each(async |setting| {
        let world = setting.start().await;
        let _hold = world.model.hold("a long story");
        let ann = world.telegram.user("ann");
        ann.says("tell me a long story");
        world.model.wait_for_request("the story", |request| request.asks("story")).await.unwrap();
        ann.says("with dragons");
        world.until("the second message in the inbox", |rows| rows.pending == 1).await;
        ann.says("/stop");
        assert_eq!(ann.next_message().await.unwrap().text, "Stopped: manager.");
        world.model.wait_for_abandoned("the story", |request| request.asks("story")).await.unwrap();
        let rows = world.rows().await;
        assert_eq!((rows.turns, rows.pending), (vec!["cancelled stopped".to_owned()], 0));
        ann.says("hello again");
        // What was stopped was said nonetheless, and is in the transcript.
        let answer = ann.next_message().await.unwrap().text;
        assert_eq!(answer, "echo: tell me a long story\n\nwith dragons\n\nhello again");
        assert_eq!(world.model.requests().len(), 2);
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_reaches_a_streaming_answer() {
    let world = World::start().await;
    let (reply, pause) = Reply::chunks(["Once ", "upon ", "a time"]).pausing_after(2);
    world.model.once("a story", reply);
    let ann = world.telegram.user("ann");
    ann.says("a story");
    pause.arrived().await.unwrap();
    ann.says("/stop");
    assert_eq!(ann.next_message().await.unwrap().text, "Stopped: manager.");
    world.model.wait_for_abandoned("the story", |request| request.asks("story")).await.unwrap();
    pause.release();
    ann.says("thanks");
    assert_eq!(ann.next_message().await.unwrap().text, "echo: a story\n\nthanks");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_with_nothing_at_work_says_so() {
    let world = World::start().await;
    let ann = world.telegram.user("ann");
    ann.says("/stop");
    assert_eq!(ann.next_message().await.unwrap().text, "Nothing is running here.");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_takes_what_only_waits_for_a_slot() {
    let mut world = World::setting().without_node().await;
    world.env.insert("ROUNDTABLE_NODE__MAX_TURNS".into(), "1".into());
    world.start_node().await;
    let hold = world.model.hold("begin");
    let (ann, ben) = (world.telegram.user("ann"), world.telegram.user("ben"));
    ann.says("begin");
    hold.arrived().await.unwrap();
    ben.says("me too");
    world.until("a queue", |rows| rows.sessions_that_are("queued") == 1).await;
    ben.says("/stop");
    assert_eq!(ben.next_message().await.unwrap().text, "Stopped: manager.");
    hold.release();
    assert_eq!(ann.next_message().await.unwrap().text, "echo: begin");
    assert_eq!(world.model.requests().len(), 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_that_was_cut_behind_a_call_stays_well_formed() {
    let world = World::start().await;
    world.model.once("who is here", Reply::calls([("agents_list", json!({})), ("agents_list", json!({}))]));
    let _hold = world.model.hold("\"agents\"");
    let ann = world.telegram.user("ann");
    ann.says("who is here?");
    let second = |request: &ModelRequest| request.last().role == Role::Tool;
    world.model.wait_for_request("the second step", second).await.unwrap();
    ann.says("/stop");
    assert_eq!(ann.next_message().await.unwrap().text, "Stopped: manager.");
    world.model.wait_for_abandoned("the second step", second).await.unwrap();
    ann.says("never mind");
    assert_eq!(ann.next_message().await.unwrap().text, "echo: never mind");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_were_not_made_any_more_have_a_result_nonetheless() {
    let mut bench = Bench::new(
        Setup::default(),
        |request| match request.messages.last() {
            Some(ModelMessage::User(text)) if text == "work" => {
                Does::Calls(vec![json!({"n": 1}), json!({"n": 2})])
            }
            _ => Does::says("hello"),
        },
        |arguments| if arguments["n"] == 1 { Does::says("quick") } else { Does::Hangs },
    )
    .await;
    let node = bench.start();
    bench.says("work").await;
    bench.until("one of two results", |rows| rows.entries == 3).await;
    bench.stop(&node.engine).await;
    bench.says("and now?").await;
    assert_eq!(bench.ended(2).await, ["cancelled stopped", "done"]);
    let messages = &bench.requests()[1].1.messages;
    assert!(matches!(&messages[2], ModelMessage::Tool { content, .. } if content.contains("quick")));
    assert!(matches!(&messages[3], ModelMessage::Tool { content, .. } if content.contains("cancelled")));
    assert_eq!(messages[4], ModelMessage::User("and now?".into()));
    assert_eq!(bench.said().await, ["hello"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_stops_the_turn_and_forgets() {
    let world = World::start().await;
    let _hold = world.model.hold("the secret is blue");
    let ann = world.telegram.user("ann");
    ann.says("the secret is blue");
    world.model.wait_for_request("the secret", |request| request.asks("blue")).await.unwrap();
    ann.says("/new");
    let told = ann.next_message().await.unwrap().text;
    assert!(told.starts_with("We start afresh") && told.ends_with("Stopped: manager."), "{told}");
    world.model.wait_for_abandoned("the secret", |request| request.asks("blue")).await.unwrap();
    ann.says("what is the secret?");
    assert_eq!(ann.next_message().await.unwrap().text, "echo: what is the secret?");
    let requests = world.model.requests();
    assert_eq!(requests.len(), 2);
    assert!(!requests[1].raw.to_string().contains("is blue"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_keep_lets_the_old_turn_end_and_keeps_the_new_one_apart() {
    on_each(async |setting| {
        let world = setting.start().await;
        world.model.once("the secret is blue", Reply::calls([("agents_list", json!({}))]));
        world.model.after("agents_list", Reply::text("I keep it."));
        let hold = world.model.hold("the secret is blue");
        let ann = world.telegram.user("ann");
        ann.says("the secret is blue");
        hold.arrived().await.unwrap();
        ann.says("/new keep");
        let told = ann.next_message().await.unwrap().text;
        assert!(told.starts_with("We start afresh") && !told.contains("Stopped"), "{told}");
        ann.says("what is the secret?");
        world.until("the new message in the inbox", |rows| rows.pending == 1).await;
        hold.release();
        assert_eq!(ann.next_message().await.unwrap().text, "I keep it.");
        assert_eq!(ann.next_message().await.unwrap().text, "echo: what is the secret?");
        let requests = world.model.requests();
        assert_eq!(requests.len(), 3);
        assert!(
            !requests[1].raw.to_string().contains("what is the secret"),
            "the old turn has read the new message"
        );
        assert!(!requests[2].raw.to_string().contains("is blue"), "the new generation knows the old text");
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_past_its_deadline_ends_and_says_so_once() {
    let world =
        World::setting().config("[agents.manager]\ndefault = true\nturn_timeout = \"300ms\"\n").start().await;
    let _hold = world.model.hold("ponder");
    let ann = world.telegram.user("ann");
    ann.says("ponder this");
    let told = ann.next_message().await.unwrap().text;
    assert!(told.starts_with("Manager did not finish within 1 s"), "{told}");
    world.model.wait_for_abandoned("the question", |request| request.asks("ponder")).await.unwrap();
    assert_eq!(world.rows().await.turns, ["timed_out deadline"]);
    ann.says("hello");
    assert_eq!(ann.next_message().await.unwrap().text, "echo: ponder this\n\nhello");
    world.end().await;
}

/// A turn that is stopped between its claim and its first step asks no model.
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_is_stopped_before_it_begins_does_nothing() {
    let mut bench = Bench::model(|_| Does::says("too late")).await;
    bench.says("work").await;
    let engine = bench.idle();
    let turn = bench.claim(&engine).await;
    bench.stop(&engine).await;
    engine.start(turn, engine.slot().expect("an idle node has slots"));
    engine.drained(PATIENCE).await;
    assert_eq!(bench.requests().len(), 0);
    assert_eq!(bench.ended(1).await, ["cancelled stopped"]);
    assert!(bench.said().await.is_empty());
}
