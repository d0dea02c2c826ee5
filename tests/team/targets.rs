//! Whom a call is about, where that is not plain: several of the name, those of other trees, those who are gone or are
//! just being stopped, and two who never come to an end.

use std::cell::RefCell;
use std::rc::Rc;

use async_trait::async_trait;
use roundtable::agents::Visibility;
use roundtable::models::{Answer, Request};
use roundtable::store::runs::{self, Outcome, RunStatus};
use roundtable::store::{StoreError, Transaction, Tx, sessions};
use roundtable_contract::{ChatKind, Conversation};
use serde_json::{Value, json};

use super::sim::{Sim, account, answers, calls, results, says, told, who};

type Got = Rc<RefCell<Vec<Value>>>;

fn spawn(label: &str) -> (&'static str, Value) {
    ("sessions_spawn", json!({"task": "work", "label": label, "agentId": "worker"}))
}

/// Somebody writes in a private chat of their own, and all that follows happens.
async fn hears(sim: &Sim, chat: &str, text: &str) {
    sim.says(&Conversation::chat(account(), chat), ChatKind::Direct, text).await;
    sim.settle().await;
}

fn hears_of(request: &Request, word: &str) -> bool {
    told(request).any(|text| text.contains(word))
}

fn scout() -> Answer {
    calls([spawn("scout"), ("sessions_yield", json!({}))])
}

/// Two managers with a child `scout` each, in trees of their own.
async fn two_scouts(visibility: Visibility, third: impl Fn(&str) -> Answer + 'static) -> (Sim, Got, Got) {
    let (keys, got) = (Got::default(), Got::default());
    let (know, note) = (keys.clone(), got.clone());
    let sim = Sim::with(
        move |agent| agent.visibility = visibility,
        move |request| {
            Some(match (who(request).as_str(), answers(request)) {
                ("manager", 0) if hears_of(request, "begin") => scout(),
                ("manager", 0) => third(know.borrow()[0].as_str().unwrap_or_default()),
                ("manager", _) => {
                    let results = results(request);
                    know.borrow_mut()
                        .extend(results.iter().filter_map(|one| one.get("childSessionKey")).cloned());
                    note.borrow_mut().extend(results);
                    says("over")
                }
                _ => says("done"),
            })
        },
    )
    .await;
    hears(&sim, "1", "begin").await;
    hears(&sim, "2", "begin").await;
    got.borrow_mut().clear();
    (sim, keys, got)
}

#[tokio::test]
async fn of_several_with_a_name_one_has_to_be_chosen() {
    let (sim, keys, got) = two_scouts(Visibility::All, |_| {
        calls([("sessions_send", json!({"label": "scout", "message": "hello"}))])
    })
    .await;
    hears(&sim, "3", "ask the scout").await;
    let mut offered = got.borrow()[0]["candidates"].as_array().cloned().unwrap_or_default();
    offered.sort_by_key(Value::to_string);
    let mut expected = keys.borrow().clone();
    expected.sort_by_key(Value::to_string);
    assert_eq!((got.borrow()[0]["code"].as_str(), offered), (Some("ambiguous"), expected));
    assert_eq!(sim.audit().await, Vec::<String>::new());
}

#[tokio::test]
async fn sessions_of_other_trees_are_not_seen() {
    let (sim, _, got) = two_scouts(Visibility::Tree, |key| {
        calls([
            ("sessions_send", json!({"sessionKey": key, "message": "hello"})),
            ("sessions_send", json!({"label": "scout", "message": "hello"})),
            ("sessions_history", json!({"sessionKey": key})),
            ("session_status", json!({"sessionKey": key})),
            ("subagents", json!({"action": "kill", "target": key})),
            ("sessions_list", json!({})),
        ])
    })
    .await;
    hears(&sim, "3", "ask the scout").await;
    let got = got.take();
    let codes: Vec<_> = got.iter().map(|one| one["code"].as_str().unwrap_or("ok")).collect();
    assert_eq!(codes, ["forbidden", "not_found", "forbidden", "forbidden", "forbidden", "ok"], "{got:#?}");
    assert_eq!(got[5]["sessions"].as_array().map(Vec::len), Some(1), "itself: {}", got[5]);
    assert_eq!(sim.audit().await, Vec::<String>::new());
}

