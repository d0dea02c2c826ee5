//! Exchanges in which somebody asks back, where the first answer is still owed, and questions that nobody can answer any
//! more, which hold nobody up.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use roundtable::models::Request;
use serde_json::{Value, json};

use super::sim::{Sim, answers, calls, results, says, told, who};
use super::waits::{outcomes, spawn};

/// What those who wait to be free may do now.
type Free = Rc<RefCell<Vec<&'static str>>>;

fn hears_of(request: &Request, word: &str) -> bool {
    told(request).any(|text| text.contains(word))
}

/// A manager that gives the worker something to do by a message with `more`, and says "main.rs" when it is asked and
/// may answer; and a worker that, when it may begin, asks which file and says what it has done.
async fn asks_back(more: Value) -> (Sim, Free) {
    let free = Free::default();
    let may = free.clone();
    let sim = Sim::with(
        |_| {},
        move |request| match (who(request).as_str(), answers(request)) {
            ("manager", 0) => {
                let mut send = json!({"agentId": "worker", "message": "mend it"});
                send.as_object_mut()?.extend(more.as_object()?.clone());
                Some(calls([("sessions_send", send)]))
            }
            ("manager", 1) => Some(says("sent")),
            ("manager", _) if hears_of(request, "Done:") => Some(says("good")),
            ("manager", _) => may.borrow().contains(&"answer").then(|| says("main.rs")),
            (_, 0) => may.borrow().contains(&"begin").then(|| {
                calls([(
                    "sessions_send",
                    json!({"agentId": "manager", "message": "which file?", "timeoutSeconds": 10}),
                )])
            }),
            (_, 1) => Some(says(format!("Done: {}", results(request)[0]["reply"].as_str().unwrap_or("all")))),
            _ => Some(says("NO_REPLY")),
        },
    )
    .await;
    (sim, free)
}

