//! The connection to Telegram: what goes wrong with polls is reported, waited out, and loses or doubles nothing.

use std::time::Duration;

use roundtable::store::deliveries::{Listed, State};
use roundtable_fakes::{Fault, Seat, World as Platform};

use crate::delivery::pauses::paused;
use crate::support::ready;
use crate::support::requests::next_text;
use crate::support::world::{QUICK, World};

/// A world in which nobody is waited for longer than a second or two, and which somebody has spoken in.
async fn impatient() -> (World, Seat) {
    let lines = format!("dm = \"open\"\n{QUICK}").replace("\"5s\"", "\"1s\"");
    let world = World::setting().telegram(&lines).start().await;
    let ann = world.telegram.user("ann");
    is_answered(&ann, "hello").await;
    (world, ann)
}

async fn is_answered(ann: &Seat, text: &str) {
    ann.says(text);
    assert_eq!(next_text(ann).await, format!("echo: {text}"));
}

/// Lets the next polls meet a fault each, until trouble is reported, and then all be well; gives the reason.
async fn passes(faults: &[Fault]) -> String {
    let (world, ann) = impatient().await;
    for fault in faults {
        world.telegram.fail_next("getUpdates", fault.clone());
    }
    // The poll behind them would end the trouble before anybody has seen it.
    let held = world.telegram.hold("getUpdates");
    let reason = ready::trouble(&world, "telegram:main").await;
    held.release();
    ann.says("meanwhile");
    assert_eq!(next_text(&ann).await, "echo: meanwhile", "{faults:?}");
    ready::all(&world).await;
    is_answered(&ann, "and now?").await;
    world.end().await;
    reason
}

/// What stops one poll, and what is said about it.
#[tokio::test(flavor = "multi_thread")]
async fn a_poll_that_fails_is_repeated_and_nothing_is_lost() {
    for (fault, said) in [
        (Fault::Hang, "no usable answer"),
        (Fault::HalfClose, "no usable answer"),
        (Fault::DropBefore, "no usable answer"),
        (Fault::Html502Before, "no usable answer"),
        (Fault::empty_500(), "no usable answer"),
        (Fault::Conflict, "another program listens"),
        (Fault::RateLimit { retry_after: 1 }, "retry after 1"),
        (Fault::html_429(Some(1)), "asks for a pause"),
    ] {
        let reason = passes(std::slice::from_ref(&fault)).await;
        assert!(reason.contains(said), "{fault:?}: {reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_failures_passes_too() {
    passes(&[Fault::Html502Before, Fault::Hang, Fault::HalfClose, Fault::DropBefore, Fault::Html502Before])
        .await;
}

/// Telegram has handed the updates out, and nobody got them: they come again, and are answered once.
#[tokio::test(flavor = "multi_thread")]
async fn updates_whose_answer_is_lost_come_again() {
    for fault in [Fault::DropAfter, Fault::Html502After, Fault::TruncatedJson] {
        let (world, ann) = impatient().await;
        let begun = world.telegram.calls_of("getUpdates").len();
        world.telegram.fail_next("getUpdates", fault.clone());
        let met = |world: &Platform| polls(world) > begun;
        world.telegram.wait_until("the poll that meets it", met).await.unwrap();
        ann.says("lost once");
        ann.says("and this too");
        let mut answers = next_text(&ann).await;
        if !answers.contains("and this too") {
            answers += &next_text(&ann).await;
        }
        assert!(answers.contains("lost once"), "{fault:?}: {answers}");
        world.end().await;
    }
}

/// A second program with the same token: each takes the other's polls away until one of them ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_poller_is_named_and_does_no_lasting_harm() {
    let world = World::start().await;
    let ann = world.telegram.user("ann");
    let url = format!("{}/bot{}/getUpdates?timeout=1", world.telegram.url(), world.telegram.token());
    ready::all(&world).await;
    let rival = tokio::spawn(async move {
        loop {
            // What it is told does not matter.
            let _ = reqwest::get(&url).await;
        }
    });
    let reason = ready::trouble(&world, "telegram:main").await;
    assert!(reason.contains("another program listens"), "{reason}");
    rival.abort();
    ann.says("are you back?");
    assert_eq!(next_text(&ann).await, "echo: are you back?");
    ready::all(&world).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_set_under_us_is_removed() {
    let (world, ann) = impatient().await;
    world.telegram.set_webhook("https://elsewhere.example/hook");
    ann.says("meanwhile");
    assert_eq!(next_text(&ann).await, "echo: meanwhile");
    assert_eq!(world.telegram.calls_of("deleteWebhook").len(), 1);
    world.end().await;
}

/// The fake counts every poll inside the window as a violation.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_of_an_hour_is_kept_and_said() {
    let (mut world, ann) = impatient().await;
    world.telegram.fail_next("getUpdates", Fault::RateLimit { retry_after: 3600 });
    let reason = ready::trouble(&world, "telegram:main").await;
    assert!(reason.contains("retry after 3600"), "{reason}");
    ann.says("an hour ago");
    world.stop_node().await;
    world.telegram.advance(Duration::from_secs(3600));
    world.start_node().await;
    assert_eq!(next_text(&ann).await, "echo: an hour ago");
    ready::all(&world).await;
    world.end().await;
}

/// A send that is to wait for long delays nobody else, and is no failure.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_to_wait_for_minutes_waits() {
    for retry_after in [137, 3600] {
        let (mut world, ann) = impatient().await;
        let bob = world.telegram.user("bob");
        let stored = world.stored().await;
        world.telegram.fail_next_in(&ann.place(), "sendMessage", Fault::RateLimit { retry_after });
        ann.says("later");
        let said = format!("the platform asks to wait {retry_after}000 ms");
        let waits = |all: &[Listed]| {
            all.iter().any(|one| one.state == State::Pending && one.error.as_ref() == Some(&said))
        };
        stored.until("the answer waits", waits).await;
        is_answered(&bob, "now").await;
        let one_is_open = async || <[Listed; 1]>::try_from(stored.deliveries(false).await).ok();
        let [one] = stored.find("one open delivery", one_is_open).await;
        assert_eq!((one.state, one.unknowns), (State::Pending, 0));
        let [(chat, until)] = &paused(&stored).await[..] else { panic!("one chat is paused") };
        assert_eq!(*chat, ann.id().to_string());
        assert!(*until >= one.created_at + retry_after.cast_signed() * 1000, "{until} and {one:#?}");
        // The program's clock can't be moved: what is stored is, and a person says when.
        world.stop_node().await;
        world.telegram.advance(Duration::from_secs(retry_after));
        stored.changes("UPDATE pauses SET until = 0").await;
        world.start_node().await;
        assert!(stored.retry(one.id).await);
        assert_eq!(next_text(&ann).await, "echo: later");
        world.end().await;
    }
}

fn polls(world: &Platform) -> usize {
    world.calls().filter(|call| call.method == "getupdates").count()
}