#[tokio::test]
async fn two_that_go_on_talking_are_stopped_at_the_limit() {
    let got = Got::default();
    let note = got.clone();
    let words = RefCell::new(0);
    let sim = Sim::with(
        |agent| agent.max_reply_turns = 2,
        move |request| {
            let last = results(request);
            note.borrow_mut().extend(last.iter().filter(|one| one["code"].is_string()).cloned());
            *words.borrow_mut() += 1;
            let other = if who(request) == "manager" { "worker" } else { "manager" };
            let send = json!({"agentId": other, "message": format!("word {}", words.borrow()),
                              "timeoutSeconds": 0, "replyBack": true});
            Some(if last.is_empty() { calls([("sessions_send", send)]) } else { says("REPLY_SKIP") })
        },
    )
    .await;
    sim.hears("go").await;
    let got = got.take();
    assert_eq!(got[0]["code"], "exchange_limit", "{got:#?}");
    assert_eq!(sim.audit().await, Vec::<String>::new());
}

/// Puts the session with a label away, as when one person stops it while a child works that another asked it for.
struct PutAway(&'static str);

#[async_trait]
impl Transaction for PutAway {
    type Output = ();
    const NAME: &'static str = "put_away";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        for id in 1..=sessions_made(tx).await? {
            if sessions::get(tx, id).await?.label.as_deref() == Some(self.0) {
                let run = runs::of_session(tx, id).await?.expect("it was spawned");
                let stopped = Outcome {
                    status: RunStatus::Cancelled,
                    text: String::new(),
                    reason: Some("stopped".into()),
                };
                runs::end(tx, run.id, &stopped, None).await?;
                sessions::archive(tx, id).await?;
            }
        }
        Ok(())
    }
}

async fn sessions_made(tx: &mut Tx<'_>) -> Result<i64, StoreError> {
    let text = "SELECT MAX(id) AS newest FROM sessions";
    tx.one(roundtable::store::Sql { lite: text, pg: text }, &[]).await?.get("newest")
}

