//! The program is killed wherever it hurts, and nothing is lost, said twice or put in the wrong place.
//!
//! Twenty conversations are in flight, ten on each platform, and beside them teams on both that spawn, wait and talk, on
//! the built binary as a process of its own. After each death it is started again; when everything is answered, the chats
//! and the database are judged.

mod errands;
pub mod load;
mod points;
pub mod random;
pub mod report;
mod run;
pub mod scene;
pub mod sight;
mod team;

use std::panic::AssertUnwindSafe;

use anyhow::{Context as _, anyhow};
use futures::{FutureExt as _, StreamExt as _};

use crate::support::databases::Database;
use points::{BOUNDARIES, ERRANDS, ONCE_MORE, TEAMS, TWO_STEPS, When, points};
use report::{Outcome, conclude};
use run::{die_at, die_often, panic_at};
use scene::Mode;

/// Worlds that live at the same time: most of their time is waiting, and more so when the program is optimised.
const AT_ONCE: usize = if cfg!(debug_assertions) { 3 } else { 6 };

/// Deaths at random moments on each database, unless `ROUNDTABLE_PROVE_KILLS` says more.
const KILLS: u32 = 30;

/// Deaths that one world lives through at most: histories grow with them.
const KILLS_OF_A_WORLD: u32 = 15;

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_boundary_loses_and_doubles_nothing_on_sqlite() {
    at_boundaries(&BOUNDARIES, Database::Sqlite, Mode::Probe).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_boundary_loses_and_doubles_nothing_on_postgres() {
    at_boundaries(&BOUNDARIES, Database::Postgres, Mode::Probe).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_two_steps_of_a_message_doubles_no_content_on_sqlite() {
    at_boundaries(&TWO_STEPS, Database::Sqlite, Mode::Edit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_two_steps_of_a_message_doubles_no_content_on_postgres() {
    at_boundaries(&TWO_STEPS, Database::Postgres, Mode::Edit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_before_a_message_is_known_to_be_sent_shows_it_twice_at_most_on_sqlite() {
    at_boundaries(&ONCE_MORE, Database::Sqlite, Mode::Send).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_before_a_message_is_known_to_be_sent_shows_it_twice_at_most_on_postgres() {
    at_boundaries(&ONCE_MORE, Database::Postgres, Mode::Send).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_while_children_are_at_work_loses_and_doubles_nothing_on_sqlite() {
    at_boundaries(&TEAMS, Database::Sqlite, Mode::Probe).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_while_children_are_at_work_loses_and_doubles_nothing_on_postgres() {
    at_boundaries(&TEAMS, Database::Postgres, Mode::Probe).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_while_somebody_is_on_an_errand_loses_and_doubles_nothing_on_sqlite() {
    at_boundaries(&ERRANDS, Database::Sqlite, Mode::Probe).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_while_somebody_is_on_an_errand_loses_and_doubles_nothing_on_postgres() {
    at_boundaries(&ERRANDS, Database::Postgres, Mode::Probe).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_costs_no_answer() {
    let places = ["call.tool.before:2", "call.model.after:5"];
    let worlds = Database::all().into_iter().flat_map(|database| places.map(|place| (place, database)));
    let live =
        async |(place, database): (&str, Database)| (panic_at(place, database).await, place.to_owned());
    conclude(side_by_side(worlds, live).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_at_random_moments_lose_and_double_nothing_on_sqlite() {
    at_random(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_at_random_moments_lose_and_double_nothing_on_postgres() {
    at_random(Database::Postgres).await;
}

async fn at_boundaries(boundaries: &[(&'static str, When)], database: Database, mode: Mode) {
    if !Database::all().contains(&database) {
        return;
    }
    let deaths = points(boundaries, database);
    conclude(side_by_side(deaths, async |point| (die_at(&point, database, mode).await, point.at)).await);
}

/// Lives through worlds, some at a time; one that panics takes no other with it.
async fn side_by_side<T>(
    worlds: impl IntoIterator<Item = T>,
    live: impl AsyncFn(T) -> (anyhow::Result<Outcome>, String),
) -> Vec<anyhow::Result<Outcome>> {
    futures::stream::iter(worlds)
        .map(|world| async {
            match AssertUnwindSafe(live(world)).catch_unwind().await {
                Ok((outcome, what)) => outcome.context(what),
                Err(_) => Err(anyhow!("a world has panicked; it is said above why")),
            }
        })
        .buffered(AT_ONCE)
        .collect()
        .await
}

async fn at_random(database: Database) {
    if !Database::all().contains(&database) {
        return;
    }
    let kills =
        std::env::var("ROUNDTABLE_PROVE_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(KILLS);
    let seed = random::seed();
    let worlds = kills.div_ceil(KILLS_OF_A_WORLD);
    let live = async |world: u32| {
        let deaths = KILLS_OF_A_WORLD.min(kills - world * KILLS_OF_A_WORLD);
        let mode = if world % 2 == 1 { Mode::Edit } else { Mode::Probe };
        let seed = seed.wrapping_add(world.into());
        (die_often(deaths, database, mode, seed).await, format!("random, {mode:?}, seed {seed}"))
    };
    conclude(side_by_side(0..worlds, live).await);
}
