//! `/forget`: what was said in a conversation is erased, and nothing else.

use super::prune::{a_family_at_rest, until_left, until_nothing_is_left};
use crate::support::databases::on_each_database;
use crate::support::process::Process;
use crate::support::requests::{heard, next_text};
use crate::support::world::World;

const FORGOTTEN: &str = "What was said here, and what we did for it, is erased from my memory for good. The chat itself \
                         still shows it: delete it there too.";

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_erased_with_all_that_was_done_for_it() {
    on_each_database(async |url| {
        let world = World::setting().on(url).start().await;
        let [ann, bob, cat] = ["ann", "bob", "cat"].map(|name| world.telegram.user(name));
        a_family_at_rest(&world, "ann").await;
        bob.says("hello");
        assert_eq!(next_text(&bob).await, "echo: hello");
        ann.says("/forget");
        assert_eq!(next_text(&ann).await, FORGOTTEN);
        until_left(
            &world,
            "1 trees, 1 sessions, 2 entries, 1 items, 1 turns, 0 waits, 0 runs, 0 exchanges, 1 deliveries, 1 numbers",
        )
        .await;
        ann.says("do you know me?");
        assert_eq!(next_text(&ann).await, "echo: do you know me?");
        bob.says("and me?");
        assert_eq!(next_text(&bob).await, "echo: and me?");
        let asked = world.model.requests();
        let asked = |needle: &str| heard(asked.iter().rev().find(|request| request.asks(needle)).expect("it was asked"));
        assert_eq!(asked("do you know me?"), "do you know me?");
        assert_eq!(asked("and me?"), "hello\nand me?");
        cat.says("/forget");
        assert_eq!(next_text(&cat).await, "I remember nothing that was said here.");
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_where_two_agents_have_answered_is_erased() {
    on_each_database(async |url| {
        let world = World::setting().on(url).start().await;
        let ann = world.telegram.user("ann");
        ann.says("hello");
        assert_eq!(next_text(&ann).await, "echo: hello");
        ann.says("@coder hi");
        assert!(next_text(&ann).await.ends_with("echo: @coder hi"));
        ann.says("/forget");
        assert_eq!(next_text(&ann).await, FORGOTTEN);
        until_nothing_is_left(&world).await;
        ann.says("@coder do you know me?");
        assert!(next_text(&ann).await.ends_with("echo: @coder do you know me?"));
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_at_work_is_stopped_before_it_is_erased() {
    on_each_database(async |url| {
        let world = World::setting().on(url).start().await;
        let ann = world.telegram.user("ann");
        let call = world.model.hold("slow");
        ann.says("slow");
        call.arrived().await.unwrap();
        ann.says("/forget");
        assert_eq!(next_text(&ann).await, format!("{FORGOTTEN} Stopped: manager."));
        until_nothing_is_left(&world).await;
        drop(call);
        ann.says("hello");
        assert_eq!(next_text(&ann).await, "echo: hello");
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_forgotten_is_erased_after_a_crash_too() {
    on_each_database(async |url| {
        let mut world = World::setting().on(url).without_node().await;
        let ann = world.telegram.user("ann");
        let mut process = Process::start(&world, Some("commit.erase.before:1")).unwrap();
        ann.says("hello");
        assert_eq!(next_text(&ann).await, "echo: hello");
        ann.says("/forget");
        process.crashes().await.unwrap();
        world.start_node().await;
        assert_eq!(next_text(&ann).await, FORGOTTEN);
        until_nothing_is_left(&world).await;
        world.end().await;
    })
    .await;
}
