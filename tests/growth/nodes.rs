//! `roundtable nodes`.

use serde_json::{Value, json};

use crate::support::databases::{Database, on_each_database};
use crate::support::process::Process;
use crate::support::ready;
use crate::support::requests::next_text;
use crate::support::world::World;

/// Asks until the list is as it should be; gives it.
async fn until(world: &World, what: &str, holds: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let stored = world.stored().await;
    let look = async || {
        let listed = world.runs("nodes --json").await.json();
        Some(listed.as_array().expect("a list").clone()).filter(|nodes| holds(nodes))
    };
    stored.find(what, look).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_listed_with_what_it_holds_until_it_ends() {
    on_each_database(async |url| {
        let mut world = World::setting().on(url).start().await;
        ready::all(&world).await;
        let call = world.model.hold("slow");
        let ann = world.telegram.user("ann");
        ann.says("slow");
        call.arrived().await.unwrap();
        let nodes = until(&world, "the node to be listed", |nodes| nodes.len() == 1).await;
        assert_eq!(nodes[0]["alive"], true);
        assert_eq!(
            (&nodes[0]["turns"], &nodes[0]["holds"]),
            (&json!(1), &json!(["local:main", "telegram:main"]))
        );
        assert!(nodes[0]["seen_at"].as_i64() >= nodes[0]["started_at"].as_i64(), "{nodes:?}");
        drop(call);
        assert_eq!(next_text(&ann).await, "echo: slow");
        world.stop_node().await;
        // Without a node the database itself is asked.
        let ran = world.runs("nodes").await;
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.trim()), (Some(0), "", "No node is at work."));
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_dies_is_shown_as_gone_and_the_other_has_its_accounts() {
    if !Database::all().contains(&Database::Postgres) {
        return;
    }
    let fresh = Database::Postgres.fresh().await;
    let mut world = World::setting().on(&fresh.url).start().await;
    ready::all(&world).await;
    world.use_data_dir("second");
    let second = Process::start(&world, None).unwrap();
    let both = |nodes: &[Value]| nodes.len() == 2 && nodes.iter().all(|node| node["alive"] == true);
    let nodes = until(&world, "both to be alive", both).await;
    assert_eq!(
        (&nodes[0]["holds"], &nodes[1]["holds"]),
        (&json!(["local:main", "telegram:main"]), &json!([]))
    );
    world.kill_node().await;
    // What it held and that it was there are renewed at different moments, and so end.
    let gone = |nodes: &[Value]| nodes[0]["alive"] == false && nodes[0]["holds"] == json!([]);
    let moved = |nodes: &[Value]| nodes[1]["holds"] == json!(["local:main", "telegram:main"]);
    let over = |nodes: &[Value]| gone(nodes) && moved(nodes);
    let nodes = until(&world, "the second to have the accounts", over).await;
    assert_eq!(nodes[1]["alive"], true);
    second.stop().await.unwrap();
    world.end().await;
}
