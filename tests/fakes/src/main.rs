//! Chat with the program without any account: starts both fakes, prints how to connect, and plays the people.

use std::{
    collections::HashMap,
    io::{BufRead, stdin},
    net::{Ipv4Addr, SocketAddr},
};

use clap::Parser;
use roundtable_fakes::{Message, ModelFake, Seat, TelegramFake, World};
use tokio::sync::mpsc;

const HELP: &str = "\
Lines are messages of the current person in the current place; `bob: hi` speaks as bob.
  /as NAME      be somebody else        /private      the private chat with the bot
  /group NAME   a group                 /topic NAME   a topic (of the group, or of the private chat)
  /press DATA   press a button of the newest message that has it
  /fakes        everything that was said and what the bot did wrong
  /quit         end";

/// A Telegram server and a model server that need no account.
#[derive(Parser)]
#[command(version, about)]
struct Options {
    /// Where the Telegram Bot API listens.
    #[arg(long, default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)))]
    telegram: SocketAddr,
    /// Where the models listen.
    #[arg(long, default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 8082)))]
    models: SocketAddr,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Options { telegram, models } = Options::parse();
    let (telegram, models) = (TelegramFake::start_on(telegram).await?, ModelFake::start_on(models).await?);
    println!("Start the program with\n\n{} roundtable\n\n{HELP}\n", environment(&telegram, &models));
    let mut lines = typed_lines();
    let mut stage = Stage { name: "ann".to_owned(), group: None, topic: None };
    let mut shown = HashMap::new();
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                Some(line) if line.trim() != "/quit" => stage.act(&telegram, &models, line.trim()),
                _ => return Ok(()),
            },
            news = telegram.watch(|world| news(world, &shown)) => {
                for (message, line) in news {
                    shown.insert((message.chat, message.id), version(&message));
                    println!("{line}");
                }
            }
        }
    }
}

fn environment(telegram: &TelegramFake, models: &ModelFake) -> String {
    [
        format!("TELEGRAM_BOT_TOKEN={}", telegram.token()),
        format!("ROUNDTABLE_CHANNELS__TELEGRAM__MAIN__API_URL={}", telegram.url()),
        "ROUNDTABLE_CHANNELS__TELEGRAM__MAIN__DM=open".to_owned(),
        "ROUNDTABLE_MODELS__MAIN__PROVIDER=openai".to_owned(),
        "ROUNDTABLE_MODELS__MAIN__MODEL=fake".to_owned(),
        "ROUNDTABLE_MODELS__MAIN__API_KEY=fake".to_owned(),
        format!("ROUNDTABLE_MODELS__MAIN__BASE_URL={}", models.url()),
    ]
    .join(" \\\n")
}

/// Lines of the terminal, from a thread of their own: reading one cannot be cancelled. A full queue makes the reader wait.
fn typed_lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Who speaks, and where.
struct Stage {
    name: String,
    group: Option<String>,
    topic: Option<String>,
}

impl Stage {
    fn act(&mut self, telegram: &TelegramFake, models: &ModelFake, line: &str) {
        let (word, rest) = line.split_once(' ').map_or((line, ""), |(word, rest)| (word, rest.trim()));
        let named = || Some(rest.to_owned()).filter(|name| !name.is_empty());
        match word {
            "" => {}
            "/as" => named().into_iter().for_each(|name| self.name = name),
            "/private" => (self.group, self.topic) = (None, None),
            "/group" => (self.group, self.topic) = (named(), None),
            "/topic" => self.topic = named(),
            "/press" => self.press(telegram, rest),
            "/fakes" => {
                println!("{}", telegram.transcript());
                for problem in telegram.violations().into_iter().chain(models.violations()) {
                    println!("violation: {problem}");
                }
            }
            _ => match line.split_once(": ") {
                Some((name, text)) if name.chars().all(char::is_alphanumeric) => {
                    self.seat(telegram, name).says(text);
                }
                _ => {
                    self.seat(telegram, &self.name).says(line);
                }
            },
        }
    }

    fn seat(&self, telegram: &TelegramFake, name: &str) -> Seat {
        let person = telegram.user(name);
        match (&self.group, &self.topic) {
            (Some(group), Some(topic)) => person.in_topic(group, topic),
            (Some(group), None) => person.in_group(group),
            (None, Some(topic)) => person.in_private_topic(topic),
            (None, None) => person,
        }
    }

    fn press(&self, telegram: &TelegramFake, data: &str) {
        let seat = self.seat(telegram, &self.name);
        let has = |message: &&Message| message.buttons().iter().any(|(_, known)| known == data);
        match seat.place().messages().iter().rev().find(has).map(|message| seat.presses(message, data)) {
            Some(Ok(_)) => {}
            Some(Err(error)) => println!("{error}"),
            None => println!("no message here has that button"),
        }
    }
}

/// What tells one state of a message from another: its text and its buttons.
fn version(message: &Message) -> (String, Vec<(String, String)>) {
    (message.text.clone(), message.buttons())
}

type Shown = HashMap<(i64, i64), (String, Vec<(String, String)>)>;

/// Bot messages that look different from what was shown, with the lines to show.
fn news(world: &World, shown: &Shown) -> Option<Vec<(Message, String)>> {
    let changed = |message: &&Message| {
        !message.is_service() && shown.get(&(message.chat, message.id)) != Some(&version(message))
    };
    let news: Vec<(Message, String)> = world
        .bot_messages()
        .filter(changed)
        .map(|message| {
            let edited = if shown.contains_key(&(message.chat, message.id)) { " (edited)" } else { "" };
            let topic = message.thread.map(|thread| format!(", topic {thread}")).unwrap_or_default();
            let buttons: Vec<String> =
                message.buttons().iter().map(|(text, data)| format!(" [{text}: /press {data}]")).collect();
            let (chat, bot) = (world.title_of(message.chat), world.name_of(message.from));
            let line = format!("{chat}{topic} | {bot}{edited}: {}{}", message.text, buttons.concat());
            (message.clone(), line)
        })
        .collect();
    (!news.is_empty()).then_some(news)
}
