//! The connection to the gateway: what is said while it is broken is heard, once.

use std::time::Duration;

use roundtable_fakes::Fault;
use roundtable_fakes::discord::{Seat, World as Platform};
use serde_json::json;

use super::next;
use crate::support::databases::on_each_database;
use crate::support::online::Reads;
use crate::support::requests::heard;
use crate::support::world::{QUICK_DISCORD, World};

/// Somebody has spoken before, so that what follows is known to be missed.
pub(super) async fn met(world: &World) -> [Seat; 2] {
    world.discord().connected().await.unwrap();
    let ann = world.discord().user("ann");
    let seats = [ann.clone(), ann.in_channel("general")];
    for seat in &seats {
        seat.mentions_bot("hello");
        assert!(next(seat).await.ends_with("hello"));
    }
    seats
}

/// What was said meanwhile is answered once, and so is what is said now.
pub(super) async fn goes_on(world: World, seats: &[Seat; 2]) {
    for seat in seats {
        assert!(next(seat).await.ends_with("meanwhile"));
        seat.mentions_bot("and now?");
        assert!(next(seat).await.ends_with("and now?"));
    }
    world.end().await;
}

pub(super) fn says_meanwhile(seats: &[Seat; 2]) {
    seats.iter().for_each(|seat| drop(seat.mentions_bot("meanwhile")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_is_resumed() {
    let world = World::with_discord().await;
    let seats = met(&world).await;
    world.discord().gateway_down();
    says_meanwhile(&seats);
    world.discord().gateway_up();
    for seat in &seats {
        assert!(next(seat).await.ends_with("meanwhile"));
    }
    assert_eq!(world.discord().resume_paths(), ["/resume"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_reconnect_is_followed() {
    let world = World::with_discord().await;
    let seats = met(&world).await;
    world.discord().ask_to_reconnect();
    says_meanwhile(&seats);
    goes_on(world, &seats).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_session_is_made_up_for() {
    let world = World::with_discord().await;
    let seats = met(&world).await;
    world.discord().gateway_down();
    says_meanwhile(&seats);
    world.discord().forget_sessions();
    world.discord().gateway_up();
    goes_on(world, &seats).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_session_begins_anew() {
    let world = World::with_discord().await;
    let seats = met(&world).await;
    world.discord().invalidate_sessions(false);
    says_meanwhile(&seats);
    goes_on(world, &seats).await;
}

/// The first login hears of no server, so that nothing was made up for when the second one begins.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_in_a_quiet_channel_is_heard_after_two_logins_in_a_row() {
    let world = World::with_discord().await;
    let seats = met(&world).await;
    world.discord().gateway_down();
    world.discord().forget_sessions();
    world.discord().set_guild_available(false);
    let quiet = world.discord().user("bob").in_channel("quiet");
    quiet.mentions_bot("meanwhile");
    says_meanwhile(&seats);
    world.discord().gateway_up();
    world.discord().connected().await.unwrap();
    world.discord().invalidate_sessions(false);
    world.discord().connected().await.unwrap();
    world.discord().set_guild_available(true);
    assert!(next(&quiet).await.ends_with("meanwhile"));
    goes_on(world, &seats).await;
}

/// Of a server with an outage a login may hear only that it has one: that makes up for nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_in_a_quiet_channel_is_heard_after_a_login_during_an_outage_of_its_server() {
    let setting = World::setting().discord(&format!("dm = \"open\"\n{QUICK_DISCORD}"));
    let mut world = setting.without_node().await;
    world.was_on_discord(Duration::from_secs(60)).await.unwrap();
    world.discord().set_guild_available(false);
    let quiet = world.discord().user("bob").in_channel("quiet");
    quiet.mentions_bot("meanwhile");
    world.start_node().await;
    world.discord().connected().await.unwrap();
    let guild = world.discord().guild_id().to_string();
    world.discord().inject("GUILD_CREATE", &json!({"id": guild, "unavailable": true}));
    // a connection that is found again is as good as a heartbeat that is answered
    let resumes = world.discord().resume_paths().len();
    world.discord().drop_gateway();
    let resumed = |world: &Platform| world.resumes() > resumes;
    world.discord().wait_until("the session to be resumed", resumed).await.unwrap();
    world.discord().invalidate_sessions(false);
    world.discord().connected().await.unwrap();
    world.discord().set_guild_available(true);
    assert!(next(&quiet).await.ends_with("meanwhile"));
    world.end().await;
}

/// Clocks differ, and the gateway may be behind what its heartbeats say.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_in_a_quiet_channel_just_before_the_account_was_last_online_is_heard() {
    let setting = World::setting().discord(&format!("dm = \"open\"\n{QUICK_DISCORD}"));
    let mut world = setting.without_node().await;
    let quiet = world.discord().user("bob").in_channel("quiet");
    quiet.mentions_bot("meanwhile");
    world.was_on_discord(Duration::ZERO).await.unwrap();
    world.start_node().await;
    assert!(next(&quiet).await.ends_with("meanwhile"));
    world.end().await;
}

/// When the account was last online is told by Discord's clock. The machine's is ahead of it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_is_heard_whatever_the_time_is_on_the_machine() {
    let setting = World::setting().discord(&format!("dm = \"open\"\n{QUICK_DISCORD}"));
    let mut world = setting.without_node().await;
    world.discord().set_back(Duration::from_secs(3600));
    let quiet = world.discord().user("bob").in_channel("quiet");
    world.start_node().await;
    world.discord().connected().await.unwrap();
    let stored = world.stored().await;
    stored
        .find("it to be kept that the account is online", async || stored.read(Reads("@online")).await)
        .await;
    world.stop_node().await;
    quiet.mentions_bot("meanwhile");
    world.start_node().await;
    assert!(next(&quiet).await.ends_with("meanwhile"));
    world.end().await;
}

/// Nothing is kept yet of when the account was online.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_in_a_quiet_channel_during_an_outage_of_its_server_is_heard_in_the_first_session() {
    let setting = World::setting().discord(&format!("dm = \"open\"\n{QUICK_DISCORD}"));
    let mut world = setting.without_node().await;
    let ann = world.discord().user("ann");
    let quiet = ann.in_channel("quiet");
    world.start_node().await;
    world.discord().connected().await.unwrap();
    ann.says("hello");
    assert!(next(&ann).await.ends_with("hello"));
    world.discord().set_guild_available(false);
    quiet.mentions_bot("meanwhile");
    world.discord().set_guild_available(true);
    assert!(next(&quiet).await.ends_with("meanwhile"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_while_the_process_was_away_is_answered() {
    let mut world = World::with_discord().await;
    let seats = met(&world).await;
    world.stop_node().await;
    says_meanwhile(&seats);
    world.start_node().await;
    goes_on(world, &seats).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_everything_passes() {
    let mut world = World::with_discord().await;
    let seats = met(&world).await;
    world.discord_mut().stop().await;
    says_meanwhile(&seats);
    world.discord_mut().restart().await.unwrap();
    goes_on(world, &seats).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_connection_is_given_up_and_resumed() {
    let mut world = World::with_discord().await;
    world.stop_node().await;
    world.discord().set(|settings| settings.heartbeat = Duration::from_millis(200));
    world.start_node().await;
    let seats = met(&world).await;
    world.discord().freeze_gateway();
    says_meanwhile(&seats);
    goes_on(world, &seats).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_are_heard_and_previews_are_not() {
    let world = World::with_discord().await;
    world.discord().connected().await.unwrap();
    let ann = world.discord().user("ann");
    let said = ann.says("see https://a.example");
    next(&ann).await;
    ann.link_unfurls(&said);
    ann.edits(&said, "see https://b.example");
    ann.says("seen?");
    next(&ann).await;
    let heard = heard(&world.model.requests()[1]);
    assert_eq!(heard.matches("b.example").count(), 1, "{heard}");
    assert!(heard.matches("a.example").count() <= 1, "{heard}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_edited_meanwhile_is_answered_once_and_the_edit_is_known_next_time() {
    on_each_database(async |url| {
        let world =
            World::setting().on(url).discord(&format!("dm = \"open\"\n{QUICK_DISCORD}")).start().await;
        let stored = world.stored().await;
        let seats = met(&world).await;
        for seat in &seats {
            let call = world.model.hold("at five");
            let asked = seat.mentions_bot("at five");
            call.arrived().await.unwrap();
            let edited = seat.edits(&asked, &asked.text.replace("five", "six"));
            let at = edited.edited.unwrap();
            stored.takes(&format!("edit:{}:{}:{at}", edited.channel, edited.id)).await;
            call.release();
            assert!(next(seat).await.ends_with("at five"));
            seat.mentions_bot("when?");
            assert!(next(seat).await.ends_with("when?"));
            let heard = heard(world.model.requests().last().unwrap());
            assert_eq!(heard.matches("at six").count(), 1, "{heard}");
        }
        assert_eq!(world.model.requests().len(), seats.len() * 3, "an edit asks for no answer");
        world.end().await;
    })
    .await;
}

/// A private chat is on no server's list: the next process knows of it only by what this one kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_private_chat_is_known_to_the_next_process_as_soon_as_it_is_heard() {
    let mut world = World::with_discord().await;
    world.discord().connected().await.unwrap();
    let ann = world.discord().user("ann");
    ann.says("hello");
    world.model.wait_for_request("hello", |request| request.asks("hello")).await.unwrap();
    world.kill_node().await;
    ann.says("are you there?");
    world.start_node().await;
    let mut answers = [next(&ann).await, next(&ann).await];
    answers.sort();
    assert_eq!(answers, ["echo: are you there?", "echo: hello"]);
    world.end().await;
}

/// An archived thread is on no server's list. What was said there is no private message when nobody can see it any more.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_on_a_server_is_of_that_server_when_its_channel_is_gone() {
    let setting = World::setting().discord(&format!("dm = \"open\"\n{QUICK_DISCORD}"));
    let mut world = setting.without_node().await;
    let (guild, thread) =
        (world.discord().guild_id(), world.discord().user("ann").in_thread("general", "plans"));
    let place = thread.place();
    let scope = format!("{guild}/{}", place.channel_id());
    world.had_read_discord(&scope, Duration::from_secs(60)).await.unwrap();
    thread.mentions_bot("meanwhile");
    place.archive();
    world.discord().fail_next_in(&place, "get_channel", Fault::discord(404, 10003, "Unknown Channel"));
    world.start_node().await;
    assert_eq!(next(&thread).await, "echo: Ann: @roundtable_bot meanwhile");
    world.end().await;
}

/// Everybody talks on while connections come and go, and Discord sends again what was seen: everything is read once.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_end_in_the_middle_of_a_conversation_lose_and_double_nothing() {
    let world = World::with_discord().await;
    let seats = met(&world).await;
    world.discord().set(|settings| settings.repeat_on_resume = 5);
    let ends: [fn(&roundtable_fakes::DiscordFake); 4] = [
        |discord| discord.ask_to_reconnect(),
        |discord| discord.drop_gateway(),
        |discord| discord.close_gateway(4009),
        |discord| discord.invalidate_sessions(true),
    ];
    let call = world.model.hold("line 0");
    seats.iter().for_each(|seat| drop(seat.mentions_bot("line 0")));
    call.arrived().await.unwrap();
    for (number, end) in (1..).zip(ends.into_iter().cycle().take(12)) {
        seats.iter().for_each(|seat| drop(seat.mentions_bot(&format!("line {number}"))));
        end(world.discord());
        seats.iter().for_each(|seat| drop(seat.mentions_bot(&format!("line {number} and a half"))));
        world.discord().connected().await.unwrap();
    }
    seats.iter().for_each(|seat| drop(seat.mentions_bot("the end")));
    call.release();
    for seat in &seats {
        while !next(seat).await.ends_with("the end") {}
    }
    let heard: Vec<_> =
        world.model.requests().iter().map(heard).filter(|all| all.contains("the end")).collect();
    assert_eq!(heard.len(), seats.len());
    for number in 1..=12 {
        for said in [format!("line {number}"), format!("line {number} and a half")] {
            for heard in &heard {
                let count = heard.lines().filter(|line| line.ends_with(&said)).count();
                assert_eq!(count, 1, "{said}: {heard}");
            }
        }
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_ten_minutes_is_made_up_for() {
    let world = World::with_discord().await;
    let seats = met(&world).await;
    world.discord().gateway_down();
    says_meanwhile(&seats);
    world.discord().advance(Duration::from_secs(600));
    world.discord().gateway_up();
    goes_on(world, &seats).await;
}
