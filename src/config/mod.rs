//! Configuration: one file per section, loading, validation, secrets.
//!
//! [`load`] is the only way in: it turns layers of text into a [`Config`] whose every reference holds, or
//! into one [`Report`] of everything that is wrong. The stages, each a module:
//!
//! 1. `layers`: the embedded default, the user's file, what stands in for missing sections, the environment;
//! 2. `defaults`: keys whose default depends on other keys or on the environment;
//! 3. `resolve`: `env:` and `file:` references become secrets, soul paths become prompts;
//! 4. `shape`: the tree becomes typed, one finding per wrong key;
//! 5. `validate`: what no type can say: references, ids, circles, shadowed bindings.
//!
//! Nothing here writes a file, and nothing but [`Sources::of_process`] reads the environment.

mod agents;
mod bindings;
mod channels;
mod defaults;
mod http;
mod layers;
mod load;
mod models;
mod node;
mod path;
mod period;
mod report;
mod resolve;
mod secret;
mod shape;
mod souls;
mod store;
mod tree;
mod validate;
mod values;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::routing;

pub use agents::{Agent, Queue, Subagents, Visibility};
pub use channels::{
    Bots, Channels, DirectMessages, Discord, DiscordConnection, DiscordGroup, DiscordRates, DiscordSenders,
    ExactlyOnce, Group, Local, Rates, Senders, Telegram, TelegramConnection,
};
pub use http::Http;
pub use load::{Loaded, Sources, load};
pub use models::{Model, Prices, Provider};
pub use node::Node;
pub use path::{KeyPath, Step};
pub use period::parse as parse_period;
pub use report::{Finding, Origin, Report};
pub use secret::Secret;
pub use store::Store;
pub use values::WebUrl;

/// The whole configuration of a node. Every name in it refers to something that is there.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Config {
    /// This process.
    pub node: Node,
    /// The database.
    pub store: Store,
    /// The HTTP server.
    pub http: Http,
    /// Language models by id.
    pub models: BTreeMap<String, Model>,
    /// The team by id; exactly one agent is the default.
    pub agents: BTreeMap<String, Agent>,
    /// The accounts.
    pub channels: Channels,
    /// Which agent answers where, in the file's order.
    #[serde(deserialize_with = "bindings::read")]
    pub bindings: Vec<routing::Binding>,
}

impl Config {
    /// The agent that answers where no binding matches.
    pub fn default_agent(&self) -> Option<(&str, &Agent)> {
        self.agents.iter().find(|(_, agent)| agent.default).map(|(id, agent)| (id.as_str(), agent))
    }

    /// Everything in it that must not be shown.
    pub fn secrets(&self) -> Vec<Secret> {
        let keys = self.models.values().filter_map(|model| model.api_key.as_ref());
        let discord = self.channels.discord.values().map(|account| &account.token);
        let telegram = self.channels.telegram.values().map(|account| &account.token);
        let all = keys.chain(discord).chain(telegram).chain(&self.http.token).cloned();
        all.chain(self.store.password()).collect()
    }

    /// The former ids of agents, each with today's.
    pub fn former_ids(&self) -> BTreeMap<String, String> {
        let aliases = |(id, agent): (&String, &Agent)| {
            agent.aliases.iter().map(|alias| (alias.clone(), id.clone())).collect::<Vec<_>>()
        };
        self.agents.iter().flat_map(aliases).collect()
    }

    /// Writes an agent's id where the text uses one of its former ids, so that nobody after this has to.
    fn replace_aliases(&mut self) {
        let ids = self.former_ids();
        let allowed = self.agents.values_mut().flat_map(|agent| &mut agent.subagents.allow);
        let bound = self.bindings.iter_mut().flat_map(|binding| &mut binding.agents);
        for agent in allowed.chain(bound) {
            if let Some(id) = ids.get(agent) {
                agent.clone_from(id);
            }
        }
    }
}
