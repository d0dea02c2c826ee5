//! Commands: the words that people give to the program and not to an agent.
//!
//! A new one is a variant of [`Command`], an entry of [`COMMANDS`] and what reads its arguments.

mod arguments;

use super::names;

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
    /// `/forget`: what was said in this conversation is erased.
    Forget,
    /// `/whoami`.
    Whoami,
    /// An owner code: `/pair CODE`, `/start CODE`, or the bare code while one is open. Strangers give it too:
    /// it is what lets them in. In a group it is never taken; if it is the open code, that one is void.
    Pair {
        /// Normalised: compare it with the code that was made.
        code: String,
    },
    /// `/agents`: who is here.
    Agents,
    /// `/ask`: a message with a label, for those who like commands.
    Ask {
        /// Who is asked.
        label: String,
        /// What.
        text: String,
    },
    /// `/spawn`: work for a new child.
    Spawn {
        /// Which agent does it, by any of its names.
        agent: String,
        /// What the child is called.
        label: Option<String>,
        /// What it is to do.
        task: String,
    },
    /// `/steer`: a word into a turn at work.
    Steer {
        /// Whose.
        label: String,
        /// The word.
        text: String,
    },
    /// `/kill`: the end of a session's work and of all below it.
    Kill {
        /// Whose.
        label: String,
    },
    /// `/focus`: from now on messages go to this one.
    Focus {
        /// To whom.
        label: String,
        /// Those of everyone.
        everyone: bool,
    },
    /// `/unfocus`: they no longer do.
    Unfocus {
        /// Those of everyone.
        everyone: bool,
    },
    /// `/history`: the newest entries of a transcript.
    History {
        /// Whose.
        label: String,
        /// How many, 1 to [`HISTORY`].
        count: i64,
    },
    /// `/status`: what is at work here, and what it has cost.
    Status,
}

/// The most entries that `/history` shows.
pub const HISTORY: i64 = 20;

impl Command {
    /// The label in it, if it has one.
    pub fn label(&self) -> Option<&str> {
        match self {
            Self::Ask { label, .. }
            | Self::Steer { label, .. }
            | Self::Kill { label }
            | Self::Focus { label, .. }
            | Self::History { label, .. }
            | Self::Stop(Stop::Label(label)) => Some(label),
            Self::Help
            | Self::Start
            | Self::Stop(_)
            | Self::New { .. }
            | Self::Forget
            | Self::Whoami
            | Self::Pair { .. }
            | Self::Agents
            | Self::Spawn { .. }
            | Self::Unfocus { .. }
            | Self::Status => None,
        }
    }
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
    entry("help", "", "what I can do", |_| Some(Command::Help)),
    entry("agents", "", "who is here, and what they are doing", |_| Some(Command::Agents)),
    entry("ask", "label text", "ask one of us, like `@label text`", arguments::ask),
    entry("spawn", "agent [label:] task", "give a task to a new helper", arguments::spawn),
    entry("steer", "label text", "tell one of us something while it works", arguments::steer),
    entry("focus", "label [everyone]", "send your messages here to one of us", arguments::focus),
    entry("unfocus", "[everyone]", "send them where they went before", arguments::unfocus),
    entry("status", "", "what is at work here, and what it has cost", |_| Some(Command::Status)),
    entry("history", "label [n]", "what one of us has read and said", arguments::history),
    entry("stop", "[label|all]", "stop what is running here", arguments::stop),
    entry("kill", "label", "stop one of us, and all that it has started", arguments::kill),
    entry("new", "[keep]", "start afresh; with `keep`, running work goes on", arguments::new),
    entry("forget", "", "erase what was said here from my memory, for good", |_| Some(Command::Forget)),
    entry("whoami", "", "who you are to me, and where we are", |_| Some(Command::Whoami)),
    Entry { name: "start", arguments: "[code]", about: None, read: arguments::start },
    Entry { name: "pair", arguments: "CODE", about: None, read: arguments::pair },
];

const fn entry(
    name: &'static str,
    arguments: &'static str,
    about: &'static str,
    read: fn(&str) -> Option<Command>,
) -> Entry {
    Entry { name, arguments, about: Some(about), read }
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
