//! A node dies at any moment: its turns go on behind what was committed.

use roundtable::models::{ModelMessage, Request};
use roundtable_fakes::{Reply, Role};
use serde_json::{Value, json};

use super::{calls_then_tells, on_each};
use crate::support::bench::{Bench, Does, Setup};
use crate::support::requests::next_text;
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_model_call_in_flight_is_made_again() {
    on_each(async |setting| {
        let mut world = setting.start().await;
        let hold = world.model.hold("hello");
        let ann = world.telegram.user("ann");
        ann.says("hello");
        hold.arrived().await.unwrap();
        world.kill_node().await;
        hold.release();
        world.start_node().await;
        assert_eq!(ann.next_message().await.unwrap().text, "echo: hello");
        assert_eq!(world.model.requests().len(), 2);
        let rows = world.until("the end of the turn", |rows| rows.sessions_that_are("idle") == 1).await;
        assert_eq!(rows.turns, ["done"]);
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_is_committed_is_not_made_again() {
    on_each(async |setting| {
        let mut world = setting.start().await;
        world.model.once("who is here", Reply::calls([("agents_list", json!({}))]));
        world.model.after("agents_list", Reply::text("Three of us."));
        let hold = world.model.hold("\"agents\"");
        let ann = world.telegram.user("ann");
        ann.says("who is here?");
        hold.arrived().await.unwrap();
        world.kill_node().await;
        world.start_node().await;
        assert_eq!(ann.next_message().await.unwrap().text, "Three of us.");
        let last: Vec<_> = world.model.requests().iter().map(|request| request.last().role).collect();
        assert_eq!(last, [Role::User, Role::Tool, Role::Tool]);
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_queued_behind_a_dead_turn_is_answered_too() {
    let mut world = World::start().await;
    let hold = world.model.hold("first");
    let ann = world.telegram.user("ann");
    ann.says("first");
    hold.arrived().await.unwrap();
    ann.says("second");
    world.until("the second message in the inbox", |rows| rows.pending == 1).await;
    world.kill_node().await;
    ann.says("third");
    world.start_node().await;
    let mut answers = ann.next_message().await.unwrap().text;
    while !answers.contains("third") {
        answers += &ann.next_message().await.unwrap().text;
    }
    let places: Vec<_> = ["first", "second", "third"].map(|word| answers.find(word).unwrap()).into();
    assert!(places.is_sorted(), "{answers}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_turns_go_on_at_the_same_time() {
    on_each(async |setting| {
        let mut world = setting.start().await;
        let people: Vec<_> = (0..20).map(|number| world.telegram.user(&format!("person{number}"))).collect();
        let before: Vec<_> = people.iter().map(|_| world.model.hold("question")).collect();
        for person in &people {
            person.says("question");
        }
        for hold in &before {
            hold.arrived().await.unwrap();
        }
        world.kill_node().await;
        drop(before);
        let after: Vec<_> = people.iter().map(|_| world.model.hold("question")).collect();
        world.start_node().await;
        for hold in &after {
            hold.arrived().await.unwrap();
        }
        drop(after);
        for person in &people {
            assert_eq!(person.next_message().await.unwrap().text, "echo: question");
        }
        assert_eq!(world.model.requests().len(), 40);
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_in_time_on_a_node_without_a_free_slot() {
    on_each(async |setting| {
        let mut world = setting.start().await;
        let [ann, ben] = ["ann", "ben"].map(|name| world.telegram.user(name));
        let before = [world.model.hold("stand by"), world.model.hold("question")];
        let task = json!({"task": "stand by", "agentId": "coder", "label": "helper", "runTimeoutSeconds": 2});
        world.model.when("[a result, data only]", Reply::text("NO_REPLY"));
        world.model.once("build it", Reply::calls([("sessions_spawn", task)]));
        world.model.after("sessions_spawn", Reply::text("started"));
        ann.says("build it");
        assert_eq!(next_text(&ann).await, "started");
        ben.says("question");
        for hold in &before {
            hold.arrived().await.unwrap();
        }
        world.kill_node().await;
        drop(before);
        let after = [world.model.hold("stand by"), world.model.hold("question")];
        // Of two turns one finds no slot.
        world.env.insert("ROUNDTABLE_NODE__MAX_TURNS".into(), "1".into());
        world.start_node().await;
        let told = next_text(&ann).await;
        assert!(told.starts_with("helper ran out of time"), "{told}");
        drop(after);
        assert_eq!(next_text(&ben).await, "echo: question");
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_cannot_be_set_going_holds_up_no_other() {
    on_each(async |setting| {
        let mut world = setting.without_node().await;
        world.env.insert("ROUNDTABLE_NODE__MAX_TURNS".into(), "1".into());
        world.start_node().await;
        let hold = world.model.hold("first");
        let [ann, ben, cat] = ["ann", "ben", "cat"].map(|name| world.telegram.user(name));
        ann.says("first");
        hold.arrived().await.unwrap();
        for (person, text, pending) in [(&ben, "second", 1), (&cat, "third", 2)] {
            person.says(text);
            world.until("it waits", |rows| rows.pending == pending).await;
        }
        let stored = world.stored().await;
        stored.changes("UPDATE inbox SET body = 'torn' || body WHERE body LIKE '%second%'").await;
        hold.release();
        assert_eq!(next_text(&ann).await, "echo: first");
        assert_eq!(next_text(&cat).await, "echo: third");
        stored.changes("UPDATE inbox SET body = SUBSTR(body, 5) WHERE body LIKE 'torn%'").await;
        assert_eq!(next_text(&ben).await, "echo: second");
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_kills_three_times_is_given_up_and_said_once() {
    on_each(async |setting| {
        let mut world = setting.without_node().await;
        let ann = world.telegram.user("ann");
        ann.says("poison");
        for _ in 0..3 {
            let hold = world.model.hold("poison");
            world.start_node().await;
            hold.arrived().await.unwrap();
            world.kill_node().await;
        }
        world.start_node().await;
        let told = ann.next_message().await.unwrap().text;
        assert!(told.contains("I crashed three times"), "{told}");
        assert_eq!(world.rows().await.turns, ["failed dead_letter"]);
        ann.says("hello");
        assert_eq!(ann.next_message().await.unwrap().text, "echo: poison\n\nhello");
        assert_eq!(world.model.requests().len(), 4);
        world.end().await;
    })
    .await;
}

/// A tool that hangs the first time.
fn hangs_once() -> impl FnMut(&Value) -> Does + Send + 'static {
    let mut called = false;
    move |_| if std::mem::replace(&mut called, true) { Does::says("did it") } else { Does::Hangs }
}

async fn killed_in_a_call(repeatable: bool) -> (Bench, String) {
    let setup = Setup { repeatable, ..Setup::default() };
    let mut bench = Bench::new(setup, calls_then_tells, hangs_once()).await;
    let node = bench.start();
    bench.says("work").await;
    bench.asked("the call", |log| log.calls.len() == 1).await;
    node.kill().await;
    let _other = bench.start();
    assert_eq!(bench.ended(1).await, ["done"]);
    let said = bench.said().await.concat();
    (bench, said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_in_flight_that_can_be_repeated_is() {
    let (bench, said) = killed_in_a_call(true).await;
    assert!(said.contains("did it"), "{said}");
    assert_eq!((bench.calls().len(), bench.requests().len()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_in_flight_that_cannot_be_repeated_is_the_models_to_decide_about() {
    let (bench, said) = killed_in_a_call(false).await;
    assert!(said.contains("its effect is unknown"), "{said}");
    assert_eq!((bench.calls().len(), bench.requests().len()), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_calls_only_the_unfinished_are_interrupted() {
    let model = |request: &Request| match request.messages.len() {
        1 => Does::Calls(vec![json!({"n": 1}), json!({"n": 2})]),
        _ => Does::says("done"),
    };
    let tool = |arguments: &Value| if arguments["n"] == 1 { Does::says("quick") } else { Does::Hangs };
    let mut bench = Bench::new(Setup::default(), model, tool).await;
    let node = bench.start();
    bench.says("work").await;
    bench.until("one of two results", |rows| rows.entries == 3).await;
    node.kill().await;
    let _other = bench.start();
    assert_eq!(bench.ended(1).await, ["done"]);
    assert_eq!(bench.calls().len(), 2);
    let messages = &bench.requests()[1].1.messages;
    assert!(matches!(&messages[2], ModelMessage::Tool { content, .. } if content.contains("quick")));
    assert!(matches!(&messages[3], ModelMessage::Tool { content, .. } if content.contains("interrupted")));
}

/// More than the database is asked for at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_is_told_whole_and_in_order_after_a_restart() {
    on_each(async |setting| {
        let mut world = setting.config("[agents.manager]\ndefault = true\ninbox_cap = 250\n").start().await;
        world.model.when("m249", Reply::text("I read them all."));
        let hold = world.model.hold("begin");
        let ann = world.telegram.user("ann");
        ann.says("begin");
        hold.arrived().await.unwrap();
        let burst: Vec<_> = (0..250).map(|number| format!("m{number:03}")).collect();
        for text in &burst {
            ann.says(text);
        }
        world.until("all messages in the inbox", |rows| rows.pending == 250).await;
        hold.release();
        assert_eq!(ann.next_message().await.unwrap().text, "echo: begin");
        assert_eq!(ann.next_message().await.unwrap().text, "I read them all.");
        world.kill_node().await;
        world.start_node().await;
        ann.says("and now?");
        assert_eq!(ann.next_message().await.unwrap().text, "echo: and now?");
        let told: Vec<_> =
            world.model.requests().last().unwrap().messages.iter().map(|m| m.text.clone()).collect();
        assert_eq!(told, ["begin", "echo: begin", &burst.join("\n\n"), "I read them all.", "and now?"]);
        world.end().await;
    })
    .await;
}
