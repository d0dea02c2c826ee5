//! Waits: for children, for replies, for changes; what ends them, and with what.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use roundtable::models::{Answer, Request};
use serde_json::{Value, json};

use super::sim::{Sim, answers, calls, results, says, who};

/// Workers and sessions that may go on.
pub(super) type Free = Rc<RefCell<Vec<&'static str>>>;

/// What the manager got back from its calls, in order.
pub(super) type Got = Rc<RefCell<Vec<Value>>>;

/// A manager that takes these steps and then says "over"; workers say "result of <label>" when they are free.
pub(super) async fn steps(steps: Vec<Answer>, other: fn(&Request) -> Option<Answer>) -> (Sim, Free, Got) {
    let (free, got) = (Free::default(), Got::default());
    let (may, note) = (free.clone(), got.clone());
    let sim = Sim::with(
        |_| {},
        move |request| match who(request).as_str() {
            "manager" => {
                note.borrow_mut().extend(results(request));
                Some(steps.get(answers(request)).cloned().unwrap_or_else(|| says("over")))
            }
            label => match other(request) {
                Some(answer) => Some(answer),
                None => may.borrow().contains(&label).then(|| says(format!("result of {label}"))),
            },
        },
    )
    .await;
    (sim, free, got)
}

pub(super) fn spawn(label: &str) -> (&'static str, Value) {
    ("sessions_spawn", json!({"task": "work", "label": label, "agentId": "worker"}))
}

pub(super) fn outcomes(result: &Value) -> Vec<&str> {
    let outcomes = result["outcomes"].as_array().expect("there are outcomes");
    outcomes.iter().map(|outcome| outcome["label"].as_str().expect("of somebody")).collect()
}

