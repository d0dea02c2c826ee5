//! What becomes of messages that arrive while a session is at work.

use roundtable::agents::QueueMode;
use roundtable::models::ModelMessage;
use roundtable_fakes::{Reply, Role};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::on_each;
use crate::support::bench::{Bench, Does, Setup};
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn steering_joins_the_turn_between_steps_in_order_and_once() {
    on_each(async |setting| {
        let world = setting.start().await;
        world.model.once("who is here", Reply::calls([("agents_list", json!({}))]));
        world.model.when("and be brief", Reply::text("Three of us."));
        let hold = world.model.hold("who is here");
        let ann = world.telegram.user("ann");
        ann.says("who is here?");
        hold.arrived().await.unwrap();
        ann.says("only agents");
        ann.says("and be brief");
        world.until("both messages in the inbox", |rows| rows.pending == 2).await;
        hold.release();
        assert_eq!(ann.next_message().await.unwrap().text, "Three of us.");
        let rows = world.until("the end of the turn", |rows| rows.sessions_that_are("idle") == 1).await;
        assert_eq!((rows.turns, rows.pending), (vec!["done".to_owned()], 0));
        let requests = world.model.requests();
        assert_eq!(requests.len(), 2);
        let roles: Vec<_> = requests[1].messages.iter().map(|message| message.role).collect();
        assert_eq!(roles, [Role::User, Role::Assistant, Role::Tool, Role::User]);
        assert_eq!(requests[1].last().text, "only agents\n\nand be brief");
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_during_the_last_step_is_answered_next() {
    let world = World::start().await;
    let hold = world.model.hold("first");
    let ann = world.telegram.user("ann");
    ann.says("first");
    hold.arrived().await.unwrap();
    ann.says("second");
    world.until("the second message in the inbox", |rows| rows.pending == 1).await;
    hold.release();
    assert_eq!(ann.next_message().await.unwrap().text, "echo: first");
    assert_eq!(ann.next_message().await.unwrap().text, "echo: second");
    assert_eq!(world.rows().await.turns.len(), 2);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn followup_leaves_the_turn_alone() {
    let world =
        World::setting().config("[agents.manager]\ndefault = true\nqueue = \"followup\"\n").start().await;
    world.model.once("who is here", Reply::calls([("agents_list", json!({}))]));
    world.model.after("agents_list", Reply::text("Just me."));
    let hold = world.model.hold("who is here");
    let ann = world.telegram.user("ann");
    ann.says("who is here?");
    hold.arrived().await.unwrap();
    ann.says("later one");
    ann.says("later two");
    world.until("both messages in the inbox", |rows| rows.pending == 2).await;
    hold.release();
    assert_eq!(ann.next_message().await.unwrap().text, "Just me.");
    assert_eq!(ann.next_message().await.unwrap().text, "echo: later one\n\nlater two");
    let requests = world.model.requests();
    assert_eq!(requests.len(), 3);
    assert!(!requests[1].raw.to_string().contains("later one"), "the turn at work has read them");
    assert_eq!(world.rows().await.turns, ["done", "done"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_reaches_the_model_once_and_in_order() {
    on_each(async |setting| {
        let world = setting.start().await;
        world.model.when("m49", Reply::text("I read them all."));
        let hold = world.model.hold("begin");
        let ann = world.telegram.user("ann");
        ann.says("begin");
        hold.arrived().await.unwrap();
        let burst: Vec<_> = (0..50).map(|number| format!("m{number:02}")).collect();
        for text in &burst {
            ann.says(text);
        }
        world.until("all messages in the inbox", |rows| rows.pending == 50).await;
        hold.release();
        assert_eq!(ann.next_message().await.unwrap().text, "echo: begin");
        assert_eq!(ann.next_message().await.unwrap().text, "I read them all.");
        let requests = world.model.requests();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[1].last().text, burst.join("\n\n"));
        let rows = world.rows().await;
        assert_eq!((rows.turns.len(), rows.pending), (2, 0));
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn past_the_cap_the_sender_is_told() {
    let world = World::setting().config("[agents.manager]\ndefault = true\ninbox_cap = 3\n").start().await;
    let hold = world.model.hold("begin");
    let ann = world.telegram.user("ann");
    ann.says("begin");
    hold.arrived().await.unwrap();
    for text in ["one", "two", "three"] {
        ann.says(text);
    }
    world.until("a full inbox", |rows| rows.pending == 3).await;
    ann.says("four");
    let told = ann.next_message().await.unwrap().text;
    assert!(told.contains("3 messages waiting") && told.contains("did not take"), "{told}");
    hold.release();
    assert_eq!(ann.next_message().await.unwrap().text, "echo: begin");
    assert_eq!(ann.next_message().await.unwrap().text, "echo: one\n\ntwo\n\nthree");
    ann.says("five");
    assert_eq!(ann.next_message().await.unwrap().text, "echo: five");
    world.end().await;
}

/// A node without a free slot is as busy as a session with a turn: nothing piles up without end.
#[tokio::test(flavor = "multi_thread")]
async fn the_cap_holds_while_a_session_waits_for_a_slot() {
    let mut world =
        World::setting().config("[agents.manager]\ndefault = true\ninbox_cap = 3\n").without_node().await;
    world.env.insert("ROUNDTABLE_NODE__MAX_TURNS".into(), "1".into());
    world.start_node().await;
    let hold = world.model.hold("begin");
    let (ann, ben) = (world.telegram.user("ann"), world.telegram.user("ben"));
    ann.says("begin");
    hold.arrived().await.unwrap();
    for text in ["one", "two", "three"] {
        ben.says(text);
    }
    world.until("a full inbox", |rows| rows.pending == 3).await;
    ben.says("four");
    assert!(ben.next_message().await.unwrap().text.contains("3 messages waiting"));
    hold.release();
    assert_eq!(ann.next_message().await.unwrap().text, "echo: begin");
    assert_eq!(ben.next_message().await.unwrap().text, "echo: one\n\ntwo\n\nthree");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_while_a_tool_runs_comes_behind_its_result() {
    let gate = CancellationToken::new();
    let tool_ends = gate.clone();
    let mut bench = Bench::new(
        Setup { queue: QueueMode::Steer, ..Setup::default() },
        |request| match request.messages.len() {
            1 => Does::Calls(vec![json!({"n": 1}), json!({"n": 2})]),
            _ => Does::says("done"),
        },
        move |arguments| match arguments["n"].as_i64() {
            Some(1) => Does::says("quick"),
            _ => Does::says("slow").after(&tool_ends),
        },
    )
    .await;
    let _node = bench.start();
    bench.says("work").await;
    bench.until("the quick result", |rows| rows.entries == 3).await;
    bench.says("hurry").await;
    bench.says("please").await;
    gate.cancel();
    assert_eq!(bench.ended(1).await, ["done"]);
    let last = &bench.requests()[1].1.messages;
    assert_eq!(last.len(), 5);
    assert!(matches!(&last[2], ModelMessage::Tool { content, .. } if content.contains("quick")));
    assert!(matches!(&last[3], ModelMessage::Tool { content, .. } if content.contains("slow")));
    assert_eq!(last[4], ModelMessage::User("hurry\n\nplease".into()));
    assert_eq!(bench.said().await, ["done"]);
}
