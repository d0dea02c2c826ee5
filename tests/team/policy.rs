//! Rights: whoever was asked by an agent that may hand on little does not get more through what follows from it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use roundtable::models::{Answer, ModelMessage, Request};
use serde_json::{Value, json};

use super::sim::{Sim, answers, calls, says, told, who};

/// What the manager may hand on.
const HANDED_ON: [&str; 4] = ["sessions_send", "sessions_spawn", "sessions_yield", "subagents"];

/// A manager that may hand on little, and a worker that may call everything. `asked` is what the worker does in the
/// turn in which the manager has asked it.
struct Team {
    sim: Sim,
    /// The tools of every request, by who made it.
    tools: Rc<RefCell<BTreeMap<String, Vec<Vec<String>>>>>,
    /// How often a child may answer.
    may: Rc<Cell<usize>>,
}

impl Team {
    async fn new(asked: Vec<Answer>) -> Self {
        let tools: Rc<RefCell<BTreeMap<String, Vec<Vec<String>>>>> = Rc::default();
        let may = Rc::new(Cell::new(usize::MAX));
        let (seen, answers_of_child) = (tools.clone(), may.clone());
        let change = |agent: &mut roundtable::agents::Agent| {
            if agent.id == "manager" {
                agent.grants = HANDED_ON.map(str::to_owned).into();
            } else {
                agent.tools.push("agents_list".into());
            }
        };
        let sim = Sim::with(change, move |request| {
            let name = who(request);
            if name == "w" && answers(request) >= answers_of_child.get() {
                return None;
            }
            let names = request.tools.iter().map(|tool| tool.name.clone()).collect();
            seen.borrow_mut().entry(name.clone()).or_default().push(names);
            Some(said(&name, request, &asked))
        })
        .await;
        Self { sim, tools, may }
    }

    /// Whether somebody could call everything, request by request.
    fn could_all(&self, name: &str) -> Vec<bool> {
        let all = |tools: &Vec<String>| match tools.iter().any(|tool| tool == "agents_list") {
            true => true,
            false => {
                assert_eq!(*tools, HANDED_ON, "{name}");
                false
            }
        };
        self.tools.borrow().get(name).into_iter().flatten().map(all).collect()
    }

    async fn at_rest(&self) {
        assert_eq!(self.sim.audit().await, Vec::<String>::new());
    }
}

fn said(name: &str, request: &Request, asked: &[Answer]) -> Answer {
    match (name, answers(request)) {
        ("manager", 0) => {
            let ask = json!({"agentId": "worker", "message": "do it", "timeoutSeconds": 0});
            calls([("sessions_send", ask)])
        }
        ("manager", _) => says("asked"),
        ("worker", _) if told(request).any(|text| text.contains("do it")) => {
            let asked_at = |message: &&ModelMessage| matches!(message, ModelMessage::User(text) if text.contains("do it"));
            let since = request.messages.iter().skip_while(|message| !asked_at(message));
            let step = since.filter(|message| matches!(message, ModelMessage::Assistant(_))).count();
            asked.get(step).cloned().unwrap_or_else(|| says("NO_REPLY"))
        }
        ("worker", 0) => calls([spawn()]),
        (_, _) => says("done"),
    }
}

fn spawn() -> (&'static str, Value) {
    ("sessions_spawn", json!({"task": "work", "label": "w", "mode": "session"}))
}

fn ask(more: &Value) -> (&'static str, Value) {
    let mut all = json!({"label": "w", "message": "and?"});
    all.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    ("sessions_send", all)
}

#[tokio::test]
async fn the_outcome_of_a_child_wakes_its_requester_with_the_rights_it_had() {
    let team = Team::new(vec![calls([spawn()]), says("started")]).await;
    team.sim.hears("go").await;
    assert_eq!(team.could_all("worker"), [false; 3]);
    assert_eq!(team.could_all("w"), [false]);
    // A person has not lost anything.
    team.sim.hears("@worker hello").await;
    assert_eq!(team.could_all("worker")[3..], [true]);
    team.at_rest().await;
}

#[tokio::test]
async fn an_answer_wakes_whoever_asked_with_the_rights_it_had() {
    for more in [json!({"timeoutSeconds": 5}), json!({"timeoutSeconds": 0, "replyBack": true})] {
        let first = calls([spawn(), ("sessions_yield", json!({}))]);
        let team = Team::new(vec![first, calls([ask(&more)]), says("it takes its time")]).await;
        team.may.set(1);
        team.sim.hears("go").await;
        team.sim.later(Duration::from_secs(6)).await;
        assert_eq!(team.could_all("worker"), [false; 3], "{more}");
        team.may.set(usize::MAX);
        team.sim.settle().await;
        assert_eq!(team.could_all("worker"), [false; 4], "{more}");
        team.at_rest().await;
    }
}

#[tokio::test]
async fn who_could_do_more_for_a_person_does_not_for_one_who_could_not() {
    let steer = ("subagents", json!({"action": "steer", "target": "w", "message": "do it, child"}));
    for (asked, busy) in [(steer.clone(), false), (steer, true), (ask(&json!({"timeoutSeconds": 0})), false)]
    {
        let team = Team::new(vec![calls([asked.clone()]), says("passed on")]).await;
        team.may.set(if busy { 0 } else { 1 });
        team.sim.hears("@worker first").await;
        team.may.set(usize::MAX);
        team.sim.hears("go").await;
        let mut could = team.could_all("w");
        assert_eq!((could.remove(0), could), (true, vec![false]), "{asked:?}");
        team.at_rest().await;
    }
}
