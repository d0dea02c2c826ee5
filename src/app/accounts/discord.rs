//! Discord accounts.

use anyhow::Context as _;
use roundtable_contract::{AccountId, Limits};
use roundtable_discord::{Discord, Pauses, default_limits};

use super::{bots, dm};
use crate::config;
use crate::routing::{Policy, Senders};

pub(super) fn channel(name: &str, account: &config::Discord) -> anyhow::Result<Discord> {
    let (rates, connection) = (account.limits, account.connection);
    let limits = Limits {
        chat_per_second: rates.chat_per_second,
        chat_burst: rates.chat_burst,
        total_per_second: rates.total_per_second,
        send_timeout: account.send_timeout,
        ..default_limits()
    };
    Discord::new(roundtable_discord::Config {
        account: AccountId::new("discord", name),
        token: account.token.expose().to_owned(),
        api_url: account.api_url.url().clone(),
        shards: account.shards,
        limits,
        nonce_window: account.nonce_window,
        pauses: Pauses {
            first: connection.retry,
            identify: connection.login,
            patience: connection.patience,
            sweep: connection.sweep,
            ..Pauses::default()
        },
    })
    .with_context(|| format!("the account discord:{name} can't be set up"))
}

/// A server in `guilds` lets its channels and threads in.
pub(super) fn policy(account: &config::Discord) -> Policy {
    let senders = |group: &config::DiscordGroup| match group.senders {
        config::DiscordSenders::Everyone => Senders::Everyone,
        config::DiscordSenders::Known => Senders::Known,
        config::DiscordSenders::Roles => Senders::Roles(group.roles.clone()),
    };
    Policy {
        dm: dm(account.dm),
        users: account.users.clone(),
        owners: account.owners.clone(),
        groups: account.guilds.clone(),
        senders: account.group.iter().map(|(id, group)| (id.clone(), senders(group))).collect(),
        bots: bots(account.bots),
    }
}
