//! Twenty conversations with something to do for every part of the program, and what must be seen in them.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::time::Duration;

use roundtable_fakes::{
    DiscordFake, GroupKind, Hold, ModelFake, ModelRequest, Place, Reply, Role, TelegramFake, discord,
};
use serde_json::json;

use super::sight::{Line, Platform, Spot, snowflake_ms};
use crate::support::seat::Seat;

/// Conversations that are in flight at once, unless there are many that only chat.
const CONVERSATIONS: usize = 20;

/// Those before this one are on Telegram where there are some on each platform.
const ON_TELEGRAM: usize = CONVERSATIONS / 2;

/// The conversation of a group that is small enough to become a supergroup. Its answers have two parts.
const SMALL: usize = 7;

/// How the questions in it begin.
pub const SMALL_GROUP: &str = "question-007-";

/// How a question begins, and all of its name.
const NONCE: (&str, usize) = ("question-", "question-000-00000".len());

/// Lines of a long answer: two messages.
const LINES: usize = 70;

/// How the last line of an answer begins.
const END: &str = "End of ";

/// What a conversation's questions make the program do. Every question names its conversation, so the
/// model knows without being told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// One model call, one message.
    Plain,
    /// A tool is called first.
    Tool,
    /// The answer needs two messages.
    LongAnswer,
    /// The question is long enough to have a sequel, so the turn starts later.
    LongQuestion,
    /// The model wants a pause first, so the turn is suspended.
    Paused,
}

impl Manner {
    fn of(conversation: usize) -> Self {
        [Self::Plain, Self::Tool, Self::LongAnswer, Self::LongQuestion, Self::Paused][conversation % 5]
    }
}

/// A question that was put.
#[derive(Debug, Clone)]
pub struct Asked {
    conversation: usize,
    nonce: String,
    manner: Manner,
    /// When, in milliseconds of the platform's clock.
    at_ms: u64,
}

impl Asked {
    /// What stands in its answer exactly once.
    fn marks(&self) -> Vec<String> {
        marks(self.manner, &self.nonce)
    }
}

fn marks(manner: Manner, nonce: &str) -> Vec<String> {
    let lines = if manner == Manner::LongAnswer { LINES } else { 0 };
    let lines = (0..lines).map(|line| long_line(nonce, line));
    [format!("Answer to {nonce}.")].into_iter().chain(lines).chain([ends(nonce)]).collect()
}

fn ends(nonce: &str) -> String {
    format!("{END}{nonce}.")
}

fn long_line(nonce: &str, line: usize) -> String {
    format!("Line {line:02} of the long answer to {nonce}, which takes more than one message to say.")
}

/// The people, and what they have asked.
pub struct Load {
    seats: Vec<Seat>,
    manner: fn(usize) -> Manner,
    asked: Vec<Asked>,
    latencies: Vec<Duration>,
    /// Questions before this one were checked and read.
    checked: usize,
    /// Where the small group was before it became a supergroup.
    before: Option<Place>,
}

impl Load {
    /// Seats the people, all on Telegram, and tells the model how to answer them.
    pub fn new(telegram: &TelegramFake, model: &ModelFake) -> Self {
        let seats = (0..CONVERSATIONS).map(|number| on_telegram(telegram, number));
        Self::seated(seats, model, Manner::of)
    }

    /// The same, half of them on each platform.
    pub fn on_both(telegram: &TelegramFake, discord: &DiscordFake, model: &ModelFake) -> Self {
        let seats = (0..CONVERSATIONS).map(|number| match number {
            ..ON_TELEGRAM => on_telegram(telegram, number),
            _ => on_discord(discord, number),
        });
        Self::seated(seats, model, Manner::of)
    }

    /// So many people who only chat, on Telegram.
    pub fn plain(telegram: &TelegramFake, model: &ModelFake, conversations: usize) -> Self {
        let seats = (0..conversations).map(|number| on_telegram(telegram, number));
        Self::seated(seats, model, |_| Manner::Plain)
    }

    fn seated(seats: impl Iterator<Item = Seat>, model: &ModelFake, manner: fn(usize) -> Manner) -> Self {
        let mut paused = HashSet::new();
        model.on(move |request| reply(request, manner, &mut paused));
        let seats = seats.collect();
        Self { seats, manner, asked: Vec::new(), latencies: Vec::new(), checked: 0, before: None }
    }

    /// One more question in the small group; its answer waits for the test.
    pub async fn ask_in_small_group(&mut self, model: &ModelFake) -> anyhow::Result<Hold> {
        let answer = model.hold(SMALL_GROUP);
        self.ask_in(SMALL);
        answer.arrived().await?;
        Ok(answer)
    }

    /// The small group becomes a supergroup: what is said from now on is said there.
    pub fn small_group_grows(&mut self) {
        let Seat::Telegram(seat) = &mut self.seats[SMALL] else { return };
        let old = seat.place();
        old.migrate();
        *seat = seat.in_group(&group(SMALL));
        self.before = Some(old);
    }

