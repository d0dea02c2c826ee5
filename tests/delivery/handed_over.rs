//! A node that is told to stop waits for nothing but calls in flight: the account is the next node's at once, with all that
//! waits. The drain takes an hour here, so a node that waited for its end would outlast every patience.

use roundtable::store::deliveries::State;

use super::answers::{answered, answering, ask, without_node};
use crate::nodes::fleet::Nodes;
use crate::support::databases::Database;
use crate::support::world::World;

const DRAIN: (&str, &str) = ("ROUNDTABLE_NODE__DRAIN", "1h");

/// One message an hour.
const SLOWLY: &str = "limits = { chat_per_second = 0.0003, chat_burst = 1, group_per_minute = 0, total_per_second = 0 }\n\
    poll_timeout = \"9s\"\nsend_timeout = \"9s\"";

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_waits_for_its_turn_is_left_to_the_next_node() {
    for database in Database::all() {
        let fresh = database.fresh().await;
        let mut world = without_node(World::setting().on(&fresh.url), SLOWLY).await;
        world.env.insert(DRAIN.0.into(), DRAIN.1.into());
        let mut nodes = Nodes::default();
        nodes.start(&world, "one", []).await.unwrap();
        if database == Database::Postgres {
            nodes.start(&world, "two", []).await.unwrap();
        }
        let ann = world.telegram.user("ann");
        ask(&world, &ann, "first").await;
        answered(&ann, "first").await;
        ask(&world, &ann, "second").await;
        let stored = world.stored().await;
        stored.until("the second waits", |all| all.len() == 2 && all[0].state == State::Pending).await;
        nodes.take("one").unwrap().stop().await.unwrap();
        if database == Database::Sqlite {
            nodes.start(&world, "two", []).await.unwrap();
        }
        answered(&ann, "second").await;
        nodes.take("two").unwrap().stop().await.unwrap();
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_looked_for_yet_is_left_to_the_next_node() {
    let mut world =
        answering("limits = { chat_per_second = 0, group_per_minute = 0, total_per_second = 0 }").await;
    world.env.insert(DRAIN.0.into(), DRAIN.1.into());
    let ann = world.telegram.user("ann");
    let send = world.telegram.hold("sendMessage");
    ask(&world, &ann, "lost").await;
    send.process().await.unwrap();
    world.kill_node().await;
    send.cut();
    let poll = world.telegram.hold("getUpdates");
    world.start_node().await;
    poll.arrived().await.unwrap();
    let stored = world.stored().await;
    let asked = |error: &String| error.contains("all that waits is read");
    stored.until("it is looked for", |all| all[0].error.as_ref().is_some_and(asked)).await;
    world.stop_node().await;
    poll.release();
    world.start_node().await;
    stored.until("it is found", |all| all[0].state == State::Sent).await;
    answered(&ann, "lost").await;
    world.end().await;
}
