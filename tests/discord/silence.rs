//! Gateways that say nothing, or not what was hoped for: the connection is opened until one is good, and all that
//! was said meanwhile is answered once.

use std::time::Duration;

use roundtable_fakes::Fault;
use roundtable_fakes::discord::{Greeting, Hello, Limit, World as Platform};

use super::gateway::{goes_on, met, says_meanwhile};
use super::next;
use crate::support::ready;
use crate::support::requests::heard;
use crate::support::world::{QUICK_DISCORD, World};

/// A world in which a silence of 300 ms is too long.
async fn impatient() -> World {
    let quick = QUICK_DISCORD.replace("login", "patience = \"300ms\", login");
    World::setting().discord(&format!("dm = \"open\"\n{quick}")).start().await
}

/// Ends every connection, and lets new ones begin like that until trouble is reported; gives the reason.
async fn begins_badly(world: &World, hello: Hello) -> String {
    let third = world.discord().sockets() + 3;
    world.discord().set(|settings| settings.hello = hello);
    world.discord().drop_gateway();
    let tried = |world: &Platform| world.sockets() >= third;
    world.discord().wait_until("the third attempt", tried).await.unwrap();
    let reason = ready::trouble(world, "discord:main").await;
    world.discord().set(|settings| settings.hello = Hello::Sent);
    reason
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_without_a_hello_is_left() {
    let world = impatient().await;
    let seats = met(&world).await;
    let reason = begins_badly(&world, Hello::Withheld).await;
    assert!(reason.contains("the gateway says nothing"), "{reason}");
    says_meanwhile(&seats);
    goes_on(world, &seats).await;
}

/// Events still come, and no heartbeat is answered: whoever waits for the events to stop is deaf one day.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_answers_no_heartbeat_is_left() {
    let mut world = impatient().await;
    world.stop_node().await;
    world.discord().set(|settings| settings.heartbeat = Duration::from_millis(200));
    world.start_node().await;
    let seats = met(&world).await;
    world.discord().set(|settings| settings.acks = false);
    let reason = ready::trouble(&world, "discord:main").await;
    assert!(reason.contains("no longer answers"), "{reason}");
    says_meanwhile(&seats);
    world.discord().set(|settings| settings.acks = true);
    let resumed = |world: &Platform| world.resumes() > 0;
    world.discord().wait_until("the session to be resumed", resumed).await.unwrap();
    goes_on(world, &seats).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_never_opens_is_left() {
    let world = impatient().await;
    let seats = met(&world).await;
    let reason = begins_badly(&world, Hello::Never).await;
    assert!(reason.contains("does not answer"), "{reason}");
    says_meanwhile(&seats);
    goes_on(world, &seats).await;
}

/// Op 7 in place of HELLO is followed, and not as fast as it can be.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_sends_us_on_and_on_is_asked_ever_more_slowly() {
    let world = impatient().await;
    let seats = met(&world).await;
    let reason = begins_badly(&world, Hello::Reconnect).await;
    assert!(reason.contains("wants another connection"), "{reason}");
    says_meanwhile(&seats);
    goes_on(world, &seats).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_never_begins_is_left() {
    let world = impatient().await;
    let seats = met(&world).await;
    world.discord().set(|settings| settings.greeting = Greeting::Ignored);
    world.discord().drop_gateway();
    let reason = loop {
        let reason = ready::trouble(&world, "discord:main").await;
        if reason.contains("begins no session") {
            break reason;
        }
    };
    assert!(reason.contains("will be opened again"), "{reason}");
    says_meanwhile(&seats);
    world.discord().set(|settings| settings.greeting = Greeting::Answered);
    goes_on(world, &seats).await;
}

/// Heartbeats are answered before a session begins, and say nothing of what was missed.
#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_before_the_session_hides_nothing_in_a_channel_that_nobody_used() {
    let mut world = impatient().await;
    let seats = met(&world).await;
    world.stop_node().await;
    world.discord().set(|settings| {
        settings.heartbeat = Duration::from_millis(50);
        settings.greeting = Greeting::Ignored;
    });
    world.was_on_discord(Duration::from_secs(60)).await.unwrap();
    let quiet = world.discord().user("bob").in_channel("quiet");
    quiet.mentions_bot("meanwhile");
    world.start_node().await;
    let begins_none = |ready: &ready::Ready| ready.reason("discord:main").contains("begins no session");
    ready::until(&world, "no session begins", begins_none).await;
    world.discord().set(|settings| settings.greeting = Greeting::Answered);
    assert!(next(&quiet).await.ends_with("meanwhile"));
    says_meanwhile(&seats);
    goes_on(world, &seats).await;
}

