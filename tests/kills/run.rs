//! The deaths in one world.

use anyhow::ensure;

use super::points::{Point, When};
use super::random::Random;
use super::report::Outcome;
use super::scene::{Mode, Scene};
use crate::support::databases::Database;

/// Dies at one point, and once before if the point is one of recovery.
pub async fn die_at(point: &Point, database: Database, mode: Mode) -> anyhow::Result<Outcome> {
    let mut scene = Scene::set(database, mode, point.at.starts_with("commit.expire.")).await?;
    scene.ask_all();
    let first = match point.when {
        When::Recovering(earlier, _) => earlier,
        _ => &point.at,
    };
    let mut process = scene.start(Some(first))?;
    let asked = scene.load.open().len();
    // More is asked when the program is at work, and while it is dead.
    let at_work = scene.world.model.wait_for_request("a first question", |_| true);
    tokio::select! {
        crashed = process.crashes() => crashed?,
        seen = at_work => {
            seen?;
            scene.ask_all();
            if matches!(point.when, When::Stopping) {
                process.terminate().await?;
            }
            process.crashes().await?;
        }
    }
    if scene.load.open().len() == asked {
        scene.ask_all();
    }
    if let When::Recovering(..) = point.when {
        scene.start(Some(&point.at))?.crashes().await?;
    }
    let left = scene.unanswered().await;
    let process = scene.start(None)?;
    let (first, last) = scene.recovered(process.started(), left).await?;
    let mut outcome = Outcome::new(&point.at, database, mode);
    outcome.kills = 1;
    outcome.took(first, last);
    scene.judge([process], outcome).await
}

/// Lives through `kills` deaths at random moments.
pub async fn die_often(kills: u32, database: Database, mode: Mode, seed: u64) -> anyhow::Result<Outcome> {
    let mut random = Random::seeded(seed);
    let mut scene = Scene::set(database, mode, false).await?;
    let mut outcome = Outcome::new(&format!("random, seed {seed}"), database, mode);
    let mut process = scene.start(None)?;
    while outcome.kills < kills {
        scene.ask_all();
        scene.ask(|| random.below(2) == 0);
        // A second death in a row hits the recovery; a third in a row might rightly end a turn.
        let deaths = 1 + u32::from(random.below(4) == 0 && outcome.kills + 1 < kills);
        for _ in 0..deaths {
            scene.moment(&mut random).await;
            process.kill_nine().await?;
            outcome.kills += 1;
            scene.ask(|| random.below(4) == 0);
            process = scene.start(None)?;
        }
        let left = scene.unanswered().await;
        let (first, last) = scene.recovered(process.started(), left).await?;
        outcome.took(first, last);
        scene.look(&mut outcome).await?;
        ensure!(outcome.is_clean(), "{outcome}\n{}", scene.evidence());
    }
    scene.judge([process], outcome).await
}
