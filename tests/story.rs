//! A team at work, as people see it: the same story on both platforms, with both databases.

mod no_thread;
mod threads;
mod website;

use roundtable_fakes::{ModelFake, Reply, Seat as TelegramSeat, discord};

use crate::support::discord::shown;
use crate::support::requests::{agent_of, next_text};
use crate::support::world::{QUICK_DISCORD, World};

/// Somebody in a place, on either platform.
#[derive(Debug, Clone)]
enum Seat {
    Telegram(TelegramSeat),
    Discord(discord::Seat),
}

impl Seat {
    fn mentions_bot(&self, text: &str) {
        match self {
            Self::Telegram(seat) => drop(seat.mentions_bot(text)),
            Self::Discord(seat) => drop(seat.mentions_bot(text)),
        }
    }

    fn says(&self, text: &str) {
        match self {
            Self::Telegram(seat) => drop(seat.says(text)),
            Self::Discord(seat) => drop(seat.says(text)),
        }
    }

    /// The next message of the bot here, as people see it.
    async fn next(&self) -> String {
        match self {
            Self::Telegram(seat) => next_text(seat).await,
            Self::Discord(seat) => shown(&seat.next_message().await.unwrap().text),
        }
    }
}

/// The model says these lines, each agent its own in their order; without a line it echoes.
fn plays<const N: usize>(model: &ModelFake, lines: [(&'static str, Reply); N]) {
    let mut lines = Vec::from(lines);
    model.on(move |request| {
        let agent = agent_of(request);
        let next = lines.iter().position(|(who, _)| *who == agent)?;
        Some(lines.remove(next).1)
    });
}

/// A world with both platforms, connected.
async fn world(database: &str) -> World {
    let world =
        World::setting().on(database).discord(&format!("dm = \"open\"\n{QUICK_DISCORD}")).start().await;
    world.telegram.set_privacy(false);
    world.discord().connected().await.unwrap();
    world
}
