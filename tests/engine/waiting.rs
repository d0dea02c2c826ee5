//! A turn that must wait is a row, not a task: it goes on at its time, whoever is there then.

use std::time::Duration;

use roundtable::models::{ModelError, Request};
use roundtable_fakes::Reply;

use super::on_each;
use crate::support::bench::{Bench, Does};
use crate::support::world::World;

fn busy(seconds: u64) -> Does {
    Does::Fails(ModelError::RateLimited { model: "bench".into(), after: Some(Duration::from_secs(seconds)) })
}

fn busy_once() -> impl FnMut(&Request) -> Does + Send + 'static {
    let mut asked = 0;
    move |_| {
        asked += 1;
        match asked {
            1 => busy(40),
            _ => Does::says("here I am"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limited_model_is_asked_again_when_it_said_and_not_before() {
    let mut bench = Bench::model(busy_once()).await;
    let _node = bench.start();
    let begun = bench.now();
    bench.says("hello").await;
    bench.until("the wait", |rows| rows.sessions_that_are("waiting") == 1).await;
    bench.advance(Duration::from_secs(39));
    bench.says("still there?").await;
    bench.rounds().await;
    let rows = bench.rows().await;
    assert_eq!((rows.turns, rows.pending), (vec!["waiting model".to_owned()], 1));
    bench.advance(Duration::from_secs(1));
    bench.ended(2).await;
    let asked_at: Vec<_> = bench.requests().iter().map(|(at, _)| at - begun).collect();
    assert_eq!(asked_at, [0, 40_000, 40_000]);
    assert_eq!(bench.said().await, ["here I am", "here I am"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_always_asks_for_a_pause_is_given_up_when_the_turn_has_no_time_for_another() {
    let mut bench = Bench::model(|_| busy(600)).await;
    let _node = bench.start();
    bench.says("hello").await;
    for asked in 1..=5 {
        bench.asked("the next request", |log| log.requests.len() == asked).await;
        bench.until("the wait", |rows| rows.sessions_that_are("waiting") == 1).await;
        bench.advance(Duration::from_secs(600));
    }
    assert_eq!(bench.ended(1).await, ["failed model"]);
    assert_eq!(bench.requests().len(), 6);
    let told = "Manager can't answer now: bench takes no more requests for 10 min. Please ask again then.";
    assert_eq!(bench.said().await, [told]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_turn_outlives_its_node() {
    let mut bench = Bench::model(busy_once()).await;
    let node = bench.start();
    bench.says("hello").await;
    bench.until("the wait", |rows| rows.sessions_that_are("waiting") == 1).await;
    node.kill().await;
    // Longer than a turn may take: what nobody is there for is not counted.
    bench.advance(Duration::from_secs(7200));
    let _other = bench.start();
    assert_eq!(bench.ended(1).await, ["done"]);
    assert_eq!(bench.said().await, ["here I am"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_turn_can_be_stopped() {
    let mut bench = Bench::model(busy_once()).await;
    let node = bench.start();
    bench.says("hello").await;
    bench.until("the wait", |rows| rows.sessions_that_are("waiting") == 1).await;
    bench.stop(&node.engine).await;
    bench.advance(Duration::from_secs(60));
    bench.says("again").await;
    assert_eq!(bench.ended(2).await, ["cancelled stopped", "done"]);
    assert_eq!(bench.requests().len(), 2);
    assert_eq!(bench.said().await, ["here I am"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_asks_for_a_pause_gets_it_across_a_restart() {
    on_each(async |setting| {
        let mut world = setting.start().await;
        world.model.once("hello", Reply::rate_limited(2));
        let ann = world.telegram.user("ann");
        ann.says("hello");
        world.until("the wait", |rows| rows.turns == ["waiting model"]).await;
        world.kill_node().await;
        world.start_node().await;
        assert_eq!(ann.next_message().await.unwrap().text, "echo: hello");
        let requests = world.model.requests();
        assert_eq!(requests.len(), 2);
        assert!(requests[1].at - requests[0].at >= Duration::from_secs(2));
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_never_stops_asking_for_pauses_is_given_up_with_its_reason() {
    on_each(async |setting| {
        let mut world =
            setting.config("[agents.manager]\ndefault = true\nturn_timeout = \"7s\"\n").start().await;
        world.model.when("hello", Reply::rate_limited(4));
        let ann = world.telegram.user("ann");
        ann.says("hello");
        world.until("the wait", |rows| rows.turns == ["waiting model"]).await;
        world.kill_node().await;
        world.start_node().await;
        let told =
            "Manager can't answer now: openai/fake takes no more requests for 4 s. Please ask again then.";
        assert_eq!(ann.next_message().await.unwrap().text, told);
        assert_eq!(world.model.requests().len(), 2);
        assert_eq!(world.rows().await.turns, ["failed model"]);
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_wants_too_long_a_pause_is_given_up_with_its_reason() {
    let world = World::start().await;
    world.model.once("hello", Reply::rate_limited(3600));
    let ann = world.telegram.user("ann");
    ann.says("hello");
    let told = ann.next_message().await.unwrap().text;
    assert!(told.contains("takes no more requests for 1 h"), "{told}");
    assert_eq!(world.rows().await.turns, ["failed model"]);
    ann.says("and now?");
    assert_eq!(ann.next_message().await.unwrap().text, "echo: hello\n\nand now?");
    world.end().await;
}
