//! A team at work, as people see it: the same story on both platforms, with both databases.

mod no_thread;
mod threads;
mod website;

use roundtable_fakes::{ModelFake, Reply};

use crate::support::requests::agent_of;
use crate::support::seat::Seat;
use crate::support::world::{QUICK_DISCORD, World};

/// The model says these lines, each agent its own in their order; without a line it echoes.
fn plays<const N: usize>(model: &ModelFake, lines: [(&'static str, Reply); N]) {
    let mut lines = Vec::from(lines);
    model.on(move |request| {
        let agent = agent_of(request);
        let next = lines.iter().position(|(who, _)| *who == agent)?;
        Some(lines.remove(next).1)
    });
}

/// A world with both platforms, connected.
async fn world(database: &str) -> World {
    let world =
        World::setting().on(database).discord(&format!("dm = \"open\"\n{QUICK_DISCORD}")).start().await;
    world.telegram.set_privacy(false);
    world.discord().connected().await.unwrap();
    world
}
