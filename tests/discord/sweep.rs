//! Messages that the gateway never brings: the channels in use are looked through now and then.

use std::time::Duration;

use roundtable_fakes::Call;
use roundtable_fakes::discord::{Lost, Place, World as Platform, rights};
use serde_json::json;

use super::gateway::{goes_on, met, says_meanwhile};
use super::next;
use crate::support::world::{QUICK_DISCORD, World};

/// A world whose channels are looked through that often.
async fn swept(every: &str) -> World {
    let quick = QUICK_DISCORD.replace("login", &format!("sweep = {every:?}, login"));
    World::setting().discord(&format!("dm = \"open\"\n{quick}")).start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_gateway_does_not_bring_is_found_and_answered_once() {
    let world = swept("200ms").await;
    let seats = met(&world).await;
    for lost in [Lost::Unsent, Lost::Garbled, Lost::LeftOut] {
        for seat in &seats {
            world.discord().lose_next(lost);
            seat.mentions_bot(&format!("lost {lost:?}"));
            assert!(next(seat).await.ends_with(&format!("lost {lost:?}")));
            seat.mentions_bot("heard");
            assert!(next(seat).await.ends_with("heard"));
        }
    }
    // Whatever is found a second time would have been answered by the end of another look.
    let looks = world.discord().calls_of("get_messages").len() + 4;
    let again = |world: &roundtable_fakes::discord::World| {
        world.calls().filter(|call| call.method == "get_messages").count() >= looks
    };
    world.discord().wait_until("both channels to be looked through twice more", again).await.unwrap();
    world.end().await;
}

/// What is fetched does not say which roles its author has.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_was_given_since_the_last_look_is_known() {
    let quick = QUICK_DISCORD.replace("login", "sweep = \"200ms\", login");
    let mut world = World::setting().discord(&quick).without_node().await;
    let (guild, role) = (world.discord().guild_id(), world.discord().role("devs"));
    world.configure(|text| {
        let group =
            format!("[channels.discord.main.group.\"{guild}\"]\nsenders = \"roles\"\nroles = [\"{role}\"]\n");
        text.replace(&quick, &format!("{quick}\n{group}"))
    });
    world.start_node().await;
    world.discord().connected().await.unwrap();
    let [ann, bob] = ["ann", "bob"].map(|name| world.discord().user(name).in_channel("general"));
    world.discord().give_role(&ann, role);
    ann.mentions_bot("hello");
    assert!(next(&ann).await.ends_with("hello"));
    world.discord().lose_next(Lost::Unsent);
    bob.mentions_bot("without a role");
    let asked = |world: &Platform| world.calls().any(|call| call.method == "get_member");
    world.discord().wait_until("the first message to be found", asked).await.unwrap();
    // of one channel, so the first has been stored by then
    ann.mentions_bot("heard");
    assert!(next(&ann).await.ends_with("heard"));
    world.discord().give_role(&bob, role);
    world.discord().lose_next(Lost::Unsent);
    bob.mentions_bot("with a role");
    assert!(next(&bob).await.ends_with("with a role"));
    world.end().await;
}

/// A number that is left out gives it away at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_gap_in_the_numbers_is_looked_into_at_once() {
    let world = swept("1h").await;
    let [ann, here] = met(&world).await;
    world.discord().lose_next(Lost::LeftOut);
    here.mentions_bot("left out");
    ann.says("heard");
    assert!(next(&ann).await.ends_with("heard"));
    assert!(next(&here).await.ends_with("left out"));
    world.end().await;
}

/// What was said after it has been read, and its text has been changed: it is new all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_message_that_was_edited_is_found_behind_newer_ones() {
    let world = swept("1s").await;
    let [_, here] = met(&world).await;
    world.discord().lose_next(Lost::Unsent);
    let lost = here.mentions_bot("lst");
    let bot = world.discord().bot_id();
    here.edits(&lost, &format!("<@{bot}> lost"));
    here.mentions_bot("newer");
    let mut answers = [next(&here).await, next(&here).await];
    answers.sort();
    assert!(answers[0].contains("lost") && answers[1].contains("newer"), "{answers:?}");
    world.end().await;
}

/// Whatever is found before a login is nobody's, and would be passed over.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_looked_through_before_the_first_login() {
    let mut world = swept("50ms").await;
    let seats = met(&world).await;
    world.stop_node().await;
    world.discord().gateway_down();
    says_meanwhile(&seats);
    let (looks, sockets) = (world.discord().calls_of("get_messages").len(), world.discord().sockets());
    world.start_node().await;
    let tried = |world: &Platform| world.sockets() >= sockets + 6;
    world.discord().wait_until("the sixth attempt", tried).await.unwrap();
    assert_eq!(world.discord().calls_of("get_messages").len(), looks);
    world.discord().gateway_up();
    goes_on(world, &seats).await;
}

