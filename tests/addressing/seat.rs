//! Somebody's seat in a conversation, whatever the platform: what the table needs of it.

use roundtable_fakes::Seat as TelegramSeat;

use crate::support::requests::next_text;

/// A person in a conversation.
pub trait Seat {
    /// Writes a message.
    fn says(&self, text: &str);

    /// Writes a message that mentions the bot, as the platform does it.
    fn mentions_bot(&self, text: &str);

    /// Answers the newest message that ends in `words`.
    fn replies_to(&self, words: &str, text: &str);

    /// Passes on what somebody else wrote.
    fn forwards(&self, text: &str);

    /// The next thing that the program says here.
    async fn next(&self) -> Said;
}

/// What was said by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The name of a persona; empty for the bot itself.
    pub who: String,
    /// The text, as people see it.
    pub text: String,
}

impl Seat for TelegramSeat {
    fn says(&self, text: &str) {
        TelegramSeat::says(self, text);
    }

    fn mentions_bot(&self, text: &str) {
        TelegramSeat::mentions_bot(self, text);
    }

    fn replies_to(&self, words: &str, text: &str) {
        let messages = self.place().messages();
        let plain = |text: &str| text.replace('\u{200b}', "");
        let answered = messages.iter().rev().find(|message| plain(&message.text).ends_with(words));
        TelegramSeat::replies_to(self, answered.expect("there is such a message"), text);
    }

    fn forwards(&self, text: &str) {
        TelegramSeat::forwards(self, "Somebody", text);
    }

    /// A persona is a line with its name before the text.
    async fn next(&self) -> Said {
        let text = next_text(self).await;
        match text.split_once('\n') {
            Some((who, rest)) if rest.starts_with("echo: ") => Said { who: who.into(), text: rest.into() },
            _ => Said { who: String::new(), text },
        }
    }
}
