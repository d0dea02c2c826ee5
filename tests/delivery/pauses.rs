//! Waiting: pauses that Telegram asks for, its real limits, a server that is away.

use std::time::Duration;

use async_trait::async_trait;
use roundtable::store::deliveries::{Listed, State};
use roundtable::store::{Read, Sql, StoreError, Tx};
use roundtable_fakes::{Fault, Flood, Hold, Reply, Seat, World as Platform};

use super::answers::{answer, answered, answering, ask, read_all, settled, without_node, world, world_on};
use crate::support::databases::on_each_database;
use crate::support::stored::Stored;
use crate::support::world::{Setting, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_is_kept_in_all_topics_of_its_chat_and_delays_no_other_chat() {
    let world = world("probe").await;
    let (ann, bob) = (world.telegram.user("ann"), world.telegram.user("bob"));
    let (roses, herbs) = (ann.in_topic("gardeners", "roses"), ann.in_topic("gardeners", "herbs"));
    roses.place().promote_bot();
    for seconds in [1, 2] {
        let name = |which: &str| format!("{which} {seconds}");
        world.telegram.fail_next_in(&roses.place(), "sendMessage", Fault::RateLimit { retry_after: seconds });
        let refused = world.telegram.calls_of("sendMessage").len() + 1;
        ask(&world, &roses, &name("refused")).await;
        let is_there =
            |world: &Platform| world.calls().filter(|call| call.method == "sendmessage").count() >= refused;
        world.telegram.wait_until("the refused call", is_there).await.unwrap();
        // The pause is the chat's, whatever the topic: the fake reports a call inside it.
        ask(&world, &herbs, &name("waits too")).await;
        ask(&world, &bob, &name("goes on")).await;
        for (seat, which) in [(&bob, "goes on"), (&roses, "refused"), (&herbs, "waits too")] {
            answered(seat, &name(which)).await;
        }
        let calls = world.telegram.calls_of("sendMessage");
        let last = |text: String| calls.iter().rposition(|call| call.params["text"] == text.as_str());
        assert!(
            last(answer(&bob, &name("goes on"))) < last(answer(&roses, &name("refused"))),
            "bob waited for the gardeners: {calls:#?}"
        );
    }
    assert!(settled(&world).await.iter().all(|one| one.unknowns == 0), "a refused call is not in doubt");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_during_a_probe_is_kept_too() {
    let world = world("probe").await;
    let ann = world.telegram.user("ann");
    world.telegram.fail_next_in(&ann.place(), "sendMessage", Fault::DropAfter);
    world.telegram.fail_next_in(&ann.place(), "editMessageText", Fault::RateLimit { retry_after: 1 });
    ask(&world, &ann, "lost").await;
    ask(&world, &ann, "next").await;
    answered(&ann, "lost").await;
    answered(&ann, "next").await;
    world.end().await;
}

/// The fake reports a call inside the pause.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_typing_was_told_of_is_kept_by_the_answer() {
    on_each_database(async |url| {
        let world = world_on(url, "probe").await;
        let ann = world.telegram.user("ann");
        world.telegram.fail_next_in(&ann.place(), "sendChatAction", Fault::RateLimit { retry_after: 2 });
        let held = world.model.hold("question slow");
        ask(&world, &ann, "slow").await;
        let stored = world.stored().await;
        let told = async || paused(&stored).await.into_iter().next();
        let (chat, _) = stored.find("the pause", told).await;
        assert_eq!(chat, ann.place().chat_id().to_string());
        held.release();
        answered(&ann, "slow").await;
        assert!(settled(&world).await.iter().all(|one| one.attempts == 1));
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_outlives_the_node_that_was_told_of_it() {
    on_each_database(async |url| {
        let mut world = world_on(url, "probe").await;
        let ann = world.telegram.user("ann");
        let (roses, herbs) = (ann.in_topic("gardeners", "roses"), ann.in_topic("gardeners", "herbs"));
        roses.place().promote_bot();
        world.telegram.fail_next_in(&roses.place(), "sendMessage", Fault::RateLimit { retry_after: 6 });
        ask(&world, &roses, "refused").await;
        let refused = |all: &[Listed]| all.iter().any(|one| one.error.is_some());
        world.stored().await.until("it was refused", refused).await;
        world.stop_node().await;
        world.start_node().await;
        ask(&world, &herbs, "waits too").await;
        answered(&roses, "refused").await;
        answered(&herbs, "waits too").await;
        world.end().await;
    })
    .await;
}

/// The chats that are or were paused, and until when, in milliseconds since 1970; no chat means all of the account.
pub async fn paused(stored: &Stored) -> Vec<(String, i64)> {
    stored.read(Pauses).await
}

struct Pauses;

#[async_trait]
impl Read for Pauses {
    type Output = Vec<(String, i64)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<(String, i64)>, StoreError> {
        let text = "SELECT chat, until FROM pauses";
        let rows = tx.all(Sql { lite: text, pg: text }, &[]).await?;
        rows.iter().map(|row| Ok((row.get("chat")?, row.get("until")?))).collect()
    }
}

/// Telegram names whole seconds; what stands in front of it may name a part of one.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_of_seconds_or_less_is_kept() {
    let world = patient(World::setting()).await;
    for (seconds, ms) in [("0.3", 300), ("5", 5_000)] {
        let ann = world.telegram.user(&format!("ann {seconds}"));
        let body = format!(
            r#"{{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{{"retry_after":{seconds}}}}}"#
        );
        let headers = vec![("content-type", "application/json".to_owned())];
        world.telegram.fail_next_in(&ann.place(), "sendMessage", Fault::Raw { status: 429, headers, body });
        let again = world.telegram.hold_in(&ann.place(), "sendMessage");
        ask(&world, &ann, "refused").await;
        again.arrived().await.unwrap();
        let open = world.deliveries().await;
        assert_eq!(open[0].error, Some(format!("the platform asks to wait {ms} ms")), "{open:#?}");
        again.release();
        answered(&ann, "refused").await;
        let calls = world.telegram.calls_of("sendMessage");
        let [.., refused, repeated] = &calls[..] else { panic!("two calls: {calls:#?}") };
        let waited = repeated.at - refused.at;
        assert!(waited >= Duration::from_millis(ms), "it waited {waited:?} instead of {seconds} s");
    }
    world.end().await;
}

/// A world without limits, in which no call is given up because the machine is busy.
async fn patient(setting: Setting) -> World {
    let limits = "limits = { chat_per_second = 0, group_per_minute = 0, total_per_second = 0 }";
    let times = "poll_timeout = \"9s\"\nsend_timeout = \"9s\"";
    let mut world = without_node(setting, &format!("{limits}\n{times}")).await;
    world.start_node().await;
    world
}

/// The pause after a failure goes on when its process has ended.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_be_tried_later_is_not_tried_earlier_by_the_next_process() {
    on_each_database(async |url| {
        let mut world = patient(World::setting().on(url)).await;
        let (ann, bob) = (world.telegram.user("ann"), world.telegram.user("bob"));
        let held = [world.model.hold("question ann"), world.model.hold("question bob")];
        ask(&world, &ann, "ann").await;
        ask(&world, &bob, "bob").await;
        world.telegram.stop().await;
        held.into_iter().for_each(Hold::release);
        let stored = world.stored().await;
        let tried = |one: &Listed| one.state == State::Pending && one.error.is_some();
        stored.until("both were tried", |all| all.len() == 2 && all.iter().all(tried)).await;
        world.stop_node().await;
        stored
            .changes("UPDATE deliveries SET due_at = due_at + 3600000 WHERE body LIKE '%answer ann%'")
            .await;
        let to_ann = format!("telegram:main:{}", ann.id());
        let of_ann = async || {
            let all = stored.deliveries(true).await;
            all.into_iter().find(|one| one.conversation == to_ann).expect("it is stored")
        };
        let waits = of_ann().await;
        world.telegram.restart().await.unwrap();
        world.start_node().await;
        answered(&bob, "bob").await;
        assert_eq!(of_ann().await, waits);
        // The hour is over.
        stored
            .changes("UPDATE deliveries SET due_at = due_at - 3600000 WHERE body LIKE '%answer ann%'")
            .await;
        answered(&ann, "ann").await;
        world.end().await;
    })
    .await;
}

/// Ten conversations are answered at once, three times, while one of them gets a long answer and typing is shown.
#[tokio::test(flavor = "multi_thread")]
async fn telegrams_real_limits_are_kept_by_default() {
    let world = answering("").await;
    // The calls of a busy machine do not arrive as evenly as they are made.
    let flood = Flood { chat_burst: 7.0, total_per_second: 35.0, ..Flood::real() };
    world.telegram.set(|settings| settings.flood = Some(flood));
    let long = (0..1_200).map(|number| format!("line {number:05} of a long story\n")).collect::<String>();
    world.model.when("everything", Reply::text(long).delayed(Duration::from_millis(400)));
    let seats: Vec<Seat> = (0..10)
        .map(|number| match number {
            0 => world.telegram.user("ann").in_group("cooks"),
            _ => world.telegram.user(&format!("user {number}")),
        })
        .collect();
    seats[0].place().promote_bot();
    let dora = world.telegram.user("dora");
    dora.says("tell me everything");
    futures::future::join_all(seats.iter().map(|seat| three(&world, seat))).await;
    dora.next_message().await.expect("the long answer begins");
    let parts = settled(&world).await;
    assert!(parts.iter().all(|one| one.attempts == 1), "a call went over a limit: {parts:#?}");
    assert!(parts.iter().filter(|one| one.parts > 5).count() > 5, "one answer is longer than a burst");
    assert!(!world.telegram.calls_of("sendChatAction").is_empty(), "typing was shown");
    read_all(&dora).await;
    world.end().await;
}

async fn three(world: &World, seat: &Seat) {
    for name in ["first", "second", "third"] {
        ask(world, seat, name).await;
        answered(seat, name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_keep_to_the_limits() {
    let limits =
        "limits = { chat_per_second = 20, chat_burst = 2, group_per_minute = 0, total_per_second = 0 }";
    let world = answering(limits).await;
    // A little more than what the program is told, for the way that calls take.
    world.telegram.set(|settings| {
        settings.flood =
            Some(Flood { chat_per_second: 25.0, chat_burst: 4.0, total_per_second: 1e6, ..Flood::real() });
    });
    let ann = world.telegram.user("ann");
    ask(&world, &ann, "before").await;
    answered(&ann, "before").await;
    world.telegram.fail_next_in(&ann.place(), "sendMessage", Fault::DropBefore);
    ask(&world, &ann, "lost").await;
    answered(&ann, "lost").await;
    assert_eq!(
        world.telegram.calls_of("editMessageText").len(),
        20,
        "every number it could have is tried once"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sent_while_telegram_is_away_is_sent_when_it_is_back() {
    for mode in ["probe", "edit", "send"] {
        let mut world = world(mode).await;
        let (ann, bob) = (world.telegram.user("ann"), world.telegram.user("bob"));
        let held = [world.model.hold("question ann"), world.model.hold("question bob")];
        ask(&world, &ann, "ann").await;
        ask(&world, &bob, "bob").await;
        world.telegram.stop().await;
        held.into_iter().for_each(Hold::release);
        let stored = world.stored().await;
        let tried = |all: &[Listed]| {
            all.len() == 2 && all.iter().all(|one| one.state == State::Pending && one.error.is_some())
        };
        let waiting = stored.until("both were tried", tried).await;
        assert!(waiting[0].error.as_deref().unwrap().contains("can't be reached"), "{waiting:#?}");
        ann.says("question later");
        world.telegram.restart().await.unwrap();
        answered(&ann, "ann").await;
        answered(&bob, "bob").await;
        ann.place().expect_message("the later answer", |m| m.text == "answer later, as asked").await.unwrap();
        world.end().await;
    }
}

/// Whoever says how long to wait has not sent anything, in whatever words and in every mode.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_put_off_is_made_later_and_never_in_doubt() {
    for (mode, methods) in [
        ("probe", &["sendMessage"][..]),
        ("edit", &["sendMessage", "editMessageText"]),
        ("send", &["sendMessage"]),
    ] {
        let world = world(mode).await;
        let ann = world.telegram.user("ann");
        for (number, method) in methods.iter().enumerate() {
            for (which, fault) in
                [("told", Fault::RateLimit { retry_after: 1 }), ("a page", Fault::html_429(Some(1)))]
            {
                let name = format!("{which} {number}");
                world.telegram.fail_next_in(&ann.place(), method, fault);
                ask(&world, &ann, &name).await;
                answered(&ann, &name).await;
            }
        }
        assert!(settled(&world).await.iter().all(|one| one.unknowns == 0), "{mode}");
        world.end().await;
    }
}
