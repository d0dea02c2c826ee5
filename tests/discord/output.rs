//! Answers on their way out.

use roundtable::store::deliveries::State;
use roundtable_fakes::{Fault, PATIENCE, Reply, Scope};

use super::next;
use crate::support::world::World;

/// Why the only delivery that is still open has failed.
async fn failure(world: &World) -> String {
    let found = async {
        loop {
            if let [listed] = &world.deliveries().await[..]
                && listed.state == State::Failed
            {
                return listed.error.clone().unwrap_or_default();
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("a delivery fails")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_comes_whole_and_calls_nobody() {
    let world = World::with_discord().await;
    world.discord().connected().await.unwrap();
    let ann = world.discord().user("ann");
    let code = "let x = \"@everyone <@&1>\";\n".repeat(200);
    world.model.when("code", Reply::text(format!("@everyone <@{}> look:\n```rust\n{code}```", ann.id())));
    ann.says("code please");
    let mut lines = 0;
    while lines < 200 {
        let text = next(&ann).await;
        assert!(text.chars().count() <= 2000 && text.matches("```").count() == 2, "{text}");
        lines += text.matches("let x").count();
    }
    assert_eq!(lines, 200);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_not_sent_twice() {
    for fault in [Fault::DropAfter, Fault::Html502After, Fault::TruncatedJson, Fault::DropBefore, Fault::Hang]
    {
        let world = World::with_discord().await;
        world.discord().connected().await.unwrap();
        let ann = world.discord().user("ann");
        world.discord().fail_next("create_message", fault.clone());
        ann.says("hello");
        assert_eq!(next(&ann).await, "echo: hello", "{fault:?}");
        ann.says("again");
        assert_eq!(next(&ann).await, "echo: again", "{fault:?}");
        assert!(world.deliveries().await.is_empty(), "{fault:?}");
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_delays_an_answer() {
    for scope in [Scope::User, Scope::Shared, Scope::Global] {
        let world = World::with_discord().await;
        world.discord().connected().await.unwrap();
        let ann = world.discord().user("ann");
        world.discord().fail_next("create_message", Fault::Limited { scope, retry_after_ms: 300 });
        ann.says("hello");
        assert_eq!(next(&ann).await, "echo: hello", "{scope:?}");
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archived_thread_is_opened_again_and_a_locked_one_says_why() {
    let world = World::with_discord().await;
    world.discord().connected().await.unwrap();
    let ann = world.discord().user("ann");
    let thread = ann.in_thread("general", "plans");
    let hold = world.model.hold("first");
    thread.mentions_bot("first");
    hold.arrived().await.unwrap();
    thread.place().archive();
    hold.release();
    assert!(next(&thread).await.ends_with("first"));
    let hold = world.model.hold("second");
    thread.mentions_bot("second");
    hold.arrived().await.unwrap();
    thread.place().set_locked(true);
    hold.release();
    let reason = failure(&world).await;
    assert!(reason.contains("locked") && reason.contains("Manage Threads"), "{reason}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_channel_fails_once_and_says_which_right_is_missing() {
    let world = World::with_discord().await;
    world.discord().connected().await.unwrap();
    let ann = world.discord().user("ann").in_channel("general");
    let hold = world.model.hold("hello");
    ann.mentions_bot("hello");
    hold.arrived().await.unwrap();
    ann.place().deny(roundtable_fakes::discord::rights::VIEW_CHANNEL);
    hold.release();
    let reason = failure(&world).await;
    assert!(reason.contains("View Channel"), "{reason}");
    assert!(world.discord().invalid_requests() < 10);
    world.end().await;
}
