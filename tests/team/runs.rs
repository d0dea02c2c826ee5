//! Runs: who learns of a result, and how, however the run ends.

use std::time::Duration;

use serde_json::json;

use super::sim::{Sim, answers, calls, results, says, told, who};
use super::waits::{Free, outcomes, spawn};

/// A manager that spawns one worker, ends its turn with "started", and answers `then` when it is woken.
async fn one_worker(more: serde_json::Value, then: &'static str, result: Option<&'static str>) -> Sim {
    Sim::with(
        |_| {},
        move |request| match (who(request).as_str(), answers(request)) {
            ("manager", 0) => {
                let mut spawn = json!({"task": "work", "label": "w", "agentId": "worker"});
                spawn.as_object_mut()?.extend(more.as_object()?.clone());
                Some(calls([("sessions_spawn", spawn)]))
            }
            ("manager", 1) => Some(says("started")),
            ("manager", _) => Some(says(then)),
            _ => result.map(says),
        },
    )
    .await
}

async fn at_rest(sim: &Sim) {
    assert_eq!(sim.audit().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_posted_result_is_seen_and_the_requester_may_be_silent() {
    let sim = one_worker(json!({}), "NO_REPLY", Some("the result")).await;
    sim.hears("go").await;
    // Which of the two is first to end is nobody's promise.
    let mut heard = sim.heard().await;
    heard.sort();
    assert_eq!(heard, ["started", "the result"]);
    at_rest(&sim).await;
}

#[tokio::test]
async fn a_result_for_the_parent_is_passed_on_or_else_posted() {
    for (then, seen) in [("in short: fine", "in short: fine"), ("no_reply", "the result")] {
        let sim = one_worker(json!({"announce": "parent"}), then, Some("the result")).await;
        sim.hears("go").await;
        assert_eq!(sim.heard().await, ["started", seen]);
        at_rest(&sim).await;
    }
}

#[tokio::test]
async fn a_silent_result_is_the_requesters_alone() {
    let sim = one_worker(json!({"announce": "silent"}), "NO_REPLY", Some("the result")).await;
    sim.hears("go").await;
    assert_eq!(sim.heard().await, ["started"]);
    at_rest(&sim).await;
}

#[tokio::test]
async fn a_child_that_wants_no_announcement_gets_none_but_its_requester_knows() {
    let sim = one_worker(json!({}), "it is done", Some("ANNOUNCE_SKIP")).await;
    sim.hears("go").await;
    assert_eq!(sim.heard().await, ["started", "it is done"]);
    at_rest(&sim).await;
}

#[tokio::test]
async fn a_child_without_a_word_has_failed() {
    let sim = one_worker(json!({}), "NO_REPLY", Some("")).await;
    sim.hears("go").await;
    let heard = sim.heard().await;
    assert!(heard[1].starts_with("w failed · 0 s: Worker had nothing to say"), "{heard:?}");
    at_rest(&sim).await;
}

#[tokio::test]
async fn a_child_that_never_ends_runs_out_of_time() {
    let sim = one_worker(json!({"runTimeoutSeconds": 5}), "NO_REPLY", None).await;
    sim.hears("go").await;
    assert_eq!(sim.heard().await, ["started"]);
    sim.later(Duration::from_secs(6)).await;
    let heard = sim.heard().await;
    assert_eq!(heard, ["started", "w ran out of time · 6 s: it took longer than 5 s"]);
    at_rest(&sim).await;
}

#[tokio::test]
async fn new_stops_what_runs_and_new_keep_leaves_it_to_be_posted() {
    let sim = one_worker(json!({}), "I was woken", None).await;
    sim.hears("go").await;
    sim.hears("/new").await;
    assert!(sim.heard().await[1].contains("w"), "{:?}", sim.heard().await);
    at_rest(&sim).await;

    let ready = std::rc::Rc::new(std::cell::Cell::new(false));
    let (seen, done) = (ready.clone(), says("the result"));
    let sim = Sim::with(
        |_| {},
        move |request| match (who(request).as_str(), answers(request)) {
            ("manager", 0) if told(request).any(|text| text.contains("go")) => {
                Some(calls([("sessions_spawn", json!({"task": "work", "label": "w", "agentId": "worker"}))]))
            }
            ("manager", 1) => Some(says("started")),
            ("manager", _) => Some(says("I was woken")),
            _ => seen.get().then(|| done.clone()),
        },
    )
    .await;
    sim.hears("go").await;
    sim.hears("/new keep").await;
    ready.set(true);
    sim.settle().await;
    let heard = sim.heard().await;
    assert_eq!(
        (heard[0].as_str(), heard[2].as_str(), heard.len()),
        ("started", "the result", 3),
        "{heard:?}"
    );
    at_rest(&sim).await;
}

/// A turn of before `/new keep` that spawns after it.
#[tokio::test]
async fn what_a_kept_turn_starts_is_of_its_generation() {
    let free = Free::default();
    let may = free.clone();
    let sim = Sim::with(
        |_| {},
        move |request| match (who(request).as_str(), answers(request)) {
            ("manager", 0) if told(request).any(|text| text.contains("go")) => {
                may.borrow().contains(&"manager").then(|| calls([spawn("w")]))
            }
            ("manager", 1) => Some(says("started")),
            ("manager", _) => Some(says("I was woken")),
            _ => may.borrow().contains(&"w").then(|| says("the result")),
        },
    )
    .await;
    sim.hears("go").await;
    sim.hears("/new keep").await;
    for now in ["manager", "w"] {
        free.borrow_mut().push(now);
        sim.settle().await;
    }
    assert_eq!(sim.heard().await[1..], ["started", "the result"]);
    at_rest(&sim).await;
}

#[tokio::test]
async fn what_waits_to_be_heard_is_shown_with_new_keep() {
    for announce in ["post", "parent", "silent"] {
        let free = Free::default();
        let may = free.clone();
        let sim = Sim::with(
            |_| {},
            move |request| match (who(request).as_str(), answers(request)) {
                ("manager", 0) if told(request).any(|text| text.contains("go")) => {
                    let spawn = |label| {
                        let task = json!({"task": "work", "label": label, "agentId": "worker", "announce": announce});
                        ("sessions_spawn", task)
                    };
                    Some(calls([spawn("a"), spawn("b")]))
                }
                ("manager", 1) => Some(says("started")),
                ("manager", _) => Some(says("I was woken")),
                (label, _) => may.borrow().contains(&label).then(|| says(format!("result of {label}"))),
            },
        )
        .await;
        sim.hears("go").await;
        free.borrow_mut().push("a");
        sim.settle().await;
        sim.hears("/new keep").await;
        free.borrow_mut().push("b");
        sim.settle().await;
        let mut heard = sim.heard().await;
        heard.retain(|text| !text.starts_with("We start afresh"));
        assert_eq!(heard, ["started", "result of a", "result of b"], "{announce}");
        at_rest(&sim).await;
    }
}

#[tokio::test]
async fn what_a_kept_turn_has_not_heard_when_it_waits_is_told_to_it() {
    let free = Free::default();
    let may = free.clone();
    let sim = Sim::with(
        |_| {},
        move |request| match (who(request).as_str(), answers(request)) {
            ("manager", 0) => {
                let task = |label| json!({"task": "work", "label": label, "agentId": "worker", "announce": "silent"});
                Some(calls([("sessions_spawn", task("a")), ("sessions_spawn", task("b"))]))
            }
            ("manager", 1) => may.borrow().contains(&"manager").then(|| calls([("sessions_yield", json!({}))])),
            ("manager", _) => Some(says(outcomes(&results(request)[0]).join(" and "))),
            (label, _) => may.borrow().contains(&label).then(|| says("done")),
        },
    )
    .await;
    sim.hears("go").await;
    for now in ["a", "manager"] {
        free.borrow_mut().push(now);
        sim.settle().await;
    }
    sim.hears("/new keep").await;
    free.borrow_mut().push("b");
    sim.settle().await;
    assert_eq!(sim.heard().await[1..], ["a and b"]);
    at_rest(&sim).await;
}

#[tokio::test]
async fn an_answer_that_comes_after_new_keep_is_shown() {
    for more in [json!({"timeoutSeconds": 10}), json!({"timeoutSeconds": 0, "replyBack": true})] {
        let free = Free::default();
        let may = free.clone();
        let sim = Sim::with(
            |_| {},
            move |request| match (who(request).as_str(), answers(request)) {
                ("manager", 0) if told(request).any(|text| text.contains("go")) => {
                    let mut send = json!({"agentId": "worker", "message": "how is it?"});
                    send.as_object_mut()?.extend(more.as_object()?.clone());
                    Some(calls([("sessions_send", send)]))
                }
                ("manager", 1) => Some(says("asked")),
                ("manager", _) => Some(says("I was woken")),
                _ => may.borrow().contains(&"worker").then(|| says("it is well")),
            },
        )
        .await;
        sim.hears("go").await;
        sim.later(Duration::from_secs(11)).await;
        sim.hears("/new keep").await;
        free.borrow_mut().push("worker");
        sim.settle().await;
        let mut heard = sim.heard().await;
        heard.retain(|text| !text.starts_with("We start afresh"));
        assert_eq!(heard, ["asked", "it is well"]);
        at_rest(&sim).await;
    }
}

#[tokio::test]
async fn what_a_kept_turn_waits_for_is_shown_once() {
    let sim = Sim::with(
        |_| {},
        move |request| match (who(request).as_str(), answers(request)) {
            ("manager", 0) => {
                let spawn = json!({"task": "work", "label": "w", "agentId": "worker", "announce": "parent",
                    "runTimeoutSeconds": 5});
                Some(calls([("sessions_spawn", spawn), ("sessions_yield", json!({}))]))
            }
            ("manager", _) => Some(says("NO_REPLY")),
            _ => None,
        },
    )
    .await;
    sim.hears("go").await;
    sim.hears("/new keep").await;
    sim.later(Duration::from_secs(6)).await;
    let heard = sim.heard().await;
    assert_eq!(
        (heard[1].as_str(), heard.len()),
        ("w ran out of time · 6 s: it took longer than 5 s", 2),
        "{heard:?}"
    );
    at_rest(&sim).await;
}

#[tokio::test]
async fn a_kept_turn_that_waits_ends_for_what_is_said_in_the_new_conversation() {
    for wait in [("sessions_yield", json!({})), ("sessions_list", json!({"waitSeconds": 60}))] {
        let ready = std::rc::Rc::new(std::cell::Cell::new(false));
        let (seen, asked) = (ready.clone(), std::rc::Rc::new(std::cell::Cell::new(0)));
        let count = asked.clone();
        let sim = Sim::with(
            |_| {},
            move |request| match (who(request).as_str(), answers(request)) {
                ("manager", 0) if told(request).any(|text| text.contains("go")) => {
                    let spawn = json!({"task": "work", "label": "w", "agentId": "worker"});
                    Some(calls([("sessions_spawn", spawn), wait.clone()]))
                }
                ("manager", 0) => Some(says("hello")),
                ("manager", _) => {
                    count.set(count.get() + 1);
                    let note = results(request).last()?["note"].as_str()?.to_owned();
                    // The first time it does what it would do without being told.
                    let patient = count.get() == 1 || !note.contains("End your turn");
                    Some(if patient { calls([wait.clone()]) } else { says("I leave it there") })
                }
                _ => seen.get().then(|| says("the result")),
            },
        )
        .await;
        sim.hears("go").await;
        sim.hears("/new keep").await;
        sim.hears("hi").await;
        assert_eq!(asked.get(), 2, "{:?}", sim.heard().await);
        ready.set(true);
        sim.settle().await;
        let heard = sim.heard().await;
        assert_eq!(heard[1..], ["I leave it there", "hello", "the result"], "{heard:?}");
        at_rest(&sim).await;
    }
}

#[tokio::test]
async fn a_fork_knows_what_was_said_before_and_an_isolated_child_does_not() {
    for (context, knows) in [("fork", true), ("isolated", false)] {
        let sim = Sim::new(move |request| match (who(request).as_str(), answers(request)) {
            ("manager", 0) => says("noted"),
            ("manager", 1) => {
                let spawn =
                    json!({"task": "repeat it", "label": "w", "agentId": "worker", "context": context});
                calls([("sessions_spawn", spawn), ("sessions_yield", json!({}))])
            }
            ("manager", _) => says("NO_REPLY"),
            _ => {
                let told: Vec<_> = told(request).collect();
                assert!(told.last().is_some_and(|last| last.contains("repeat it")), "{told:?}");
                says(if told.iter().any(|text| text.contains("swordfish")) { "swordfish" } else { "unknown" })
            }
        })
        .await;
        sim.hears("the password is swordfish").await;
        sim.hears("ask somebody").await;
        let outcome = sim.outcomes().await.remove(0).1;
        assert_eq!(outcome["text"] == "swordfish", knows, "{context}: {outcome}");
        at_rest(&sim).await;
    }
}

#[tokio::test]
async fn an_archived_child_is_read_but_not_spoken_to() {
    let sim = Sim::new(|request| match (who(request).as_str(), answers(request)) {
        ("manager", 0) => {
            let spawn = json!({"task": "work", "label": "w", "agentId": "worker", "cleanup": "archive"});
            calls([("sessions_spawn", spawn), ("sessions_yield", json!({}))])
        }
        ("manager", 1) => calls([("sessions_list", json!({}))]),
        ("manager", 2) => {
            let listed = &super::sim::results(request)[0]["sessions"];
            assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
            calls([("sessions_list", json!({"archived": true}))])
        }
        ("manager", 3) => {
            let listed = super::sim::results(request).remove(0);
            let rows = listed["sessions"].as_array().expect("rows");
            let child = rows.iter().find(|row| row["label"] == "w").expect("it is readable");
            calls([("sessions_send", json!({"sessionKey": child["sessionKey"], "message": "more"}))])
        }
        ("manager", _) => says(super::sim::results(request)[0]["code"].as_str().unwrap_or("sent")),
        _ => says("done"),
    })
    .await;
    sim.hears("go").await;
    assert_eq!(sim.heard().await.last().map(String::as_str), Some("archived"));
    at_rest(&sim).await;
}

#[tokio::test]
async fn stop_ends_all_below_and_all_waits() {
    let sim = Sim::with(
        |_| {},
        |request| match (who(request).as_str(), answers(request)) {
            ("manager", 0) => Some(calls([
                ("sessions_spawn", json!({"task": "manage", "label": "middle", "agentId": "manager"})),
                ("sessions_yield", json!({})),
            ])),
            ("middle", 0) => Some(calls([
                ("sessions_spawn", json!({"task": "work", "label": "w", "agentId": "worker"})),
                ("sessions_yield", json!({})),
            ])),
            _ => None,
        },
    )
    .await;
    sim.hears("go").await;
    sim.hears("/stop").await;
    assert_eq!(sim.heard().await, ["Stopped: manager, middle, w."]);
    at_rest(&sim).await;
}
