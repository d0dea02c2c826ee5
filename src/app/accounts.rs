//! From the configuration to the channels and who may speak through them.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context as _;
use roundtable_contract::{AccountId, Channel, Limits};
use roundtable_telegram::{Backoff, ExactlyOnce, Telegram, default_limits};

use crate::config::{self, Config};
use crate::local::{self, Local};
use crate::routing::{Bots, DmPolicy, Policy, Senders};

pub(super) fn channels(config: &Config, local: &Arc<Local>) -> anyhow::Result<Vec<Arc<dyn Channel>>> {
    let mut channels: Vec<Arc<dyn Channel>> = Vec::new();
    if config.channels.local.enabled {
        channels.push(local.clone());
    }
    for (name, account) in config.channels.telegram.iter().filter(|(_, account)| account.enabled) {
        channels.push(Arc::new(telegram(name, account)?));
    }
    Ok(channels)
}

fn telegram(name: &str, account: &config::Telegram) -> anyhow::Result<Telegram> {
    let rates = account.limits;
    let limits = Limits {
        chat_per_second: rates.chat_per_second,
        chat_burst: rates.chat_burst,
        group_per_minute: rates.group_per_minute,
        total_per_second: rates.total_per_second,
        send_timeout: account.send_timeout,
        ..default_limits()
    };
    let exactly_once = match account.exactly_once {
        config::ExactlyOnce::Probe => ExactlyOnce::Probe,
        config::ExactlyOnce::Edit => ExactlyOnce::Edit,
        config::ExactlyOnce::Send => ExactlyOnce::Send,
    };
    Telegram::new(roundtable_telegram::Config {
        account: AccountId::new("telegram", name),
        token: account.token.expose().to_owned(),
        api_url: account.api_url.url().clone(),
        limits,
        exactly_once,
        poll_timeout: account.poll_timeout,
        backoff: Backoff::default(),
    })
    .with_context(|| format!("the account telegram:{name} can't be set up"))
}

/// Who may speak, by account. Whoever reaches the local channel holds the node's token.
pub fn policies(config: &Config) -> HashMap<AccountId, Policy> {
    let local = (local::account(), Policy { owners: vec!["*".into()], ..Policy::default() });
    let telegram = config
        .channels
        .telegram
        .iter()
        .map(|(name, account)| (AccountId::new("telegram", name.as_str()), policy(account)));
    telegram.chain([local]).collect()
}

fn policy(account: &config::Telegram) -> Policy {
    Policy {
        dm: match account.dm {
            config::DirectMessages::Pairing => DmPolicy::Pairing,
            config::DirectMessages::Allowlist => DmPolicy::Allowlist,
            config::DirectMessages::Open => DmPolicy::Open,
            config::DirectMessages::Off => DmPolicy::Off,
        },
        users: account.users.clone(),
        owners: account.owners.clone(),
        groups: account.groups.clone(),
        senders: account
            .group
            .iter()
            .map(|(chat, group)| {
                let senders = match group.senders {
                    config::Senders::Everyone => Senders::Everyone,
                    config::Senders::Known => Senders::Known,
                };
                (chat.clone(), senders)
            })
            .collect(),
        bots: match account.bots {
            config::Bots::Ignore => Bots::Ignore,
            config::Bots::Mentioned => Bots::Mentioned,
        },
    }
}