/// As often as it takes, with the old session and with new ones.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_before_its_session_begins_is_opened_again() {
    let world = impatient().await;
    let seats = met(&world).await;
    let fifth = world.discord().sockets() + 5;
    world.discord().set(|settings| settings.greeting = Greeting::Cut);
    world.discord().drop_gateway();
    says_meanwhile(&seats);
    let tried = |world: &Platform| world.sockets() >= fifth;
    world.discord().wait_until("the fifth attempt", tried).await.unwrap();
    world.discord().set(|settings| settings.greeting = Greeting::Answered);
    goes_on(world, &seats).await;
}

/// Discord is to answer with op 9 then. When it doesn't, a new session is the way out.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_refused_again_and_again_is_given_up() {
    for code in [1006, 4000, 4008] {
        let world = World::with_discord().await;
        let seats = met(&world).await;
        let before = world.discord().identifies();
        world.discord().set(|settings| settings.greeting = Greeting::NoResume(code));
        world.discord().drop_gateway();
        says_meanwhile(&seats);
        for seat in &seats {
            assert!(next(seat).await.ends_with("meanwhile"), "{code}");
        }
        assert_eq!(world.discord().identifies() - before, 1, "{code}");
        assert_eq!(world.discord().resume_paths().len(), 3, "{code}");
        ready::all(&world).await;
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumable_invalid_session_is_resumed() {
    let world = World::with_discord().await;
    let seats = met(&world).await;
    let before = world.discord().identifies();
    world.discord().invalidate_sessions(true);
    says_meanwhile(&seats);
    for seat in &seats {
        assert!(next(seat).await.ends_with("meanwhile"));
    }
    assert_eq!((world.discord().identifies(), world.discord().resume_paths().len()), (before, 1));
    world.end().await;
}

/// One IDENTIFY in so many seconds: a hasty one is answered with op 9 and repeated later.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_comes_too_early_is_repeated() {
    let world = World::with_discord().await;
    let seats = met(&world).await;
    world.discord().set(|settings| settings.identify_gap = Duration::from_secs(3600));
    world.discord().close_gateway(4009);
    says_meanwhile(&seats);
    let again = world.discord().identifies() + 1;
    let hasty = |world: &Platform| world.identifies() > again;
    world.discord().wait_until("a second hasty login", hasty).await.unwrap();
    world.discord().set(|settings| settings.identify_gap = Duration::ZERO);
    goes_on(world, &seats).await;
}

/// Who goes over the day's budget loses the token, so nobody logs in until there is a new one.
#[tokio::test(flavor = "multi_thread")]
async fn a_used_up_budget_of_logins_is_waited_for() {
    let world = World::with_discord().await;
    let seats = met(&world).await;
    world.discord().set(|settings| settings.identify_budget = 1);
    world.discord().close_gateway(4009);
    let reason = ready::trouble(&world, "discord:main").await;
    let reason = if reason.contains("next login") {
        reason
    } else {
        let waits = |ready: &ready::Ready| ready.reason("discord:main").contains("next login");
        ready::until(&world, "it waits", waits).await.reason("discord:main").to_owned()
    };
    assert!(reason.contains("asks to wait"), "{reason}");
    let asked = world.discord().calls_of("gateway_bot").len();
    let day = Duration::from_secs(24 * 3600);
    world.discord().advance(day);
    assert_eq!(world.discord().calls_of("gateway_bot").len(), asked, "it asks again when it was told to");
    // What is older than a day is not fetched any more.
    says_meanwhile(&seats);
    let mut world = world;
    world.stop_node().await;
    world.start_node().await;
    goes_on(world, &seats).await;
}

