//! The platforms: chats with numbered messages, as people see them. They outlive every node.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use roundtable_contract::{AccountId, Conversation, Event, EventKey, Message, MessageId};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::people::{self, Meant};
use super::world::{World, lock};

/// A repetition with the same nonce shows nothing new for so many milliseconds.
const NONCE_WINDOW: i64 = 180_000;

/// Other messages pass one that has been stuck for so long, in milliseconds: the outbox's rule.
const STUCK: i64 = 5 * 60_000;

/// All platforms.
#[derive(Default)]
pub struct Platform {
    chats: Mutex<Chats>,
    /// Whoever waits is woken in order; a `watch` would choose by luck that is not the world's.
    news: Notify,
    /// Told of every call that begins.
    pub called: Notify,
}

#[derive(Default)]
struct Chats {
    /// The newest number of each id space.
    newest: BTreeMap<String, i64>,
    shown: Vec<Shown>,
    /// Nonces of what could not be found, and how many times more each may be seen.
    unclear: BTreeMap<String, u32>,
    told: Vec<Told>,
    threads: Vec<Thread>,
}

/// What a platform tells an account.
enum Told {
    Heard(Box<Heard>),
    Opened(Box<Thread>),
}

/// A thread that we have opened.
#[derive(Clone)]
pub struct Thread {
    /// The chat that it is a thread of.
    pub home: Conversation,
    /// What it is called.
    pub name: String,
    /// Its conversation.
    pub place: Conversation,
}

impl Told {
    fn place(&self) -> &Conversation {
        match self {
            Self::Heard(heard) => &heard.message.conversation,
            Self::Opened(thread) => &thread.place,
        }
    }

    fn event(&self) -> Event {
        match self {
            Self::Heard(heard) => Event::Message(Box::new(heard.message.clone())),
            Self::Opened(thread) => Event::Opened {
                key: EventKey::new(format!("topic:{}", thread.place)),
                conversation: thread.place.clone(),
                name: thread.name.clone(),
            },
        }
    }
}

/// A message of ours that people see.
#[derive(Clone)]
pub struct Shown {
    /// Where.
    pub place: Conversation,
    /// Its number.
    pub number: i64,
    /// What it was sent with.
    pub nonce: String,
    /// What it says.
    pub text: String,
    /// When it arrived.
    pub at: i64,
    /// Since when the node that sent it had had the account.
    pub since: i64,
}

/// A message of a person.
#[derive(Clone)]
pub struct Heard {
    /// The message.
    pub message: Message,
    /// What it asks for.
    pub meant: Meant,
}

/// The counter that numbers a conversation's messages: private chats of an account share one.
pub fn space(place: &Conversation) -> String {
    let chat = place.chat.as_str();
    if chat.starts_with('-') { chat.to_owned() } else { "private".to_owned() }
}

/// Whether an account's platform knows a nonce for what is sent.
pub fn knows_nonces(account: &AccountId) -> bool {
    account.channel == "discord"
}

/// What is read in order, by its name: all of an account, or a channel with its threads where there is one order for each.
fn scope_of(place: &Conversation) -> &str {
    if knows_nonces(&place.account) {
        home_of(place.chat.as_str()).unwrap_or(place.chat.as_str())
    } else {
        "updates"
    }
}

/// The channel of a thread that has a chat of its own.
pub fn home_of(chat: &str) -> Option<&str> {
    chat.split_once('.').map(|(home, _)| home)
}

/// All that is read in order of an account.
pub fn scopes(account: &AccountId) -> BTreeSet<String> {
    let places = people::places().into_iter().filter(|place| place.account == *account);
    places.map(|place| scope_of(&place).to_owned()).collect()
}

impl Platform {
    /// A person writes; `message` gets its number.
    pub fn hears(&self, mut message: Message, meant: Meant) -> MessageId {
        let mut chats = lock(&self.chats);
        let number = chats.next(&message.conversation);
        message.id = MessageId(number);
        chats.told.push(Told::Heard(Box::new(Heard { message, meant })));
        drop(chats);
        self.news.notify_waiters();
        MessageId(number)
    }

