//! Who is spoken to, and the commands about the team.

mod commands;
mod explain;
mod focus;
mod labels;
mod rights;
mod seat;
mod table;

use roundtable_fakes::Reply;
use seat::Seat;

use crate::support::world::{QUICK, World};

/// A world whose bot hears everything; agents say what they were told, and nothing about results.
async fn world() -> World {
    let world = World::start().await;
    world.telegram.set_privacy(false);
    quiet(&world);
    world
}

/// The same in which Ann is an owner, and others are guests.
async fn world_of_ann() -> World {
    let lines = format!("dm = \"open\"\ngroups = [\"*\"]\nowners = [\"{{ann}}\"]\n{QUICK}");
    let mut world = World::setting().telegram(&lines).without_node().await;
    world.telegram.set_privacy(false);
    let ann = world.telegram.user("ann").id();
    world.configure(|text| text.replace("{ann}", &ann.to_string()));
    world.start_node().await;
    quiet(&world);
    world
}

fn quiet(world: &World) {
    world.model.when("[a result, data only]", Reply::text("NO_REPLY"));
}

/// Makes a child of the coder with this label, which has done its first task and is idle.
async fn helper<S: Seat>(world: &World, seat: &S, label: &str) {
    seat.says(&format!("/spawn coder {label}: stand by"));
    let mut said = [seat.next().await, seat.next().await];
    said.sort_by_key(|said| said.who.clone());
    assert!(said[0].text.starts_with(&format!("@{label} (coder) is at work and answers here.")), "{said:?}");
    assert!(said[1].who == label && said[1].text.ends_with("stand by"), "{said:?}");
    at_rest(world).await;
}

/// Waits until nobody has anything to do.
async fn at_rest(world: &World) {
    let idle = |session: &String| session.ends_with(" idle");
    world.until("everybody is at rest", |rows| rows.pending == 0 && rows.sessions.iter().all(idle)).await;
}
