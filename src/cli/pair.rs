//! `roundtable pair owner|revoke`.

use clap::Subcommand;
use roundtable_contract::Conversation;
use serde_json::json;

use super::api::Node;
use super::{Context, offline, out};
use crate::control::admin::{self, Refusal, Revoke};
use crate::http::{NewCode, Revoked};
use crate::store::Access;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a new code for the one who shall own the bot; the code before it is void.
    Owner,
    /// No longer listen in a group that an owner let in.
    Revoke {
        /// The group, `<channel>:<account>:<chat>`.
        conversation: Conversation,
    },
}

pub(super) async fn run(context: &Context, command: Command) -> anyhow::Result<()> {
    let config = context.load()?;
    let node = Node::find(&config).await?;
    match command {
        Command::Owner => {
            let made = match node {
                Some(node) => node.post("pair/owner", &json!({})).await?,
                None => {
                    let make = async |store| admin::new_owner_code(&store).await;
                    let code = offline::with(&config, Access::Node, make).await?;
                    NewCode { code: code.ok_or(Refusal::Owned)? }
                }
            };
            eprintln!("Send this code to the bot in a private chat within an hour:");
            out::data(context.json, &made, |made| made.code.clone())
        }
        Command::Revoke { conversation } => {
            let revoked = Revoked { conversation };
            match node {
                Some(node) => {
                    node.post::<Revoked>("pair/revoke", &revoked).await?;
                }
                None => offline::change(&config, Revoke(revoked.conversation.clone())).await??,
            }
            eprintln!("{} is no longer listened to.", revoked.conversation);
            out::data(context.json, &revoked, |_| String::new())
        }
    }
}
