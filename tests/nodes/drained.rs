//! A node that is told to stop while a model thinks about an answer: others have its accounts at once, and one of them
//! delivers that answer.

use anyhow::ensure;

use super::fleet::{DISCORD, Fleet, owned_by_another};
use crate::kills::report::{Outcome, conclude};
use crate::kills::scene::Mode;
use crate::support::databases::Database;
use crate::support::requests::next_text;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_waits_for_a_model_hands_its_accounts_over_and_the_answer_too() {
    let Some(mut fleet) = Fleet::set(true).await.unwrap() else { return };
    fleet.end_no_lease();
    conclude(vec![drained(fleet).await]);
}

async fn drained(mut fleet: Fleet) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("it drains", Database::Postgres, Mode::Probe);
    fleet.start("one").await?;
    fleet.start("two").await?;
    let (ann, bob) = (fleet.scene.world.telegram.user("ann"), fleet.scene.world.telegram.user("bob"));
    let thought = fleet.scene.world.model.hold("a hard question");
    ann.says("a hard question");
    thought.arrived().await?;
    let one = fleet.nodes.take("one")?;
    one.terminate().await?;
    fleet.owned_by_another("one").await?;
    owned_by_another(&fleet.scene.world, DISCORD, "one").await?;
    bob.says("is anybody there?");
    ensure!(next_text(&bob).await == "echo: is anybody there?");
    thought.release();
    ensure!(next_text(&ann).await == "echo: a hard question");
    one.stopped().await?;
    fleet.scene.ask_all();
    fleet.answered().await?;
    fleet.scene.look(&mut outcome).await?;
    fleet.judge(outcome).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_dies_as_it_hands_its_accounts_over_loses_and_doubles_nothing() {
    let mut outcomes = Vec::new();
    for place in ["commit.give_back.before:1", "commit.give_back.after:1"] {
        let Some(fleet) = Fleet::set(false).await.unwrap() else { return };
        outcomes.push(dies(fleet, place).await);
    }
    conclude(outcomes);
}

async fn dies(mut fleet: Fleet, place: &'static str) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new(place, Database::Postgres, Mode::Probe);
    let crash = [("ROUNDTABLE_CRASH_AT", place.to_owned())];
    fleet.nodes.start(&fleet.scene.world, "one", crash).await?;
    fleet.start("two").await?;
    fleet.scene.ask_all();
    fleet.answered().await?;
    let ann = fleet.scene.world.telegram.user("ann");
    let thought = fleet.scene.world.model.hold("a hard question");
    ann.says("a hard question");
    thought.arrived().await?;
    fleet.scene.ask_all();
    let mut one = fleet.nodes.take("one")?;
    one.terminate().await?;
    one.crashes().await?;
    fleet.owned_by_another("one").await?;
    thought.release();
    ensure!(next_text(&ann).await == "echo: a hard question");
    fleet.answered().await?;
    fleet.scene.look(&mut outcome).await?;
    fleet.judge(outcome).await
}
