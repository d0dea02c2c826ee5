//! Chat with the program without any account: starts the fakes, prints how to connect, and plays the people.

mod news;
mod stage;

use std::{
    future::pending,
    io::{BufRead, stdin},
    net::{Ipv4Addr, SocketAddr},
};

use clap::Parser;
use roundtable_fakes::{DiscordFake, ModelFake, TelegramFake};
use tokio::sync::mpsc;

use news::Shown;
use stage::Stage;

const HELP: &str = "\
Lines are messages of the current person in the current place; `bob: hi` speaks as bob.
  /as NAME      be somebody else        /private      the private chat with the bot
  /group NAME   a group                 /topic NAME   a topic (of the group, or of the private chat)
  /press DATA   press a button of the newest message that has it
  /fakes        everything that was said and what the bot did wrong
  /quit         end";

const DISCORD_HELP: &str = "
  /dm           the DM on Discord       /channel NAME a channel of the guild
  /thread NAME  a thread of the channel /post NAME    a post in the forum `forum`
  /at           begin the next lines with a mention of the bot, or no longer";

/// A Telegram server, a Discord server and a model server that need no account.
#[derive(Parser)]
#[command(version, about)]
struct Options {
    /// Where the Telegram Bot API listens.
    #[arg(long, default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)))]
    telegram: SocketAddr,
    /// Where the models listen.
    #[arg(long, default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 8082)))]
    models: SocketAddr,
    /// Where Discord listens, if it shall: REST and gateway, for example 127.0.0.1:8083.
    #[arg(long)]
    discord: Option<SocketAddr>,
}

/// What is served.
struct Fakes {
    telegram: TelegramFake,
    discord: Option<DiscordFake>,
    models: ModelFake,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let fakes = Fakes::start(Options::parse()).await?;
    let more = if fakes.discord.is_some() { DISCORD_HELP } else { "" };
    println!("Start the program with\n\n{} roundtable\n\n{HELP}{more}\n", fakes.environment());
    let mut lines = typed_lines();
    let mut stage = Stage::default();
    let mut shown = Shown::default();
    loop {
        let news = tokio::select! {
            line = lines.recv() => match line {
                Some(line) if line.trim() != "/quit" => {
                    stage.act(&fakes, line.trim());
                    continue;
                }
                _ => return Ok(()),
            },
            news = fakes.telegram.watch(|world| shown.of_telegram(world)) => news,
            news = on_discord(&fakes, &shown) => news,
        };
        for line in shown.show(news) {
            println!("{line}");
        }
    }
}

async fn on_discord(fakes: &Fakes, shown: &Shown) -> Vec<news::News> {
    match &fakes.discord {
        Some(discord) => discord.watch(|world| shown.of_discord(world)).await,
        None => pending().await,
    }
}

impl Fakes {
    async fn start(options: Options) -> anyhow::Result<Self> {
        let telegram = TelegramFake::start_on(options.telegram).await?;
        let models = ModelFake::start_on(options.models).await?;
        let discord = match options.discord {
            Some(address) => Some(DiscordFake::start_on(address).await?),
            None => None,
        };
        Ok(Self { telegram, discord, models })
    }

    /// The variables with which the program finds all of it.
    fn environment(&self) -> String {
        let account = |platform: &str, api_url: String| {
            let key = format!("ROUNDTABLE_CHANNELS__{platform}__MAIN__");
            [format!("{key}API_URL={api_url}"), format!("{key}DM=open")]
        };
        let mut lines = vec![format!("TELEGRAM_BOT_TOKEN={}", self.telegram.token())];
        lines.extend(account("TELEGRAM", self.telegram.url()));
        if let Some(discord) = &self.discord {
            lines.push(format!("DISCORD_TOKEN={}", discord.token()));
            lines.extend(account("DISCORD", discord.api_url()));
        }
        lines.extend([
            "ROUNDTABLE_MODELS__MAIN__PROVIDER=openai".to_owned(),
            "ROUNDTABLE_MODELS__MAIN__MODEL=fake".to_owned(),
            "ROUNDTABLE_MODELS__MAIN__API_KEY=fake".to_owned(),
            format!("ROUNDTABLE_MODELS__MAIN__BASE_URL={}", self.models.url()),
        ]);
        lines.join(" \\\n")
    }
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
