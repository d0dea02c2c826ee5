//! A group becomes a supergroup while something is said in it: its number is another, and so are those of its messages.

use roundtable_fakes::GroupKind;

use super::answers::{answer, answered, ask, settled, world};
use crate::support::databases::on_each_database;
use crate::support::requests::{heard, next_text};
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_whose_chat_moved_goes_to_the_new_one() {
    for mode in ["probe", "edit", "send"] {
        let world = world(mode).await;
        let old = world.telegram.new_group("cooks", GroupKind::Basic);
        old.promote_bot();
        let ann = world.telegram.user("ann").in_group("cooks");
        let held = world.model.hold("question moved");
        ask(&world, &ann, "moved").await;
        // The bot learns of the move by the refusal of its answer, not by an update.
        let poll = world.telegram.hold("getUpdates");
        poll.arrived().await.unwrap();
        let new = old.migrate();
        held.release();
        let text = answer(&ann, "moved");
        new.expect_message("the answer", |message| message.text == text).await.unwrap();
        poll.release();
        let here = world.telegram.user("ann").in_group("cooks");
        assert_eq!(here.place().chat_id(), new.chat_id());
        ask(&world, &here, "after the move").await;
        answered(&here, "after the move").await;
        let last = world.model.requests().pop().unwrap();
        assert!(last.messages.iter().any(|message| message.text == text), "the session goes on: {last:#?}");
        world.end().await;
    }
}

/// The process dies when an answer can be seen and it does not know, and the group moves before it is back.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_is_looked_for_where_the_group_was() {
    on_each_database(async |url| {
        let mut world = World::setting().on(url).start().await;
        let old = world.telegram.new_group("cooks", GroupKind::Basic);
        old.promote_bot();
        let ann = world.telegram.user("ann");
        let call = world.telegram.hold_in(&old, "sendMessage");
        ann.in_group("cooks").mentions_bot("one");
        call.process().await.unwrap();
        world.kill_node().await;
        let new = old.migrate();
        call.release();
        world.start_node().await;
        ann.in_group("cooks").mentions_bot("two");
        assert_eq!(next_text(&ann.in_group("cooks")).await, "echo: Ann: @roundtable_bot two");
        let said = old.next_message().await.unwrap();
        assert!(said.text.ends_with("roundtable_bot one"), "{said:?}");
        settled(&world).await;
        let asked = world.model.requests().pop().unwrap();
        assert_eq!(heard(&asked), "Ann: @roundtable_bot one\nAnn: @roundtable_bot two");
        assert_ne!(new.chat_id(), old.chat_id());
        world.end().await;
    })
    .await;
}

/// The same with the first of two steps: the second is made where the first was.
#[tokio::test(flavor = "multi_thread")]
async fn a_stub_is_filled_in_where_the_group_was() {
    let mut world = world("edit").await;
    let old = world.telegram.new_group("cooks", GroupKind::Basic);
    old.promote_bot();
    let ann = world.telegram.user("ann").in_group("cooks");
    let call = world.telegram.hold_in(&old, "editMessageText");
    ask(&world, &ann, "moved").await;
    call.arrived().await.unwrap();
    world.kill_node().await;
    old.migrate();
    call.cut();
    world.start_node().await;
    let here = world.telegram.user("ann").in_group("cooks");
    ask(&world, &here, "after the move").await;
    answered(&here, "after the move").await;
    let text = answer(&ann, "moved");
    old.expect_message("the answer", |message| message.text == text).await.unwrap();
    world.end().await;
}

/// The platform tells of the move when an answer is refused, before it has handed over all that was said until then.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_before_the_move_and_is_heard_after_it_has_its_session() {
    on_each_database(async |url| {
        let world = World::setting().on(url).start().await;
        let old = world.telegram.new_group("cooks", GroupKind::Basic);
        old.promote_bot();
        let ann = world.telegram.user("ann").in_group("cooks");
        let held = world.model.hold("one");
        ann.mentions_bot("one");
        held.arrived().await.unwrap();
        let poll = world.telegram.hold("getUpdates");
        poll.arrived().await.unwrap();
        ann.mentions_bot("two");
        old.migrate();
        held.release();
        let here = world.telegram.user("ann").in_group("cooks");
        assert_eq!(next_text(&here).await, "echo: Ann: @roundtable_bot one");
        poll.release();
        assert_eq!(next_text(&here).await, "echo: Ann: @roundtable_bot two");
        let asked = world.model.requests().pop().unwrap();
        assert_eq!(heard(&asked), "Ann: @roundtable_bot one\nAnn: @roundtable_bot two");
        world.end().await;
    })
    .await;
}
