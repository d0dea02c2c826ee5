//! What is refused, and that a refusal changes nothing.

use std::cell::RefCell;
use std::rc::Rc;

use roundtable::agents::Agent;
use serde_json::{Value, json};

use super::sim::{Sim, answers, calls, results, says, who};

type Calls = Vec<(&'static str, Value)>;

/// What the manager gets when it makes these calls, one in each step; workers never end.
async fn refused(change: impl Fn(&mut Agent), wanted: Calls) -> Vec<Value> {
    let got: Rc<RefCell<Vec<Value>>> = Rc::default();
    let note = got.clone();
    let sim = Sim::with(change, move |request| {
        if who(request) != "manager" {
            return None;
        }
        note.borrow_mut().extend(results(request));
        Some(wanted.get(answers(request)).map_or_else(|| says("over"), |call| calls([call.clone()])))
    })
    .await;
    sim.hears("go").await;
    sim.hears("/stop").await;
    assert_eq!(sim.audit().await, Vec::<String>::new());
    got.take()
}

fn codes(results: &[Value]) -> Vec<&str> {
    results
        .iter()
        .map(|result| result["code"].as_str().or(result["status"].as_str()).unwrap_or("?"))
        .collect()
}

fn spawn(label: &str) -> (&'static str, Value) {
    ("sessions_spawn", json!({"task": "work", "label": label, "agentId": "worker"}))
}

#[tokio::test]
async fn a_spawn_that_cannot_be() {
    let spawn = |more: Value| {
        let mut all = json!({"task": "work", "agentId": "worker"});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ("sessions_spawn", all)
    };
    let got = refused(
        |_| {},
        vec![
            spawn(json!({"agentId": "nobody"})),
            spawn(json!({"label": "no spaces"})),
            spawn(json!({"label": "everyone"})),
            spawn(json!({"label": "manager"})),
            spawn(json!({"label": "W"})),
            spawn(json!({"label": "w"})),
            spawn(json!({"model": "dreams"})),
            spawn(json!({"thread": true})),
            spawn(json!({"runTimeoutSeconds": "soon"})),
            ("sessions_spawn", json!({"agentId": "worker"})),
        ],
    )
    .await;
    assert_eq!(
        codes(&got),
        [
            "not_found",
            "invalid_arguments",
            "invalid_arguments",
            "label_reserved",
            "accepted",
            "label_taken",
            "not_found",
            "no_threads",
            "invalid_arguments",
            "invalid_arguments",
        ],
        "{got:#?}"
    );
}

#[tokio::test]
async fn a_spawn_beyond_the_limits() {
    let got = refused(|agent| agent.subagents.max_children = 1, vec![spawn("a"), spawn("b")]).await;
    assert_eq!(codes(&got), ["accepted", "children_limit"]);
    let got = refused(|agent| agent.subagents.max_sessions = 2, vec![spawn("a"), spawn("b")]).await;
    assert_eq!(codes(&got), ["accepted", "tree_limit"]);
    let got = refused(|agent| agent.subagents.max_depth = 0, vec![spawn("a")]).await;
    assert_eq!(codes(&got), ["depth_limit"]);
    let got = refused(|agent| agent.subagents.allow.clear(), vec![spawn("a")]).await;
    assert_eq!(codes(&got), ["forbidden"]);
}

#[tokio::test]
async fn a_message_that_cannot_be() {
    let send = |target: Value| {
        let mut all = json!({"message": "hello", "timeoutSeconds": 0});
        all.as_object_mut().unwrap().extend(target.as_object().unwrap().clone());
        ("sessions_send", all)
    };
    let got = refused(
        |_| {},
        vec![
            spawn("scout"),
            send(json!({"label": "scuot"})),
            send(json!({"label": "manager"})),
            send(json!({"sessionKey": "agent:worker:main"})),
            send(json!({})),
            send(json!({"label": "scout", "agentId": "worker"})),
            send(json!({"agentId": "nobody"})),
            ("sessions_history", json!({"label": "scout", "limit": 0})),
            ("subagents", json!({"action": "kill", "target": "manager"})),
            ("subagents", json!({"action": "steer", "target": "scout"})),
            ("session_status", json!({"sessionKey": "agent:x:main"})),
        ],
    )
    .await;
    assert_eq!(got[1]["candidates"], json!(["scout"]));
    assert_eq!(
        codes(&got),
        [
            "accepted",
            "not_found",
            "self_send",
            "not_found",
            "invalid_arguments",
            "invalid_arguments",
            "not_found",
            "invalid_arguments",
            "forbidden",
            "invalid_arguments",
            "not_found",
        ],
        "{got:#?}"
    );
}

#[tokio::test]
async fn a_message_to_one_who_has_too_much_to_read() {
    let steer = |word: &str| ("subagents", json!({"action": "steer", "target": "w", "message": word}));
    let send = ("sessions_send", json!({"label": "w", "message": "three", "timeoutSeconds": 0}));
    let wanted = vec![spawn("w"), steer("one"), steer("two"), send];
    let got = refused(|agent| agent.inbox_cap = 1, wanted).await;
    assert_eq!(codes(&got), ["accepted", "accepted", "inbox_full", "inbox_full"], "{got:#?}");
}

#[tokio::test]
async fn what_is_denied_is_not_there() {
    let got = refused(|agent| agent.deny = vec!["sessions_spawn".into()], vec![spawn("a")]).await;
    assert_eq!(codes(&got), ["unknown_tool"]);
}

#[tokio::test]
async fn a_child_has_only_what_was_granted() {
    let seen: Rc<RefCell<Vec<String>>> = Rc::default();
    let note = seen.clone();
    let sim = Sim::with(
        |agent| {
            if agent.id == "manager" {
                agent.grants = vec!["sessions_list".into()];
            }
        },
        move |request| match (who(request).as_str(), answers(request)) {
            ("manager", 0) => Some(calls([spawn("w"), ("sessions_yield", json!({}))])),
            ("manager", 1) => {
                Some(calls([("sessions_send", json!({"agentId": "worker", "message": "and you?"}))]))
            }
            ("manager", _) => Some(says("over")),
            _ => {
                note.borrow_mut().push(request.tools.iter().map(|tool| tool.name.as_str()).collect());
                Some(says("done"))
            }
        },
    )
    .await;
    sim.hears("go").await;
    assert_eq!(*seen.borrow(), ["sessions_list", "sessions_list"], "as a child, and asked by another");
}

#[tokio::test]
async fn waiting_in_a_circle_is_refused_with_the_circle() {
    let got: Rc<RefCell<Vec<Value>>> = Rc::default();
    let note = got.clone();
    let sim = Sim::new(move |request| {
        let send = |label: &str| calls([("sessions_send", json!({"label": label, "message": "and you?"}))]);
        match (who(request).as_str(), answers(request)) {
            ("manager", 0) => calls([spawn("a"), spawn("b"), spawn("c"), ("sessions_yield", json!({}))]),
            ("a", 0) => send("b"),
            ("b", 0) => send("c"),
            ("c", 0) => send("a"),
            ("manager", _) => says("over"),
            _ => {
                note.borrow_mut()
                    .extend(results(request).into_iter().filter(|result| result["code"].is_string()));
                says("done")
            }
        }
    })
    .await;
    sim.hears("go").await;
    let got = got.borrow().clone();
    assert_eq!(codes(&got), ["would_deadlock"], "{got:#?}");
    assert_eq!(got[0]["candidates"].as_array().map(Vec::len), Some(4), "{got:#?}");
    assert_eq!(sim.audit().await, Vec::<String>::new());
}
