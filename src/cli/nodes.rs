//! `roundtable nodes`.

use super::api::Node as Running;
use super::{Context, offline, out};
use crate::control::admin::Nodes;
use crate::store::nodes::Node;
use crate::time::{Clock as _, SystemClock};

pub(super) async fn run(context: &Context) -> anyhow::Result<()> {
    let config = context.load()?;
    let nodes: Vec<Node> = match Running::find(&config).await? {
        Some(running) => running.get("nodes", &[]).await?,
        None => offline::read(&config, Nodes).await?,
    };
    if nodes.is_empty() {
        eprintln!("No node is at work.");
    }
    let now = SystemClock::new().now();
    out::data(context.json, &nodes, |nodes| list(nodes, now))
}

fn list(nodes: &[Node], now: i64) -> String {
    if nodes.is_empty() {
        return String::new();
    }
    let row = |node: &Node| {
        [
            node.name.clone(),
            match (node.alive, node.draining) {
                (true, false) => "alive",
                (true, true) => "stopping",
                (false, _) => "gone",
            }
            .to_owned(),
            out::age(now, node.started_at),
            format!("{} ago", out::age(now, node.seen_at)),
            node.turns.to_string(),
            if node.holds.is_empty() { "-".to_owned() } else { node.holds.join(", ") },
        ]
    };
    let header = ["NODE", "STATE", "STARTED", "SEEN", "TURNS", "HOLDS"];
    out::table(header, nodes.iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_listed() {
        let node = |name: &str, alive, seen_at, turns, holds: &[&str]| Node {
            name: name.into(),
            alive,
            draining: turns == 2,
            started_at: 0,
            seen_at,
            holds: holds.iter().map(ToString::to_string).collect(),
            turns,
        };
        let nodes = [
            node("left-01", false, 60_000, 1, &[]),
            node("right-02", true, 7_198_000, 3, &["discord:main", "telegram:main"]),
        ];
        insta::assert_snapshot!(list(&nodes, 7_200_000), @r"
        NODE      STATE  STARTED  SEEN     TURNS  HOLDS
        left-01   gone   2 h      1 h ago  1      -
        right-02  alive  2 h      2 s ago  3      discord:main, telegram:main
        ");
    }
}