#[tokio::test]
async fn a_wait_for_any_ends_with_each_child_and_is_no_loop() {
    let any = || calls([("sessions_yield", json!({"until": "any"}))]);
    let children = calls([spawn("a"), spawn("b"), spawn("c"), spawn("d")]);
    let (sim, free, got) = steps(vec![children, any(), any(), any(), any()], |_| None).await;
    sim.hears("go").await;
    for label in ["c", "a", "d", "b"] {
        free.borrow_mut().push(label);
        sim.settle().await;
        assert_eq!(outcomes(got.borrow().last().unwrap()), [label]);
    }
    assert_eq!(sim.heard().await.last().map(String::as_str), Some("over"));
    assert_eq!(sim.audit().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_person_ends_any_wait_and_what_is_there_is_not_lost() {
    let all = || calls([("sessions_yield", json!({}))]);
    let (sim, free, got) = steps(vec![calls([spawn("a"), spawn("b")]), all(), all()], |_| None).await;
    sim.hears("go").await;
    free.borrow_mut().push("a");
    sim.settle().await;
    sim.hears("how far are you?").await;
    {
        let got = got.borrow().clone();
        let got = got.last().unwrap();
        assert_eq!((got["status"].as_str(), outcomes(got)), (Some("interrupted"), vec!["a"]));
    }
    free.borrow_mut().push("b");
    sim.settle().await;
    let got = got.borrow().clone();
    assert_eq!(
        (got.last().unwrap()["status"].as_str(), outcomes(got.last().unwrap())),
        (Some("ok"), vec!["b"])
    );
    assert_eq!(sim.audit().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_childs_question_ends_the_wait_and_is_answered_by_a_message() {
    let answer = calls([("sessions_send", json!({"label": "a", "message": "forty-two"}))]);
    let all = || calls([("sessions_yield", json!({}))]);
    let (sim, _, got) = steps(vec![calls([spawn("a")]), all(), answer, all()], |request| {
        Some(match answers(request) {
            0 => calls([("sessions_send", json!({"label": "manager", "message": "which number?"}))]),
            _ => says(format!("it is {}", results(request)[0]["reply"].as_str().unwrap_or("unknown"))),
        })
    })
    .await;
    sim.hears("go").await;
    let got = got.borrow().clone();
    assert_eq!(got[1]["question"]["message"], "which number?", "{got:?}");
    assert_eq!(got[2]["status"], "accepted", "{got:?}");
    assert_eq!(got[3]["outcomes"][0]["result"], "it is forty-two", "{got:?}");
    assert_eq!(sim.audit().await, Vec::<String>::new());
}

fn asks_late_worker() -> Vec<Answer> {
    let send = ("sessions_send", json!({"label": "a", "message": "how is it?", "timeoutSeconds": 10}));
    vec![calls([spawn("a"), ("sessions_yield", json!({}))]), calls([send])]
}

/// The worker answers its task at once, and what comes later when it is free.
fn first_at_once(request: &Request) -> Option<Answer> {
    (answers(request) == 0).then(|| says("first"))
}

#[tokio::test]
async fn a_reply_in_time_is_the_result_and_is_shown_to_nobody_else() {
    let (sim, free, got) = steps(asks_late_worker(), first_at_once).await;
    free.borrow_mut().push("a");
    sim.hears("go").await;
    let got = got.borrow().clone();
    assert_eq!((&got[2]["status"], &got[2]["reply"]), (&json!("ok"), &json!("result of a")), "{got:?}");
    let heard = sim.heard().await;
    assert!(!heard.iter().any(|text| text == "result of a"), "{heard:?}");
    assert_eq!(sim.audit().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_late_reply_is_a_message() {
    let (sim, free, got) = steps(asks_late_worker(), first_at_once).await;
    sim.hears("go").await;
    sim.later(Duration::from_secs(11)).await;
    assert_eq!(got.borrow()[2]["status"], "timeout");
    let before = sim.heard().await;
    free.borrow_mut().push("a");
    sim.settle().await;
    // It wakes the manager, which says "over" again.
    assert_eq!(sim.heard().await[before.len()..], ["over"]);
    assert_eq!(sim.audit().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_person_ends_the_wait_for_a_reply() {
    let (sim, free, got) = steps(asks_late_worker(), first_at_once).await;
    sim.hears("go").await;
    sim.hears("never mind").await;
    assert_eq!(got.borrow()[2]["status"], "interrupted");
    free.borrow_mut().push("a");
    sim.settle().await;
    assert_eq!(sim.audit().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_stopped_sender_is_woken_by_no_late_reply() {
    let (sim, free, _) = steps(
        vec![calls([("sessions_send", json!({"agentId": "worker", "message": "how is it?"}))])],
        |_| None,
    )
    .await;
    sim.hears("go").await;
    sim.hears("/stop").await;
    let before = sim.heard().await;
    free.borrow_mut().push("worker");
    sim.settle().await;
    assert_eq!(sim.heard().await, before);
    assert_eq!(sim.audit().await, Vec::<String>::new());
}

#[tokio::test]
async fn no_reply_is_a_reply() {
    let (sim, _, got) = steps(asks_late_worker(), |request| {
        Some(says(if answers(request) == 0 { "first" } else { "NO_REPLY" }))
    })
    .await;
    sim.hears("go").await;
    assert_eq!(got.borrow()[2]["status"], "no_reply");
    assert_eq!(sim.audit().await, Vec::<String>::new());
}

#[tokio::test]
async fn two_talk_to_and_fro_until_the_limit_or_one_has_enough() {
    for (limit, skips, expected) in [(2, usize::MAX, 3), (5, 2, 1)] {
        let words = Rc::new(RefCell::new(0));
        let count = words.clone();
        let sim = Sim::with(
            move |agent| agent.max_reply_turns = limit,
            move |request| {
                let said = answers(request);
                Some(match (who(request).as_str(), said) {
                    ("manager", 0) => calls([(
                        "sessions_send",
                        json!({"agentId": "worker", "message": "hello", "timeoutSeconds": 0, "replyBack": true}),
                    )]),
                    ("manager", 1) => says("sent"),
                    ("manager", n) if n >= skips => says("REPLY_SKIP"),
                    (name, _) => {
                        *count.borrow_mut() += 1;
                        says(format!("{name} talks"))
                    }
                })
            },
        )
        .await;
        sim.hears("go").await;
        let heard = sim.heard().await;
        assert_eq!(*words.borrow(), expected, "{heard:?}");
        assert_eq!(sim.audit().await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn several_waits_of_one_step_each_have_their_result() {
    let send = |label| ("sessions_send", json!({"label": label, "message": "and?", "timeoutSeconds": 10}));
    let both = calls([send("a"), ("sessions_list", json!({"waitSeconds": 20})), send("b")]);
    let spawns = calls([spawn("a"), spawn("b"), ("sessions_yield", json!({}))]);
    let (sim, free, got) = steps(vec![spawns, both], first_at_once).await;
    sim.hears("go").await;
    free.borrow_mut().push("b");
    sim.settle().await;
    sim.later(Duration::from_secs(11)).await;
    sim.later(Duration::from_secs(10)).await;
    let got = got.borrow().clone();
    let statuses: Vec<_> = got[3..6].iter().map(|result| result["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["timeout", "ok", "ok"], "{got:#?}");
    free.borrow_mut().push("a");
    sim.settle().await;
    assert_eq!(sim.audit().await, Vec::<String>::new());
}

#[tokio::test]
async fn whoever_looks_again_and_again_is_told_how_to_wait() {
    let look = || ("sessions_list", json!({"label": "a"}));
    let other = || ("sessions_history", json!({"label": "a"}));
    let (waits, all) = (("sessions_list", json!({"waitSeconds": 5})), ("sessions_yield", json!({})));
    let steps_taken = vec![
        calls([spawn("a")]),
        calls([look()]),
        calls([look(), other(), look()]),
        calls([look()]),
        calls([look()]),
        calls([waits.clone()]),
        calls([waits]),
        calls([all]),
        calls([look()]),
        calls([look()]),
    ];
    let (sim, free, got) = steps(steps_taken, |_| None).await;
    sim.hears("go").await;
    sim.later(Duration::from_secs(6)).await;
    sim.later(Duration::from_secs(6)).await;
    free.borrow_mut().push("a");
    sim.settle().await;
    let told = |result: &Value| result["hint"].as_str().is_some_and(|hint| hint.contains("sessions_yield"));
    let hints: Vec<_> = got.borrow().iter().map(told).collect();
    let expected = [
        // The spawn; a look, another that is equal, one that is not, and the first again.
        [false, false, true, false, false],
        // Equal ones, then one that waits, twice, and the wait that was advised.
        [true, true, false, true, false],
    ];
    assert_eq!(hints[..10], expected.concat(), "{:#?}", got.borrow());
    assert_eq!(hints[10..], [false, false], "nobody is at work any more");
    assert_eq!(sim.heard().await.last().map(String::as_str), Some("over"));
    assert_eq!(sim.audit().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_look_that_waits_ends_with_a_change_or_with_its_time() {
    let looks = |tool: &'static str| calls([(tool, json!({"waitSeconds": 30}))]);
    let (sim, free, got) =
        steps(vec![calls([spawn("a")]), looks("sessions_list"), looks("sessions_list")], |_| None).await;
    sim.hears("go").await;
    assert_eq!(got.borrow().len(), 1);
    free.borrow_mut().push("a");
    sim.settle().await;
    assert_eq!(got.borrow().len(), 2, "the end of the child is a change");
    sim.later(Duration::from_secs(31)).await;
    assert_eq!(got.borrow().len(), 3);
    assert_eq!(sim.audit().await, Vec::<String>::new());
}
