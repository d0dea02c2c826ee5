//! A node that loses its database and keeps everything else.

use std::time::Instant;

use anyhow::ensure;

use super::fleet::{DISCORD, Fleet, owned_by_another};
use crate::kills::report::{Outcome, conclude};
use crate::kills::scene::Mode;
use crate::support::databases::Database;
use crate::support::proxy::{Line, Proxy};
use crate::support::ready;

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
    let (first, last) = fleet.scene.recovered(cut, left).await?;
    outcome.took(first, last);
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
