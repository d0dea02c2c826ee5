//! `roundtable serve`: the node.

use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use roundtable_contract::AccountId;
use tokio_util::sync::CancellationToken;

use super::signals::Signals;
use super::{Context, Misconfigured, chat, logs, out};
use crate::app::{self, App};
use crate::config::{Config, Provider};

/// Runs the node until a signal; without a platform, opens the chat on a terminal.
pub(super) async fn run(context: &Context) -> anyhow::Result<()> {
    let config = context.load_and_warn()?;
    if !app::has_platform(&config) {
        let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
        return if terminal && config.channels.local.enabled {
            chat::talk(context, config, chat::Arguments::default()).await
        } else {
            Err(Misconfigured(NO_PLATFORM.into()).into())
        };
    }
    logs::to_stderr(context)?;
    let mut signals = Signals::new()?;
    let config = Arc::new(config);
    let app = App::start(config.clone()).await?;
    // On stdout, since stderr is the log's, which may be JSON. Nobody needs to read it for the node to run.
    // The owner's code is for the eyes at a terminal: what a service prints ends in a log.
    let owner = app.owner_code().map(|code| io::stdout().is_terminal().then_some(code));
    let _ = out::text(&banner(&config, &app.accounts(), app.address(), owner));
    let stop = CancellationToken::new();
    let mut node = pin!(app.run(stop.clone()));
    tokio::select! {
        ended = &mut node => return ended,
        () = signals.next() => stop.cancel(),
    }
    let drain = config.node.drain.as_secs();
    let _ = out::text(&format!("Stopping: what runs may end within {drain} s; once more stops at once."));
    tokio::select! {
        ended = &mut node => ended,
        () = signals.next() => anyhow::bail!("Stopped at once; what was running goes on at the next start."),
    }
}

const NO_PLATFORM: &str = "No platform is configured, and there is no terminal to chat in. Set DISCORD_TOKEN \
    or TELEGRAM_BOT_TOKEN, or write [channels.discord.main] or [channels.telegram.main] into roundtable.toml; or run \
    `roundtable chat`.";

/// What is there. `owner`: nobody owns the bot yet, and the code that changes it where it may be shown.
fn banner(
    config: &Config,
    accounts: &[AccountId],
    address: SocketAddr,
    owner: Option<Option<&str>>,
) -> String {
    let names = |names: Vec<String>| names.join(", ");
    let mut lines = vec![
        format!("roundtable {}", env!("CARGO_PKG_VERSION")),
        format!("accounts  {}", names(accounts.iter().map(ToString::to_string).collect())),
        format!("agents    {}", names(config.agents.keys().cloned().collect())),
        format!(
            "models    {}",
            names(
                config
                    .models
                    .iter()
                    .map(|(id, model)| format!("{id} ({}/{})", model.provider.as_str(), model.model))
                    .collect()
            )
        ),
        format!("api       http://{address}"),
    ];
    if config.models.values().any(|model| model.provider == Provider::Demo) {
        lines.push(DEMO.into());
    }
    match owner {
        None => {}
        Some(Some(code)) => {
            lines.push(format!(
                "owner     nobody yet: send {code} to the bot in a private chat within an hour"
            ));
        }
        Some(None) => {
            lines
                .push("owner     nobody yet: `roundtable pair owner` shows a code to send to the bot".into());
        }
    }
    lines.join("\n")
}

const DEMO: &str = "          no key of a provider is set: a built-in demonstration answers (set ANTHROPIC_API_KEY, \
                    OPENAI_API_KEY, GEMINI_API_KEY or OPENROUTER_API_KEY)";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};

    #[test]
    fn the_banner_says_what_there_is() {
        let config = load(&Sources::default()).unwrap().config;
        let accounts = [AccountId::new("telegram", "main"), AccountId::new("local", "main")];
        let address = ([127, 0, 0, 1], 7080).into();
        let hidden = banner(&config, &accounts, address, Some(None));
        assert!(
            hidden.ends_with("owner     nobody yet: `roundtable pair owner` shows a code to send to the bot")
        );
        let banner = banner(&config, &accounts, address, Some(Some("7K3M-01Q0-ZZ9A")));
        insta::assert_snapshot!(banner.replace(env!("CARGO_PKG_VERSION"), "VERSION"), @r"
        roundtable VERSION
        accounts  telegram:main, local:main
        agents    coder, manager, researcher
        models    main (demo/demo)
        api       http://127.0.0.1:7080
                  no key of a provider is set: a built-in demonstration answers (set ANTHROPIC_API_KEY, OPENAI_API_KEY, GEMINI_API_KEY or OPENROUTER_API_KEY)
        owner     nobody yet: send 7K3M-01Q0-ZZ9A to the bot in a private chat within an hour
        ");
    }
}
