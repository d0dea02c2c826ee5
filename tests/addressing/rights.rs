//! Whose work people may touch in a group.

use roundtable_fakes::Reply;
use serde_json::json;

use super::world_of_ann;
use crate::support::requests::next_text;

const NOT_YOURS: &str = "Somebody else asked for what @helper is doing: they or one of my owners can change \
                         that. Nothing was done.";

#[tokio::test(flavor = "multi_thread")]
async fn a_child_is_its_requesters_and_the_owners_to_stop_and_to_steer() {
    let world = world_of_ann().await;
    let seat = |name: &str| world.telegram.user(name).in_group("team");
    let (ann, bob, cat) = (seat("ann"), seat("bob"), seat("cat"));
    let call = world.model.hold("dig");
    bob.says("/spawn coder helper: dig");
    assert!(next_text(&bob).await.starts_with("@helper (coder) is at work"));
    call.arrived().await.unwrap();
    for command in ["/kill helper", "/stop helper", "/steer helper faster"] {
        cat.says(command);
        assert_eq!(next_text(&cat).await, NOT_YOURS, "{command}");
    }
    bob.says("/steer helper slower");
    assert_eq!(next_text(&bob).await, "@helper reads it before its next step.");
    bob.says("/kill helper");
    assert_eq!(next_text(&bob).await, "Stopped: helper.");
    let second = world.model.hold("dig");
    bob.says("/spawn coder helper: dig");
    next_text(&bob).await;
    second.arrived().await.unwrap();
    ann.says("/kill helper");
    assert_eq!(next_text(&ann).await, "Stopped: helper.");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_agents_started_belongs_to_the_person_behind_them() {
    let world = world_of_ann().await;
    let seat = |name: &str| world.telegram.user(name).in_group("team");
    let (bob, cat) = (seat("bob"), seat("cat"));
    let task = json!({"task": "stand by", "agentId": "coder", "label": "helper"});
    world.model.once("let it dig", Reply::calls([("sessions_spawn", task)]));
    world.model.after("sessions_spawn", Reply::text("started"));
    let call = world.model.hold("stand by");
    bob.mentions_bot("let it dig");
    assert_eq!(next_text(&bob).await, "started");
    call.arrived().await.unwrap();
    cat.says("/kill helper");
    assert_eq!(next_text(&cat).await, NOT_YOURS);
    bob.says("/kill helper");
    assert_eq!(next_text(&bob).await, "Stopped: helper.");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_owners_decide_for_everyone() {
    let world = world_of_ann().await;
    let bob = world.telegram.user("bob").in_group("team");
    for command in ["/focus coder everyone", "/unfocus everyone"] {
        bob.says(command);
        assert!(next_text(&bob).await.starts_with("Only one of my owners"), "{command}");
    }
    bob.mentions_bot("hello");
    assert_eq!(next_text(&bob).await, "echo: Bob: @roundtable_bot hello");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_owners_erase_what_a_group_has_said() {
    let world = world_of_ann().await;
    let [ann, bob] = ["ann", "bob"].map(|name| world.telegram.user(name).in_group("team"));
    bob.mentions_bot("hello");
    assert!(next_text(&bob).await.starts_with("echo: "));
    bob.says("/forget");
    let told = next_text(&bob).await;
    assert_eq!(told, "Only one of my owners can erase what everyone here has said. /new starts afresh.");
    ann.says("/forget");
    assert!(next_text(&ann).await.starts_with("What was said here"));
    world.end().await;
}
