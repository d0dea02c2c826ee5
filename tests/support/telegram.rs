//! The Telegram channel by itself, on a fake server.

use std::time::Duration;

use roundtable_contract::{AccountId, Limits};
use roundtable_fakes::TelegramFake;
use roundtable_telegram::{Backoff, Config, ExactlyOnce, Telegram, default_limits};

/// The bot of the fake, with pauses that suit a test and polls that only an event or a stop ends.
pub fn channel(fake: &TelegramFake, exactly_once: ExactlyOnce) -> Telegram {
    let pause = Duration::from_millis(20);
    Telegram::new(Config {
        account: AccountId::new("telegram", "main"),
        token: fake.token(),
        api_url: fake.url().parse().expect("the fake has an address"),
        limits: Limits { send_timeout: Duration::from_secs(10), ..default_limits() },
        exactly_once,
        poll_timeout: Duration::from_secs(50),
        backoff: Backoff { first: pause, most: 2 * pause, conflict: pause },
    })
    .expect("an HTTP client can be made")
}
