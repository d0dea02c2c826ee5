//! Sends without an answer: each is seen once, whether it was carried out or not, and what nobody can know is listed
//! until somebody decides. A time-out is no failure.

use std::time::Duration;

use roundtable::store::deliveries::{Listed, State};
use roundtable_fakes::discord::{Seat, rights};
use roundtable_fakes::{Fault, Scope};

use super::next;
use crate::delivery::listed::{ADVICE, decides, lists_unknown};
use crate::support::metrics::Metrics;
use crate::support::world::World;

const ACCOUNT: &str = "discord:main";

/// When a send is given up here.
const TIMEOUT: Duration = Duration::from_millis(400);

/// What may happen to the calls of one answer, one after the other.
fn troubles() -> Vec<Vec<Fault>> {
    let alone = Fault::in_the_dark(TIMEOUT + Duration::from_millis(200)).into_iter().chain([Fault::Hang]);
    alone.map(|fault| vec![fault]).chain([vec![Fault::DropBefore, Fault::DropAfter]]).collect()
}

/// A world in which nonces are trusted for that long.
async fn world(nonce_window: &str) -> World {
    let lines = format!(
        "dm = \"open\"\nlimits = {{ chat_per_second = 0, total_per_second = 0 }}\nsend_timeout = \"{}ms\"\n\
         nonce_window = {nonce_window:?}\nconnection = {{ retry = \"20ms\", login = \"20ms\" }}",
        TIMEOUT.as_millis()
    );
    let mut world = World::setting().discord(&lines).without_node().await;
    // No call outlives the account's lease, and a short one would give calls up early on a busy machine.
    world.env.insert("ROUNDTABLE_NODE__LEASE".to_owned(), "5s".to_owned());
    world.start_node().await;
    world.discord().connected().await.unwrap();
    world
}

/// A private chat, a channel and a thread.
fn seats(world: &World) -> [Seat; 3] {
    let ann = world.discord().user("ann");
    [ann.clone(), ann.in_channel("general"), ann.in_thread("general", "plans")]
}

/// Answers meet every trouble, in three places at once, while the gateway shows us our own messages or doesn't.
async fn suffers(nonce_window: &str, listens: bool) {
    let world = world(nonce_window).await;
    let seats = seats(&world);
    for (number, trouble) in troubles().into_iter().enumerate() {
        let mut held = Vec::new();
        for (place, seat) in seats.iter().enumerate() {
            let text = format!("question {number}.{place}");
            let call = world.model.hold(&text);
            seat.mentions_bot(&text);
            call.arrived().await.unwrap();
            for fault in &trouble {
                world.discord().fail_next_in(&seat.place(), "create_message", fault.clone());
            }
            held.push(call);
        }
        if !listens {
            world.discord().gateway_down();
        }
        drop(held);
        for (place, seat) in seats.iter().enumerate() {
            let answer = next(seat).await;
            assert!(answer.ends_with(&format!("question {number}.{place}")), "{trouble:?}: {answer}");
        }
        let all = sent(&world).await;
        assert!(listens || all.iter().any(|one| one.unknowns > 0), "{trouble:?}: {all:#?}");
        world.discord().gateway_up();
        world.discord().connected().await.unwrap();
    }
    let unknowns: i64 = sent(&world).await.iter().map(|one| one.unknowns).sum();
    counted(&world, unknowns.unsigned_abs()).await;
    // What was seen a second time would be unread.
    world.end().await;
}

/// Every send of unknown outcome was counted once, and ended once: it was found, or was not there and is sent again.
async fn counted(world: &World, unknowns: u64) {
    let all = |metrics: &Metrics| {
        let sends = metrics.sends(ACCOUNT);
        let of = |what: &str| sends.get(what).copied().unwrap_or_default();
        let ended = ["visible", "absent", "resent"].into_iter().map(of).sum::<u64>();
        of("unknown") == unknowns && ended == unknowns && of("failed") == 0
    };
    world.until_metrics(&format!("{unknowns} unknown sends that have ended"), all).await;
}

/// Waits until everything is known to be sent: nothing has failed on the way.
async fn sent(world: &World) -> Vec<Listed> {
    let stored = world.stored().await;
    let all = |all: &[Listed]| all.iter().all(|one| one.state == State::Sent);
    stored.until("everything is sent", all).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_known_by_its_echo_while_nonces_are_known() {
    suffers("60s", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_repeated_with_its_nonce_when_nobody_shows_it() {
    suffers("60s", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_known_by_its_echo_without_nonces() {
    suffers("0s", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_looked_for_in_the_history() {
    suffers("0s", false).await;
}

/// By then the platform has forgotten the nonce: it is looked for before it is sent once more.
#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_that_is_put_off_until_nonces_are_forgotten_is_not_made() {
    let world = world("2s").await;
    world.discord().set(|settings| settings.nonce_window = Duration::from_secs(2));
    let [ann, ..] = seats(&world);
    let call = world.model.hold("lost");
    ann.says("lost");
    call.arrived().await.unwrap();
    world.discord().gateway_down();
    world.discord().fail_next_in(&ann.place(), "create_message", Fault::DropAfter);
    let limited = Fault::Limited { scope: Scope::User, retry_after_ms: 2500 };
    world.discord().fail_next_in(&ann.place(), "create_message", limited);
    call.release();
    sent(&world).await;
    world.has_counted(ACCOUNT, &[("resent", 1), ("unknown", 2), ("visible", 1)]).await;
    assert_eq!(world.discord().calls_of("create_message").len(), 2);
    assert!(next(&ann).await.ends_with("lost"));
    world.discord().gateway_up();
    world.discord().connected().await.unwrap();
    world.end().await;
}

/// Neither nonce nor echo nor history: it stays unknown, is listed as that, and people decide.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_can_know_is_listed_until_somebody_decides() {
    for fault in [Fault::DropAfter, Fault::Hang] {
        let landed = matches!(fault, Fault::DropAfter);
        let world = world("0s").await;
        let [_, here, _] = seats(&world);
        here.place().deny(rights::READ_MESSAGE_HISTORY);
        let call = world.model.hold("lost");
        here.mentions_bot("lost");
        call.arrived().await.unwrap();
        world.discord().gateway_down();
        world.discord().fail_next("create_message", fault);
        call.release();
        let stored = world.stored().await;
        let unknown = async || {
            let listed = <[Listed; 1]>::try_from(stored.deliveries(false).await).ok();
            listed.filter(|[one]| one.state == State::Unknown && one.error.as_deref() == Some(ADVICE))
        };
        let [one] = stored.find("an unknown delivery", unknown).await;
        lists_unknown(&world, &one).await;
        let metrics = world.has_counted(ACCOUNT, &[("unknown", 1), ("given_up", 1)]).await;
        assert_eq!(metrics.of("deliveries{state=\"given_up\"}"), 1);
        world.discord().gateway_up();
        world.discord().connected().await.unwrap();
        if landed {
            assert!(next(&here).await.ends_with("lost"));
            decides(&world, "discard", &one).await;
        } else {
            decides(&world, "retry", &one).await;
            assert!(next(&here).await.ends_with("lost"));
        }
        here.mentions_bot("and now?");
        assert!(next(&here).await.ends_with("and now?"));
        world.end().await;
    }
}
