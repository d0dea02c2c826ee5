//! Many accounts in one node.

mod liveness;
mod recovery;

use std::fmt::Write as _;
use std::time::Duration;

use roundtable_fakes::Flood;

use crate::support::databases::Database;
use crate::support::process::Process;
use crate::support::ready;
use crate::support::requests::next_text;
use crate::support::world::World;

/// Bots of each platform.
const BOTS: usize = 10;

/// Each with the limits that it has for real, and none too fast for any of them.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_accounts_start_within_the_platforms_limits() {
    let open = "dm = \"open\"";
    let mut world = World::setting().telegram(open).discord(open).without_node().await;
    world.discord().set_real_limits();
    world.discord().set(|settings| settings.identify_gap = Duration::from_secs(5));
    world.telegram.set(|settings| settings.flood = Some(Flood::real()));
    let mut more = String::new();
    for number in 1..BOTS {
        let name = format!("bot{number}");
        let tokens =
            [("discord", world.discord().add_bot(&name)), ("telegram", world.telegram.add_bot(&name))];
        let urls = [world.discord().api_url(), world.telegram.url()];
        for ((platform, token), url) in tokens.into_iter().zip(urls) {
            let variable = format!("{platform}_{number}").to_uppercase();
            writeln!(
                more,
                "[channels.{platform}.{name}]\ntoken = \"env:{variable}\"\napi_url = {url:?}\n{open}"
            )
            .unwrap();
            world.env.insert(variable, token);
        }
    }
    world.configure(|text| format!("{text}\n{more}"));
    world.start_node().await;
    ready::all(&world).await;
    let (ann, bob) = (world.discord().user("ann"), world.telegram.user("bob"));
    let mut seats = (vec![ann.clone()], vec![bob.clone()]);
    for number in 1..BOTS {
        let name = format!("bot{number}");
        seats.0.push(ann.with_bot(&name).unwrap());
        seats.1.push(bob.with_bot(&name).unwrap());
    }
    seats.0.iter().for_each(|seat| drop(seat.says("hello")));
    seats.1.iter().for_each(|seat| drop(seat.says("hello")));
    for (on_discord, on_telegram) in seats.0.iter().zip(&seats.1) {
        assert_eq!(on_discord.next_message().await.unwrap().text, "echo: hello");
        assert_eq!(next_text(on_telegram).await, "echo: hello");
    }
    assert_eq!(world.discord().identifies() as usize, BOTS, "every bot logs in once");
    assert_eq!(world.discord().calls_of("gateway_bot").len(), BOTS);
    assert_eq!(world.telegram.calls_of("getMe").len(), BOTS);
    assert_eq!(world.discord().invalid_requests(), 0);
    world.end().await;
}

/// Two nodes share a database: one has the account, the other says so, and takes it when the first one dies.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_another_node_has_is_no_trouble_of_this_one() {
    if !Database::all().contains(&Database::Postgres) {
        return;
    }
    let fresh = Database::Postgres.fresh().await;
    let mut world = World::setting().on(&fresh.url).start().await;
    ready::all(&world).await;
    let ann = world.telegram.user("ann");
    world.use_data_dir("second");
    let second = Process::start(&world, None).unwrap();
    let elsewhere = |ready: &ready::Ready| ready.state("telegram:main") == "elsewhere";
    let now = ready::until(&world, "the second node to look", elsewhere).await;
    assert!(now.ready, "{now:?}");
    ann.says("hello");
    assert_eq!(next_text(&ann).await, "echo: hello");
    world.kill_node().await;
    ann.says("who is there?");
    assert_eq!(next_text(&ann).await, "echo: who is there?");
    let here = |ready: &ready::Ready| ready.state("telegram:main") == "ready";
    ready::until(&world, "the second node to have it", here).await;
    second.stop().await.unwrap();
    world.end().await;
}