    /// Tells when somebody writes from now on.
    pub fn news(&self) -> Notified<'_> {
        self.news.notified()
    }

    /// What an account is told of one of its scopes behind a position, with the positions.
    pub fn events(&self, account: &AccountId, scope: &str, behind: i64) -> Vec<(i32, Event)> {
        let chats = lock(&self.chats);
        let here = |place: &Conversation| place.account == *account && scope_of(place) == scope;
        let told = chats.told.iter().filter(|told| here(told.place()));
        let numbered = (1..).zip(told).skip_while(|(number, _)| i64::from(*number) <= behind);
        numbered.map(|(number, told)| (number, told.event())).collect()
    }

    /// All that people have written.
    pub fn heard(&self) -> Vec<Heard> {
        let heard = |told: &Told| match told {
            Told::Heard(heard) => Some((**heard).clone()),
            Told::Opened(_) => None,
        };
        lock(&self.chats).told.iter().filter_map(heard).collect()
    }

    /// A thread is opened. Where it grows out of a message, that message has one, however often it is asked for;
    /// elsewhere each request opens one, and the account is told so.
    pub fn opens(
        &self,
        world: &World,
        home: &Conversation,
        name: &str,
        from: Option<MessageId>,
    ) -> Conversation {
        let mut chats = lock(&self.chats);
        let place = match from {
            Some(from) => Conversation::chat(home.account.clone(), format!("{}.{from}", home.chat)),
            None => home.clone().with_thread(chats.next(home).to_string()),
        };
        if chats.threads.iter().any(|thread| thread.place == place) {
            return place;
        }
        world.note(format_args!("    {home} has a thread {name}: {place}"));
        world.count(|counts| counts.threads += 1);
        let thread = Thread { home: home.clone(), name: name.to_owned(), place: place.clone() };
        chats.threads.push(thread.clone());
        if from.is_none() {
            chats.told.push(Told::Opened(Box::new(thread)));
            drop(chats);
            self.news.notify_waiters();
        }
        place
    }

    /// All threads that we have opened.
    pub fn threads(&self) -> Vec<Thread> {
        lock(&self.chats).threads.clone()
    }

    /// A message of ours arrives at the platform, which gives it its number.
    pub fn shows(&self, world: &World, mut shown: Shown) -> MessageId {
        let mut chats = lock(&self.chats);
        if let Some(number) = chats.seen(world, &shown) {
            return MessageId(number);
        }
        shown.number = chats.next(&shown.place);
        chats.check_order(world, &shown);
        let Shown { place, number, nonce, text, .. } = &shown;
        world.note(format_args!("    {place} sees {number}: {text} ({})", delivery(nonce)));
        world.count(|counts| counts.shown += 1);
        let number = MessageId(*number);
        chats.shown.push(shown);
        number
    }

    /// It can't be told whether a message was shown: it may be sent so many times more.
    pub fn gives_up(&self, world: &World, nonce: &str, times: u32) {
        world.note(format_args!("    nobody can tell what became of {}", delivery(nonce)));
        lock(&self.chats).unclear.entry(nonce.to_owned()).or_insert(times);
    }

    /// Whether it could not be told of a message if it was shown.
    pub fn gave_up(&self, nonce: &str) -> bool {
        lock(&self.chats).unclear.contains_key(nonce)
    }

    /// Whether a conversation shows this text under this number.
    pub fn shows_as(&self, place: &str, number: i64, text: &str) -> bool {
        let here = |shown: &Shown| shown.number == number && shown.text == text;
        lock(&self.chats).shown.iter().any(|shown| here(shown) && shown.place.to_string() == place)
    }

    /// The message of ours with this number.
    pub fn shown_as(&self, place: &Conversation, number: i64) -> Option<Shown> {
        let chats = lock(&self.chats);
        let here = chats.shown.iter().find(|shown| shown.number == number && same_space(&shown.place, place));
        here.cloned()
    }

    /// Our messages in a conversation, oldest first.
    pub fn shown_in(&self, place: &Conversation) -> Vec<Shown> {
        lock(&self.chats).shown.iter().filter(|shown| shown.place == *place).cloned().collect()
    }
}

fn same_space(one: &Conversation, other: &Conversation) -> bool {
    one.account == other.account && space(one) == space(other)
}

/// The delivery that a nonce belongs to, and when it was made.
fn made(nonce: &str) -> (i64, i64) {
    let read = |text| i64::from_str_radix(text, 16).expect("a nonce is two numbers");
    let (at, id) = nonce.split_once('-').expect("a nonce has two parts");
    (read(id), read(at))
}

fn delivery(nonce: &str) -> String {
    format!("delivery {}", made(nonce).0)
}

impl Chats {
    fn next(&mut self, place: &Conversation) -> i64 {
        let space = format!("{}:{}", place.account, space(place));
        let newest = self.newest.entry(space).or_insert(0);
        *newest += 1;
        *newest
    }

    /// The number of a message that was sent before, if the platform knows it again. If not, it is seen twice.
    fn seen(&mut self, world: &World, again: &Shown) -> Option<i64> {
        let place = &again.place;
        let same = |shown: &&Shown| shown.place.account == place.account && shown.nonce == again.nonce;
        let shown = self.shown.iter().rev().find(same)?;
        if knows_nonces(&place.account) && again.at - shown.at < NONCE_WINDOW {
            return Some(shown.number);
        }
        match self.unclear.get_mut(&again.nonce) {
            Some(times) if *times > 0 => *times -= 1,
            _ => world.breaks(format_args!("{place} sees {} twice: {}", delivery(&again.nonce), again.text)),
        }
        None
    }

    /// Nothing becomes visible before something older, but what has been stuck for five minutes in which whoever
    /// passes it has had the account.
    fn check_order(&self, world: &World, late: &Shown) {
        let (place, (id, created_at)) = (&late.place, made(&late.nonce));
        let newer = self.shown.iter().filter(|shown| shown.place == *place && made(&shown.nonce).0 > id);
        for shown in newer.filter(|shown| shown.at - created_at.max(shown.since) < STUCK) {
            world.breaks(format_args!("{place} sees delivery {id} after {}", delivery(&shown.nonce)));
        }
    }
}
