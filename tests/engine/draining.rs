//! A node that is told to stop: it begins nothing, ends what it can, and leaves the rest to be taken up.

use roundtable::models::{ModelMessage, Request};
use roundtable_fakes::PATIENCE;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::on_each;
use crate::support::bench::{Bench, Does, Setup};
use crate::support::world::World;

/// Longer than a lease: the account must stay ours until the answer is out.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_during_the_drain_is_delivered() {
    on_each(async |setting| {
        let mut world = setting.start().await;
        let hold = world.model.hold("hello");
        let ann = world.telegram.user("ann");
        ann.says("hello");
        hold.arrived().await.unwrap();
        world.begin_stop();
        let held = world.rows().await.held_until;
        world.until("the lease to be renewed", |rows| rows.held_until > held + 700).await;
        hold.release();
        world.stop_node().await;
        assert_eq!(world.telegram.calls_of("sendMessage").len(), 1);
        assert_eq!(ann.next_message().await.unwrap().text, "echo: hello");
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_call_that_outlasts_the_drain_is_made_again_at_the_next_start() {
    let mut world = World::setting().without_node().await;
    world.env.insert("ROUNDTABLE_NODE__DRAIN".into(), "300ms".into());
    world.start_node().await;
    let hold = world.model.hold("hello");
    let ann = world.telegram.user("ann");
    ann.says("hello");
    hold.arrived().await.unwrap();
    ann.says("are you there?");
    world.until("the second message in the inbox", |rows| rows.pending == 1).await;
    world.stop_node().await;
    assert_eq!(world.rows().await.turns, ["running"]);
    hold.release();
    world.start_node().await;
    assert_eq!(ann.next_message().await.unwrap().text, "echo: hello");
    assert_eq!(ann.next_message().await.unwrap().text, "echo: are you there?");
    world.end().await;
}

/// A stop is no crash: however often it happens, nothing is given up.
#[tokio::test(flavor = "multi_thread")]
async fn stops_do_not_count_as_failed_claims() {
    on_each(async |setting| {
        let mut world = setting.without_node().await;
        world.env.insert("ROUNDTABLE_NODE__DRAIN".into(), "50ms".into());
        let ann = world.telegram.user("ann");
        ann.says("hello");
        for _ in 0..5 {
            let hold = world.model.hold("hello");
            world.start_node().await;
            hold.arrived().await.unwrap();
            world.stop_node().await;
        }
        world.start_node().await;
        assert_eq!(ann.next_message().await.unwrap().text, "echo: hello");
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_ends_with_its_calls_and_no_new_one_begins() {
    let gate = CancellationToken::new();
    let open = gate.clone();
    let model = move |request: &Request| match request.messages.last() {
        Some(ModelMessage::Tool { content, .. }) => Does::Says(content.clone()),
        _ => Does::Calls(vec![json!({})]).after(&open),
    };
    let mut bench = Bench::new(Setup::default(), model, |_| Does::says("did it")).await;
    let mut node = bench.start();
    bench.says("work").await;
    bench.asked("the first call", |log| log.requests.len() == 1).await;
    node.begin_drain().await;
    gate.cancel();
    node.engine.drained(PATIENCE).await;
    assert_eq!((bench.calls().len(), bench.requests().len()), (1, 1));
    let rows = bench.rows().await;
    assert_eq!((rows.turns, rows.entries), (vec!["running".to_owned()], 3));
    node.engine.release().await;
    let _other = bench.start();
    assert_eq!(bench.ended(1).await, ["done"]);
    assert_eq!((bench.calls().len(), bench.requests().len()), (1, 2));
    assert!(bench.said().await.concat().contains("did it"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_turn_of_a_session_is_left_to_the_next_node() {
    let gate = CancellationToken::new();
    let (open, mut asked) = (gate.clone(), 0);
    let model = move |_: &Request| {
        asked += 1;
        if asked == 1 { Does::says("one").after(&open) } else { Does::says("two") }
    };
    let mut bench = Bench::model(model).await;
    let mut node = bench.start();
    bench.says("first").await;
    bench.asked("the first call", |log| log.requests.len() == 1).await;
    bench.says("second").await;
    node.begin_drain().await;
    gate.cancel();
    node.engine.drained(PATIENCE).await;
    let rows = bench.rows().await;
    assert_eq!((rows.turns, rows.pending), (vec!["done".to_owned()], 1));
    let _other = bench.start();
    assert_eq!(bench.ended(2).await, ["done", "done"]);
    assert_eq!(bench.said().await, ["one", "two"]);
}
