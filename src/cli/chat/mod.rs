//! `roundtable chat`: the team in the terminal, or at the end of a pipe.
//!
//! There is one way to talk: over the HTTP API. Without a running node, one is started in this process first.

mod input;
mod lines;
mod screen;
mod talk;

use std::io::{self, IsTerminal as _};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::api::Node;
use super::signals::Signals;
use super::{Context, Misconfigured, logs};
use crate::app::App;
use crate::config::Config;
use crate::http::check_chat;
use lines::Style;
use screen::Screen;
use talk::{Talk, Who};

/// The conversation when none is named.
const LOBBY: &str = "lobby";

/// What `chat` is given.
#[derive(Debug, Default, Args)]
pub struct Arguments {
    /// Speak to this agent; to the one the conversation belongs to when not given.
    #[arg(long)]
    agent: Option<String>,
    /// Your name, as the agents see it.
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    /// The conversation, made when it is new; `lobby` when not given.
    #[arg(value_parser = |name: &str| check_chat(name).map(|()| name.to_owned()))]
    conversation: Option<String>,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> anyhow::Result<()> {
    let config = context.load_and_warn()?;
    talk(context, config, arguments).await
}

/// Talks until the end of the input. Also what `serve` does on a terminal where no platform is configured.
pub(super) async fn talk(context: &Context, config: Config, arguments: Arguments) -> anyhow::Result<()> {
    if !config.channels.local.enabled {
        return Err(
            Misconfigured("The chat is switched off: set channels.local.enabled = true.".into()).into()
        );
    }
    if let Some(agent) = &arguments.agent
        && !config.agents.contains_key(agent)
        && !config.former_ids().contains_key(agent)
    {
        let ids: Vec<&str> = config.agents.keys().map(String::as_str).collect();
        anyhow::bail!("There is no agent `{agent}`; there are {}.", ids.join(", "));
    }
    let config = Arc::new(config);
    let mut signals = Signals::new()?;
    match Node::find(&config).await? {
        Some(node) => converse(context, &config, arguments, node, &mut signals).await,
        None => on_own_node(context, &config, arguments, &mut signals).await,
    }
}

async fn on_own_node(
    context: &Context,
    config: &Arc<Config>,
    arguments: Arguments,
    signals: &mut Signals,
) -> anyhow::Result<()> {
    logs::to_file(context, &config.node.data_dir.join("roundtable.log"))?;
    let app = App::start(config.clone()).await?;
    let node = Node::new(&format!("http://{}", app.address()), app.token().clone())?;
    let stop = CancellationToken::new();
    let mut running = pin!(app.run(stop.clone()));
    let ended = tokio::select! {
        ended = converse(context, config, arguments, node, signals) => ended,
        ended = &mut running => return ended.and(Err(anyhow::anyhow!("The node ended."))),
    };
    stop.cancel();
    let patience = tokio::time::sleep(Duration::from_secs(1));
    tokio::select! {
        drained = &mut running => return ended.and(drained),
        () = patience => eprintln!("Work is still going on and may end; Ctrl-C ends at once, and it goes on at the next start."),
    }
    tokio::select! {
        drained = &mut running => ended.and(drained),
        () = signals.next() => ended,
    }
}

async fn converse(
    context: &Context,
    config: &Arc<Config>,
    arguments: Arguments,
    node: Node,
    signals: &mut Signals,
) -> anyhow::Result<()> {
    let Arguments { agent, name, conversation } = arguments;
    let user = context.sources.env.get("USER").filter(|user| !user.is_empty());
    let name = name.or_else(|| user.cloned()).unwrap_or_else(|| "owner".to_owned());
    let interactive = io::stdin().is_terminal() && io::stdout().is_terminal() && !context.json;
    let bold = interactive && !context.sources.env.contains_key("NO_COLOR");
    let style = Style { json: context.json, bold };
    let (begin, begun) = oneshot::channel();
    let (typed, print) =
        if interactive { input::terminal(begun)? } else { (input::pipe(), screen::stdout()) };
    let mut talk =
        Talk::new(node, config.clone(), Who { name, agent }, interactive, style, Screen::start(print));
    talk.begin(conversation.unwrap_or_else(|| LOBBY.to_owned()), begin).await?;
    talk.run(typed, signals).await
}