    /// The chats on Telegram in which questions are asked.
    pub fn chats(&self) -> impl Iterator<Item = i64> {
        self.seats.iter().filter_map(|seat| match seat {
            Seat::Telegram(seat) => Some(seat.place().chat_id()),
            Seat::Discord(_) => None,
        })
    }

    /// The private channels on Discord in which questions are asked.
    pub fn private_channels(&self) -> impl Iterator<Item = u64> {
        self.seats.iter().filter_map(|seat| match seat {
            Seat::Discord(seat) if is_private(seat) => Some(seat.place().channel_id()),
            _ => None,
        })
    }

    /// One more question in every conversation for which `asks` says so.
    pub fn ask(&mut self, mut asks: impl FnMut() -> bool) {
        for conversation in 0..self.seats.len() {
            if asks() {
                self.ask_in(conversation);
            }
        }
    }

    /// One more question in the next conversation, round and round.
    pub fn ask_next(&mut self) {
        self.ask_in(self.asked.len() % self.seats.len());
    }

    fn ask_in(&mut self, conversation: usize) {
        let (seat, manner) = (&self.seats[conversation], (self.manner)(conversation));
        let nonce = format!("{}{conversation:03}-{:05}", NONCE.0, self.asked.len());
        let mut text = nonce.clone();
        if manner == Manner::LongQuestion {
            text.push_str(&" and so on".repeat(310));
        }
        let at_ms = match seat {
            Seat::Telegram(seat) if seat.place().chat_id() == seat.id() => seat.says(&text).at_ms,
            Seat::Telegram(seat) => seat.mentions_bot(&text).at_ms,
            Seat::Discord(seat) if is_private(seat) => snowflake_ms(seat.says(&text).id),
            Seat::Discord(seat) => snowflake_ms(seat.mentions_bot(&text).id),
        };
        self.asked.push(Asked { conversation, nonce, manner, at_ms });
    }

    /// How long people have waited for the end of each answer that was checked, the shortest first.
    pub fn latencies(&self) -> Vec<Duration> {
        let mut all = self.latencies.clone();
        all.sort();
        all
    }

    /// The questions since the last [`Load::check`].
    pub fn open(&self) -> &[Asked] {
        &self.asked[self.checked..]
    }

    /// The questions on a platform that have no end of an answer yet in what nobody has read there.
    pub fn missing(&self, platform: Platform, lines: &[Line]) -> Vec<&str> {
        let said = lines.iter().filter(|line| !line.is_stub());
        let ended: HashSet<&str> = said
            .flat_map(|line| {
                let ends = line.text.match_indices(END);
                ends.filter_map(|(at, end)| nonces(&line.text[at + end.len()..]).next())
            })
            .collect();
        let open = self.open().iter().filter(|asked| self.platform(asked.conversation) == platform);
        open.map(|asked| asked.nonce.as_str()).filter(|nonce| !ended.contains(nonce)).collect()
    }

    /// Judges what was said on a platform since the last check, but to the teams.
    pub fn check(&mut self, platform: Platform, lines: &[Line], stubs: bool) -> Verdict {
        let (mut verdict, mut latencies) = (Verdict::default(), Vec::new());
        let mut by_spot: HashMap<Spot, Vec<&Line>> = HashMap::new();
        for line in lines {
            by_spot.entry(line.spot).or_default().push(line);
        }
        for conversation in 0..self.seats.len() {
            if self.platform(conversation) != platform {
                continue;
            }
            let here = self.spots(conversation).flat_map(|spot| by_spot.remove(&spot).unwrap_or_default());
            let here: Vec<&Line> = here.collect();
            let asked = self.open().iter().filter(|asked| asked.conversation == conversation);
            let asked: Vec<&Asked> = asked.collect();
            verdict.judge(&asked, &here, stubs);
            let waited = asked.iter().filter_map(|asked| {
                let end = here.iter().find(|line| line.text.contains(&ends(&asked.nonce)))?;
                Some(Duration::from_millis(end.at_ms.saturating_sub(asked.at_ms)))
            });
            latencies.extend(waited);
        }
        let astray = by_spot.values().flatten();
        verdict.misplaced.extend(astray.map(|line| format!("in no conversation: {line}")));
        self.latencies.extend(latencies);
        verdict
    }

    /// Everything that was asked is checked.
    pub fn checked(&mut self) {
        self.checked = self.asked.len();
    }

    /// The place of a conversation on Telegram.
    pub fn place(&self, spot: Spot) -> Option<Place> {
        let places = self.seats.iter().filter_map(|seat| match seat {
            Seat::Telegram(seat) => Some(seat.place()),
            Seat::Discord(_) => None,
        });
        places.chain(self.before.clone()).find(|place| of_place(place) == spot)
    }

    fn platform(&self, conversation: usize) -> Platform {
        match self.seats[conversation] {
            Seat::Telegram(_) => Platform::Telegram,
            Seat::Discord(_) => Platform::Discord,
        }
    }

    /// Where a conversation was and is.
    fn spots(&self, conversation: usize) -> impl Iterator<Item = Spot> {
        let before = self.before.as_ref().filter(|_| conversation == SMALL);
        before.map(of_place).into_iter().chain([Spot::of(&self.seats[conversation])])
    }
}

