//! Somebody's seat in a conversation, whatever the platform: what the table needs of it.

use roundtable_fakes::Seat as TelegramSeat;
use roundtable_fakes::discord::Seat as DiscordSeat;

use crate::support::discord::shown;
use crate::support::requests::next_text;
use crate::support::world::World;

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

    /// Waits until the node has stored everything that was written here.
    async fn settled(&self, world: &World);
}

/// What was said by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The name of a persona; empty for the bot itself.
    pub who: String,
    /// The text, as people see it.
    pub text: String,
}

impl Said {
    /// A persona is a line with its name before the text.
    fn read(text: String) -> Self {
        match text.split_once('\n') {
            Some((who, rest)) if rest.starts_with("echo: ") => Self { who: who.into(), text: rest.into() },
            _ => Self { who: String::new(), text },
        }
    }
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

    async fn next(&self) -> Said {
        Said::read(next_text(self).await)
    }

    async fn settled(&self, world: &World) {
        world.settled().await;
    }
}

impl Seat for DiscordSeat {
    fn says(&self, text: &str) {
        DiscordSeat::says(self, text);
    }

    fn mentions_bot(&self, text: &str) {
        DiscordSeat::mentions_bot(self, text);
    }

    /// With the ping switched off: that it is an answer is enough.
    fn replies_to(&self, words: &str, text: &str) {
        let messages = self.messages();
        let answered = messages.iter().rev().find(|message| shown(&message.text).ends_with(words));
        self.replies_silently_to(answered.expect("there is such a message"), text);
    }

    fn forwards(&self, text: &str) {
        DiscordSeat::forwards(self, text);
    }

    async fn next(&self) -> Said {
        Said::read(shown(&self.next_message().await.unwrap().text))
    }

    async fn settled(&self, world: &World) {
        let stored = world.stored().await;
        for message in self.messages().into_iter().filter(|message| message.from == self.id()) {
            stored.takes(&format!("msg:{}:{}", message.channel, message.id)).await;
        }
    }
}
