//! The deaths in one world.

use anyhow::ensure;
use roundtable::store::deliveries::State;
use roundtable_fakes::ModelRequest;

use super::errands::{Errand, PANIC_AT};
use super::load::SMALL_GROUP;
use super::points::{Point, When};
use super::random::Random;
use super::report::Outcome;
use super::scene::{Mode, Scene};
use super::sight::Platform;
use crate::support::databases::Database;
use crate::support::world::World;

/// Dies at one point, and once before if the point is one of recovery.
pub async fn die_at(point: &Point, database: Database, mode: Mode) -> anyhow::Result<Outcome> {
    if let When::During(errand, _) = point.when {
        return die_during(errand, &point.at, database, mode).await;
    }
    let mut scene = Scene::set_on_both(database, mode, point.at.starts_with("commit.expire.")).await?;
    if point.at.starts_with("call.discord.find.") {
        scene.trust_no_nonce();
    }
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
    let aimed_at = Platform::aimed_at(&point.at);
    if let Some(platform) = aimed_at {
        died_calling(&scene.world, platform).await?;
    }
    let left = scene.unanswered().await;
    let process = scene.start(None)?;
    let recoveries = scene.recovered(process.started(), left).await?;
    let mut outcome = Outcome::new(&point.at, database, mode);
    outcome.kills = 1;
    outcome.took(recoveries);
    let outcome = scene.judge([process], outcome).await?;
    let seen_twice = mode == Mode::Send && aimed_at.is_some() && point.at.contains(".after:");
    ensure!(!seen_twice || outcome.repeated > 0, "what was shown was not sent again: {outcome}");
    Ok(outcome)
}

/// There is a call on this platform of which nobody knows how it ended.
async fn died_calling(world: &World, platform: Platform) -> anyhow::Result<()> {
    let open = world.deliveries().await;
    let unknown = open.iter().any(|one| {
        one.conversation.starts_with(platform.account())
            && matches!(one.state, State::Sending | State::Unknown)
    });
    ensure!(unknown, "it did not die around a call on {platform:?}: {open:#?}");
    Ok(())
}

/// Dies of what somebody does while everything is in flight; they do it again.
async fn die_during(errand: Errand, at: &str, database: Database, mode: Mode) -> anyhow::Result<Outcome> {
    let mut scene = Scene::set_on_both(database, mode, false).await?;
    errand.set(&mut scene);
    let mut process = scene.start(Some(at))?;
    let mut doing = errand.prepare(&mut scene).await?;
    scene.ask_all();
    let at_work = |request: &ModelRequest| request.asks("question-") && !request.asks(SMALL_GROUP);
    let at_work = scene.world.model.wait_for_request("a first question of many", at_work);
    tokio::select! {
        crashed = process.crashes() => crashed?,
        seen = at_work => {
            seen?;
            errand.go(&mut scene, &mut doing).await?;
            scene.ask_until(process.crashes()).await?;
        }
    }
    // The next one is well.
    scene.world.env.remove(PANIC_AT);
    let left = scene.unanswered().await;
    ensure!(left.iter().sum::<usize>() > 0, "nothing was in flight");
    scene.load.ask(|| true);
    let process = scene.start(None)?;
    let recoveries = scene.recovered(process.started(), left).await?;
    errand.again(&scene.world, doing, at).await?;
    let mut outcome = Outcome::new(at, database, mode);
    outcome.kills = 1;
    outcome.took(recoveries);
    scene.judge([process], outcome).await
}

/// Panics at a place while everything is in flight, and lives.
pub async fn panic_at(place: &str, database: Database) -> anyhow::Result<Outcome> {
    let mut scene = Scene::set_on_both(database, Mode::Probe, false).await?;
    scene.world.env.insert(PANIC_AT.to_owned(), place.to_owned());
    scene.ask_all();
    let process = scene.start(None)?;
    let recoveries = scene.recovered(process.started(), scene.unanswered().await).await?;
    ensure!(process.has_said("a turn panicked"), "it did not panic");
    let mut outcome = Outcome::new(&format!("panic at {place}"), database, Mode::Probe);
    outcome.took(recoveries);
    scene.judge([process], outcome).await
}

/// Lives through `kills` deaths at random moments.
pub async fn die_often(kills: u32, database: Database, mode: Mode, seed: u64) -> anyhow::Result<Outcome> {
    let mut random = Random::seeded(seed);
    let mut scene = Scene::set_on_both(database, mode, false).await?;
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
        outcome.took(scene.recovered(process.started(), left).await?);
        scene.look(&mut outcome).await?;
        ensure!(outcome.is_clean(), "{outcome}\n{}", scene.evidence());
    }
    scene.judge([process], outcome).await
}
