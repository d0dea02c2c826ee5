//! People on a Discord server who chat, each in a channel of their own. Who has an answer says the next thing.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use roundtable_fakes::DiscordFake;
use roundtable_fakes::discord::{Message, Seat, World};

use crate::kills::load::Verdict;

/// They, whoever has waited longest first, and what all have said.
pub struct Guild {
    people: VecDeque<Person>,
    said: usize,
}

/// Somebody, and what they have said so far.
struct Person {
    seat: Seat,
    /// With its text, without the mention.
    said: Vec<(String, Message)>,
}

impl Person {
    /// What the bot has said here, oldest first.
    fn answers(&self) -> Vec<Message> {
        let mut messages = self.seat.messages();
        messages.retain(|message| message.from != self.seat.id());
        messages
    }

    fn has_answer(&self) -> bool {
        self.answers().len() >= self.said.len()
    }
}

impl Guild {
    /// So many people.
    pub fn of(discord: &DiscordFake, people: usize) -> Self {
        let seat =
            |number| discord.user(&format!("member{number:03}")).in_channel(&format!("chat-{number:03}"));
        let people = (0..people).map(|number| Person { seat: seat(number), said: Vec::new() });
        Self { people: people.collect(), said: 0 }
    }

    /// The next who has an answer says something; nobody, if nobody has.
    pub fn say_next(&mut self) {
        let next = self.people.iter().position(Person::has_answer);
        if let Some(mut person) = next.and_then(|at| self.people.remove(at)) {
            let text = format!("remark {:05}", self.said);
            let message = person.seat.mentions_bot(&text);
            person.said.push((text, message));
            self.said += 1;
            self.people.push_back(person);
        }
    }

    /// How much they have said.
    pub fn said(&self) -> usize {
        self.said
    }

    /// Waits until all is answered.
    pub async fn answered(&self, discord: &DiscordFake) -> anyhow::Result<()> {
        let channels: HashSet<u64> =
            self.people.iter().map(|person| person.seat.place().channel_id()).collect();
        let here = |world: &World| {
            let here = world.bot_messages().filter(|message| channels.contains(&message.channel));
            here.count() >= self.said
        };
        discord.wait_until("everybody on Discord to be answered", here).await
    }

    /// Reads all answers: each remark has one, in its channel and in order. Gives how long they were waited for too.
    pub fn check(&self) -> (Verdict, Vec<Duration>) {
        let (mut verdict, mut waited) = (Verdict::default(), Vec::new());
        for person in &self.people {
            let answers = person.answers();
            for (text, remark) in &person.said {
                match answers.iter().filter(|answer| answer.text.ends_with(text)).collect::<Vec<_>>()[..] {
                    [] => verdict.lost.push(text.clone()),
                    [answer] => waited.push(Duration::from_millis(sent_at(answer) - sent_at(remark))),
                    _ => verdict.doubled.push(text.clone()),
                }
            }
            let mut pairs = answers.iter().zip(&person.said);
            if answers.len() > person.said.len()
                || !pairs.all(|(answer, (text, _))| answer.text.ends_with(text))
            {
                let texts: Vec<_> = answers.iter().map(|answer| &answer.text).collect();
                verdict.misplaced.push(format!("{:?} was answered with {texts:?}", person.said));
            }
            person.seat.reads_everything();
        }
        (verdict, waited)
    }
}

/// When a message was sent, in milliseconds of the platform's clock: its number tells.
fn sent_at(message: &Message) -> u64 {
    message.id >> 22
}
