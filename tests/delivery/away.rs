//! Time in which nothing could be sent, because no node was there or the platform was away: it uses up nobody's patience.

use roundtable::store::deliveries::{Listed, State};
use roundtable_fakes::Seat;

use super::answers::{answer, answered, ask, read_all, say, shown, without_node, world};
use crate::support::databases::{Database, on_each_database};
use crate::support::stored::Stored;
use crate::support::world::{Setting, World};

/// No limits, and no call that is given up because the machine is busy.
const LINES: &str = "limits = { chat_per_second = 0, group_per_minute = 0, total_per_second = 0 }\n\
    poll_timeout = \"9s\"\nsend_timeout = \"9s\"";

/// All that is stored is six minutes older.
const SIX_MINUTES: [&str; 2] = [
    "UPDATE leases SET until = until - 360000",
    "UPDATE deliveries SET created_at = created_at - 360000, due_at = due_at - 360000, call_until = call_until - 360000",
];

/// The same, by more than a day.
const A_DAY: [&str; 2] = [
    "UPDATE leases SET until = until - 90000000",
    "UPDATE deliveries SET created_at = created_at - 90000000, due_at = due_at - 90000000",
];

async fn pass(stored: &Stored, time: [&'static str; 2]) {
    for statement in time {
        stored.changes(statement).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_away_finds_out_about_the_oldest_answer_before_it_sends_another() {
    for database in Database::all() {
        for landed in [true, false] {
            let fresh = database.fresh().await;
            be_away(World::setting().on(&fresh.url), landed).await;
        }
    }
}

/// The node dies while it sends an answer. It has landed, and one in the next topic waits for it; or it is lost, and one
/// behind it waits.
async fn be_away(setting: Setting, landed: bool) {
    let mut world = without_node(setting, LINES).await;
    world.start_node().await;
    let ann = world.telegram.user("ann");
    let (roses, herbs) = (ann.in_topic("gardeners", "roses"), ann.in_topic("gardeners", "herbs"));
    roses.place().promote_bot();
    ask(&world, &roses, "before").await;
    answered(&roses, "before").await;
    let send = world.telegram.hold_in(&roses.place(), "sendMessage");
    ask(&world, &roses, "first").await;
    if landed {
        send.process().await.unwrap()
    } else {
        send.arrived().await.unwrap()
    }
    let waits = if landed { &herbs } else { &roses };
    ask(&world, waits, "waits").await;
    let stored = world.stored().await;
    stored.until("all answers are stored", |all| all.len() == 3).await;
    world.kill_node().await;
    send.cut();
    pass(&stored, SIX_MINUTES).await;

    // Until what people wrote meanwhile is read, it can't be told which number is whose.
    let poll = world.telegram.hold("getUpdates");
    let next = landed.then(|| world.telegram.hold_in(&herbs.place(), "sendMessage"));
    world.start_node().await;
    poll.arrived().await.unwrap();
    let asked = |error: &String| error.contains("all that waits is read");
    stored.until("the first is looked for", |all| all[1].error.as_ref().is_some_and(asked)).await;
    poll.release();
    stored.until("the first is there", |all| all[1].state == State::Sent).await;
    drop(next);
    answered(waits, "waits").await;
    let mut expected: Vec<String> = ["before", "first"].map(|name| answer(&roses, name)).into();
    expected.push(answer(waits, "waits"));
    assert_eq!(
        [texts(&roses), if landed { texts(&herbs) } else { Vec::new() }].concat(),
        expected,
        "{landed}"
    );
    read_all(&roses).await;
    read_all(&herbs).await;
    world.end().await;
}

fn texts(seat: &Seat) -> Vec<String> {
    shown(seat).into_iter().map(|message| message.text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_was_there_to_send_for_a_day_is_not_given_up() {
    on_each_database(async |url| {
        let mut world = without_node(World::setting().on(url), LINES).await;
        world.start_node().await;
        let ann = world.telegram.user("ann");
        let held = world.model.hold("question old");
        ask(&world, &ann, "old").await;
        world.telegram.stop().await;
        held.release();
        let stored = world.stored().await;
        let tried = |all: &[Listed], calls| {
            all.first().is_some_and(|one| one.attempts > calls && one.state != State::Sending)
        };
        let before = stored.until("it was tried", |all| tried(all, 0)).await;
        world.kill_node().await;
        pass(&stored, A_DAY).await;
        world.start_node().await;
        let after = stored.until("it is tried again", |all| tried(all, before[0].attempts)).await;
        assert_eq!(after[0].state, State::Pending, "{after:#?}");
        world.telegram.restart().await.unwrap();
        answered(&ann, "old").await;
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_platform_is_away_no_answer_passes_another() {
    let mut world = world("probe").await;
    let ann = world.telegram.user("ann");
    let held = world.model.hold("question first");
    ask(&world, &ann, "first").await;
    say(&ann, "second");
    world.settled().await;
    world.telegram.stop().await;
    held.release();
    let stored = world.stored().await;
    stored.until("the first was tried", |all| all.len() == 2 && all[1].error.is_some()).await;
    stored.changes("UPDATE deliveries SET created_at = created_at - 360000").await;
    stored.changes("UPDATE deliveries SET due_at = due_at + 4000 WHERE error IS NOT NULL").await;
    world.telegram.restart().await.unwrap();
    answered(&ann, "second").await;
    assert_eq!(texts(&ann), ["first", "second"].map(|name| answer(&ann, name)));
    read_all(&ann).await;
    world.end().await;
}
