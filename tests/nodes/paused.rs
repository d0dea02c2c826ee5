//! A node that is stopped in the middle of everything and wakes when another has its work.

use std::time::{Duration, Instant};

use super::fleet::{Fleet, TELEGRAM, owned_by};
use crate::kills::random::{Random, seed};
use crate::kills::report::{Outcome, conclude};
use crate::kills::scene::Mode;
use crate::support::databases::Database;
use crate::support::ready;

/// So often.
const PAUSES: u32 = 1;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_sleeps_through_its_lease_changes_nothing_when_it_wakes() {
    let Some(fleet) = Fleet::set(false).await.unwrap() else { return };
    conclude(vec![pause_owners(fleet).await]);
}

async fn pause_owners(mut fleet: Fleet) -> anyhow::Result<Outcome> {
    let mut random = Random::seeded(seed());
    let mut outcome = Outcome::new("the owner of the accounts sleeps", Database::Postgres, Mode::Probe);
    fleet.start_all().await?;
    for _ in 0..PAUSES {
        fleet.scene.ask_all();
        fleet.scene.moment(&mut random).await;
        let owner = fleet.owner().await?;
        fleet.nodes.get(owner)?.pause().await?;
        let paused = Instant::now();
        fleet.scene.ask_all();
        fleet.owned_by_another(owner).await?;
        // The fault itself: it wakes in the middle of what the others do about its work.
        tokio::time::sleep(Duration::from_millis(random.below(1_000))).await;
        fleet.nodes.get(owner)?.wake().await?;
        let left = fleet.scene.unanswered().await;
        outcome.took(fleet.scene.recovered(paused, left).await?);
        let elsewhere = |ready: &ready::Ready| ready.ready && ready.state("telegram:main") == "elsewhere";
        // On a busy machine the other may have lost it again by then.
        tokio::select! {
            biased;
            again = owned_by(&fleet.scene.world, TELEGRAM, |now| now == owner) => again?,
            known = ready::until_of(fleet.nodes.get(owner)?.data_dir(), "the sleeper to know", elsewhere) => drop(known),
        }
        fleet.scene.look(&mut outcome).await?;
    }
    fleet.judge(outcome).await
}
