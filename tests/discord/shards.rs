//! A bot whose servers are shared out to two connections: each hears its own, and what goes wrong with one is nothing to
//! the other.

use std::collections::BTreeMap;
use std::time::Duration;

use roundtable::store::deliveries::{Listed, State};
use roundtable_fakes::Fault;
use roundtable_fakes::discord::{Seat, rights};

use super::next;
use crate::support::ready::{self, Ready};
use crate::support::world::{QUICK_DISCORD, World};

/// What says into how many connections the next node splits the account, over what the configuration says.
const SHARDS: &str = "ROUNDTABLE_CHANNELS__DISCORD__MAIN__SHARDS";

/// A world with a node that splits the account in two.
async fn split() -> World {
    split_with(QUICK_DISCORD).await
}

/// The same with these lines in the account's table.
async fn split_with(lines: &str) -> World {
    let mut world = World::setting().discord(&format!("dm = \"open\"\n{lines}")).without_node().await;
    world.env.insert(SHARDS.to_owned(), "2".to_owned());
    world.start_node().await;
    world
}

/// Ann on a server of each connection.
fn on_servers(world: &World) -> [Seat; 2] {
    let ann = world.discord().user("ann");
    [0, 1].map(|shard| ann.in_guild_of_shard(&format!("server {shard}"), [shard, 2]).in_channel("general"))
}

/// Ann in private and on both servers, heard once everywhere.
async fn met(world: &World) -> [Seat; 3] {
    ready::all(world).await;
    let [first, second] = on_servers(world);
    let seats = [world.discord().user("ann"), first, second];
    says(&seats, "hello").await;
    seats
}

/// Says it everywhere, and is answered everywhere.
async fn says(seats: &[Seat], text: &str) {
    seats.iter().for_each(|seat| drop(seat.mentions_bot(text)));
    answered(seats, text).await;
}

async fn answered(seats: &[Seat], text: &str) {
    for seat in seats {
        let answer = next(seat).await;
        assert!(answer.ends_with(text), "{text}: {answer}");
    }
}