async fn at_rest(sim: &Sim) {
    assert_eq!(sim.audit().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_answer_that_nobody_waits_for_is_shown_after_its_author_has_asked_back() {
    let (sim, free) = asks_back(json!({"timeoutSeconds": 0})).await;
    free.borrow_mut().extend(["begin", "answer"]);
    sim.hears("go").await;
    assert_eq!(sim.heard().await, ["sent", "Done: main.rs"]);
    at_rest(&sim).await;
}

#[tokio::test]
async fn an_answer_is_shown_though_what_was_asked_back_is_answered_too_late() {
    let (sim, free) = asks_back(json!({"timeoutSeconds": 0})).await;
    free.borrow_mut().push("begin");
    sim.hears("go").await;
    sim.later(Duration::from_secs(11)).await;
    assert_eq!(sim.heard().await, ["sent", "Done: all"]);
    free.borrow_mut().push("answer");
    sim.settle().await;
    at_rest(&sim).await;
}

#[tokio::test]
async fn an_answer_wakes_whoever_is_to_go_on_talking_after_its_author_has_asked_back() {
    let (sim, free) = asks_back(json!({"timeoutSeconds": 0, "replyBack": true})).await;
    free.borrow_mut().extend(["begin", "answer"]);
    sim.hears("go").await;
    assert_eq!(sim.heard().await, ["sent", "Done: main.rs", "good"]);
    at_rest(&sim).await;
}

#[tokio::test]
async fn a_late_answer_wakes_whoever_waited_for_it_after_its_author_has_asked_back() {
    let (sim, free) = asks_back(json!({"timeoutSeconds": 10})).await;
    sim.hears("go").await;
    sim.later(Duration::from_secs(11)).await;
    free.borrow_mut().extend(["begin", "answer"]);
    sim.settle().await;
    assert_eq!(sim.heard().await, ["sent", "good"]);
    at_rest(&sim).await;
}

#[tokio::test]
async fn whoever_is_asked_back_asks_back_no_further_than_the_limit() {
    let (free, got) = (Free::default(), Rc::new(RefCell::new(Vec::new())));
    let (may, note) = (free.clone(), got.clone());
    let send = |to: &str, more: Value| {
        let mut send = json!({"agentId": to, "message": "and you?", "timeoutSeconds": 10});
        send.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        calls([("sessions_send", send)])
    };
    let sim = Sim::with(
        |agent| agent.max_reply_turns = 1,
        move |request| match (who(request).as_str(), answers(request)) {
            ("manager", 0) => Some(send("worker", json!({"timeoutSeconds": 0}))),
            ("manager", 2) => may.borrow().contains(&"ask").then(|| send("worker", json!({}))),
            ("manager", said) => {
                note.borrow_mut().extend(results(request));
                Some(says(if said == 1 { "sent" } else { "over" }))
            }
            (_, 0) => Some(send("manager", json!({}))),
            _ => Some(says("NO_REPLY")),
        },
    )
    .await;
    sim.hears("go").await;
    sim.later(Duration::from_secs(11)).await;
    free.borrow_mut().push("ask");
    sim.settle().await;
    let got = got.borrow().clone();
    assert_eq!(got[1]["code"], "exchange_limit", "{got:#?}");
    at_rest(&sim).await;
}

#[tokio::test]
async fn a_question_whose_answer_nobody_would_hear_ends_no_wait() {
    for killed in [true, false] {
        let (free, got) = (Free::default(), Rc::new(RefCell::new(Vec::new())));
        let (may, note) = (free.clone(), got.clone());
        let (cleanup, patience) = if killed { ("keep", 30) } else { ("archive", 0) };
        let sim = Sim::with(
            |_| {},
            move |request| match (who(request).as_str(), answers(request)) {
                ("manager", 0) => {
                    let a = json!({"task": "ask", "label": "a", "agentId": "worker", "cleanup": cleanup});
                    let b = json!({"task": "work", "label": "b", "agentId": "worker"});
                    Some(calls([("sessions_spawn", a), ("sessions_spawn", b)]))
                }
                ("manager", 1) => {
                    may.borrow().contains(&"wait").then(|| calls([("sessions_yield", json!({}))]))
                }
                ("manager", _) => {
                    note.borrow_mut().extend(results(request));
                    Some(says("over"))
                }
                ("a", 0) => {
                    let ask = json!({"label": "manager", "message": "which?", "timeoutSeconds": patience});
                    Some(calls([("sessions_send", ask)]))
                }
                ("a", _) => Some(says("asked")),
                _ => may.borrow().contains(&"end").then(|| says("worked")),
            },
        )
        .await;
        sim.hears("go").await;
        if killed {
            sim.hears("/kill a").await;
        }
        for now in ["wait", "end"] {
            free.borrow_mut().push(now);
            sim.settle().await;
        }
        let got = got.borrow().clone();
        assert_eq!(got[0]["status"], "ok", "{got:#?}");
        assert_eq!(outcomes(&got[0]), ["a", "b"], "{got:#?}");
        at_rest(&sim).await;
    }
}

#[tokio::test]
async fn of_two_questions_the_first_is_answered_first() {
    let (free, got) = (Free::default(), Rc::new(RefCell::new(Vec::new())));
    let (may, note) = (free.clone(), got.clone());
    let answer =
        |text| calls([("sessions_send", json!({"label": "a", "message": text, "timeoutSeconds": 0}))]);
    let wait = || calls([("sessions_yield", json!({}))]);
    let ask =
        |text| calls([("sessions_send", json!({"label": "manager", "message": text, "timeoutSeconds": 10}))]);
    let sim = Sim::with(
        |_| {},
        move |request| match (who(request).as_str(), answers(request)) {
            ("manager", 0) => Some(calls([spawn("a")])),
            ("manager", 2) if !may.borrow().contains(&"answer") => None,
            ("manager", said) => {
                note.borrow_mut().extend(results(request));
                Some(match said {
                    2 => answer("main.rs"),
                    4 => answer("line 7"),
                    1 | 3 | 5 => wait(),
                    _ => says("over"),
                })
            }
            (_, 0) => Some(ask("which file?")),
            (_, 1) => Some(ask("which line?")),
            (_, 2) => {
                Some(says(format!("mended {}", results(request)[0]["reply"].as_str().unwrap_or("all"))))
            }
            _ => Some(says("NO_REPLY")),
        },
    )
    .await;
    sim.hears("go").await;
    sim.later(Duration::from_secs(11)).await;
    free.borrow_mut().push("answer");
    sim.settle().await;
    let got = got.borrow().clone();
    let asked: Vec<_> = got.iter().filter_map(|one| one["question"]["message"].as_str()).collect();
    assert_eq!(asked, ["which file?", "which line?"], "{got:#?}");
    assert_eq!(sim.outcomes().await[0].1["text"], "mended line 7", "{got:#?}");
    at_rest(&sim).await;
}

#[tokio::test]
async fn an_answer_by_a_message_is_one_to_what_the_turn_was_asked() {
    let (free, got) = (Free::default(), Rc::new(RefCell::new(Vec::new())));
    let (may, note) = (free.clone(), got.clone());
    let ask = |text, patience| {
        calls([("sessions_send", json!({"agentId": "worker", "message": text, "timeoutSeconds": patience}))])
    };
    let answer = json!({"agentId": "manager", "message": "the first answer", "timeoutSeconds": 0});
    let sim = Sim::with(
        |_| {},
        move |request| match (who(request).as_str(), answers(request)) {
            ("manager", 0) => Some(ask("one?", 10)),
            ("manager", 1) => Some(ask("two?", 60)),
            ("manager", said) => {
                note.borrow_mut().extend(told(request).map(str::to_owned));
                Some(says(if said == 2 { "over" } else { "NO_REPLY" }))
            }
            (_, 0) => may.borrow().contains(&"answer").then(|| calls([("sessions_send", answer.clone())])),
            (_, 1) => Some(says("that was the first")),
            _ => Some(says("the second answer")),
        },
    )
    .await;
    sim.hears("go").await;
    sim.later(Duration::from_secs(11)).await;
    free.borrow_mut().push("answer");
    sim.settle().await;
    let got = got.borrow().clone();
    let heard = |word: &str| got.iter().any(|text| text.contains(word));
    assert!(heard("the first answer") && heard("the second answer"), "{got:#?}");
    assert!(!heard("that was the first"), "it had answered already: {got:#?}");
    at_rest(&sim).await;
}
