//! Claims: a turn is one worker's at a time, and what a bug in a tool or client costs.

use std::time::Duration;

use roundtable::models::Request;
use roundtable_fakes::PATIENCE;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::calls_then_tells;
use crate::support::bench::{Bench, Does, Setup};

/// A worker that was taken for dead comes back with its answer: nobody hears it.
#[tokio::test(flavor = "multi_thread")]
async fn a_stale_worker_changes_nothing() {
    let gate = CancellationToken::new();
    let (late, mut asked) = (gate.clone(), 0);
    let model = move |_: &Request| {
        asked += 1;
        if asked == 1 { Does::says("stale").after(&late) } else { Does::says("fresh") }
    };
    let mut bench = Bench::model(model).await;
    bench.says("hello").await;
    let slow = bench.idle();
    let turn = bench.claim(&slow).await;
    slow.start(turn, slow.slot().expect("an idle node has slots"));
    bench.asked("the first call", |log| log.requests.len() == 1).await;
    let _other = bench.start();
    bench.ended(1).await;
    let before = bench.rows().await;
    gate.cancel();
    slow.drained(PATIENCE).await;
    assert_eq!(bench.rows().await, before);
    assert_eq!(bench.said().await, ["fresh"]);
}

/// The same with a tool's result: it is not written behind the back of the one who took over.
#[tokio::test(flavor = "multi_thread")]
async fn a_stale_result_is_not_written() {
    let gate = CancellationToken::new();
    let (late, mut called) = (gate.clone(), 0);
    let tool = move |_: &Value| {
        called += 1;
        if called == 1 { Does::says("stale").after(&late) } else { Does::says("fresh") }
    };
    let setup = Setup { repeatable: true, ..Setup::default() };
    let mut bench = Bench::new(setup, calls_then_tells, tool).await;
    bench.says("hello").await;
    let slow = bench.idle();
    let turn = bench.claim(&slow).await;
    slow.start(turn, slow.slot().expect("an idle node has slots"));
    bench.asked("the call", |log| log.calls.len() == 1).await;
    let _other = bench.start();
    bench.ended(1).await;
    let before = bench.rows().await;
    gate.cancel();
    slow.drained(PATIENCE).await;
    assert_eq!(bench.rows().await, before);
    assert!(bench.said().await.concat().contains("fresh"));
}

/// Panics that many times, then answers.
fn panics(times: usize) -> impl FnMut(&Request) -> Does + Send + 'static {
    let mut left = times;
    move |_| match left.checked_sub(1) {
        Some(fewer) => {
            left = fewer;
            Does::Panics
        }
        None => Does::says("well again"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_costs_a_claim() {
    let mut bench = Bench::model(panics(2)).await;
    let _node = bench.start();
    bench.says("hello").await;
    assert_eq!(bench.ended(1).await, ["done"]);
    assert_eq!(bench.said().await, ["well again"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_always_panics_is_given_up() {
    let mut bench = Bench::model(panics(3)).await;
    let _node = bench.start();
    bench.says("hello").await;
    assert_eq!(bench.ended(1).await, ["failed dead_letter"]);
    bench.says("and now?").await;
    assert_eq!(bench.ended(2).await, ["failed dead_letter", "done"]);
    let said = bench.said().await;
    assert!(said[0].contains("crashed three times"), "{said:?}");
    assert_eq!(said[1..], ["well again"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_tool_is_an_interrupted_call() {
    let mut bench = Bench::new(Setup::default(), calls_then_tells, |_| Does::Panics).await;
    let _node = bench.start();
    bench.says("work").await;
    assert_eq!(bench.ended(1).await, ["done"]);
    assert_eq!(bench.calls().len(), 1);
    assert!(bench.said().await.concat().contains("its effect is unknown"));
}

/// The turn that panics is not the first one that its task drives.
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_the_next_turn_costs_that_one_a_claim() {
    let gate = CancellationToken::new();
    let (open, mut asked) = (gate.clone(), 0);
    let model = move |_: &Request| {
        asked += 1;
        match asked {
            1 => Does::says("one").after(&open),
            2 => Does::Panics,
            _ => Does::says("two"),
        }
    };
    let mut bench = Bench::model(model).await;
    let _node = bench.start();
    bench.says("first").await;
    bench.asked("the first call", |log| log.requests.len() == 1).await;
    bench.says("second").await;
    gate.cancel();
    assert_eq!(bench.ended(2).await, ["done", "done"]);
    assert_eq!(bench.said().await, ["one", "two"]);
}

/// A claim can be stored when whoever made it is gone: its node keeps only what it drives, and takes it up.
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_nobody_drives_is_taken_up_by_its_own_node() {
    let mut bench = Bench::model(|_| Does::says("one")).await;
    let engine = bench.idle();
    bench.says("hello").await;
    let _lost = bench.claim(&engine).await;
    let stop = CancellationToken::new();
    let (working, stopped) = (engine.clone(), stop.clone());
    let work = tokio::spawn(async move { working.run(stopped).await });
    for _ in 0..12 {
        bench.advance(Duration::from_secs(1));
        bench.rounds().await;
    }
    assert_eq!(bench.ended(1).await, ["done"]);
    assert_eq!(bench.said().await, ["one"]);
    stop.cancel();
    work.await.expect("the scheduler does not panic");
}

/// The machine is so busy that a node is late to renew its claims: it knows its own turns nonetheless.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_does_not_take_its_own_turn_for_abandoned() {
    let gate = CancellationToken::new();
    let open = gate.clone();
    let setup = Setup { renew: Duration::from_secs(3600), ..Setup::default() };
    let mut bench = Bench::new(setup, move |_| Does::says("one").after(&open), |_| Does::Hangs).await;
    let _node = bench.start();
    bench.says("hello").await;
    bench.asked("the call", |log| log.requests.len() == 1).await;
    bench.advance(Duration::from_secs(60));
    bench.rounds().await;
    assert_eq!(bench.requests().len(), 1);
    gate.cancel();
    assert_eq!(bench.ended(1).await, ["done"]);
    assert_eq!(bench.said().await, ["one"]);
}
