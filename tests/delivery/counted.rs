//! What `/metrics` counts: every send whose outcome is unknown, once, and once how that ended.

use roundtable::store::deliveries::{Listed, State};
use roundtable_fakes::Fault;

use super::answers::{TIMEOUT, answered, ask, read_all, world, world_on};
use crate::support::databases::on_each_database;
use crate::support::ready;
use crate::support::world::World;

const ACCOUNT: &str = "telegram:main";

/// Nothing is on its way any more, and what was counted stays as it is.
async fn at_rest(world: &World, expected: &[(&str, u64)]) {
    world.has_counted(ACCOUNT, expected).await;
    let stored = world.stored().await;
    stored.until("all is sent", |all| all.iter().all(|one| one.state == State::Sent)).await;
    world.has_counted(ACCOUNT, expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_counted_once_and_so_is_what_was_found() {
    on_each_database(async |url| {
        let world = world_on(url, "probe").await;
        let ann = world.telegram.user("ann");
        ask(&world, &ann, "before").await;
        answered(&ann, "before").await;
        at_rest(&world, &[]).await;
        world.telegram.fail_next_in(&ann.place(), "sendMessage", Fault::DropAfter);
        ask(&world, &ann, "there").await;
        answered(&ann, "there").await;
        at_rest(&world, &[("unknown", 1), ("visible", 1)]).await;
        world.telegram.fail_next_in(&ann.place(), "sendMessage", Fault::DropBefore);
        ask(&world, &ann, "lost").await;
        answered(&ann, "lost").await;
        at_rest(&world, &[("absent", 1), ("unknown", 2), ("visible", 1)]).await;
        ready::all(&world).await;
        let metrics = world.metrics().await;
        for account in [ACCOUNT, "local:main"] {
            assert_eq!(metrics.of(&format!("connection_ready{{connection={account:?}}}")), 1);
        }
        for state in ["pending", "sending", "unknown", "given_up", "failed"] {
            assert_eq!(metrics.of(&format!("deliveries{{state={state:?}}}")), 0, "{state}");
        }
        world.end().await;
    })
    .await;
}

/// The next process does: what the dead one had in flight is as unknown as a call that was not answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_send_that_a_process_died_in_is_counted_by_the_next() {
    let mut world = world("probe").await;
    let ann = world.telegram.user("ann");
    let send = world.telegram.hold("sendMessage");
    ask(&world, &ann, "lost").await;
    send.process().await.unwrap();
    world.kill_node().await;
    send.cut();
    world.start_node().await;
    answered(&ann, "lost").await;
    at_rest(&world, &[("unknown", 1), ("visible", 1)]).await;
    world.end().await;
}

/// A time-out is no failure. Without a way to look, what is repeated is counted as that, and what is given up too.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_repeated_without_knowing_and_what_is_given_up_are_counted() {
    let world = world("send").await;
    let ann = world.telegram.user("ann");
    world.telegram.fail_next_in(&ann.place(), "sendMessage", Fault::DelayAfter(TIMEOUT * 2));
    ask(&world, &ann, "twice").await;
    for _ in 0..2 {
        answered(&ann, "twice").await;
    }
    at_rest(&world, &[("repeated", 1), ("unknown", 1)]).await;
    for _ in 0..2 {
        world.telegram.fail_next_in(&ann.place(), "sendMessage", Fault::DropBefore);
    }
    ask(&world, &ann, "never").await;
    let metrics = world.has_counted(ACCOUNT, &[("given_up", 1), ("repeated", 2), ("unknown", 3)]).await;
    assert_eq!(metrics.of("deliveries{state=\"given_up\"}"), 1);
    assert_eq!(metrics.of("deliveries{state=\"unknown\"}"), 0);
    read_all(&ann).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stub_that_is_repeated_is_no_message_that_is() {
    let world = world("edit").await;
    let ann = world.telegram.user("ann");
    world.telegram.fail_next_in(&ann.place(), "sendMessage", Fault::DropAfter);
    ask(&world, &ann, "stub").await;
    answered(&ann, "stub").await;
    at_rest(&world, &[("stub_repeated", 1), ("unknown", 1)]).await;
    read_all(&ann).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_will_never_be_shown_is_counted_and_stays_listed() {
    on_each_database(async |url| {
        let world = world_on(url, "probe").await;
        let ann = world.telegram.user("ann");
        let held = world.model.hold("question wanted");
        ask(&world, &ann, "wanted").await;
        ann.blocks_bot();
        held.release();
        let metrics = world.has_counted(ACCOUNT, &[("failed", 1)]).await;
        assert_eq!(metrics.of("deliveries{state=\"failed\"}"), 1);
        let stored = world.stored().await;
        let failed = |all: &[Listed]| matches!(all, [one] if one.state == State::Failed);
        let [one] = &stored.until("it is listed", failed).await[..] else { unreachable!("it is one") };
        assert!(stored.discard(one.id).await);
        assert_eq!(world.metrics().await.of("deliveries{state=\"failed\"}"), 0);
        world.end().await;
    })
    .await;
}
