//! `kill -9` of the node that has the accounts.

use std::time::{Duration, Instant};

use anyhow::ensure;

use super::fleet::{DISCORD, Fleet, owner as owner_of};
use crate::kills::random::{Random, seed};
use crate::kills::report::{Outcome, conclude};
use crate::kills::scene::Mode;
use crate::support::databases::Database;

/// Owners that are killed, unless `ROUNDTABLE_PROVE_FAILOVER` says more; those are killed with the default times.
const KILLS: u32 = 2;

/// What is promised of a fail-over with the default times (design §14).
const PROMISE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn when_the_owner_of_the_accounts_is_killed_another_node_takes_them_over() {
    let prove = std::env::var("ROUNDTABLE_PROVE_FAILOVER").ok().and_then(|count| count.parse().ok());
    let Some(fleet) = Fleet::set(prove.is_some()).await.unwrap() else { return };
    let mut times = [const { Vec::new() }; 2];
    let outcome = kill_owners(fleet, prove.unwrap_or(KILLS), &mut times).await;
    conclude(vec![outcome]);
    for (platform, mut times) in ["Telegram", "Discord"].into_iter().zip(times) {
        times.sort();
        let (p50, longest) = (times[times.len() / 2], times[times.len() - 1]);
        println!(
            "{} fail-overs on {platform}: first answer after {} ms (p50), {} ms at most",
            times.len(),
            p50.as_millis(),
            longest.as_millis()
        );
        assert!(prove.is_none() || longest <= PROMISE, "promised: {PROMISE:?}");
    }
}

/// `times`: from each kill to the first answer after it, on Telegram and, of owners of both accounts, on Discord.
async fn kill_owners(
    mut fleet: Fleet,
    kills: u32,
    times: &mut [Vec<Duration>; 2],
) -> anyhow::Result<Outcome> {
    let mut random = Random::seeded(seed());
    let mut outcome = Outcome::new("the owner of the accounts", Database::Postgres, Mode::Probe);
    fleet.start_all().await?;
    while outcome.kills < kills {
        fleet.scene.ask_all();
        fleet.scene.moment(&mut random).await;
        let owner = fleet.owner().await?;
        let has_both = owner_of(&fleet.scene.world, DISCORD).await? == Some(owner);
        fleet.nodes.take(owner)?.kill_nine().await?;
        let killed = Instant::now();
        outcome.kills += 1;
        fleet.scene.ask_all();
        let left = fleet.scene.unanswered().await;
        let recoveries = fleet.scene.recovered(killed, left).await?;
        times[0].push(recoveries[0].first);
        times[1].extend(has_both.then_some(recoveries[1].first));
        outcome.took(recoveries);
        fleet.scene.look(&mut outcome).await?;
        ensure!(outcome.is_clean(), "{outcome}\n{}", fleet.scene.evidence());
        fleet.start(owner).await?;
    }
    fleet.judge(outcome).await
}
