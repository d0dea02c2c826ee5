//! Steps in which a call that waits is not alone: what the others do may end its wait, before the turn is left or after.

use serde_json::{Value, json};

use super::sim::calls;
use super::waits::{outcomes, spawn, steps};

fn waits(until: &str) -> (&'static str, Value) {
    ("sessions_yield", json!({"until": until}))
}

fn kill(label: &str) -> (&'static str, Value) {
    ("subagents", json!({"action": "kill", "target": label}))
}

#[tokio::test]
async fn two_waits_for_children_in_one_step_both_end_with_the_last_child() {
    for (one, other) in [("all", "all"), ("all", "any"), ("any", "all")] {
        let children = calls([spawn("a"), spawn("b")]);
        let (sim, free, got) = steps(vec![children, calls([waits(one), waits(other)])], |_| None).await;
        sim.hears("go").await;
        for label in ["a", "b"] {
            free.borrow_mut().push(label);
            sim.settle().await;
        }
        let got = got.borrow().clone();
        assert_eq!(got.len(), 4, "{one}, {other}: {got:#?}");
        assert_eq!([outcomes(&got[2]), outcomes(&got[3])].concat(), ["a", "b"], "{got:#?}");
        assert_eq!(sim.heard().await.last().map(String::as_str), Some("over"));
        assert_eq!(sim.audit().await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn two_waits_for_any_child_in_one_step_end_with_the_first() {
    let any = calls([waits("any"), waits("any")]);
    let (sim, free, got) = steps(vec![calls([spawn("a"), spawn("b")]), any], |_| None).await;
    sim.hears("go").await;
    free.borrow_mut().push("a");
    sim.settle().await;
    {
        let got = got.borrow();
        assert_eq!(got.len(), 4, "{got:#?}");
        assert_eq!((outcomes(&got[2]), outcomes(&got[3])), (vec!["a"], vec![]), "{got:#?}");
        assert!(got[3]["note"].as_str().is_some_and(|note| note.contains("has the results")), "{got:#?}");
    }
    free.borrow_mut().push("b");
    sim.settle().await;
    assert_eq!(sim.audit().await, Vec::<String>::new());
}

#[tokio::test]
async fn whoever_stops_the_child_that_it_waits_for_in_the_same_step_goes_on() {
    let (sim, _, got) = steps(vec![calls([spawn("a")]), calls([waits("all"), kill("a")])], |_| None).await;
    sim.hears("go").await;
    let got = got.borrow().clone();
    let waited = got.iter().find(|one| one["outcomes"].is_array()).expect("the wait is over");
    assert_eq!(outcomes(waited), ["a"]);
    assert_eq!(waited["outcomes"][0]["status"], "cancelled", "{waited}");
    assert_eq!(sim.heard().await.last().map(String::as_str), Some("over"));
    assert_eq!(sim.audit().await, Vec::<String>::new());
}

#[tokio::test]
async fn whoever_stops_the_one_whose_reply_it_waits_for_in_the_same_step_is_told() {
    let send = ("sessions_send", json!({"label": "a", "message": "are you well?"}));
    let (sim, _, got) = steps(vec![calls([spawn("a")]), calls([send, kill("a")])], |_| None).await;
    sim.hears("go").await;
    let got = got.borrow().clone();
    assert!(got.iter().any(|one| one["code"] == "stopped"), "{got:#?}");
    assert_eq!(sim.heard().await.last().map(String::as_str), Some("over"));
    assert_eq!(sim.audit().await, Vec::<String>::new());
}
