//! A node that loses its database and keeps everything else.

use std::time::Instant;

use anyhow::ensure;

use super::fleet::{DISCORD, Fleet, owned_by_another};
use crate::kills::report::{Outcome, conclude};
use crate::kills::scene::Mode;
use crate::support::databases::Database;
use crate::support::proxy::{Line, Proxy};
use crate::support::ready;
use crate::support::requests::next_text;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_cut_off_from_the_database_gives_up_its_accounts_and_says_nothing_more() {
    conclude(cut_off(Line::Cut).await.transpose().into_iter().collect());
}

/// Nothing tells it that it is cut off, and when the line is mended all that it has asked for meanwhile is done.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_database_falls_silent_gives_up_its_accounts_and_says_nothing_more() {
    conclude(cut_off(Line::Silent).await.transpose().into_iter().collect());
}

async fn cut_off(how: Line) -> anyhow::Result<Option<Outcome>> {
    let Some(mut fleet) = Fleet::set(false).await? else { return Ok(None) };
    let mut outcome =
        Outcome::new(&format!("the owner's database: {how:?}"), Database::Postgres, Mode::Probe);
    let world = &fleet.scene.world;
    let (database, url) = Proxy::before(&world.url).await?;
    let (telegram, telegram_url) = Proxy::before(&world.telegram.url()).await?;
    let (discord, discord_url) = Proxy::before(&world.discord().api_url()).await?;
    let through = [
        ("ROUNDTABLE_STORE__URL", url),
        ("ROUNDTABLE_CHANNELS__TELEGRAM__MAIN__API_URL", telegram_url),
        ("ROUNDTABLE_CHANNELS__DISCORD__MAIN__API_URL", discord_url),
    ];
    fleet.nodes.start(world, "one", through).await?;
    fleet.start("two").await?;
    fleet.start("three").await?;
    fleet.scene.ask_all();
    fleet.scene.world.model.wait_for_request("a first question", |_| true).await?;
    database.set(how);
    let cut = Instant::now();
    fleet.scene.ask_all();
    let left = fleet.scene.unanswered().await;
    outcome.took(fleet.scene.recovered(cut, left).await?);
    fleet.owned_by_another("one").await?;
    owned_by_another(&fleet.scene.world, DISCORD, "one").await?;
    let one = fleet.nodes.get("one")?.data_dir();
    let now = ready::until_of(one, "it to say what is wrong", |ready| !ready.ready).await;
    ensure!(now.database().is_some(), "it says nothing of its database: {now:?}");

    let before = (telegram.sent(), discord.sent());
    fleet.scene.ask_all();
    fleet.answered().await?;
    let since = (telegram.sent() - before.0, discord.sent() - before.1);
    ensure!(
        since == (0, 0),
        "it still speaks with the platforms: {since:?} bytes\n{}",
        fleet.scene.evidence()
    );
    let connected = fleet.scene.world.discord().watch(|world| Some(world.connected())).await;
    ensure!(connected == 1, "{connected} nodes are connected with Discord");
    fleet.scene.look(&mut outcome).await?;

    database.set(Line::Open);
    let elsewhere = |ready: &ready::Ready| ready.ready && ready.state("telegram:main") == "elsewhere";
    ready::until_of(fleet.nodes.get("one")?.data_dir(), "it to be well again", elsewhere).await;
    fleet.scene.ask_all();
    fleet.answered().await?;
    fleet.judge(outcome).await.map(Some)
}

/// As if whoever has the account next did not have to wait until the call can't arrive any more: then nothing but the
/// end of the lease ends it.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_a_node_that_is_cut_off_is_over_when_another_has_its_account() {
    conclude(calling().await.transpose().into_iter().collect());
}

async fn calling() -> anyhow::Result<Option<Outcome>> {
    let Some(mut fleet) = Fleet::set(false).await? else { return Ok(None) };
    let outcome = Outcome::new("the owner is cut off as it calls", Database::Postgres, Mode::Probe);
    let timeout = ("ROUNDTABLE_CHANNELS__TELEGRAM__MAIN__SEND_TIMEOUT".to_owned(), "1h".to_owned());
    fleet.scene.world.env.extend([timeout]);
    let (database, url) = Proxy::before(&fleet.scene.world.url).await?;
    fleet.nodes.start(&fleet.scene.world, "one", [("ROUNDTABLE_STORE__URL", url)]).await?;
    fleet.start("two").await?;
    let ann = fleet.scene.world.telegram.user("ann");
    let send = fleet.scene.world.telegram.hold("sendMessage");
    ann.says("first");
    send.arrived().await?;
    database.set(Line::Cut);
    ann.says("second");
    fleet.owned_by_another("one").await?;
    let stored = fleet.scene.world.stored().await;
    stored.changes("UPDATE deliveries SET due_at = 0, call_until = 0 WHERE state = 'sending'").await;
    ensure!(next_text(&ann).await == "echo: first");
    send.release();
    ensure!(next_text(&ann).await == "echo: second");
    database.set(Line::Open);
    ready::until_of(fleet.nodes.get("one")?.data_dir(), "it to be well again", |ready| ready.ready).await;
    fleet.judge(outcome).await.map(Some)
}
