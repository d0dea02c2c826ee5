//! What the bot wrote since the terminal was told the last time.

use std::collections::HashMap;

use roundtable_fakes::{Message, World, discord};

/// What was shown: by platform, chat and message, as it looked.
#[derive(Default)]
pub(crate) struct Shown(HashMap<Key, String>);

type Key = (&'static str, i64, i64);

/// A message that looks different from what was shown.
pub(crate) struct News {
    key: Key,
    place: String,
    author: String,
    look: String,
}

impl Shown {
    /// Telegram's news, if there are any.
    pub fn of_telegram(&self, world: &World) -> Option<Vec<News>> {
        let said = world.bot_messages().filter(|message| !message.is_service());
        self.unshown(said.map(|message| {
            let topic = message.thread.map(|thread| format!(", topic {thread}")).unwrap_or_default();
            News {
                key: ("telegram", message.chat, message.id),
                place: format!("{}{topic}", world.title_of(message.chat)),
                author: world.name_of(message.from).to_owned(),
                look: look(message),
            }
        }))
    }

    /// Discord's news, if there are any.
    pub fn of_discord(&self, world: &discord::World) -> Option<Vec<News>> {
        let said = world.bot_messages().filter(|message| !message.is_service());
        self.unshown(said.map(|message| News {
            key: ("discord", message.channel.cast_signed(), message.id.cast_signed()),
            place: world.title_of(message.channel),
            author: world.name_of(message.from).to_owned(),
            look: message.text.clone(),
        }))
    }

    fn unshown(&self, all: impl Iterator<Item = News>) -> Option<Vec<News>> {
        let news: Vec<News> = all.filter(|news| self.0.get(&news.key) != Some(&news.look)).collect();
        (!news.is_empty()).then_some(news)
    }

    /// Counts news as shown and gives the lines that show them.
    pub fn show(&mut self, news: Vec<News>) -> Vec<String> {
        let line = |News { key, place, author, look }: News| {
            let edited = if self.0.contains_key(&key) { " (edited)" } else { "" };
            let line = format!("{place} | {author}{edited}: {look}");
            self.0.insert(key, look);
            line
        };
        news.into_iter().map(line).collect()
    }
}

/// The text with its buttons.
fn look(message: &Message) -> String {
    let buttons = message.buttons();
    let buttons = buttons.iter().map(|(text, data)| format!(" [{text}: /press {data}]"));
    std::iter::once(message.text.clone()).chain(buttons).collect()
}
