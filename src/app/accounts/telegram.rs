//! Telegram accounts.

use anyhow::Context as _;
use roundtable_contract::{AccountId, Limits};
use roundtable_telegram::{Backoff, ExactlyOnce, Telegram, default_limits};

use super::{bots, dm};
use crate::config;
use crate::routing::{Policy, Senders};

pub(super) fn channel(name: &str, account: &config::Telegram) -> anyhow::Result<Telegram> {
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
        backoff: Backoff {
            first: account.connection.retry,
            conflict: account.connection.conflict,
            ..Backoff::default()
        },
    })
    .with_context(|| format!("the account telegram:{name} can't be set up"))
}

pub(super) fn policy(account: &config::Telegram) -> Policy {
    Policy {
        dm: dm(account.dm),
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
        bots: bots(account.bots),
    }
}
