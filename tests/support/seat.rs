//! Somebody in a place, on either platform.

use roundtable_fakes::{Seat as TelegramSeat, discord};

use super::discord::shown;
use super::requests::next_text;

/// A person in a conversation.
#[derive(Debug, Clone)]
pub enum Seat {
    Telegram(TelegramSeat),
    Discord(discord::Seat),
}

impl Seat {
    /// Writes a message that mentions the bot.
    pub fn mentions_bot(&self, text: &str) {
        match self {
            Self::Telegram(seat) => drop(seat.mentions_bot(text)),
            Self::Discord(seat) => drop(seat.mentions_bot(text)),
        }
    }

    /// Writes a message.
    pub fn says(&self, text: &str) {
        match self {
            Self::Telegram(seat) => drop(seat.says(text)),
            Self::Discord(seat) => drop(seat.says(text)),
        }
    }

    /// Writes to the bot, with a mention where it needs one.
    pub fn asks(&self, text: &str) {
        match self {
            Self::Telegram(seat) if seat.place().chat_id() == seat.id() => drop(seat.says(text)),
            _ => self.mentions_bot(text),
        }
    }

    /// The next message of the bot here, as people see it.
    pub async fn next(&self) -> String {
        match self {
            Self::Telegram(seat) => next_text(seat).await,
            Self::Discord(seat) => shown(&seat.next_message().await.unwrap().text),
        }
    }
}
