//! Turns that would go on for ever, and calls of tools that models get wrong.

use roundtable::models::{ModelMessage, Request};
use roundtable_fakes::Reply;
use serde_json::{Value, json};

use crate::support::bench::{Bench, Does, Setup};
use crate::support::world::World;

/// A world in which a question makes the model give that answer; it repeats what the call returned.
async fn result_of(first: Reply) -> (World, Value) {
    let world = World::start().await;
    world.model.once("go", first);
    world.model.on(|request| {
        let results = request.results();
        results.first().map(|(_, result)| Reply::text(format!("`{result}`")))
    });
    let ann = world.telegram.user("ann");
    ann.says("go");
    ann.next_message().await.unwrap();
    let requests = world.model.requests();
    assert_eq!(requests.len(), 2);
    let result = serde_json::from_str(requests[1].results()[0].1).expect("results are JSON");
    (world, result)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_is_called_and_its_result_told() {
    let (world, result) = result_of(Reply::calls([("agents_list", json!({}))])).await;
    assert_eq!(result["status"], "ok");
    let you: Vec<_> =
        result["agents"].as_array().unwrap().iter().filter(|agent| agent["you"] == true).collect();
    assert_eq!(you.len(), 1);
    assert_eq!(you[0]["id"], "manager");
    assert!(world.model.requests()[0].tools.iter().any(|tool| tool.name == "agents_list"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_tool_is_a_result_that_helps() {
    let (world, result) = result_of(Reply::calls([("no_such_tool", json!({}))])).await;
    assert_eq!((&result["status"], &result["code"]), (&json!("error"), &json!("unknown_tool")));
    assert!(result["message"].as_str().unwrap().contains("agents_list"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_that_are_no_json_are_a_result_that_helps() {
    let (world, result) = result_of(Reply::broken_call("agents_list", "{\"oops")).await;
    assert_eq!((&result["status"], &result["code"]), (&json!("error"), &json!("invalid_arguments")));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_third_equal_call_ends_the_turn() {
    let world = World::start().await;
    world.model.when("go", Reply::calls([("agents_list", json!({}))]));
    world.model.after("agents_list", Reply::calls([("agents_list", json!({}))]));
    let ann = world.telegram.user("ann");
    ann.says("go");
    let told = ann.next_message().await.unwrap().text;
    assert!(told.starts_with("Manager called agents_list in the same way again and again"), "{told}");
    assert_eq!(world.model.requests().len(), 3);
    assert_eq!(world.rows().await.turns, ["failed loop"]);
    ann.says("hello");
    assert_eq!(ann.next_message().await.unwrap().text, "echo: hello");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_has_an_end() {
    let world = World::start().await;
    let mut asked = 0;
    world.model.on(move |request| {
        asked += 1;
        (!request.asks("hello")).then(|| Reply::calls([("agents_list", json!({"n": asked}))]))
    });
    let ann = world.telegram.user("ann");
    ann.says("go");
    for way in [30, 60, 90] {
        let reached = world.model.wait_for_request("a step on the way", |request| request.number == way);
        reached.await.unwrap();
    }
    let told = ann.next_message().await.unwrap().text;
    assert!(told.starts_with("Manager did not finish within 100 steps"), "{told}");
    assert_eq!(world.model.requests().len(), 100);
    assert_eq!(world.rows().await.turns, ["failed steps"]);
    ann.says("hello");
    assert_eq!(ann.next_message().await.unwrap().text, "echo: hello");
    world.end().await;
}

/// However long a turn gets, the model still knows what it was asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_of_many_calls_keeps_its_question() {
    let model = |request: &Request| {
        let steps = request.messages.iter().filter(|message| matches!(message, ModelMessage::Assistant(_)));
        match steps.count() {
            step if step < 11 => {
                Does::Calls((0..40).map(|call| json!({"step": step, "call": call})).collect())
            }
            _ => Does::says("done"),
        }
    };
    let mut bench = Bench::new(Setup::default(), model, |_| Does::says("ok")).await;
    let _node = bench.start();
    bench.says("the question").await;
    for way in [100, 200, 300, 400] {
        bench.until("results on the way", |rows| rows.entries > way).await;
    }
    assert_eq!(bench.ended(1).await, ["done"]);
    for (_, request) in bench.requests() {
        assert_eq!(request.messages[0], ModelMessage::User("the question".into()));
    }
}
