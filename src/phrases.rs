//! Every sentence the program itself says to people.
//!
//! Plain, short and friendly: what happened, and what to do about it. Markdown.

use std::fmt;
use std::time::Duration;

use roundtable_contract::{Conversation, Sender};

use crate::models::ModelError;
use crate::routing::commands::COMMANDS;
use crate::routing::{KnownAgent, Notice};

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unpaired { owners_exist: true, user } => write!(
                f,
                "I only talk to people my owner has let in: to join them, send my owner your id, `{user}`."
            ),
            Self::Unpaired { owners_exist: false, user: _ } => f.write_str(
                "I have no owner yet: if you run this bot, send me the pairing code from the terminal \
                 (`roundtable pair owner` makes a new one).",
            ),
            Self::UnknownCommand { name, suggestion: Some(suggestion) } => {
                write!(f, "I don't know `/{name}`. Did you mean `/{suggestion}`?")
            }
            Self::UnknownCommand { name, suggestion: None } => {
                write!(f, "I don't know `/{name}`. `/help` lists what I can do.")
            }
            Self::Usage { usage } => write!(f, "I don't understand that. Write it like this: `{usage}`"),
            Self::NearMiss { written, suggestion } => write!(
                f,
                "There is no `@{written}` here. Did you mean `@{suggestion}`? \
                 Nobody has read your message yet: please send it again."
            ),
        }
    }
}

