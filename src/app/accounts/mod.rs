//! From the configuration to the channels and who may speak through them.

mod discord;
mod telegram;

use std::collections::HashMap;
use std::sync::Arc;

use roundtable_contract::{AccountId, Channel};

use crate::config::{self, Config};
use crate::local::{self, Local};
use crate::routing::{Bots, DmPolicy, Policy};

pub(super) fn channels(config: &Config, local: &Arc<Local>) -> anyhow::Result<Vec<Arc<dyn Channel>>> {
    let mut channels: Vec<Arc<dyn Channel>> = Vec::new();
    if config.channels.local.enabled {
        channels.push(local.clone());
    }
    for (name, account) in config.channels.discord.iter().filter(|(_, account)| account.enabled) {
        channels.push(Arc::new(discord::channel(name, account)?));
    }
    for (name, account) in config.channels.telegram.iter().filter(|(_, account)| account.enabled) {
        channels.push(Arc::new(telegram::channel(name, account)?));
    }
    Ok(channels)
}

/// Who may speak, by account. Whoever reaches the local channel holds the node's token.
pub fn policies(config: &Config) -> HashMap<AccountId, Policy> {
    let local = (local::account(), Policy { owners: vec!["*".into()], ..Policy::default() });
    let channels = &config.channels;
    let discord = channels
        .discord
        .iter()
        .map(|(name, account)| (AccountId::new("discord", name.as_str()), discord::policy(account)));
    let telegram = channels
        .telegram
        .iter()
        .map(|(name, account)| (AccountId::new("telegram", name.as_str()), telegram::policy(account)));
    discord.chain(telegram).chain([local]).collect()
}

fn dm(dm: config::DirectMessages) -> DmPolicy {
    match dm {
        config::DirectMessages::Pairing => DmPolicy::Pairing,
        config::DirectMessages::Allowlist => DmPolicy::Allowlist,
        config::DirectMessages::Open => DmPolicy::Open,
        config::DirectMessages::Off => DmPolicy::Off,
    }
}

fn bots(bots: config::Bots) -> Bots {
    match bots {
        config::Bots::Ignore => Bots::Ignore,
        config::Bots::Mentioned => Bots::Mentioned,
    }
}
