//! Focus: whom messages go to until further notice.

use roundtable_fakes::Reply;
use serde_json::json;

use super::{at_rest, helper, world};
use crate::support::databases::on_each_database;
use crate::support::requests::next_text;
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn focus_holds_until_it_is_taken_away() {
    on_each_database(async |url| {
        let mut world = World::setting().on(url).start().await;
        super::quiet(&world);
        let ann = world.telegram.user("ann");
        helper(&world, &ann, "helper").await;
        ann.says("/focus @helper");
        let said = "From now on your messages here go to @helper. /unfocus ends that.";
        assert_eq!(next_text(&ann).await, said);
        ann.says("one");
        assert_eq!(next_text(&ann).await, "helper\necho: one");
        world.stop_node().await;
        world.start_node().await;
        ann.says("two");
        assert_eq!(next_text(&ann).await, "helper\necho: two");
        ann.says("/unfocus");
        assert_eq!(next_text(&ann).await, "Your messages here go where they went before.");
        ann.says("three");
        assert_eq!(next_text(&ann).await, "echo: three");
        ann.says("/unfocus");
        assert_eq!(next_text(&ann).await, "You have no focus here: /focus label sets one.");
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ones_own_focus_wins_over_that_of_everyone_and_is_for_one_place() {
    let world = super::world_of_ann().await;
    let (ann, bob) =
        (world.telegram.user("ann").in_group("team"), world.telegram.user("bob").in_group("team"));
    ann.says("/focus researcher everyone");
    let said = "From now on what everyone here says to me goes to @researcher. /unfocus everyone ends that.";
    assert_eq!(next_text(&ann).await, said);
    bob.says("/focus coder");
    next_text(&bob).await;
    bob.says("mine");
    assert_eq!(next_text(&bob).await, "Coder\necho: Bob: mine");
    ann.says("nobody is spoken to");
    ann.mentions_bot("and yours?");
    assert_eq!(next_text(&ann).await, "Researcher\necho: Ann: @roundtable_bot and yours?");
    bob.in_group("elsewhere").mentions_bot("here?");
    assert_eq!(next_text(&bob.in_group("elsewhere")).await, "echo: Bob: @roundtable_bot here?");
    ann.says("/unfocus everyone");
    assert_eq!(next_text(&ann).await, "Messages here go where they went before.");
    ann.mentions_bot("now?");
    assert_eq!(next_text(&ann).await, "echo: Ann: @roundtable_bot now?");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_focus_on_who_has_ended_is_none_and_a_reply_to_them_reaches_nobody() {
    let world = world().await;
    let ann = world.telegram.user("ann");
    let task = json!({"task": "shovel", "agentId": "coder", "label": "digger", "cleanup": "archive"});
    world.model.once("have it dug", Reply::calls([("sessions_spawn", task)]));
    world.model.after("sessions_spawn", Reply::text("started"));
    let call = world.model.hold("shovel");
    ann.says("have it dug");
    assert_eq!(next_text(&ann).await, "started");
    call.arrived().await.unwrap();
    ann.says("/focus digger");
    assert!(next_text(&ann).await.contains("@digger"));
    call.release();
    let result = ann.next_message().await.unwrap();
    assert!(result.text.starts_with("digger\n"), "{}", result.text);
    at_rest_but_archived(&world).await;
    ann.replies_to(&result, "deeper");
    let said = [next_text(&ann).await, next_text(&ann).await];
    assert_eq!(
        said,
        [
            "digger has ended, so messages here go where they went before. /focus label chooses another.",
            "digger has ended and reads no more messages. /agents shows who is here.",
        ]
    );
    ann.says("hello");
    assert_eq!(next_text(&ann).await, "echo: hello");
    world.end().await;
}

async fn at_rest_but_archived(world: &World) {
    let over = |session: &String| session.ends_with(" idle") || session.ends_with(" archived");
    world.until("everybody is at rest", |rows| rows.pending == 0 && rows.sessions.iter().all(over)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_was_opened_for_a_child_speaks_to_it() {
    let world = world().await;
    let ann = world.telegram.user("ann").in_topic("team", "talk");
    ann.place().promote_bot();
    let task = json!({"task": "stand by", "agentId": "coder", "label": "helper", "thread": true});
    world.model.once("open it", Reply::calls([("sessions_spawn", task)]));
    world.model.after("sessions_spawn", Reply::text("opened"));
    ann.mentions_bot("open it");
    assert_eq!(next_text(&ann).await, "opened");
    let line = next_text(&ann).await;
    assert!(line.starts_with("helper finished"), "{line}");
    let thread = world.telegram.user("ann").in_topic("team", "helper");
    assert!(next_text(&thread).await.starts_with("helper\n"));
    at_rest(&world).await;
    // Nobody is named: the thread is the child's.
    let call = world.model.hold("go on");
    thread.says("go on");
    call.arrived().await.unwrap();
    thread.says("/stop");
    assert_eq!(next_text(&thread).await, "Stopped: helper.");
    thread.says("and again");
    let again = next_text(&thread).await;
    assert!(again.starts_with("helper\n") && again.ends_with("and again"), "{again}");
    // It can be spoken to from outside, and others from inside.
    ann.says("@helper from outside");
    let outside = next_text(&ann).await;
    assert!(outside.starts_with("helper\n") && outside.ends_with("from outside"), "{outside}");
    thread.says("@researcher hello");
    assert_eq!(next_text(&thread).await, "Researcher\necho: Ann: @researcher hello");
    world.end().await;
}
