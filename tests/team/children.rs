//! What one can ask of a child and look up about it, and how children end badly.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use roundtable::agents::Agent;
use roundtable::models::{Answer, Request};
use roundtable_fakes::Reply;
use serde_json::{Value, json};

use super::sim::{Sim, answers, calls, results, says, told, who};
use crate::support::requests::{agent_of, next_text};
use crate::support::world::World;

type Got = Rc<RefCell<Vec<Value>>>;

fn spawn(label: &str, more: Value) -> (&'static str, Value) {
    let mut all = json!({"task": "work", "label": label, "agentId": "worker"});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    ("sessions_spawn", all)
}

/// What the manager gets that takes these steps and then says "over", when it is told so, and the world.
async fn takes(
    change: impl Fn(&mut Agent),
    steps: Vec<Answer>,
    worker: impl Fn(&Request) -> Option<Answer> + 'static,
) -> (Sim, Got) {
    let got = Got::default();
    let note = got.clone();
    let sim = Sim::with(change, move |request| {
        if who(request) != "manager" {
            return worker(request);
        }
        note.borrow_mut().extend(results(request));
        Some(steps.get(answers(request)).cloned().unwrap_or_else(|| says("over")))
    })
    .await;
    (sim, got)
}

async fn at_rest(sim: &Sim) {
    assert_eq!(sim.audit().await, Vec::<String>::new());
}

#[tokio::test]
async fn of_two_children_and_a_wait_in_one_step_the_wait_is_for_those_there_are() {
    let step = calls([spawn("a", json!({})), spawn("b", json!({})), ("sessions_yield", json!({}))]);
    let (sim, got) =
        takes(|agent| agent.subagents.max_children = 1, vec![step], |_| Some(says("done"))).await;
    sim.hears("go").await;
    let got = got.take();
    assert_eq!((&got[0]["status"], &got[1]["code"]), (&json!("accepted"), &json!("children_limit")));
    assert_eq!(got[2]["outcomes"].as_array().map(Vec::len), Some(1), "{}", got[2]);
    at_rest(&sim).await;
}

#[tokio::test]
async fn calls_with_the_same_id_are_each_made_once() {
    let mut twice = calls([spawn("a", json!({})), spawn("b", json!({}))]);
    twice.calls.iter_mut().for_each(|call| call.id = "same".into());
    let (sim, got) = takes(|_| {}, vec![twice.clone(), twice], |_| None).await;
    sim.hears("go").await;
    let (made, codes): (Vec<_>, Vec<_>) =
        got.borrow().iter().map(|one| (one["label"].clone(), one["code"].clone())).unzip();
    assert_eq!(made, [json!("a"), json!("b"), Value::Null, Value::Null]);
    assert_eq!(codes, [Value::Null, Value::Null, json!("label_taken"), json!("label_taken")]);
    assert_eq!(sim.outcomes().await.len(), 2);
    sim.hears("/stop").await;
    at_rest(&sim).await;
}

#[tokio::test]
async fn a_child_of_mode_session_stays_for_follow_ups() {
    let steps = vec![
        calls([spawn("w", json!({"mode": "session", "cleanup": "archive"})), ("sessions_yield", json!({}))]),
        calls([("sessions_send", json!({"label": "w", "message": "and now?"}))]),
    ];
    let (sim, got) = takes(|_| {}, steps, |request| Some(says(format!("answer {}", answers(request))))).await;
    sim.hears("go").await;
    let got = got.take();
    assert_eq!(got[1]["outcomes"][0]["result"], "answer 0", "{got:#?}");
    assert_eq!((&got[2]["status"], &got[2]["reply"]), (&json!("ok"), &json!("answer 1")), "{got:#?}");
    at_rest(&sim).await;
}

#[tokio::test]
async fn a_steered_child_reads_it_before_its_next_step() {
    let steps = vec![
        calls([spawn("w", json!({}))]),
        calls([("subagents", json!({"action": "steer", "target": "w", "message": "in blue"}))]),
        calls([("sessions_yield", json!({}))]),
    ];
    let ready = Rc::new(std::cell::Cell::new(false));
    let may = ready.clone();
    let (sim, got) = takes(
        |_| {},
        steps,
        move |request| {
            let steered = told(request).any(|text| text.contains("in blue"));
            match answers(request) {
                0 => may.get().then(|| calls([("agents_list", json!({}))])),
                _ => Some(says(if steered { "a blue page" } else { "a page" })),
            }
        },
    )
    .await;
    sim.hears("go").await;
    ready.set(true);
    sim.settle().await;
    let got = got.take();
    assert_eq!(got[1]["status"], "accepted", "{got:#?}");
    assert_eq!(got[2]["outcomes"][0]["result"], "a blue page", "{got:#?}");
    at_rest(&sim).await;
}

