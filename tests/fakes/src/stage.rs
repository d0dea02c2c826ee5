//! The people of the terminal: who speaks, and where.

use roundtable_fakes::{Message, Seat, TelegramFake, discord};

use crate::Fakes;

/// Who speaks, and where.
pub(crate) struct Stage {
    name: String,
    spot: Spot,
    /// Messages on Discord begin with a mention of the bot.
    at: bool,
}

#[derive(Clone)]
enum Spot {
    Private { topic: Option<String> },
    Group { group: String, topic: Option<String> },
    Dm,
    Channel { channel: String, thread: Option<String> },
    Post { post: String },
}

impl Default for Stage {
    fn default() -> Self {
        Self { name: "ann".to_owned(), spot: Spot::Private { topic: None }, at: false }
    }
}

impl Stage {
    /// Does what a typed line says.
    pub fn act(&mut self, fakes: &Fakes, line: &str) {
        let (word, rest) = line.split_once(' ').map_or((line, ""), |(word, rest)| (word, rest.trim()));
        match word {
            "" => {}
            "/as" if !rest.is_empty() => rest.clone_into(&mut self.name),
            "/at" => self.at = !self.at,
            "/press" => self.press(&fakes.telegram, rest),
            "/fakes" => report(fakes),
            _ => match (self.spot.then(word, rest, fakes.discord.is_some()), line.split_once(": ")) {
                (Some(spot), _) => self.spot = spot,
                (None, Some((name, text))) if name.chars().all(char::is_alphanumeric) => {
                    self.say(fakes, name, text);
                }
                (None, _) => self.say(fakes, &self.name, line),
            },
        }
    }

    fn say(&self, fakes: &Fakes, name: &str, text: &str) {
        let Some(discord) = &fakes.discord else {
            self.on_telegram(&fakes.telegram, name).says(text);
            return;
        };
        let seat = match &self.spot {
            Spot::Private { .. } | Spot::Group { .. } => {
                self.on_telegram(&fakes.telegram, name).says(text);
                return;
            }
            spot => spot.seat(discord.user(name)),
        };
        if self.at {
            seat.mentions_bot(text)
        } else {
            seat.says(text)
        };
    }

    fn on_telegram(&self, telegram: &TelegramFake, name: &str) -> Seat {
        let person = telegram.user(name);
        match &self.spot {
            Spot::Group { group, topic: Some(topic) } => person.in_topic(group, topic),
            Spot::Group { group, topic: None } => person.in_group(group),
            Spot::Private { topic: Some(topic) } => person.in_private_topic(topic),
            _ => person,
        }
    }

    fn press(&self, telegram: &TelegramFake, data: &str) {
        let seat = self.on_telegram(telegram, &self.name);
        let has = |message: &&Message| message.buttons().iter().any(|(_, known)| known == data);
        match seat.place().messages().iter().rev().find(has).map(|message| seat.presses(message, data)) {
            Some(Ok(_)) => {}
            Some(Err(error)) => println!("{error}"),
            None => println!("no message here has that button"),
        }
    }
}

impl Spot {
    /// Where a command leads from here; `None` if it is no such command.
    fn then(&self, word: &str, rest: &str, discord: bool) -> Option<Self> {
        let named = || Some(rest.to_owned()).filter(|name| !name.is_empty());
        Some(match (word, self) {
            ("/private", _) => Self::Private { topic: None },
            ("/group", _) => {
                named().map_or(Self::Private { topic: None }, |group| Self::Group { group, topic: None })
            }
            ("/topic", Self::Group { group, .. }) => Self::Group { group: group.clone(), topic: named() },
            ("/topic", _) => Self::Private { topic: named() },
            ("/dm", _) if discord => Self::Dm,
            ("/channel", _) if discord => Self::Channel { channel: named()?, thread: None },
            ("/thread", Self::Channel { channel, .. }) => {
                Self::Channel { channel: channel.clone(), thread: named() }
            }
            ("/thread", _) if discord => Self::Channel { channel: "general".to_owned(), thread: named() },
            ("/post", _) if discord => Self::Post { post: named()? },
            _ => return None,
        })
    }

    fn seat(&self, person: discord::Seat) -> discord::Seat {
        match self {
            Self::Channel { channel, thread: Some(thread) } => person.in_thread(channel, thread),
            Self::Channel { channel, thread: None } => person.in_channel(channel),
            Self::Post { post } => person.in_forum_post("forum", post),
            Self::Private { .. } | Self::Group { .. } | Self::Dm => person,
        }
    }
}

fn report(fakes: &Fakes) {
    println!("{}", fakes.telegram.transcript());
    let mut problems = fakes.telegram.violations();
    if let Some(discord) = &fakes.discord {
        println!("{}", discord.transcript());
        problems.extend(discord.violations());
    }
    for problem in problems.into_iter().chain(fakes.models.violations()) {
        println!("violation: {problem}");
    }
}