fn of_place(place: &Place) -> Spot {
    Spot::Telegram(place.chat_id(), place.thread_id())
}

/// Half of the people write in private, the others in groups and topics.
fn on_telegram(telegram: &TelegramFake, number: usize) -> Seat {
    let person = telegram.user(&format!("person{number:03}"));
    Seat::Telegram(match number % 4 {
        0 | 1 => person,
        2 => person.in_topic("Forum", &format!("topic{number:03}")),
        _ => {
            if number == SMALL {
                telegram.new_group(&group(number), GroupKind::Basic);
            }
            person.in_group(&group(number))
        }
    })
}

/// The same in private, in threads and in channels.
fn on_discord(discord: &DiscordFake, number: usize) -> Seat {
    let person = discord.user(&format!("person{number:03}"));
    Seat::Discord(match number % 4 {
        0 | 1 => person,
        2 => person.in_thread("forum", &format!("topic{number:03}")),
        _ => person.in_channel(&format!("group-{number:03}")),
    })
}

fn is_private(seat: &discord::Seat) -> bool {
    seat.place().guild_id().is_none()
}

fn group(number: usize) -> String {
    format!("Group {number:03}")
}

/// The model: answers everything that was asked since its last answer.
fn reply(request: &ModelRequest, manner: fn(usize) -> Manner, paused: &mut HashSet<String>) -> Option<Reply> {
    let is_final = |message: &&roundtable_fakes::ChatMessage| {
        message.role == Role::Assistant && message.calls.is_empty()
    };
    let since: Vec<_> = request.messages.iter().rev().take_while(|message| !is_final(message)).collect();
    let open: Vec<&str> = since
        .iter()
        .rev()
        .filter(|said| said.role == Role::User)
        .flat_map(|said| nonces(&said.text))
        .collect();
    let newest = open.last()?;
    let called = since.iter().any(|message| !message.calls.is_empty());
    let conversation: usize = newest.strip_prefix(NONCE.0)?.get(..3)?.parse().ok()?;
    let manner = manner(conversation);
    match manner {
        Manner::Tool if !called => Some(Reply::calls([("agents_list", json!({}))])),
        Manner::Paused if paused.insert((*newest).to_owned()) => Some(Reply::rate_limited(1)),
        _ => {
            let paragraphs = open.iter().flat_map(|nonce| marks(manner, nonce));
            Some(Reply::text(paragraphs.collect::<Vec<_>>().join("\n\n")))
        }
    }
}

/// The nonces in a text, in order.
fn nonces(text: &str) -> impl Iterator<Item = &str> {
    let (begin, length) = NONCE;
    text.match_indices(begin).filter_map(move |(at, _)| text.get(at..at + length))
}

/// What is wrong with what was seen.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Questions without an answer, or with a part of it only.
    pub lost: Vec<String>,
    /// Content that is visible twice.
    pub doubled: Vec<String>,
    /// What is where it does not belong, out of order, or belongs nowhere.
    pub misplaced: Vec<String>,
}

impl Verdict {
    /// Nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.lost.is_empty() && self.doubled.is_empty() && self.misplaced.is_empty()
    }

    /// One conversation: its open questions, and what bots said there since.
    fn judge(&mut self, asked: &[&Asked], here: &[&Line], stubs: bool) {
        let (half, whole): (Vec<&Line>, Vec<&Line>) = here.iter().copied().partition(|line| line.is_stub());
        self.judge_stubs(&half, &whole, stubs);
        let mut texts = HashSet::new();
        for line in &whole {
            if !texts.insert(line.text.as_str()) {
                self.doubled.push(line.to_string());
            }
            if !stubs && line.edited {
                self.misplaced.push(format!("changed after it was said: {line}"));
            }
            if !nonces(&line.text).all(|nonce| asked.iter().any(|asked| asked.nonce == nonce)) {
                self.misplaced.push(format!("of another conversation: {line}"));
            }
            if nonces(&line.text).next().is_none() {
                self.misplaced.push(format!("no answer: {line}"));
            }
        }
        let all = whole.iter().fold(String::new(), |mut all, line| {
            let _ = writeln!(all, "{}", line.text);
            all
        });
        let mut position = 0;
        for mark in asked.iter().flat_map(|asked| asked.marks()) {
            let found: Vec<usize> = all.match_indices(&mark).map(|(at, _)| at).collect();
            match found[..] {
                [] => self.lost.push(mark),
                [at] if at < position => self.misplaced.push(format!("out of order: {mark}")),
                [at] => position = at,
                [at, ..] => {
                    position = at;
                    self.doubled.push(mark);
                }
            }
        }
    }

    /// A stub that was sent twice stays a stub; it may be seen in edit mode, as the beginning of a message
    /// that is there.
    fn judge_stubs(&mut self, half: &[&Line], whole: &[&Line], stubs: bool) {
        for stub in half {
            if !stubs || !whole.iter().any(|line| line.text.starts_with(stub.beginning())) {
                self.misplaced.push(format!("a stub of nothing: {stub}"));
            }
        }
    }
}
