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
    let _ = out::text(&banner(&config, &app.accounts(), app.address()));
    if let Some(code) = app.owner_code() {
        let _ = out::text(&no_owner(code, io::stdout().is_terminal()));
    }
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

/// What is there.
fn banner(config: &Config, accounts: &[AccountId], address: SocketAddr) -> String {
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
    lines.join("\n")
}

/// Nobody owns the bot yet. The code is for the eyes at a terminal: what a service prints ends in a log.
fn no_owner(code: &str, terminal: bool) -> String {
    if terminal {
        format!("owner     nobody yet: send {code} to the bot in a private chat within an hour")
    } else {
        "owner     nobody yet: `roundtable pair owner` shows a code to send to the bot".into()
    }
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
        let banner = banner(&config, &accounts, address);
        insta::assert_snapshot!(banner.replace(env!("CARGO_PKG_VERSION"), "VERSION"), @r"
        roundtable VERSION
        accounts  telegram:main, local:main
        agents    coder, manager, researcher
        models    main (demo/demo)
        api       http://127.0.0.1:7080
                  no key of a provider is set: a built-in demonstration answers (set ANTHROPIC_API_KEY, OPENAI_API_KEY, GEMINI_API_KEY or OPENROUTER_API_KEY)
        ");
    }

    #[test]
    fn the_owners_code_is_shown_at_a_terminal_only() {
        let [seen, logged] = [true, false].map(|terminal| no_owner("7K3M-01Q0-ZZ9A", terminal));
        insta::assert_snapshot!(seen, @"owner     nobody yet: send 7K3M-01Q0-ZZ9A to the bot in a private chat within an hour");
        insta::assert_snapshot!(logged, @"owner     nobody yet: `roundtable pair owner` shows a code to send to the bot");
    }
}
