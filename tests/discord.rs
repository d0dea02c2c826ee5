//! Discord, as people see it.

mod closes;
mod forget;
mod gateway;
mod output;
mod places;
mod rival;
mod shards;
mod silence;
mod sweep;
mod unknown;

use roundtable_fakes::discord::Seat;

use crate::support::world::World;

/// The next message of the bot here.
async fn next(seat: &Seat) -> String {
    seat.next_message().await.unwrap().text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_message_is_answered() {
    let world = World::with_discord().await;
    world.model.when("capital of France", roundtable_fakes::Reply::text("**Paris**, of course."));
    world.discord().connected().await.unwrap();
    let ann = world.discord().user("ann");
    ann.says("What is the capital of France?");
    assert_eq!(next(&ann).await, "**Paris**, of course.");
    world.end().await;
}
