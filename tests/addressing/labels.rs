//! Labels of children that agents have started.

use roundtable_fakes::Reply;
use serde_json::json;

use super::at_rest;
use crate::support::databases::on_each_database;
use crate::support::requests::next_text;
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_child_is_woken_by_its_label_and_by_a_reply_to_its_result() {
    on_each_database(async |url| {
        let world = World::setting().on(url).start().await;
        super::quiet(&world);
        let task = json!({"task": "stand by", "agentId": "coder", "label": "Helper"});
        world.model.once("start", Reply::calls([("sessions_spawn", task)]));
        world.model.after("sessions_spawn", Reply::text("started"));
        let ann = world.telegram.user("ann");
        ann.says("please start");
        assert_eq!(next_text(&ann).await, "started");
        let posted = ann.next_message().await.unwrap();
        assert!(posted.text.starts_with("Helper\n"), "{}", posted.text);
        at_rest(&world).await;
        let turns = world.rows().await.turns.len();
        ann.says("@helper go on");
        assert_eq!(next_text(&ann).await, "Helper\necho: @helper go on");
        ann.replies_to(&posted, "and on");
        assert_eq!(next_text(&ann).await, "Helper\necho: and on");
        at_rest(&world).await;
        assert_eq!(world.rows().await.turns.len(), turns + 2, "nobody else was woken");
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_trees_with_the_same_label_the_last_active_is_meant_and_it_is_said() {
    let world = super::world().await;
    let (bugs, talk) = (
        world.telegram.user("ann").in_topic("team", "bugs"),
        world.telegram.user("ann").in_topic("team", "talk"),
    );
    bugs.mentions_bot("hello");
    let hello = bugs.next_message().await.unwrap();
    // An answer in another topic: the session of "bugs" works for "talk" too.
    let task = json!({"task": "stand by", "agentId": "coder", "label": "helper"});
    world.model.once("start", Reply::calls([("sessions_spawn", task)]));
    world.model.after("sessions_spawn", Reply::text("started"));
    talk.replies_to(&hello, "start");
    assert_eq!(next_text(&talk).await, "started");
    assert!(next_text(&talk).await.starts_with("helper\n"));
    at_rest(&world).await;
    talk.says("@helper which?");
    assert_eq!(next_text(&talk).await, "helper\necho: Ann: @helper which?");
    at_rest(&world).await;
    super::helper(&world, &talk, "helper").await;
    talk.says("@helper and now?");
    let mut said = [next_text(&talk).await, next_text(&talk).await];
    said.sort();
    assert_eq!(
        said,
        [
            "Several here are called @helper: this went to the one that was active last.",
            // The new one has not read the question before.
            "helper\necho: Ann: @helper and now?",
        ]
    );
    at_rest(&world).await;
    talk.says("/history helper");
    let history = next_text(&talk).await;
    assert!(history.ends_with("active last.") && !history.contains("which?"), "{history}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_messages_that_name_the_same_agents_in_opposite_orders_both_arrive() {
    on_each_database(async |url| {
        let world = World::setting().on(url).start().await;
        world.telegram.set_privacy(false);
        let ann = world.telegram.user("ann").in_group("team");
        ann.says("@coder @researcher one");
        ann.says("@researcher @coder two");
        let (mut coder, mut researcher) = (false, false);
        // Each answers the second message last, whether or not it answers the first by itself.
        while !(coder && researcher) {
            let said = next_text(&ann).await;
            coder |= said.starts_with("Coder\n") && said.ends_with("two");
            researcher |= said.starts_with("Researcher\n") && said.ends_with("two");
        }
        at_rest(&world).await;
        world.end().await;
    })
    .await;
}
