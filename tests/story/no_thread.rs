//! Threads that can't be opened: the run fails, people and the model are told why, and nothing of it is left.

use roundtable_fakes::discord::rights;
use roundtable_fakes::{Fault, Reply};
use serde_json::json;

use super::Seat;
use super::threads::{GIVEN, TASK, asks, asks_for_a_thread, channel, patient_world};
use crate::support::databases::on_each_database;
use crate::support::requests::made;
use crate::support::world::World;

/// What people are told when the thread can't be opened.
async fn fails(sit: impl Fn(&World) -> Seat, why: &str) {
    on_each_database(async |url| {
        let world = patient_world(url).await;
        let ann = sit(&world);
        is_told(&world, &ann, why).await;
        world.end().await;
    })
    .await;
}

async fn is_told(world: &World, ann: &Seat, why: &str) {
    let opening = asks_for_a_thread(world, ann);
    opening.arrived().await.unwrap();
    world.until("the end of the manager's turn", |rows| rows.turns == ["done"]).await;
    opening.release();
    if let Seat::Discord(_) = ann {
        assert_eq!(ann.next().await, format!("page\n{TASK}"));
    }
    fails_with(world, ann, why).await;
}

async fn fails_with(world: &World, ann: &Seat, why: &str) {
    assert_eq!(ann.next().await, GIVEN);
    let line = ann.next().await;
    assert!(
        line.starts_with("page failed · ") && line.contains("its thread could not be opened: "),
        "{line}"
    );
    assert!(line.contains(why), "{line}");
    let over = ["done", "cancelled", "done"];
    world.until("the end of all turns", |rows| rows.turns == over && rows.pending == 0).await;
    let told = world.model.requests().pop().unwrap();
    assert!(told.asks("could not be opened"), "{:#?}", told.last());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forum_without_the_right_is_named() {
    let sit = |world: &World| Seat::Telegram(world.telegram.user("ann").in_topic("team", "plans"));
    fails(sit, "Make it an administrator with the right to manage topics").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_without_topics_is_named() {
    let sit = |world: &World| Seat::Telegram(world.telegram.user("ann").in_group("team"));
    fails(sit, "has no topics").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_without_the_right_is_named() {
    let sit = |world: &World| {
        let ann = world.discord().user("ann").in_channel("general");
        ann.place().deny(rights::CREATE_PUBLIC_THREADS);
        Seat::Discord(ann)
    };
    fails(sit, "\"Create Public Threads\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_message_has_no_threads_which_is_said_at_once() {
    on_each_database(async |url| {
        let world = patient_world(url).await;
        let ann = Seat::Discord(world.discord().user("ann"));
        let spawn = json!({"task": TASK, "agentId": "coder", "label": "page", "thread": true});
        world.model.once("work", Reply::calls([("sessions_spawn", spawn)]));
        world.model.after("sessions_spawn", Reply::text("Then without one."));
        ann.says("work");
        assert_eq!(ann.next().await, "Then without one.");
        let told = world.model.requests().pop().unwrap();
        let refused = made(&told).pop().unwrap().1;
        assert_eq!(refused["code"], "no_threads", "{refused}");
        world.until("nothing is begun", |rows| rows.turns == ["done"] && rows.pending == 0).await;
        world.end().await;
    })
    .await;
}

/// What Discord says when a thread was archived, or the server has too many, between the two calls that open one.
#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_discord_refuses_leaves_nothing_behind() {
    for (status, code, message, why) in [
        (400, 50083, "Thread is archived", "is locked or archived. Unlock it"),
        (403, 160_005, "Thread is locked", "is locked or archived. Unlock it"),
        (
            400,
            160_006,
            "Maximum number of active threads reached",
            "as many active threads as Discord allows",
        ),
        (400, 50024, "Cannot execute action on this channel type", "No thread can be opened in"),
        (404, 10003, "Unknown Channel", "no longer exists"),
    ] {
        on_each_database(async |url| {
            let world = patient_world(url).await;
            let ann = channel(&world);
            world.discord().fail_next("create_thread_from_message", Fault::discord(status, code, message));
            asks_in_order(&world, &ann).await;
            assert_eq!(ann.next().await, format!("page\n{TASK}"));
            fails_with(&world, &ann, why).await;
            may_go_on_without(&world, &ann).await;
            world.end().await;
        })
        .await;
    }
}

/// The threads of a forum are its posts, and a post has no threads of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_post_of_a_forum_has_no_thread_beside_it() {
    on_each_database(async |url| {
        let world = patient_world(url).await;
        let ann = Seat::Discord(world.discord().user("ann").in_forum_post("forum", "question"));
        asks_in_order(&world, &ann).await;
        fails_with(&world, &ann, "takes no messages itself").await;
        may_go_on_without(&world, &ann).await;
        world.end().await;
    })
    .await;
}

/// The manager has said its word before the message that the thread is to grow out of is let through.
async fn asks_in_order(world: &World, ann: &Seat) {
    let (opening, given) = (world.discord().hold("create_message"), world.model.hold("runId"));
    asks(world, ann);
    opening.arrived().await.unwrap();
    given.release();
    world.until("the end of the manager's turn", |rows| rows.turns == ["done"]).await;
    opening.release();
}

/// The label is free again, so that the same run can be asked for without a thread.
async fn may_go_on_without(world: &World, ann: &Seat) {
    let spawn = json!({"task": "Write it here.", "agentId": "coder", "label": "page"});
    world
        .model
        .once("Then without one", Reply::calls([("sessions_spawn", spawn), ("sessions_yield", json!({}))]));
    ann.mentions_bot("Then without one.");
    let line = ann.next().await;
    assert!(line.starts_with("page finished · "), "{line}");
    ann.next().await;
    let told = world.model.requests().pop().unwrap();
    let (call, result) = &made(&told)[made(&told).len() - 2];
    assert_eq!((call.name.as_str(), &result["label"]), ("sessions_spawn", &json!("page")), "{result}");
    assert_eq!(world.discord().transcript().matches("page (").count(), 0, "{}", world.discord().transcript());
}