/// The manager's `middle` has a worker, to which `then` happens before it gives its result. The manager spawns with
/// `more` in the same step, and says what `manager` makes of what it hears; `middle` is never woken.
async fn below_middle<T: Transaction>(
    more: Option<(&'static str, Value)>,
    then: T,
    manager: impl Fn(&Request) -> Answer + 'static,
) -> Sim {
    let ready = Rc::new(std::cell::Cell::new(false));
    let may = ready.clone();
    let sim = Sim::with(
        |_| {},
        move |request| match (who(request).as_str(), answers(request)) {
            ("manager", 0) => {
                let middle = json!({"task": "manage", "label": "middle", "agentId": "manager"});
                Some(calls([("sessions_spawn", middle)].into_iter().chain(more.clone())))
            }
            ("manager", _) => Some(manager(request)),
            ("middle", 0) => Some(calls([spawn("w")])),
            ("middle", 1) => Some(says("w works at it")),
            ("middle", _) => panic!("nobody wakes it"),
            _ => may.get().then(|| says("the result")),
        },
    )
    .await;
    sim.hears("go").await;
    sim.store.commit(then).await.unwrap();
    ready.set(true);
    sim.settle().await;
    sim
}

#[tokio::test]
async fn when_the_one_who_asked_is_gone_the_next_above_learns_of_the_result() {
    let sim = below_middle(None, PutAway("middle"), |request| match answers(request) {
        1 => says("started"),
        _ if hears_of(request, "the result") => says("w has told me"),
        _ => says("NO_REPLY"),
    })
    .await;
    let heard = sim.heard().await;
    assert_eq!(heard.last().map(String::as_str), Some("w has told me"), "{heard:?}");
    assert_eq!(sim.audit().await, Vec::<String>::new());
}

/// Begins the session with a label anew and leaves what it has started, as `/new keep` in its thread does.
struct BeginAnew(&'static str);

#[async_trait]
impl Transaction for BeginAnew {
    type Output = ();
    const NAME: &'static str = "begin_anew";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        for id in 1..=sessions_made(tx).await? {
            if sessions::get(tx, id).await?.label.as_deref() == Some(self.0) {
                sessions::renew(tx, id).await?;
            }
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_run_ends_with_the_last_below_it_though_its_session_has_begun_anew() {
    let waits = ("sessions_yield", json!({}));
    let sim = below_middle(Some(waits), BeginAnew("middle"), |request| {
        says(results(request)[1]["outcomes"][0]["result"].as_str().unwrap_or("nothing"))
    })
    .await;
    let heard = sim.heard().await;
    assert_eq!(heard.first().map(String::as_str), Some("the result"), "it is shown: {heard:?}");
    assert_eq!(heard.last().map(String::as_str), Some("w works at it"), "{heard:?}");
    assert_eq!(sim.audit().await, Vec::<String>::new());
}

/// A manager is asked from another chat as what it was asked for in its own is still at work, and waits for that.
#[tokio::test]
async fn a_result_is_shown_where_it_was_asked_for_whoever_waits_for_it() {
    for announce in ["post", "parent"] {
        let ready = Rc::new(std::cell::Cell::new(false));
        let may = ready.clone();
        let sim = Sim::with(
            |agent| agent.visibility = Visibility::All,
            move |request| match (who(request).as_str(), answers(request)) {
                ("manager", 0) if hears_of(request, "begin") => {
                    let w = json!({"task": "work", "label": "w", "agentId": "worker", "announce": announce});
                    Some(calls([("sessions_spawn", w)]))
                }
                ("manager", 1) if hears_of(request, "begin") => Some(says("started")),
                ("manager", 2) => Some(calls([("sessions_yield", json!({}))])),
                ("manager", 0) => {
                    let key = "agent:manager:telegram:main:dm:1";
                    Some(calls([("sessions_send", json!({"sessionKey": key, "message": "how far?"}))]))
                }
                ("manager", _) => Some(says("w is done")),
                _ => may.get().then(|| says("the result")),
            },
        )
        .await;
        hears(&sim, "1", "begin").await;
        hears(&sim, "2", "ask").await;
        ready.set(true);
        sim.settle().await;
        let said = sim.said().await;
        let expected = [("1", "started"), ("1", "the result"), ("2", "w is done")];
        assert_eq!(said, expected.map(|(chat, text)| (chat.to_owned(), text.to_owned())), "{announce}");
        assert_eq!(sim.audit().await, Vec::<String>::new());
    }
}

/// A worker that never ends, and what the manager does with it.
async fn endless(steps: Vec<Answer>) -> (Sim, Got) {
    let got = Got::default();
    let note = got.clone();
    let sim = Sim::with(
        |_| {},
        move |request| {
            if who(request) != "manager" {
                return hears_of(request, "and you?").then(|| says("here"));
            }
            note.borrow_mut().extend(results(request));
            Some(steps.get(answers(request)).cloned().unwrap_or_else(|| says("over")))
        },
    )
    .await;
    (sim, got)
}

#[tokio::test]
async fn whoever_waits_for_one_that_is_stopped_is_told() {
    let (sim, got) = endless(vec![
        calls([spawn("w")]),
        calls([("sessions_send", json!({"label": "w", "message": "are you well?"}))]),
    ])
    .await;
    sim.hears("go").await;
    sim.hears("/kill w").await;
    let got = got.take();
    assert_eq!(got[1]["status"], "error", "{got:#?}");
    assert!(got[1]["message"].as_str().is_some_and(|why| !why.is_empty()), "{got:#?}");
    assert_eq!(sim.audit().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_sent_after_a_stop_wakes_it_again() {
    let (sim, got) = endless(vec![
        calls([spawn("w")]),
        calls([
            ("subagents", json!({"action": "kill", "target": "w"})),
            ("sessions_send", json!({"label": "w", "message": "and you?"})),
        ]),
    ])
    .await;
    sim.hears("go").await;
    let got = got.take();
    assert_eq!((&got[1]["stopped"], &got[2]["reply"]), (&json!("w"), &json!("here")), "{got:#?}");
    assert_eq!(sim.audit().await, Vec::<String>::new());
}
