//! The whole story, over real sockets: a manager in a forum topic works with its team, and everything is said there.

use roundtable_fakes::{ModelRequest, Reply, Role};
use serde_json::{Value, json};

use crate::engine::on_each;
use crate::support::requests::{agent_of, next_text};
use crate::support::world::World;

fn answers(request: &ModelRequest) -> usize {
    request.messages.iter().filter(|message| message.role == Role::Assistant).count()
}

fn call(tool: &str, arguments: Value) -> Reply {
    Reply::calls([(tool, arguments)])
}

fn spawn(agent: &str, label: &str, task: &str) -> (&'static str, Value) {
    ("sessions_spawn", json!({"agentId": agent, "label": label, "task": task}))
}

/// The result of the last call.
fn result(request: &ModelRequest) -> Value {
    let results =
        request.messages.iter().rfind(|message| message.role == Role::Tool).expect("a call was made");
    serde_json::from_str(&results.text).expect("results are JSON")
}

fn manager(request: &ModelRequest) -> Reply {
    let step = answers(request);
    let last = || result(request);
    match step {
        0 => Reply::calls([spawn("researcher", "scout", "Find the facts.")]),
        1 => call("sessions_list", json!({"waitSeconds": 60})),
        2 => {
            let rows = last()["sessions"].as_array().cloned().unwrap_or_default();
            assert!(rows.iter().any(|row| row["label"] == "scout" && row["run"] == "done"), "{rows:#?}");
            call("sessions_history", json!({"label": "scout"}))
        }
        3 => {
            assert!(last()["entries"].to_string().contains("The facts are these."), "{}", last());
            call("sessions_send", json!({"label": "scout", "message": "Are you sure?"}))
        }
        4 => {
            assert_eq!((&last()["status"], &last()["reply"]), (&json!("ok"), &json!("I am sure.")));
            Reply::calls([spawn("coder", "builder", "Build it."), ("sessions_yield", json!({}))])
        }
        5 => {
            assert_eq!(last()["outcomes"][0]["result"], "It is built.", "{}", last());
            call("agents_list", json!({}))
        }
        6 => call("subagents", json!({"action": "list"})),
        7 => {
            assert_eq!(last()["children"].as_array().map(Vec::len), Some(2), "{}", last());
            call("session_status", json!({}))
        }
        _ => {
            assert_eq!(last()["session"]["agentId"], "manager", "{}", last());
            Reply::text("All is done.")
        }
    }
}

fn play(world: &World) {
    world.model.on(|request| {
        Some(match (agent_of(request).as_str(), answers(request)) {
            ("manager", _) => manager(request),
            ("researcher", 0) => Reply::text("The facts are these."),
            ("researcher", _) => Reply::text("I am sure."),
            _ => Reply::text("It is built."),
        })
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_and_its_team_speak_where_they_were_asked() {
    on_each(async |setting| {
        let mut world = setting.start().await;
        play(&world);
        world.telegram.set_privacy(false);
        let ann = world.telegram.user("ann").in_topic("team", "launch");
        let facts = world.model.hold("Find the facts.");
        ann.mentions_bot("make it");
        facts.arrived().await.unwrap();
        world.until("the manager's wait", |rows| rows.turns.contains(&"waiting change".to_owned())).await;
        facts.release();
        assert_eq!(next_text(&ann).await, "scout\nThe facts are these.");
        // In the middle of the work the node dies.
        let build = world.model.hold("Build it.");
        build.arrived().await.unwrap();
        world.until("the manager's wait", |rows| rows.turns.contains(&"waiting runs".to_owned())).await;
        world.kill_node().await;
        drop(build);
        world.start_node().await;
        let line = next_text(&ann).await;
        assert!(line.starts_with("builder finished · "), "{line}");
        assert_eq!(next_text(&ann).await, "All is done.");
        let rows = world.until("rest", |rows| rows.sessions_that_are("idle") == 3).await;
        assert_eq!((rows.turns, rows.pending), (vec!["done".to_owned(); 4], 0));
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_huge_result_takes_two_messages() {
    let world = World::start().await;
    world.model.on(|request| {
        Some(match (agent_of(request).as_str(), answers(request)) {
            // Not by its answers: a result of that size leaves no room for them in the window.
            ("manager", _) if request.asks("all of it") => {
                Reply::calls([spawn("researcher", "scout", "Find everything.")])
            }
            ("manager", _) => Reply::text("NO_REPLY"),
            _ => Reply::huge(),
        })
    });
    let ann = world.telegram.user("ann");
    ann.says("all of it");
    let (first, second) = (next_text(&ann).await, next_text(&ann).await);
    assert!(first.starts_with("scout\n"), "{}", &first[..200]);
    assert!(second.ends_with("(cut here; /history scout shows more)"), "{second}");
    world.until("rest", |rows| rows.sessions_that_are("idle") == 2 && rows.pending == 0).await;
    world.end().await;
}