#[tokio::test]
async fn a_look_at_one_session_waits_for_its_change_or_for_its_time() {
    // Who does not know the key of a child finds it in the result of its spawn.
    let look = |request: &Request| {
        let key = told(request).find_map(|text| {
            let result: Value = serde_json::from_str(text).ok()?;
            result["childSessionKey"].as_str().map(str::to_owned)
        });
        calls([("session_status", json!({"sessionKey": key, "waitSeconds": 30}))])
    };
    let (got, ready) = (Got::default(), Rc::new(std::cell::Cell::new(false)));
    let (note, may) = (got.clone(), ready.clone());
    let sim = Sim::with(
        |_| {},
        move |request| match (who(request).as_str(), answers(request)) {
            ("manager", 0) => Some(calls([spawn("w", json!({}))])),
            ("manager", said) => {
                note.borrow_mut().extend(results(request));
                Some(if said < 3 { look(request) } else { says("over") })
            }
            _ => may.get().then(|| says("done")),
        },
    )
    .await;
    sim.hears("go").await;
    assert_eq!(got.borrow().len(), 1, "nothing has changed");
    sim.later(Duration::from_secs(31)).await;
    assert_eq!(got.borrow()[1]["session"]["run"], "running", "{:#?}", got.borrow());
    ready.set(true);
    sim.settle().await;
    assert_eq!(got.borrow()[2]["session"]["run"], "done", "{:#?}", got.borrow());
    at_rest(&sim).await;
}

/// A manager that spawns a coder with `more` and waits for it.
fn spawns_and_waits(world: &World, more: &Value) {
    let mut spawn = json!({"task": "do it", "label": "helper", "agentId": "coder"});
    spawn.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let calls = [("sessions_spawn", spawn), ("sessions_yield", json!({}))];
    world.model.once("please begin", Reply::calls(calls));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_thinks_with_the_model_that_was_asked_for() {
    let mut world = World::setting().without_node().await;
    let url = world.model.url();
    world.configure(|text| {
        format!(
            "{text}\n[models.big]\nprovider = \"openai\"\nmodel = \"bigger\"\napi_key = \"env:MODEL_KEY\"\n\
             base_url = {url:?}\n"
        )
    });
    world.start_node().await;
    spawns_and_waits(&world, &json!({"model": "big"}));
    world.model.after("sessions_yield", Reply::text("over"));
    let ann = world.telegram.user("ann");
    ann.says("please begin");
    assert!(next_text(&ann).await.starts_with("helper finished"));
    assert_eq!(next_text(&ann).await, "over");
    let asked = world.model.requests();
    let models: Vec<_> = asked.iter().map(|request| (agent_of(request), request.model.as_str())).collect();
    let expected = [("manager", "fake"), ("coder", "bigger"), ("manager", "fake")];
    assert_eq!(models, expected.map(|(agent, model)| (agent.to_owned(), model)));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_whose_model_fails_has_failed_with_the_reason() {
    for (reply, why) in [(Reply::status(400), "refused"), (Reply::empty(), "nothing to say")] {
        let world = World::start().await;
        spawns_and_waits(&world, &json!({}));
        world.model.once("do it", reply);
        world.model.after("sessions_yield", Reply::text("over"));
        let ann = world.telegram.user("ann");
        ann.says("please begin");
        let line = next_text(&ann).await;
        assert!(line.starts_with("helper failed"), "{line}");
        assert_eq!(next_text(&ann).await, "over");
        let told = world.model.requests().pop().unwrap();
        let outcome: Value = serde_json::from_str(told.result_of("sessions_yield").unwrap()).unwrap();
        let outcome = &outcome["outcomes"][0];
        assert_eq!(outcome["status"], "failed", "{outcome}");
        assert!(outcome["reason"].as_str().unwrap().contains(why), "{why}: {outcome}");
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_of_a_child_are_not_read_by_others() {
    let world = World::start().await;
    let (mine, found) = (world.telegram.token(), format!("sk-{}", "a1B2".repeat(8)));
    spawns_and_waits(&world, &json!({"announce": "silent"}));
    world.model.once("do it", Reply::text(format!("I use {}, {mine} and {found}.", world.env["MODEL_KEY"])));
    world.model.after("sessions_yield", Reply::calls([("sessions_history", json!({"label": "helper"}))]));
    world.model.after("sessions_history", Reply::text("over"));
    let ann = world.telegram.user("ann");
    ann.says("please begin");
    assert_eq!(next_text(&ann).await, "over");
    let told = world.model.requests().pop().unwrap();
    let history: Value = serde_json::from_str(told.result_of("sessions_history").unwrap()).unwrap();
    assert_eq!(history["entries"][1]["text"], "I use [redacted], [redacted] and [redacted].");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_huge_result_does_not_break_the_one_who_waits() {
    let world = World::start().await;
    spawns_and_waits(&world, &json!({}));
    // In one piece: what is shown here is the size of the whole.
    world.model.once("do it", Reply::chunks(["It is a long story.\n".repeat(15_000)]));
    world.model.on(|request| (agent_of(request) == "manager").then(|| Reply::text("over")));
    let ann = world.telegram.user("ann");
    ann.says("please begin");
    assert!(next_text(&ann).await.starts_with("helper finished"));
    assert_eq!(next_text(&ann).await, "over");
    world.end().await;
}