/// How often each channel was fetched.
fn fetched(world: &World) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in world.discord().calls_of("get_messages") {
        *counts.entry(call.params["channel_id"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_of_both_connections_and_private_chats_are_answered() {
    let world = split().await;
    let seats = met(&world).await;
    says(&seats, "and now?").await;
    let thread = seats[2].in_thread("general", "plans");
    says(&[thread], "in a thread").await;
    let now = ready::of(&world.data_dir()).await.unwrap();
    assert_eq!([now.state("discord:main"), now.state("discord:main/1")], ["ready", "ready"]);
    world.discord().wait_until("two sessions", |world| world.connected() == 2).await.unwrap();
    world.end().await;
}

/// Discord takes one login in so many seconds, whichever connection it is for.
#[tokio::test(flavor = "multi_thread")]
async fn connections_log_in_one_after_the_other() {
    let world = split_with(&QUICK_DISCORD.replace("login = \"20ms\"", "login = \"1s\"")).await;
    world.discord().set(|settings| settings.identify_gap = Duration::from_millis(500));
    let seats = met(&world).await;
    let before = world.discord().identifies();
    world.discord().close_gateway(4009);
    world.discord().wait_until("both to be back", |world| world.connected() == 2).await.unwrap();
    says(&seats, "and now?").await;
    assert_eq!(world.discord().identifies() - before, 2, "nobody is hasty");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_either_connection_missed_is_fetched_and_answered_once() {
    let mut world = split().await;
    let seats = met(&world).await;
    world.stop_node().await;
    let before = fetched(&world);
    seats.iter().for_each(|seat| drop(seat.mentions_bot("meanwhile")));
    world.start_node().await;
    answered(&seats, "meanwhile").await;
    says(&seats, "and now?").await;
    let mut since = fetched(&world);
    before.iter().for_each(|(channel, count)| *since.entry(channel.clone()).or_default() -= count);
    for seat in &seats {
        let channel = seat.place().channel_id().to_string();
        assert_eq!(since.get(&channel), Some(&1), "{channel} of {since:?}");
    }
    world.end().await;
}

/// One connection stays open and is dead, and there is no other for a while.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_connection_recovers_while_the_other_goes_on() {
    let mut world = split().await;
    world.stop_node().await;
    world.discord().set(|settings| settings.heartbeat = Duration::from_secs(1));
    world.start_node().await;
    let seats = met(&world).await;
    let (healthy, hurt) = seats.split_at(2);
    world.discord().set(|settings| settings.gateway = false);
    world.discord().freeze_shard(1);
    hurt[0].mentions_bot("meanwhile");
    let lost = |now: &Ready| now.state("discord:main/1") == "degraded";
    let now = ready::until(&world, "it to be noticed", lost).await;
    assert_eq!(now.state("discord:main"), "ready");
    says(healthy, "still here?").await;
    world.discord().gateway_up();
    answered(hurt, "meanwhile").await;
    says(&seats, "and now?").await;
    ready::all(&world).await;
    world.end().await;
}

/// What one connection has read is known to those that have the server next.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_split_differently_goes_on_where_it_was() {
    let mut world = split().await;
    let seats = met(&world).await;
    for shards in ["1", "2", "3"] {
        world.stop_node().await;
        seats.iter().for_each(|seat| drop(seat.mentions_bot(&format!("before {shards}"))));
        world.env.insert(SHARDS.to_owned(), shards.to_owned());
        world.start_node().await;
        answered(&seats, &format!("before {shards}")).await;
        ready::all(&world).await;
        says(&seats, &format!("with {shards}")).await;
    }
    world.end().await;
}

/// A server that nobody has written on is read from where the account was last online, before it was split.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_connection_begins_where_the_account_was() {
    let mut world = World::setting().discord(&format!("dm = \"open\"\n{QUICK_DISCORD}")).without_node().await;
    world.was_on_discord(Duration::from_secs(60)).await.unwrap();
    let seats = on_servers(&world);
    seats.iter().for_each(|seat| drop(seat.mentions_bot("meanwhile")));
    world.env.insert(SHARDS.to_owned(), "2".to_owned());
    world.start_node().await;
    answered(&seats, "meanwhile").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_on_too_many_servers_is_told_to_split_and_then_works() {
    let mut world = World::setting().discord(&format!("dm = \"open\"\n{QUICK_DISCORD}")).without_node().await;
    let seats = on_servers(&world);
    world.discord().set(|settings| settings.guilds_per_shard = 2);
    world.start_node().await;
    let stopped = |now: &Ready| now.state("discord:main") == "stopped";
    let now = ready::until(&world, "it to be refused", stopped).await;
    let reason = now.reason("discord:main");
    assert!(reason.contains("4011") && reason.contains("Set a higher `shards`"), "{reason}");
    world.stop_node().await;
    world.env.insert(SHARDS.to_owned(), "2".to_owned());
    world.start_node().await;
    ready::all(&world).await;
    says(&seats, "hello").await;
    world.end().await;
}

/// Neither nonce nor history: while all connections are here, the gateway shows what was sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_known_by_its_echo_on_every_connection() {
    let world = split_with(&format!("nonce_window = \"0s\"\n{QUICK_DISCORD}")).await;
    let seats = met(&world).await;
    let stored = world.stored().await;
    for seat in &seats[1..] {
        seat.place().deny(rights::READ_MESSAGE_HISTORY);
        world.discord().fail_next_in(&seat.place(), "create_message", Fault::DropAfter);
        says(std::slice::from_ref(seat), "lost").await;
    }
    let sent = |all: &[Listed]| all.iter().all(|one| one.state == State::Sent && one.unknowns == 0);
    stored.until("all is known to be sent", sent).await;
    world.end().await;
}

/// Whoever has the first connection sends: what the second one hears is answered when there is somebody who does.
#[tokio::test(flavor = "multi_thread")]
async fn answers_wait_while_nobody_has_the_first_connection() {
    let world = split().await;
    let seats = met(&world).await;
    let stored = world.stored().await;
    let taken =
        "UPDATE leases SET node = 'nobody', until = until + 3600000 WHERE name = 'account:discord:main'";
    stored.changes(taken).await;
    let parted =
        |now: &Ready| [now.state("discord:main"), now.state("discord:main/1")] == ["elsewhere", "ready"];
    ready::until(&world, "the first to be gone", parted).await;
    // The database says it before the node notices.
    world.discord().wait_until("one session", |world| world.connected() == 1).await.unwrap();
    seats[2].mentions_bot("who speaks?");
    let waits = |all: &[Listed]| all.iter().any(|one| one.state == State::Pending);
    stored.until("an answer that waits", waits).await;
    stored.changes("UPDATE leases SET until = 0 WHERE name = 'account:discord:main'").await;
    answered(&seats[2..], "who speaks?").await;
    ready::all(&world).await;
    says(&seats, "and now?").await;
    world.end().await;
}
