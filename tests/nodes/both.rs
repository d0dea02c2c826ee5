//! Two nodes that both believe to have the accounts: two pollers and two gateway sessions of one bot.

use std::time::Duration;

use anyhow::ensure;

use super::fleet::{DISCORD, Fleet, owned_by_another};
use crate::kills::report::{Outcome, conclude};
use crate::kills::scene::Mode;
use crate::support::databases::{Database, change};

/// For so long the first one does not look whether the accounts are still its own.
const BLIND: Duration = Duration::from_secs(30);

/// As after a restored database, or an operator who removes a lease that is held.
#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_both_have_the_accounts_handle_everything_once() {
    conclude(both().await.transpose().into_iter().collect());
}

async fn both() -> anyhow::Result<Option<Outcome>> {
    let Some(mut fleet) = Fleet::set(false).await? else { return Ok(None) };
    let mut outcome = Outcome::new("two have the accounts", Database::Postgres, Mode::Probe);
    let times = [("ROUNDTABLE_NODE__LEASE", BLIND * 3), ("ROUNDTABLE_NODE__RENEW", BLIND)];
    let times = times.map(|(key, time)| (key, format!("{}ms", time.as_millis())));
    fleet.nodes.start(&fleet.scene.world, "one", times).await?;
    fleet.start("two").await?;
    fleet.scene.ask_all();
    fleet.answered().await?;
    let name = fleet.scene.world.url.rsplit('/').next().unwrap_or_default().to_owned();
    change(&name, "UPDATE leases SET until = 0 WHERE name LIKE 'account:%'").await?;
    fleet.owned_by_another("one").await?;
    owned_by_another(&fleet.scene.world, DISCORD, "one").await?;
    let both = |world: &roundtable_fakes::discord::World| world.connected() == 2;
    fleet.scene.world.discord().wait_until("both to be connected", both).await?;
    fleet.scene.ask_all();
    fleet.answered().await?;
    let connected = fleet.scene.world.discord().watch(|world| Some(world.connected())).await;
    ensure!(connected == 2, "{connected} are connected: it was over before all was answered");
    fleet.scene.look(&mut outcome).await?;
    fleet.judge(outcome).await.map(Some)
}
