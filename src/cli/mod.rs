//! The command line, one file per subcommand.
//!
//! Data goes to stdout, words to stderr. Commands that change something, or read what a running node knows,
//! go through its HTTP API; without one they use the database themselves.

mod api;
mod backup;
pub mod chat;
pub mod config_check;
mod deliveries;
mod failure;
mod logs;
mod nodes;
mod offline;
mod out;
mod pair;
mod prune;
mod route_explain;
mod serve;
mod sessions;
mod signals;

use std::io;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config, Report, Sources};
pub use failure::Misconfigured;

/// A team of AI agents in the chats people already use.
#[derive(Debug, Parser)]
#[command(name = "roundtable", version)]
pub struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Args)]
struct Options {
    /// The configuration file; otherwise ./roundtable.toml or the one in your configuration folder.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print data as JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the node (the default): connect every account and serve the API.
    Serve,
    /// Talk to the team in the terminal, on the running node or on one started for it.
    Chat(chat::Arguments),
    /// Look at the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look at the routing.
    #[command(subcommand)]
    Route(RouteCommand),
    /// Look at sessions, and remove old ones.
    #[command(subcommand)]
    Sessions(sessions::Command),
    /// Look after deliveries.
    #[command(subcommand)]
    Deliveries(deliveries::Command),
    /// Copy the database (SQLite) into a new file and check the copy, also while a node runs.
    Backup(backup::Arguments),
    /// The nodes that share the database: which are alive, and what each holds.
    Nodes,
    /// Manage who owns the bot and which groups it listens in.
    #[command(subcommand)]
    Pair(pair::Command),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say everything that is wrong with it; exit code 78 if anything is.
    Check,
}

#[derive(Debug, Subcommand)]
enum RouteCommand {
    /// Say who would read a message, and why.
    Explain(route_explain::Arguments),
}

/// What every subcommand works with.
struct Context {
    sources: Sources,
    json: bool,
}

impl Context {
    fn new(options: Options) -> io::Result<Self> {
        let Options { config, json } = options;
        Ok(Self { sources: Sources::of_process(config)?, json })
    }

    /// The configuration, or the report of what is wrong with it.
    fn load(&self) -> Result<Config, Report> {
        config::load(&self.sources).map(|loaded| loaded.config)
    }

    /// The configuration, with its warnings told.
    fn load_and_warn(&self) -> Result<Config, Report> {
        let loaded = config::load(&self.sources)?;
        for warning in &loaded.warnings {
            eprintln!("warning: {warning}");
        }
        Ok(loaded.config)
    }
}

/// Runs the program; returns its exit code: 0, 1 for a failure, 78 for the configuration (2, for a wrong
/// usage, is the parser's). Called by `main` only.
pub async fn run(cli: Cli) -> u8 {
    match dispatch(cli).await {
        Ok(code) => code,
        Err(error) => failure::report(&error),
    }
}

async fn dispatch(cli: Cli) -> anyhow::Result<u8> {
    let Cli { options, command } = cli;
    let context = Context::new(options)?;
    match command.unwrap_or(Command::Serve) {
        Command::Serve => serve::run(&context).await?,
        Command::Chat(arguments) => chat::run(&context, arguments).await?,
        Command::Config(ConfigCommand::Check) => return config_check::run(&context),
        Command::Route(RouteCommand::Explain(arguments)) => route_explain::run(&context, arguments).await?,
        Command::Sessions(command) => sessions::run(&context, command).await?,
        Command::Deliveries(command) => deliveries::run(&context, command).await?,
        Command::Backup(arguments) => backup::run(&context, arguments).await?,
        Command::Nodes => nodes::run(&context).await?,
        Command::Pair(command) => pair::run(&context, command).await?,
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_can_be_written() {
        for line in [
            "",
            "serve --config a.toml",
            "chat",
            "chat --agent coder --as Ann work",
            "--json config check",
            "route explain telegram:main:-100:7 --user -5 --role a --role b --text hi --kind group --mention",
            "sessions list --limit 3 --json",
            "sessions prune --older-than 90d --dry-run",
            "sessions show agent:a:main --after 7",
            "deliveries list --all",
            "deliveries retry 7",
            "deliveries discard 7",
            "backup --json copy.db",
            "nodes --json",
            "pair owner",
            "pair revoke telegram:main:-100",
        ] {
            let words = std::iter::once("roundtable").chain(line.split_whitespace());
            Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }

    #[test]
    fn a_wrong_conversation_is_a_usage_error_that_says_how_to_write_one() {
        let error = Cli::try_parse_from(["roundtable", "pair", "revoke", "telegram"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("<channel>:<account>:<chat>"), "{error}");
    }
}
