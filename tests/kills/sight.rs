//! What people see, the same for both platforms.

use std::collections::{HashMap, HashSet};
use std::fmt;

use roundtable_fakes::{World as TelegramWorld, discord};

use crate::support::seat::Seat;

/// Where people are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    Telegram,
    Discord,
}

impl Platform {
    /// In the order in which numbers of each are given.
    pub const ALL: [Self; 2] = [Self::Telegram, Self::Discord];

    /// The account of the program there.
    pub fn account(self) -> &'static str {
        match self {
            Self::Telegram => "telegram:main",
            Self::Discord => "discord:main",
        }
    }

    /// That at which a crash point is aimed: `call.<channel>.<kind>.<side>`.
    pub fn aimed_at(point: &str) -> Option<Self> {
        let aimed = |platform: &Self| {
            let (channel, _) = platform.account().split_once(':').unwrap_or_default();
            point.strip_prefix("call.").is_some_and(|call| call.split('.').next() == Some(channel))
        };
        Self::ALL.into_iter().find(aimed)
    }
}

/// Where something was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Spot {
    /// A chat and its topic.
    Telegram(i64, Option<i64>),
    /// A channel or thread.
    Discord(u64),
}

impl Spot {
    /// The place where somebody sits.
    pub fn of(seat: &Seat) -> Self {
        match seat {
            Seat::Telegram(seat) => {
                let place = seat.place();
                Self::Telegram(place.chat_id(), place.thread_id())
            }
            Seat::Discord(seat) => Self::Discord(seat.place().channel_id()),
        }
    }

    /// Where it is.
    pub fn platform(self) -> Platform {
        match self {
            Self::Telegram(..) => Platform::Telegram,
            Self::Discord(_) => Platform::Discord,
        }
    }

    /// Whether a thread here can belong to the other.
    pub fn is_beside(self, other: Self) -> bool {
        match (self, other) {
            (Self::Telegram(chat, _), Self::Telegram(other, _)) => chat == other,
            (Self::Discord(_), Self::Discord(_)) => true,
            _ => false,
        }
    }
}

/// Something that a bot has said, or a topic that it has opened.
#[derive(Debug, Clone)]
pub struct Line {
    pub spot: Spot,
    /// The name of the thread; on Telegram, if the bot has opened it.
    pub room: Option<String>,
    pub id: u64,
    pub text: String,
    /// It has been changed since it was said.
    pub edited: bool,
    /// When, in milliseconds of the platform's clock.
    pub at_ms: u64,
}

impl Line {
    /// The first step of a two-step message: its beginning.
    pub fn is_stub(&self) -> bool {
        self.text.ends_with('…')
    }

    /// What a stub begins.
    pub fn beginning(&self) -> &str {
        self.text.trim_end_matches('…').trim_end()
    }

    /// Both are in one place.
    pub fn is_beside(&self, other: &Self) -> bool {
        self.spot == other.spot
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = self.text.chars().take(90).collect();
        write!(f, "{:?} #{} {text:?}", self.spot, self.id)
    }
}

/// A thing that must be seen exactly once.
#[derive(Debug)]
pub struct Mark {
    pub spot: Spot,
    /// In the thread of this name, which hangs on that place.
    pub room: Option<String>,
    /// One of these words.
    pub words: Vec<String>,
}

impl Mark {
    /// How often it is seen.
    pub fn count(&self, lines: &[Line]) -> usize {
        let here = lines.iter().filter(|line| !line.is_stub() && self.is_place_of(line));
        here.map(|line| self.words.iter().map(|word| line.text.matches(word).count()).sum::<usize>()).sum()
    }

    fn is_place_of(&self, line: &Line) -> bool {
        match &self.room {
            None => line.room.is_none() && line.spot == self.spot,
            room => line.room == *room && line.spot.is_beside(self.spot),
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} in {:?}", self.words, self.spot)?;
        self.room.as_ref().map_or(Ok(()), |room| write!(f, ", thread {room}"))
    }
}

/// The topics that bots have opened, each with its name.
fn topics(world: &TelegramWorld) -> impl Iterator<Item = ((i64, Option<i64>), String)> {
    world.bot_messages().filter_map(|message| {
        let name = message.content.get("forum_topic_created")?["name"].as_str()?;
        Some(((message.chat, message.thread), name.to_owned()))
    })
}

/// The names that more than one topic has.
pub fn topics_opened_twice(world: &TelegramWorld) -> Vec<String> {
    let mut seen = HashSet::new();
    topics(world).map(|(_, name)| name).filter(|name| !seen.insert(name.clone())).collect()
}

/// What nobody has read on Telegram.
pub fn on_telegram(world: &TelegramWorld) -> Vec<Line> {
    let rooms: HashMap<_, _> = topics(world).collect();
    let said = world.bot_messages().filter(|said| !said.read && !said.is_service());
    said.map(|said| Line {
        spot: Spot::Telegram(said.chat, said.thread),
        room: rooms.get(&(said.chat, said.thread)).cloned(),
        id: said.id.unsigned_abs(),
        text: said.text.replace('\u{200b}', ""),
        edited: !said.edits.is_empty(),
        at_ms: said.at_ms,
    })
    .collect()
}

/// What nobody has read on Discord.
pub fn on_discord(world: &discord::World) -> Vec<Line> {
    let said = world.bot_messages().filter(|said| !said.read && !said.is_service());
    said.map(|said| Line {
        spot: Spot::Discord(said.channel),
        room: world.title_of(said.channel).split_once('/').map(|(_, name)| name.to_owned()),
        id: said.id,
        text: said.text.replace(['\u{200b}', '\\'], ""),
        edited: !said.edits.is_empty(),
        at_ms: snowflake_ms(said.id),
    })
    .collect()
}

/// The time in a number of Discord, in milliseconds since its first day.
pub fn snowflake_ms(id: u64) -> u64 {
    id >> 22
}
