//! Calls of tools that are wrong: what is wrong is told to the model, which can do better.

use roundtable_fakes::Reply;
use serde_json::{Value, json};

use super::model::in_each_protocol;
use crate::support::requests::next_text;
use crate::support::world::World;

/// The results at the end of the last request, as JSON.
fn results(world: &World) -> Vec<Value> {
    let requests = world.model.requests();
    let results = requests.last().unwrap().results().into_iter();
    results.map(|(_, result)| serde_json::from_str(result).expect("results are JSON")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_call_is_answered_with_what_is_wrong() {
    let world = World::start().await;
    let ann = world.telegram.user("ann");
    for (number, (call, tool, code)) in [
        (Reply::broken_call("agents_list", "{\"a\": "), "agents_list", "invalid_arguments"),
        (Reply::broken_call("agents_list", "[1, 2]"), "agents_list", "invalid_arguments"),
        (Reply::broken_call("agents_list", "7"), "agents_list", "invalid_arguments"),
        (Reply::calls([("launch_rockets", json!({}))]), "launch_rockets", "unknown_tool"),
    ]
    .into_iter()
    .enumerate()
    {
        world.model.once(&format!("wrong {number}"), call);
        let mut corrected = Some(Reply::text(format!("corrected {number}")));
        let tool = tool.to_owned();
        world.model.on(move |request| request.result_of(&tool).and_then(|_| corrected.take()));
        ann.says(&format!("wrong {number}"));
        assert_eq!(next_text(&ann).await, format!("corrected {number}"));
        let results = results(&world);
        assert_eq!(
            (results.len(), &results[0]["status"], &results[0]["code"]),
            (1, &json!("error"), &json!(code))
        );
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_cut_at_the_limit_is_not_made() {
    in_each_protocol(async |world| {
        let ann = world.telegram.user("ann");
        for (number, written) in ["", "{\"label\": \"a"].into_iter().enumerate() {
            let complete = ("launch_rockets", json!({"all": true}));
            let cut = Reply::calls([complete]).and_broken_call("agents_list", written).at_limit();
            world.model.once(&format!("cut {number}"), cut);
            let mut then = Some(Reply::text(format!("then {number}")));
            world.model.on(move |request| request.result_of("agents_list").and_then(|_| then.take()));
            ann.says(&format!("cut {number}"));
            assert_eq!(next_text(&ann).await, format!("then {number}"));
            let codes: Vec<Value> = results(world).iter().map(|result| result["code"].clone()).collect();
            assert_eq!(codes, ["unknown_tool", "invalid_arguments"], "{written:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_with_the_same_id_get_a_result_each() {
    let world = World::start().await;
    let ann = world.telegram.user("ann");
    let twice = |with: i64| [("agents_list", json!({"n": with})), ("launch_rockets", json!({"n": with}))];
    let mut steps = vec![
        Reply::text("done"),
        Reply::calls(twice(2)).with_call_id("call"),
        Reply::calls(twice(1)).with_call_id("call"),
    ];
    world.model.on(move |_| steps.pop());
    ann.says("go");
    assert_eq!(next_text(&ann).await, "done");
    let codes: Vec<Value> = results(&world).iter().map(|result| result["code"].clone()).collect();
    assert_eq!(codes, [Value::Null, json!("unknown_tool")]);
    ann.says("and on");
    assert_eq!(next_text(&ann).await, "echo: and on");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_off_in_a_call_makes_no_call() {
    let world = World::start().await;
    let ann = world.telegram.user("ann");
    let calls = || Reply::calls([("agents_list", json!({"some": "arguments", "that": "are long"}))]);
    for (number, cut) in
        [calls().truncated(), calls().broken(), calls().malformed_json()].into_iter().enumerate()
    {
        world.model.once(&format!("cut {number}"), cut);
        ann.says(&format!("cut {number}"));
        let told = next_text(&ann).await;
        assert!(told.starts_with("Manager can't answer now: openai/fake is not available"), "{told}");
    }
    assert!(world.model.requests().iter().all(|request| request.results().is_empty()), "no call was made");
    world.end().await;
}