/// The answer to `/help` and `/start`.
pub fn help(agents: &[KnownAgent]) -> String {
    let mut text = String::from(
        "Write to me and I answer. In a group, mention me, reply to one of my messages, or start with the \
         name of one of us:\n",
    );
    for KnownAgent { id, name, .. } in agents {
        text += &if name.eq_ignore_ascii_case(id) {
            format!("- `@{id}`\n")
        } else {
            format!("- `@{id}` ({name})\n")
        };
    }
    text.push_str("\nCommands:\n");
    for entry in COMMANDS {
        if let Some(about) = entry.about {
            text += &format!("- `{}`: {about}\n", entry.usage());
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// What the sender of `/whoami` is to the bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// An owner.
    Owner,
    /// Let in by an owner or the configuration.
    Known,
    /// Neither: an open chat, or a group where everyone may speak.
    Guest,
}

/// The answer to `/whoami`.
pub fn whoami(sender: &Sender, standing: Standing, conversation: &Conversation) -> String {
    let standing = match standing {
        Standing::Owner => "one of my owners",
        Standing::Known => "someone I know",
        Standing::Guest => "a guest",
    };
    format!(
        "You are {} (id `{}`), {standing}. This conversation is `{conversation}`.",
        sender.name, sender.id
    )
}

/// Work was stopped: once per `/stop`, with the names of everything that was.
pub fn stopped(names: &[&str]) -> String {
    format!("Stopped: {}.", names.join(", "))
}

/// `/stop` found nothing at work.
pub fn nothing_to_stop() -> String {
    "Nothing is running here.".into()
}

/// `/stop LABEL` names nobody.
pub fn nobody_called(label: &str) -> String {
    format!("There is no `@{label}` here, so nothing was stopped.")
}

/// The answer to `/new`. `stopped` are the names of what was running and is no more.
pub fn new_conversation(stopped: &[&str]) -> String {
    let begun = "We start afresh: I no longer think of what was said above.";
    match stopped {
        [] => begun.into(),
        names => format!("{begun} {}", self::stopped(names)),
    }
}

/// An owner code was right.
pub fn owner_paired(name: &str) -> String {
    format!(
        "Welcome, {name}: you own this bot now. Write to me here, or mention me in a group to let me in there. \
         `/help` lists what I can do."
    )
}

/// An owner code was wrong, used or too old. `tries_left` counts the sender's.
pub fn wrong_code(tries_left: u32) -> String {
    match tries_left {
        0 => "That code is not valid, and you have no tries left. `roundtable pair owner` on the machine I run \
              on makes a new code."
            .into(),
        1 => "That code is not valid. You have 1 more try.".into(),
        left => format!("That code is not valid. You have {left} more tries."),
    }
}

/// The open owner code was shown in a group.
pub fn code_voided() -> String {
    "That code was visible to everyone here, so it is no longer valid. Make a new one with `roundtable pair \
     owner` and send it to me in a private chat."
        .into()
}

/// A group was allow-listed because an owner spoke to the bot in it.
pub fn group_allowed(owner: &str, conversation: &Conversation) -> String {
    format!(
        "{owner} brought me in: from now on I answer here. To undo this, remove me from the group or run \
         `roundtable pair revoke {conversation}`."
    )
}

/// Another bot reached the limit of the pair guard. Said once per pause.
pub fn bot_paused(name: &str, per_minute: u32) -> String {
    format!(
        "{name} and I have had {per_minute} messages in a minute. I don't listen to it until that is over; people \
         are heard as always."
    )
}

/// A session's inbox is full: the message was not taken.
pub fn inbox_full(agent: &str, waiting: usize) -> String {
    format!(
        "{agent} has {waiting} messages waiting, so I did not take this one. Please send it again later, or \
         `/stop` what is running."
    )
}

/// A turn failed because the model did, after all retries and fallbacks.
pub fn model_failed(agent: &str, error: &ModelError) -> String {
    match error {
        ModelError::RateLimited { model, after: Some(after) } => format!(
            "{agent} can't answer now: {model} takes no more requests for {}. Please ask again then.",
            period(*after)
        ),
        ModelError::RateLimited { model, after: None } => format!(
            "{agent} can't answer now: {model} takes no more requests for the moment. Please ask again in a few \
             minutes."
        ),
        ModelError::Unavailable { model, reason } => format!(
            "{agent} can't answer now: {model} is not available ({reason}). Please ask again in a few minutes."
        ),
        ModelError::Refused { model, reason } => format!(
            "{agent} can't answer: {model} refused the request ({reason}). Asking again won't help; whoever runs \
             me can check the model's key and settings in the configuration."
        ),
    }
}

/// A turn took longer than it may.
pub fn timed_out(agent: &str, after: Duration) -> String {
    format!(
        "{agent} did not finish within {} and was stopped. Try a smaller piece of the task.",
        period(after)
    )
}

/// A turn took more steps than it may.
pub fn too_many_steps(agent: &str, steps: i64) -> String {
    format!("{agent} did not finish within {steps} steps and was stopped. Try a smaller piece of the task.")
}

/// A turn made the same call again and again.
pub fn looping(agent: &str, tool: &str) -> String {
    format!("{agent} called `{tool}` in the same way again and again and was stopped. Try other words.")
}

/// The agent of a session was taken out of the configuration.
pub fn agent_gone(agent: &str) -> String {
    format!("`{agent}` is no longer part of this team, so nobody can answer here. `/help` lists who is.")
}

/// A turn is given up because the process died in it again and again. Said once.
pub fn dead_letter(agent: &str) -> String {
    format!(
        "I had to give up on a message to {agent}: I crashed three times while it was at work. Everything else \
         goes on; please put it in other words if you send it again."
    )
}

/// The session a message was for ended before it could read it.
pub fn target_stopped(name: &str) -> String {
    format!(
        "{name} was stopped before it could read your message. Please send it again to someone else here."
    )
}

/// The model ended its turn without a word.
pub fn empty_answer(agent: &str) -> String {
    format!("{agent} had nothing to say. Please ask again in other words.")
}

/// A length of time as people say it: the two largest units, rounded up to whole seconds.
fn period(time: Duration) -> String {
    let seconds = time.as_millis().div_ceil(1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes, seconds) {
        (0, 0, s) => format!("{s} s"),
        (0, m, 0) => format!("{m} min"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, 0, _) => format!("{h} h"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}
