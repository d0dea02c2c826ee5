//! An account on Discord whose servers are shared out to two connections, which any node may have.

use std::time::Instant;

use anyhow::ensure;
use serde_json::{Value, json};

use super::fleet::{DISCORD, Fleet, owned_by_another, owner};
use crate::kills::random::{Random, seed};
use crate::kills::report::{Outcome, conclude};
use crate::kills::scene::Mode;
use crate::support::databases::{Database, change};
use crate::support::ready::{self, Ready};

/// The second connection, as its lease is called.
const SECOND: &str = "account:discord:main/1";

/// Owners that are killed.
const KILLS: u32 = 2;

/// Two nodes of an account that is split in two; the first has both connections. `None`: there is no PostgreSQL here.
async fn split() -> anyhow::Result<Option<Fleet>> {
    let Some(mut fleet) = Fleet::set(false).await? else { return Ok(None) };
    fleet.scene.world.env.insert("ROUNDTABLE_CHANNELS__DISCORD__MAIN__SHARDS".to_owned(), "2".to_owned());
    fleet.start("one").await?;
    fleet.start("two").await?;
    Ok(Some(fleet))
}

impl Fleet {
    /// Waits until the nodes say of the connections who has them.
    async fn says(&self, node: &str, first: &str, second: &str) -> anyhow::Result<()> {
        let says = |now: &Ready| [now.state("discord:main"), now.state("discord:main/1")] == [first, second];
        let what = format!("{node} to be {first} and {second}");
        ready::until_of(self.nodes.get(node)?.data_dir(), &what, says).await;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_owner_of_both_connections_is_killed_the_other_node_takes_both() {
    conclude(killed().await.transpose().into_iter().collect());
}

async fn killed() -> anyhow::Result<Option<Outcome>> {
    let Some(mut fleet) = split().await? else { return Ok(None) };
    let mut random = Random::seeded(seed());
    let mut outcome = Outcome::new("the owner of both connections", Database::Postgres, Mode::Probe);
    for [has, takes] in [["one", "two"], ["two", "one"]].into_iter().cycle().take(KILLS as usize) {
        fleet.says(has, "ready", "ready").await?;
        fleet.says(takes, "elsewhere", "elsewhere").await?;
        fleet.scene.ask_all();
        fleet.scene.moment(&mut random).await;
        fleet.nodes.take(has)?.kill_nine().await?;
        let killed = Instant::now();
        outcome.kills += 1;
        fleet.scene.ask_all();
        let left = fleet.scene.unanswered().await;
        outcome.took(fleet.scene.recovered(killed, left).await?);
        fleet.says(takes, "ready", "ready").await?;
        fleet.scene.look(&mut outcome).await?;
        ensure!(outcome.is_clean(), "{outcome}\n{}", fleet.scene.evidence());
        fleet.start(has).await?;
    }
    fleet.judge(outcome).await.map(Some)
}

/// What one node hears another one says.
#[tokio::test(flavor = "multi_thread")]
async fn connections_on_two_nodes_lose_and_double_nothing() {
    conclude(apart().await.transpose().into_iter().collect());
}

async fn apart() -> anyhow::Result<Option<Outcome>> {
    let Some(mut fleet) = split().await? else { return Ok(None) };
    let mut outcome = Outcome::new("connections on two nodes", Database::Postgres, Mode::Probe);
    let holds = |nodes: &[Value]| nodes.len() == 2 && nodes[1]["holds"] == json!([]);
    listed(&fleet, "both to be listed", holds).await;
    // As if it had been the first to ask when the lease was over.
    let name = fleet.scene.world.url.rsplit('/').next().unwrap_or_default().to_owned();
    let given = "UPDATE leases SET node = (SELECT name FROM nodes WHERE name LIKE 'two-%') \
                 WHERE name = 'account:discord:main/1'";
    change(&name, given).await?;
    fleet.says("one", "ready", "elsewhere").await?;
    fleet.says("two", "elsewhere", "ready").await?;
    let holds = |nodes: &[Value]| {
        let held = |node: &Value| node["holds"].as_array().cloned().unwrap_or_default();
        nodes[1]["holds"] == json!(["discord:main/1"]) && held(&nodes[0]).contains(&json!("discord:main"))
    };
    listed(&fleet, "each to have one", holds).await;
    fleet.scene.ask_all();
    fleet.answered().await?;
    fleet.scene.look(&mut outcome).await?;

    fleet.scene.ask_all();
    fleet.nodes.take("one")?.kill_nine().await?;
    outcome.kills += 1;
    fleet.answered().await?;
    owned_by_another(&fleet.scene.world, DISCORD, "one").await?;
    ensure!(owner(&fleet.scene.world, SECOND).await? == Some("two"), "it has lost what it had");
    fleet.says("two", "ready", "ready").await?;
    fleet.judge(outcome).await.map(Some)
}

/// Waits until `roundtable nodes` says so.
async fn listed(fleet: &Fleet, what: &str, holds: impl Fn(&[Value]) -> bool) {
    let world = &fleet.scene.world;
    let look = async || {
        let nodes = world.runs("nodes --json").await.json();
        nodes.as_array().is_some_and(|nodes| holds(nodes)).then_some(())
    };
    world.stored().await.find(what, look).await;
}
