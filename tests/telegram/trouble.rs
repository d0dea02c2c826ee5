//! Chats that move, close or go away, and a platform or a node that is away for a while.

use roundtable::store::deliveries::State;
use roundtable_fakes::{Fault, GroupKind};

use crate::support::databases::on_each_database;
use crate::support::requests::{heard, next_text};
use crate::support::world::{QUICK, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_becomes_a_supergroup_keeps_its_session() {
    on_each_database(async |url| {
        let world = World::setting().on(url).start().await;
        world.telegram.set_privacy(false);
        let old = world.telegram.new_group("team", GroupKind::Basic);
        let ann = world.telegram.user("ann");
        let call = world.model.hold("PLUM");
        ann.in_group("team").mentions_bot("remember PLUM");
        call.arrived().await.unwrap();
        let new = old.migrate();
        call.release();
        assert_eq!(next_text(&ann.in_group("team")).await, "echo: Ann: @roundtable_bot remember PLUM");
        ann.in_group("team").mentions_bot("what was it?");
        assert_eq!(next_text(&ann.in_group("team")).await, "echo: Ann: @roundtable_bot what was it?");
        let said = heard(world.model.requests().last().unwrap());
        assert_eq!(said, "Ann: @roundtable_bot remember PLUM\nAnn: @roundtable_bot what was it?");
        assert!(new.chat_id() != old.chat_id());
        world.end().await;
    })
    .await;
}

/// Its number changes, so that it is no longer the one in the configuration.
#[tokio::test(flavor = "multi_thread")]
async fn a_listed_group_that_becomes_a_supergroup_stays_listed() {
    let lines = format!("groups = [\"{{old}}\"]\n{QUICK}");
    let mut world = World::setting().telegram(&lines).without_node().await;
    world.telegram.set_privacy(false);
    let old = world.telegram.new_group("team", GroupKind::Basic);
    world.configure(|text| text.replace("{old}", &old.chat_id().to_string()));
    world.start_node().await;
    let ann = world.telegram.user("ann");
    let other = ann.in_group("others");
    ann.in_group("team").mentions_bot("before");
    assert_eq!(next_text(&ann.in_group("team")).await, "echo: Ann: @roundtable_bot before");
    old.migrate();
    other.mentions_bot("we are not on the list");
    ann.in_group("team").mentions_bot("after");
    assert_eq!(next_text(&ann.in_group("team")).await, "echo: Ann: @roundtable_bot after");
    world.stop_node().await;
    world.start_node().await;
    ann.in_group("team").mentions_bot("later");
    assert_eq!(next_text(&ann.in_group("team")).await, "echo: Ann: @roundtable_bot later");
    world.end().await;
}

/// The one delivery that failed, after everything has settled: its conversation and what is said about it.
async fn failure(world: &mut World) -> (String, String) {
    world.stop_node().await;
    let mut listed = world.deliveries().await;
    assert_eq!(listed.len(), 1, "{listed:?}");
    let failed = listed.remove(0);
    assert_eq!(failed.state, State::Failed, "{failed:?}");
    (failed.conversation, failed.error.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_blocks_the_bot_stops_nobody_else() {
    on_each_database(async |url| {
        let mut world = World::setting().on(url).start().await;
        let (ann, bob) = (world.telegram.user("ann"), world.telegram.user("bob"));
        let call = world.model.hold("from Ann");
        ann.says("a question from Ann");
        call.arrived().await.unwrap();
        ann.blocks_bot();
        call.release();
        bob.says("hello");
        assert_eq!(next_text(&bob).await, "echo: hello");
        let (conversation, error) = failure(&mut world).await;
        assert_eq!(conversation, format!("telegram:main:{}", ann.id()));
        assert!(error.contains("has blocked the bot"), "{error}");
        world.start_node().await;
        ann.unblocks_bot();
        ann.says("I am back");
        assert_eq!(next_text(&ann).await, "echo: I am back");
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_puts_the_bot_out_is_not_written_to_again_and_again() {
    on_each_database(async |url| {
        let mut world = World::setting().on(url).start().await;
        world.telegram.set_privacy(false);
        let (ann, bob) = (world.telegram.user("ann").in_group("team"), world.telegram.user("bob"));
        let call = world.model.hold("slow");
        ann.mentions_bot("slow");
        call.arrived().await.unwrap();
        ann.place().kick_bot();
        call.release();
        let (conversation, _) = failure(&mut world).await;
        assert_eq!(conversation, format!("telegram:main:{}", ann.place().chat_id()));
        world.start_node().await;
        bob.says("hello");
        assert_eq!(next_text(&bob).await, "echo: hello");
        assert_eq!(world.telegram.calls_of("sendMessage").len(), 2, "one was refused, and one is Bob's");
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_a_closed_topic_fails_and_says_why() {
    let mut world = World::start().await;
    world.telegram.set_privacy(false);
    let ann = world.telegram.user("ann").in_topic("team", "bugs");
    let call = world.model.hold("slow");
    ann.mentions_bot("slow");
    call.arrived().await.unwrap();
    ann.place().close_topic().unwrap();
    call.release();
    let (conversation, error) = failure(&mut world).await;
    let (chat, thread) = (ann.place().chat_id(), ann.place().thread_id().unwrap());
    assert_eq!(conversation, format!("telegram:main:{chat}:{thread}"));
    assert!(error.starts_with(&format!("Topic {thread} of chat {chat} is closed.")), "{error}");
    world.start_node().await;
    ann.place().reopen_topic().unwrap();
    ann.mentions_bot("again");
    assert_eq!(next_text(&ann).await, "echo: Ann: @roundtable_bot again");
    world.end().await;
}

/// Where the same people read it.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_a_deleted_topic_is_shown_in_the_general_one() {
    let world = World::start().await;
    world.telegram.set_privacy(false);
    let ann = world.telegram.user("ann").in_topic("team", "bugs");
    let call = world.model.hold("slow");
    ann.mentions_bot("slow");
    call.arrived().await.unwrap();
    ann.place().delete_topic().unwrap();
    call.release();
    let general = world.telegram.user("ann").in_group("team");
    assert_eq!(next_text(&general).await, "echo: Ann: @roundtable_bot slow");
    general.mentions_bot("hello");
    assert_eq!(next_text(&general).await, "echo: Ann: @roundtable_bot hello");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_a_private_topic_that_is_gone_is_shown_in_the_plain_chat() {
    let world = World::start().await;
    let ann = world.telegram.user("ann");
    let plans = ann.in_private_topic("plans");
    let call = world.model.hold("slow");
    plans.says("slow");
    call.arrived().await.unwrap();
    plans.place().delete_topic().unwrap();
    // A gate that is open lets the refused call pass; what shows it in the plain chat is not answered.
    world.telegram.hold("sendMessage").release();
    world.telegram.fail_next("sendMessage", Fault::DropAfter);
    call.release();
    let shown = ann.next_message().await.unwrap();
    assert_eq!(shown.text, "echo: slow");
    ann.replies_to(&shown, "and then?");
    assert_eq!(next_text(&ann).await, "echo: and then?");
    world.end().await;
}

/// Whether it was shown there or not: what was seen in the topic is gone with it.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_whose_private_topic_goes_while_it_is_in_doubt_is_shown_in_the_plain_chat() {
    for fault in [Fault::DropBefore, Fault::DropAfter] {
        let world = World::start().await;
        let ann = world.telegram.user("ann");
        let plans = ann.in_private_topic("plans");
        let look = world.telegram.hold("editMessageText");
        world.telegram.fail_next("sendMessage", fault);
        plans.says("slow");
        look.arrived().await.unwrap();
        plans.place().delete_topic().unwrap();
        look.release();
        assert_eq!(next_text(&ann).await, "echo: slow");
        ann.says("and then?");
        assert_eq!(next_text(&ann).await, "echo: and then?");
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_outlives_its_node() {
    on_each_database(async |url| {
        let mut world = World::setting().on(url).start().await;
        let ann = world.telegram.user("ann");
        ann.says("remember PLUM");
        let first = ann.next_message().await.unwrap();
        world.stop_node().await;
        ann.says("what was it?");
        world.start_node().await;
        assert_eq!(next_text(&ann).await, "echo: what was it?");
        assert_eq!(heard(&world.model.requests()[1]), "remember PLUM\nwhat was it?");
        ann.replies_to(&first, "and this?");
        assert_eq!(next_text(&ann).await, "echo: and this?");
        assert_eq!(heard(&world.model.requests()[2]), "remember PLUM\nwhat was it?\nand this?");
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_while_the_platform_is_away_is_answered_later() {
    let mut world = World::start().await;
    let (ann, bob) = (world.telegram.user("ann"), world.telegram.user("bob"));
    let call = world.model.hold("before");
    ann.says("before");
    call.arrived().await.unwrap();
    world.telegram.stop().await;
    bob.says("meanwhile");
    call.release();
    world.telegram.restart().await.unwrap();
    assert_eq!(next_text(&ann).await, "echo: before");
    assert_eq!(next_text(&bob).await, "echo: meanwhile");
    world.end().await;
}