/// How often a channel was looked through.
fn looks_at<'a>(channel: &Place, calls: impl IntoIterator<Item = &'a Call>) -> usize {
    let here = channel.channel_id().to_string();
    let looks = calls.into_iter().filter(|call| call.method == "get_messages");
    looks.filter(|call| call.params["channel_id"] == here).count()
}

/// Waits until a channel was looked through a few times more: what is found there would have been answered.
async fn looked_through(world: &World, channel: &Place) {
    let looks = looks_at(channel, &world.discord().calls()) + 4;
    let again = |world: &Platform| looks_at(channel, world.calls()) >= looks;
    world.discord().wait_until("a channel to be looked through again", again).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_the_bot_may_no_longer_view_is_asked_for_once() {
    let world = swept("200ms").await;
    let [private, shut] = met(&world).await.map(|seat| seat.place());
    shut.deny(rights::VIEW_CHANNEL);
    let before = looks_at(&shut, &world.discord().calls());
    let refused = |world: &Platform| looks_at(&shut, world.calls()) > before;
    world.discord().wait_until("the channel to be looked through", refused).await.unwrap();
    looked_through(&world, &private).await;
    assert_eq!(looks_at(&shut, &world.discord().calls()), before + 1);
    world.end().await;
}

/// It is on no server's list.
#[tokio::test(flavor = "multi_thread")]
async fn an_archived_thread_that_the_bot_may_no_longer_view_is_asked_for_once() {
    let mut world = swept("200ms").await;
    let [private, here] = met(&world).await;
    let thread = here.in_thread("general", "plans");
    thread.mentions_bot("hello");
    assert!(next(&thread).await.ends_with("hello"));
    world.stop_node().await;
    let shut = thread.place();
    shut.archive();
    here.place().deny(rights::VIEW_CHANNEL);
    let before = looks_at(&shut, &world.discord().calls());
    world.start_node().await;
    let refused = |world: &Platform| looks_at(&shut, world.calls()) > before;
    world.discord().wait_until("the thread to be looked through", refused).await.unwrap();
    looked_through(&world, &private.place()).await;
    assert_eq!(looks_at(&shut, &world.discord().calls()), before + 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_put_the_bot_out_is_asked_for_nothing() {
    let mut world = swept("200ms").await;
    let [private, shut] = met(&world).await.map(|seat| seat.place());
    world.discord().put_out();
    let before = looks_at(&shut, &world.discord().calls());
    looked_through(&world, &private).await;
    let after = looks_at(&shut, &world.discord().calls());
    assert!(after <= before + 1, "but for what was on its way: {after} times, {before} before");
    world.stop_node().await;
    world.start_node().await;
    looked_through(&world, &private).await;
    assert_eq!(looks_at(&shut, &world.discord().calls()), after);
    world.end().await;
}

/// Discord tells of channels that the bot may not view, with a flag.
#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_the_bot_may_not_view_is_not_asked_for() {
    let setting = World::setting().discord(&format!("dm = \"open\"\n{QUICK_DISCORD}"));
    let mut world = setting.without_node().await;
    world.was_on_discord(Duration::from_secs(60)).await.unwrap();
    world.start_node().await;
    world.discord().connected().await.unwrap();
    let bob = world.discord().user("bob");
    let [hidden, open] = ["hidden", "open"].map(|name| bob.in_channel(name).place());
    let newest = bob.says("hello").id + 1;
    let channel = |place: &Place, flags: u32| json!({"id": place.channel_id().to_string(), "type": 0, "flags": flags, "last_message_id": newest.to_string()});
    let guild = world.discord().guild_id().to_string();
    let channels = [channel(&hidden, 1 << 17), channel(&open, 0)];
    world.discord().inject("GUILD_CREATE", &json!({"id": guild, "channels": channels}));
    let fetched = |world: &Platform| looks_at(&open, world.calls()) > 0;
    world.discord().wait_until("the open channel to be fetched", fetched).await.unwrap();
    next(&bob).await;
    bob.says("still there?");
    next(&bob).await;
    assert_eq!(looks_at(&hidden, &world.discord().calls()), 0);
    world.end().await;
}

/// An archived thread is on no server's list, so that each would be looked through at every login for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_was_last_read_more_than_a_week_ago_is_not_looked_through() {
    let setting = World::setting().discord(&format!("dm = \"open\"\n{QUICK_DISCORD}"));
    let mut world = setting.without_node().await;
    let (ann, guild) = (world.discord().user("ann"), world.discord().guild_id());
    let [old, recent] = ["old", "recent"].map(|name| ann.in_thread("general", name).place());
    for (thread, days) in [(&old, 8), (&recent, 6)] {
        thread.archive();
        let (scope, ago) =
            (format!("{guild}/{}", thread.channel_id()), Duration::from_secs(days * 24 * 3600));
        world.had_read_discord(&scope, ago).await.unwrap();
    }
    world.start_node().await;
    let fetched = |world: &Platform| looks_at(&recent, world.calls()) > 0;
    world.discord().wait_until("the thread to be fetched", fetched).await.unwrap();
    ann.says("hello");
    next(&ann).await;
    assert_eq!(looks_at(&old, &world.discord().calls()), 0);
    world.end().await;
}

/// A world without a node, whose channels are looked through often, and in which every message is answered.
async fn always_answered() -> World {
    let quick = QUICK_DISCORD.replace("login", "sweep = \"200ms\", login");
    let always = "[[bindings]]\nagent = \"manager\"\nchannel = \"discord\"\nmention = \"always\"\n";
    let setting = World::setting().discord(&format!("dm = \"open\"\n{quick}")).config(always);
    setting.without_node().await
}

/// What was said on a server before anything of it was heard was said without the bot.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_before_the_bot_came_is_left_alone() {
    let mut world = always_answered().await;
    let here = world.discord().user("ann").in_channel("general");
    here.says("shall we ask a bot?");
    world.start_node().await;
    world.discord().connected().await.unwrap();
    here.says("now");
    assert!(next(&here).await.ends_with("now"));
    looked_through(&world, &here.place()).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_while_the_bot_was_put_out_is_left_alone() {
    let mut world = always_answered().await;
    world.start_node().await;
    world.discord().connected().await.unwrap();
    let here = world.discord().user("ann").in_channel("general");
    here.says("hello");
    assert!(next(&here).await.ends_with("hello"));
    world.discord().put_out();
    here.says("what a bot");
    world.discord().advance(Duration::from_secs(1));
    world.discord().invite();
    here.says("welcome back");
    assert_eq!(next(&here).await, "echo: Ann: welcome back");
    looked_through(&world, &here.place()).await;
    world.end().await;
}

/// Where it had read before, and where it had not.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_before_the_bot_was_invited_while_it_was_away_is_left_alone() {
    let mut world = always_answered().await;
    let ann = world.discord().user("ann");
    let seats = ["general", "quiet"].map(|name| ann.in_channel(name));
    let read = format!("{}/{}", world.discord().guild_id(), seats[0].place().channel_id());
    for scope in ["@online", &read] {
        world.had_read_discord(scope, Duration::from_secs(60)).await.unwrap();
    }
    world.discord().put_out();
    seats.iter().for_each(|seat| drop(seat.says("shall we ask a bot?")));
    world.discord().advance(Duration::from_secs(1));
    world.discord().invite();
    seats.iter().for_each(|seat| drop(seat.says("now")));
    world.start_node().await;
    for seat in &seats {
        assert_eq!(next(seat).await, "echo: Ann: now");
        looked_through(&world, &seat.place()).await;
    }
    world.end().await;
}

/// What it was to be asked for at the first login was forgotten at the second one.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_put_the_bot_out_before_it_was_looked_through_is_heard_when_it_invites_it() {
    let setting = World::setting().discord(&format!("dm = \"open\"\n{QUICK_DISCORD}"));
    let mut world = setting.without_node().await;
    let here = world.discord().user("ann").in_channel("general");
    let scope = format!("{}/{}", world.discord().guild_id(), here.place().channel_id());
    world.had_read_discord(&scope, Duration::from_secs(60)).await.unwrap();
    world.discord().set_guild_available(false);
    world.start_node().await;
    world.discord().connected().await.unwrap();
    world.discord().gateway_down();
    world.discord().forget_sessions();
    world.discord().put_out();
    world.discord().gateway_up();
    world.discord().connected().await.unwrap();
    world.discord().set_guild_available(true);
    world.discord().invite();
    here.mentions_bot("hello");
    assert!(next(&here).await.ends_with("hello"));
    world.end().await;
}