/// It says no in JSON too, and is not Discord.
#[tokio::test(flavor = "multi_thread")]
async fn something_in_between_that_refuses_what_was_missed_is_asked_again() {
    let mut world = World::with_discord().await;
    let seats = met(&world).await;
    world.stop_node().await;
    says_meanwhile(&seats);
    let headers = vec![("content-type", "application/json".to_owned())];
    let blocked = Fault::Raw { status: 403, headers, body: r#"{"error":"blocked"}"#.to_owned() };
    for seat in &seats {
        world.discord().fail_next_in(&seat.place(), "get_messages", blocked.clone());
    }
    world.start_node().await;
    goes_on(world, &seats).await;
}

/// As while its token is replaced: that says nothing of the channel.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_what_was_missed_that_passes_is_no_end_of_it() {
    for (status, message) in [(401, "401: Unauthorized"), (403, "403: Forbidden")] {
        let mut world = World::with_discord().await;
        let seats = met(&world).await;
        world.stop_node().await;
        says_meanwhile(&seats);
        for seat in &seats {
            world.discord().fail_next_in(&seat.place(), "get_messages", Fault::discord(status, 0, message));
        }
        world.start_node().await;
        goes_on(world, &seats).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_failure_to_fetch_what_was_missed_lets_nothing_newer_pass() {
    let mut world = World::with_discord().await;
    let seats = met(&world).await;
    let [dm, channel] = &seats;
    world.stop_node().await;
    channel.mentions_bot("meanwhile");
    world.discord().fail_next_in(&channel.place(), "get_messages", Fault::discord(502, 0, "Bad Gateway"));
    let fetched = world.discord().hold_in(&channel.place(), "get_messages");
    world.start_node().await;
    fetched.arrived().await.unwrap();
    channel.mentions_bot("at last");
    // What the gateway brought before this is known when this is answered.
    dm.says("are you there?");
    assert!(next(dm).await.ends_with("are you there?"));
    fetched.release();
    while !next(channel).await.ends_with("at last") {}
    let heard = heard(world.model.requests().last().unwrap());
    let [missed, newer] = ["meanwhile", "at last"].map(|text| heard.find(text));
    assert!(missed.is_some() && missed < newer, "{heard}");
    world.end().await;
}

/// What is fetched does not say who its author is on the server, and too many requests that are refused end in a ban.
#[tokio::test(flavor = "multi_thread")]
async fn many_people_who_wrote_meanwhile_are_asked_for_within_the_limit() {
    let setting = World::setting().discord(&format!("dm = \"open\"\n{QUICK_DISCORD}"));
    let mut world = setting.without_node().await;
    world.was_on_discord(Duration::from_secs(60)).await.unwrap();
    let seats: Vec<_> = (0..8)
        .map(|number| world.discord().user(&format!("user{number}")).in_channel(&format!("channel{number}")))
        .collect();
    seats.iter().for_each(|seat| drop(seat.mentions_bot("meanwhile")));
    let limit = Limit { calls: 1, per: Duration::from_millis(200) };
    world.discord().set(|settings| settings.limits.extend([("get_member".to_owned(), limit)]));
    world.start_node().await;
    for seat in &seats {
        assert!(next(seat).await.ends_with("meanwhile"));
    }
    let refused = world.discord().invalid_requests();
    assert!(refused <= 1, "{refused} were refused");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_way_to_the_gateway_is_tried_again() {
    let world = World::with_discord().await;
    let seats = met(&world).await;
    let faults = [
        Fault::Html502Before,
        Fault::empty_500(),
        Fault::DropBefore,
        Fault::TruncatedJson,
        Fault::html_429(Some(0)),
        Fault::Hang,
    ];
    for fault in faults {
        world.discord().fail_next("gateway_bot", fault);
    }
    world.discord().close_gateway(4009);
    says_meanwhile(&seats);
    goes_on(world, &seats).await;
}
