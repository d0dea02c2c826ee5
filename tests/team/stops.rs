//! Stopping, where several people share a session, and what others hear of it.

use std::time::Duration;

use serde_json::json;

use super::sim::{Sim, answers, calls, says, told, who};
use super::waits::{Free, spawn};

const NOT_YOURS: &str = "Somebody else asked for what is running here: they or one of my owners can stop it.";

async fn at_rest(sim: &Sim) {
    assert_eq!(sim.audit().await, Vec::<String>::new());
}

/// The newest message in the group.
async fn newest(sim: &Sim) -> String {
    sim.heard_in_group().await.pop().expect("something was said")
}

/// A manager that spawns these, says "started", and when it is woken spawns `c` and waits, as often as it has to; workers
/// that give their results when they are free.
async fn woken(first: &'static [&'static str]) -> (Sim, Free) {
    let free = Free::default();
    let may = free.clone();
    let sim = Sim::with(
        |_| {},
        move |request| match (who(request).as_str(), answers(request)) {
            ("manager", 0) => Some(calls(first.iter().map(|label| spawn(label)))),
            ("manager", 1) => Some(says("started")),
            ("manager", 2) => Some(calls([spawn("c"), ("sessions_yield", json!({}))])),
            ("manager", _) => Some(calls([("sessions_yield", json!({}))])),
            (label, _) => may.borrow().contains(&label).then(|| says(format!("result of {label}"))),
        },
    )
    .await;
    (sim, free)
}

#[tokio::test]
async fn what_an_outcome_has_led_to_is_whose_wish_the_work_was() {
    let (sim, free) = woken(&["a"]).await;
    sim.hears_in_group("ann", "go").await;
    free.borrow_mut().push("a");
    sim.settle().await;
    sim.hears_in_group("bob", "/stop").await;
    assert_eq!(newest(&sim).await, NOT_YOURS);
    sim.hears_in_group("ann", "/steer manager faster").await;
    assert_eq!(newest(&sim).await, "`@manager` reads it before its next step.");
    sim.hears_in_group("ann", "/stop").await;
    assert_eq!(newest(&sim).await, "Stopped: manager, c.");
    at_rest(&sim).await;
}

#[tokio::test]
async fn what_an_answer_has_led_to_is_whose_wish_the_question_was() {
    let free = Free::default();
    let may = free.clone();
    let sim = Sim::with(
        |_| {},
        move |request| match (who(request).as_str(), answers(request)) {
            ("manager", 0) => {
                let send = json!({"agentId": "worker", "message": "mend it", "timeoutSeconds": 10});
                Some(calls([("sessions_send", send)]))
            }
            ("manager", 1) => Some(says("asked")),
            ("manager", _) => None,
            _ => may.borrow().contains(&"worker").then(|| says("mended")),
        },
    )
    .await;
    sim.hears_in_group("ann", "go").await;
    sim.later(Duration::from_secs(11)).await;
    free.borrow_mut().push("worker");
    sim.settle().await;
    sim.hears_in_group("bob", "/stop").await;
    assert_eq!(newest(&sim).await, NOT_YOURS);
    sim.hears_in_group("ann", "/stop").await;
    assert_eq!(newest(&sim).await, "Stopped: manager.");
    at_rest(&sim).await;
}

#[tokio::test]
async fn what_waits_to_be_heard_of_work_that_was_stopped_wakes_nobody() {
    let (sim, free) = woken(&["a", "b"]).await;
    sim.hears_in_group("ann", "go").await;
    free.borrow_mut().push("a");
    sim.settle().await;
    // The result of `a` is to be heard with that of `b`.
    sim.hears_in_group("ann", "/stop").await;
    assert_eq!(sim.heard_in_group().await, ["started", "result of a", "Stopped: manager, b."]);
    at_rest(&sim).await;
}

#[tokio::test]
async fn what_is_talked_about_for_somebody_else_goes_on() {
    for (asker, goes_on) in [("bob", true), ("ann", false)] {
        let free = Free::default();
        let may = free.clone();
        let sim = Sim::with(
            |_| {},
            move |request| match (who(request).as_str(), answers(request)) {
                ("manager", 0) => {
                    let send = json!({"agentId": "worker", "message": "mend it", "timeoutSeconds": 0, "replyBack": true});
                    Some(calls([("sessions_send", send)]))
                }
                ("manager", 1) => Some(says("sent")),
                ("manager", _) => told(request).any(|text| text.contains("mended")).then(|| says("good")),
                (_, 0) => may.borrow().contains(&"worker").then(|| says("mended")),
                _ => Some(says("REPLY_SKIP")),
            },
        )
        .await;
        sim.hears_in_group(asker, "mend it").await;
        sim.later(Duration::from_secs(1)).await;
        sim.hears_in_group("ann", "think").await;
        sim.hears_in_group("ann", "/stop").await;
        free.borrow_mut().push("worker");
        sim.settle().await;
        let heard = sim.heard_in_group().await;
        let then: &[&str] = match goes_on {
            true => &["sent", "Stopped: manager.", "mended", "good"],
            false => &["sent", "Stopped: manager, worker."],
        };
        assert_eq!(heard, then, "{asker} asked");
        at_rest(&sim).await;
    }
}

#[tokio::test]
async fn whose_message_was_not_read_is_told_once() {
    let free = Free::default();
    let may = free.clone();
    let sim = Sim::with(
        |_| {},
        move |request| match (who(request).as_str(), answers(request)) {
            ("manager", 0) => Some(calls([spawn("w")])),
            ("manager", 1) => may
                .borrow()
                .contains(&"kill")
                .then(|| calls([("subagents", json!({"action": "kill", "target": "w"}))])),
            _ => None,
        },
    )
    .await;
    sim.hears("go").await;
    sim.hears("@w how far are you?").await;
    sim.hears("@w tell me").await;
    free.borrow_mut().push("kill");
    sim.settle().await;
    let unread = "w was stopped before it read what was last written to it here: please send it again if you still \
                  want an answer.";
    assert_eq!(sim.heard().await, [unread]);
}
