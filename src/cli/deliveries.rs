//! `roundtable deliveries list|retry|discard`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::api::Node;
use super::{Context, offline, out};
use crate::control::admin::{Deliveries, Discard, Retry};
use crate::store::deliveries::Listed;
use crate::time::{Clock as _, SystemClock};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// What is still to be sent, and what could not be, newest first.
    List {
        /// Also what was sent and what was given up.
        #[arg(long)]
        all: bool,
        /// How many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=500))]
        limit: i64,
    },
    /// Send one again, now. One of unknown outcome may then be seen twice.
    Retry {
        /// Its number.
        id: i64,
    },
    /// Give one up.
    Discard {
        /// Its number.
        id: i64,
    },
}

pub(super) async fn run(context: &Context, command: Command) -> anyhow::Result<()> {
    let config = context.load()?;
    let node = Node::find(&config).await?;
    match command {
        Command::List { all, limit } => {
            let deliveries: Vec<Listed> = match node {
                Some(node) => {
                    node.get("deliveries", &[("all", all.to_string()), ("limit", limit.to_string())]).await?
                }
                None => offline::read(&config, Deliveries { all, limit }).await?,
            };
            if deliveries.is_empty() {
                eprintln!("There are no such deliveries.");
            }
            let now = SystemClock::new().now();
            out::data(context.json, &deliveries, |deliveries| list(deliveries, now))
        }
        Command::Retry { id } => {
            match node {
                Some(node) => {
                    node.post::<Value>(&format!("deliveries/{id}/retry"), &json!({})).await?;
                    eprintln!("Delivery {id} is being sent again.");
                }
                None => {
                    offline::change(&config, Retry(id)).await??;
                    eprintln!("Delivery {id} is sent again when a node runs.");
                }
            }
            done(context, id)
        }
        Command::Discard { id } => {
            match node {
                Some(node) => {
                    node.post::<Value>(&format!("deliveries/{id}/discard"), &json!({})).await?;
                }
                None => offline::change(&config, Discard(id)).await??,
            }
            eprintln!("Delivery {id} is given up.");
            done(context, id)
        }
    }
}

fn done(context: &Context, id: i64) -> anyhow::Result<()> {
    out::data(context.json, &json!({ "id": id }), |_| String::new())
}

fn list(deliveries: &[Listed], now: i64) -> String {
    if deliveries.is_empty() {
        return String::new();
    }
    let row = |delivery: &Listed| {
        [
            delivery.id.to_string(),
            delivery.state.as_str().to_owned(),
            format!("{}/{}", delivery.part, delivery.parts),
            delivery.attempts.to_string(),
            out::age(now, delivery.created_at),
            delivery.conversation.clone(),
            delivery.error.clone().unwrap_or_default(),
        ]
    };
    let header = ["ID", "STATE", "PART", "TRIES", "AGE", "CONVERSATION", "ERROR"];
    out::table(header, deliveries.iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliveries_are_listed() {
        let delivery: Listed = serde_json::from_value(json!({
            "id": 7, "conversation": "telegram:main:55", "state": "failed", "part": 1, "parts": 2, "attempts": 3,
            "unknowns": 0, "error": "the bot was blocked", "created_at": 0,
        }))
        .unwrap();
        insta::assert_snapshot!(list(&[delivery], 3_600_000), @r"
        ID  STATE   PART  TRIES  AGE  CONVERSATION      ERROR
        7   failed  1/2   3      1 h  telegram:main:55  the bot was blocked
        ");
    }
}
