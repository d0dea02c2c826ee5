//! Commands: the words that people give to the program and not to an agent.
//!
//! A new one is a variant of [`Command`] and an entry of [`COMMANDS`].

use super::{names, pairing};

/// A command, ready to be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `/help`.
    Help,
    /// `/start`, which Telegram sends when somebody opens the chat: a welcome.
    Start,
    /// `/stop`.
    Stop(Stop),
    /// `/new`: the next generation of this conversation's session.
    New {
        /// What the old one started goes on.
        keep: bool,
    },
    /// `/whoami`.
    Whoami,
    /// An owner code: `/pair CODE`, `/start CODE`, or the bare code while one is open. Strangers give it too:
    /// it is what lets them in. In a group it is never taken; if it is the open code, that one is void.
    Pair {
        /// Normalised: compare it with the code that was made.
        code: String,
    },
}

/// What `/stop` stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The work of this conversation's own session and of what it started.
    Here,
    /// All work of this conversation.
    All,
    /// The work of one labelled session.
    Label(String),
}

/// What a text is, as a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// No command.
    Text,
    /// One of ours.
    Ours(Command),
    /// One of ours with something it does not take.
    Misused {
        /// How to write it.
        usage: String,
    },
    /// It looks like one, and there is none of this name.
    Unknown {
        /// As it was written, without the slash.
        name: String,
        /// What was probably meant.
        suggestion: Option<&'static str>,
    },
    /// A command for another bot.
    OtherBot,
}

/// One command as people see it.
#[derive(Debug)]
pub struct Entry {
    /// Its name, without the slash.
    pub name: &'static str,
    /// What may follow it, in the usual notation; empty for nothing.
    pub arguments: &'static str,
    /// What it does, for `/help` and a platform's menu; `None` is listed nowhere.
    pub about: Option<&'static str>,
    /// Reads the arguments, trimmed.
    read: fn(&str) -> Option<Command>,
}

impl Entry {
    /// How to write it: `/stop [label|all]`.
    pub fn usage(&self) -> String {
        format!("/{} {}", self.name, self.arguments).trim_end().to_owned()
    }
}

/// Every command, in the order of `/help`.
pub static COMMANDS: &[Entry] = &[
    Entry { name: "help", arguments: "", about: Some("what I can do"), read: |_| Some(Command::Help) },
    Entry {
        name: "new",
        arguments: "[keep]",
        about: Some("start afresh; with `keep`, running work goes on"),
        read: read_new,
    },
    Entry {
        name: "stop",
        arguments: "[label|all]",
        about: Some("stop what is running here"),
        read: read_stop,
    },
    Entry {
        name: "whoami",
        arguments: "",
        about: Some("who you are to me, and where we are"),
        read: |_| Some(Command::Whoami),
    },
    Entry { name: "start", arguments: "[code]", about: None, read: read_start },
    Entry { name: "pair", arguments: "CODE", about: None, read: read_pair },
];

fn read_new(arguments: &str) -> Option<Command> {
    match arguments.to_ascii_lowercase().as_str() {
        "" => Some(Command::New { keep: false }),
        "keep" => Some(Command::New { keep: true }),
        _ => None,
    }
}

fn read_stop(arguments: &str) -> Option<Command> {
    let label = arguments.strip_prefix('@').unwrap_or(arguments);
    let stop = match label {
        "" => Stop::Here,
        _ if label.eq_ignore_ascii_case("all") => Stop::All,
        _ if names::is_valid(label) => Stop::Label(label.to_owned()),
        _ => return None,
    };
    Some(Command::Stop(stop))
}

fn read_start(payload: &str) -> Option<Command> {
    Some(pairing::bare_code(payload).map_or(Command::Start, |code| Command::Pair { code }))
}

fn read_pair(code: &str) -> Option<Command> {
    let code = pairing::normalise_code(code);
    (!code.is_empty()).then_some(Command::Pair { code })
}

/// Reads a text as a command. It is one if it begins with `/word`, followed by white space or nothing, so
/// that a path is none; `/word@bot` is for that bot (an adapter takes our own name away).
pub fn parse(text: &str) -> Parsed {
    let Some(rest) = text.strip_prefix('/') else { return Parsed::Text };
    let (word, arguments) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let is_name = |name: &str| {
        (1..=names::MAX).contains(&name.len())
            && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
    };
    if let Some((name, bot)) = word.split_once('@') {
        return if is_name(name) && is_name(bot) { Parsed::OtherBot } else { Parsed::Text };
    }
    if !is_name(word) {
        return Parsed::Text;
    }
    match COMMANDS.iter().find(|entry| entry.name.eq_ignore_ascii_case(word)) {
        Some(entry) => (entry.read)(arguments.trim())
            .map_or_else(|| Parsed::Misused { usage: entry.usage() }, Parsed::Ours),
        None => Parsed::Unknown {
            name: word.to_owned(),
            suggestion: names::closest(word, COMMANDS.iter().map(|entry| entry.name)),
        },
    }
}
