//! Answers on their way out.

use std::time::Duration;

use roundtable::store::deliveries::{Listed, State};
use roundtable_contract::{Channel as _, Conversation, MessageId};
use roundtable_fakes::discord::rights;
use roundtable_fakes::{DiscordFake, Fault, PATIENCE, Reply, Scope};

use super::next;
use crate::delivery::pauses::paused;
use crate::support::discord;
use crate::support::world::World;

/// Waits until the deliveries that are not sent are so.
async fn until(world: &World, what: &str, holds: impl Fn(&[Listed]) -> bool) -> Vec<Listed> {
    let found = async {
        loop {
            let listed = world.deliveries().await;
            if holds(&listed) {
                return listed;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("waited until {what}"))
}

/// Why a delivery has failed.
async fn failure(world: &World) -> String {
    let failed = |listed: &[Listed]| matches!(listed, [listed] if listed.state == State::Failed);
    let listed = until(world, "a delivery has failed", failed).await;
    listed[0].error.clone().unwrap_or_default()
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
async fn three_hundred_kilobytes_are_shown_whole_and_in_order() {
    let world = World::with_discord().await;
    world.discord().connected().await.unwrap();
    let ann = world.discord().user("ann");
    world.model.when("everything", Reply::huge());
    ann.says("everything");
    let mut lines = Vec::new();
    while lines.len() < 6_500 {
        lines.extend(next(&ann).await.lines().map(str::to_owned));
    }
    let expected: Vec<_> =
        (0..6_500).map(|line| format!("line {line:05} of a very long answer, which goes on.")).collect();
    let wrong = lines.iter().zip(&expected).find(|(line, expected)| line != expected);
    assert_eq!((wrong, lines.len()), (None, expected.len()), "{:?}", lines.get(6_499..));
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
        until(&world, "all is known to be sent", |listed| listed.is_empty()).await;
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_that_nobody_shows_us_is_repeated_with_its_nonce() {
    let world = World::with_discord().await;
    world.discord().connected().await.unwrap();
    let ann = world.discord().user("ann");
    let hold = world.model.hold("hello");
    ann.says("hello");
    hold.arrived().await.unwrap();
    world.discord().gateway_down();
    world.discord().fail_next("create_message", Fault::DropAfter);
    hold.release();
    assert_eq!(next(&ann).await, "echo: hello");
    until(&world, "it is known to be sent", |listed| listed.is_empty()).await;
    assert_eq!(world.discord().calls_of("create_message").len(), 2);
    world.discord().gateway_up();
    world.discord().connected().await.unwrap();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_is_opened_once_from_a_message() {
    let fake = DiscordFake::start().await.unwrap();
    let channel = discord::channel(&fake, Duration::from_secs(60));
    let seat = fake.user("ann").in_channel("general");
    let said = seat.says("a topic");
    let at: Conversation = format!("discord:main:{}", seat.place().channel_id()).parse().unwrap();
    let threads = channel.threads().unwrap();
    assert!(threads.grows_from_message());
    let from = Some(MessageId(said.id.cast_signed()));
    for _ in 0..2 {
        let opened = threads.open(&at, &"plan".repeat(40), from).await.unwrap();
        assert_eq!(opened.chat.as_str(), said.id.to_string());
    }
    assert_eq!(fake.place(said.id).name().chars().count(), 100);
    let other = seat.says("another");
    seat.place().deny(rights::CREATE_PUBLIC_THREADS);
    let refused = threads.open(&at, "plans", Some(MessageId(other.id.cast_signed()))).await.unwrap_err();
    assert!(refused.to_string().contains("Create Public Threads"), "{refused}");
    fake.finish().unwrap();
}

/// Whose limits there are.
const SCOPES: [Scope; 3] = [Scope::User, Scope::Shared, Scope::Global];

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_delays_an_answer() {
    for retry_after_ms in [300, 5_000] {
        futures::future::join_all(SCOPES.map(|scope| is_delayed(scope, retry_after_ms))).await;
    }
}

async fn is_delayed(scope: Scope, retry_after_ms: u64) {
    let world = World::with_discord().await;
    world.discord().connected().await.unwrap();
    let ann = world.discord().user("ann");
    world.discord().fail_next("create_message", Fault::Limited { scope, retry_after_ms });
    ann.says("hello");
    assert_eq!(next(&ann).await, "echo: hello", "{scope:?}");
    let calls = world.discord().calls_of("create_message");
    let [refused, repeated] = &calls[..] else { panic!("two calls: {calls:#?}") };
    let waited = repeated.at - refused.at;
    assert!(waited >= Duration::from_millis(retry_after_ms), "{scope:?}: it waited {waited:?}");
    world.end().await;
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
async fn an_answer_to_an_archived_thread_waits_until_it_can_be_opened() {
    let world = World::with_discord().await;
    world.discord().connected().await.unwrap();
    let thread = world.discord().user("ann").in_thread("general", "plans");
    let limited = Fault::Limited { scope: Scope::User, retry_after_ms: 300 };
    for (number, fault) in
        [limited, Fault::Html502Before, Fault::Html502After, Fault::Hang].into_iter().enumerate()
    {
        let archived = Fault::discord(400, 50083, "Thread is archived");
        world.discord().fail_next_in(&thread.place(), "create_message", archived);
        world.discord().fail_next_in(&thread.place(), "edit_channel", fault);
        thread.mentions_bot(&format!("number {number}"));
        assert!(next(&thread).await.ends_with(&format!("number {number}")));
    }
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
    ann.place().deny(rights::VIEW_CHANNEL);
    hold.release();
    let reason = failure(&world).await;
    assert!(reason.contains("View Channel"), "{reason}");
    assert!(world.discord().invalid_requests() < 10);
    world.end().await;
}

/// Something in front of Discord that refuses without a word of it has not sent anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_instead_of_a_limit_delays_an_answer() {
    let world = World::with_discord().await;
    world.discord().connected().await.unwrap();
    let ann = world.discord().user("ann");
    world.discord().fail_next("create_message", Fault::html_429(Some(1)));
    ann.says("hello");
    assert_eq!(next(&ann).await, "echo: hello");
    world.end().await;
}

/// It is no failure, delays nobody whom it is not meant for, and no call is made meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_to_wait_for_minutes_waits() {
    for scope in SCOPES {
        for retry_after_ms in [137_000, 3_600_000] {
            waits(scope, retry_after_ms).await;
        }
    }
}

async fn waits(scope: Scope, retry_after_ms: u64) {
    let mut world = World::with_discord().await;
    world.discord().connected().await.unwrap();
    let (ann, bob) = (world.discord().user("ann"), world.discord().user("bob"));
    let stored = world.stored().await;
    world.discord().fail_next_in(&ann.place(), "create_message", Fault::Limited { scope, retry_after_ms });
    ann.says("later");
    let said = format!("the platform asks to wait {retry_after_ms} ms");
    let told = |one: &Listed| one.state == State::Pending && one.error.as_ref() == Some(&said);
    let one = stored.until("the answer waits", |all| matches!(all, [one] if told(one))).await.remove(0);
    bob.says("now");
    let everybody = scope == Scope::Global;
    if everybody {
        let wait = |all: &[Listed]| all.len() == 2 && all.iter().all(|one| one.state == State::Pending);
        stored.until("both answers wait", wait).await;
    } else {
        assert_eq!(next(&bob).await, "echo: now");
    }
    let [(chat, until)] = &paused(&stored).await[..] else { panic!("one pause is stored") };
    let place = if everybody { String::new() } else { ann.place().channel_id().to_string() };
    assert_eq!(*chat, place, "{scope:?}");
    assert!(*until >= one.created_at + retry_after_ms.cast_signed(), "{until} and {one:#?}");
    // The program's clock can't be moved: a person and another process play the end of the pause.
    world.stop_node().await;
    let open = stored.deliveries(false).await;
    assert!(open.contains(&one) && open.iter().all(|one| one.unknowns == 0), "{open:#?}");
    world.discord().advance(Duration::from_millis(retry_after_ms));
    stored.changes("UPDATE pauses SET until = 0").await;
    world.start_node().await;
    assert!(stored.retry(one.id).await);
    assert_eq!(next(&ann).await, "echo: later");
    if everybody {
        assert_eq!(next(&bob).await, "echo: now");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_a_deleted_thread_fails_and_lands_nowhere_else() {
    let world = World::with_discord().await;
    world.discord().connected().await.unwrap();
    let thread = world.discord().user("ann").in_thread("general", "plans");
    let hold = world.model.hold("slow");
    thread.mentions_bot("slow");
    hold.arrived().await.unwrap();
    thread.place().delete();
    hold.release();
    let reason = failure(&world).await;
    assert!(reason.contains("no longer exists"), "{reason}");
    let general = world.discord().user("ann").in_channel("general");
    general.mentions_bot("hello");
    assert!(next(&general).await.ends_with("hello"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_takes_no_messages_stops_nobody_else() {
    let world = World::with_discord().await;
    world.discord().connected().await.unwrap();
    let (ann, bob) = (world.discord().user("ann"), world.discord().user("bob"));
    let hold = world.model.hold("slow");
    ann.says("slow");
    hold.arrived().await.unwrap();
    ann.blocks_bot();
    hold.release();
    let reason = failure(&world).await;
    assert!(reason.contains("takes no messages from the bot"), "{reason}");
    bob.says("hello");
    assert_eq!(next(&bob).await, "echo: hello");
    ann.unblocks_bot();
    ann.says("back");
    assert_eq!(next(&ann).await, "echo: back");
    assert!(world.discord().invalid_requests() < 10);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_deleted_meanwhile_is_answered_all_the_same() {
    let world = World::with_discord().await;
    world.discord().connected().await.unwrap();
    let ann = world.discord().user("ann").in_channel("general");
    let hold = world.model.hold("gone");
    let asked = ann.mentions_bot("gone");
    hold.arrived().await.unwrap();
    ann.deletes(&asked);
    hold.release();
    assert!(next(&ann).await.ends_with("gone"));
    world.end().await;
}
