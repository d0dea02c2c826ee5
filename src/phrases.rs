//! Every sentence the program itself says to people.
//!
//! Plain, short and friendly: what happened, and what to do about it. Markdown.

mod commands;

use std::fmt;
use std::time::Duration;

use roundtable_contract::{Conversation, Sender};

use crate::models::ModelError;
use crate::routing::commands::COMMANDS;
use crate::routing::{KnownAgent, Notice, Standing};
use crate::store::runs::RunStatus;

pub use commands::{
    agents, archived, focus_is_for_owners, focus_lost, focused, history, no_such_agent, nobody_called,
    not_at_work, not_yours, nothing_said, several_called, spawned, status, steered, unfocused, woken,
};

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
            Self::NobodyToAsk { written, suggestion: Some(suggestion) } => write!(
                f,
                "There is no `@{written}` here. Did you mean `@{suggestion}`? Nobody has read your message."
            ),
            Self::NobodyToAsk { written, suggestion: None } => write!(
                f,
                "There is no `@{written}` here, so nobody has read your message. `/agents` shows who there is."
            ),
            Self::SeveralCalled { label } => f.write_str(&several_called(label)),
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

/// The answer to `/whoami`.
pub fn whoami(sender: &Sender, standing: Standing, conversation: &Conversation) -> String {
    let standing = match standing {
        Standing::Owner => "one of my owners",
        Standing::Known => "someone I know",
        Standing::Stranger => "a guest",
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

/// Somebody was stopped by others while messages to it waited to be read.
pub fn stopped_unread(name: &str) -> String {
    format!(
        "{name} was stopped before it read what was last written to it here: please send it again if you still want \
         an answer."
    )
}

/// `/stop` found nothing at work.
pub fn nothing_to_stop() -> String {
    "Nothing is running here.".into()
}

/// What runs was asked for by somebody else.
pub fn not_yours_to_stop() -> String {
    "Somebody else asked for what is running here: they or one of my owners can stop it.".into()
}

/// The answer to `/new`. `stopped` are the names of what was running and is no more.
pub fn new_conversation(stopped: &[&str]) -> String {
    let begun = "We start afresh: I no longer think of what was said above.";
    match stopped {
        [] => begun.into(),
        names => format!("{begun} {}", self::stopped(names)),
    }
}

/// The answer to `/forget`. `stopped` are the names of what was running and is no more.
pub fn forgotten(stopped: &[&str]) -> String {
    let done = "What was said here, and what we did for it, is erased from my memory for good. The chat itself still \
                shows it: delete it there too.";
    match stopped {
        [] => done.into(),
        names => format!("{done} {}", self::stopped(names)),
    }
}

/// `/forget` where there is nothing.
pub fn nothing_to_forget() -> String {
    "I remember nothing that was said here.".into()
}

/// Somebody who is no owner wants to erase what everyone has said.
pub fn forget_is_for_owners() -> String {
    "Only one of my owners can erase what everyone here has said. `/new` starts afresh.".into()
}

/// An owner code was right.
pub fn owner_paired(name: &str) -> String {
    format!(
        "Welcome, {name}: you own this bot now. Write to me here. To let me into a group, mention me there; in Telegram \
         write `/help@` and my name, like `/help@yourbot`, because a mention may not reach me. `/help` lists what I can do."
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
        "{name} and I have had {per_minute} messages in a minute, so I don't listen to it for a while. People are \
         heard as always."
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
            "{agent} can't answer: {model} refused the request ({reason}). The same again won't help: please ask \
             for something else, or whoever runs me to check the model's key and settings."
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

/// A run ended whose requester waits for it and will speak of the result: one line.
pub fn run_ended(
    name: &str,
    status: RunStatus,
    reason: Option<&str>,
    seconds: i64,
    cost_micros: i64,
) -> String {
    let time = period(Duration::from_secs(seconds.unsigned_abs()));
    let cost = match cost_micros {
        0 => String::new(),
        micros => format!(" · {}", dollars(micros)),
    };
    let end = match status {
        RunStatus::Done => "finished",
        RunStatus::Cancelled => "was stopped",
        RunStatus::TimedOut => "ran out of time",
        RunStatus::Failed | RunStatus::Opening | RunStatus::Running => "failed",
    };
    let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{name} {end} · {time}{cost}{reason}")
}

/// A run took longer than it may; `allowed` in milliseconds.
pub fn run_timed_out(allowed: i64) -> String {
    format!("it took longer than {}", period(Duration::from_millis(allowed.unsigned_abs())))
}

/// The message out of which a thread for a run grows.
pub fn thread_opening(task: &str) -> String {
    let mut first: String = task.chars().take(500).collect();
    if first.len() < task.len() {
        first.push('…');
    }
    first
}

/// The end of a result that is too long for the conversation.
pub fn cut_short(name: &str) -> String {
    format!("(cut here; `/history {name}` shows more)")
}

/// A thread for a run could not be opened, for the one who asked for it.
pub fn no_thread(error: &str) -> String {
    format!("its thread could not be opened: {error}")
}

/// The model ended its turn without a word.
pub fn empty_answer(agent: &str) -> String {
    format!("{agent} had nothing to say. Please ask again in other words.")
}

/// The model wrote as much as it may, and nothing of it can be shown.
pub fn cut_before_a_word(agent: &str) -> String {
    format!("{agent} came to its model's limit before the first word. Please ask for a smaller piece.")
}

/// What follows an answer that is as long as the model may write.
pub fn answer_cut() -> String {
    "(This answer was cut at the model's limit. Ask me to go on.)".into()
}

/// Money as people write it; from US dollars × 1,000,000.
fn dollars(micros: i64) -> String {
    format!("${}.{:02}", micros / 1_000_000, micros / 10_000 % 100)
}

/// A text as one line of at most so many characters.
fn one_line(text: &str, longest: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line,
    }
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

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use roundtable_contract::UserId;

    use super::*;

    #[test]
    fn strangers_hear_what_to_do() {
        let unpaired = |owners_exist| Notice::Unpaired { user: "55".into(), owners_exist };
        assert_snapshot!(unpaired(true), @"I only talk to people my owner has let in: to join them, send my owner your id, `55`.");
        assert_snapshot!(unpaired(false), @"I have no owner yet: if you run this bot, send me the pairing code from the terminal (`roundtable pair owner` makes a new one).");
    }

    #[test]
    fn mistyped_words_are_answered_with_what_was_meant() {
        let unknown = |suggestion| Notice::UnknownCommand { name: "hlep".into(), suggestion };
        assert_snapshot!(unknown(Some("help")), @"I don't know `/hlep`. Did you mean `/help`?");
        assert_snapshot!(unknown(None), @"I don't know `/hlep`. `/help` lists what I can do.");
        assert_snapshot!(Notice::Usage { usage: "/stop [label|all]".into() }, @"I don't understand that. Write it like this: `/stop [label|all]`");
        assert_snapshot!(Notice::NearMiss { written: "codr".into(), suggestion: "coder".into() }, @"There is no `@codr` here. Did you mean `@coder`? Nobody has read your message yet: please send it again.");
        let nobody = |suggestion: Option<&str>| Notice::NobodyToAsk {
            written: "codr".into(),
            suggestion: suggestion.map(Into::into),
        };
        assert_snapshot!(nobody(Some("coder")), @"There is no `@codr` here. Did you mean `@coder`? Nobody has read your message.");
        assert_snapshot!(nobody(None), @"There is no `@codr` here, so nobody has read your message. `/agents` shows who there is.");
    }

    #[test]
    fn help_lists_agents_and_commands() {
        let agent =
            |id: &str, name: &str| KnownAgent { id: id.into(), name: name.into(), aliases: Vec::new() };
        assert_snapshot!(help(&[agent("manager", "Manager"), agent("coder", "Ada")]), @"
        Write to me and I answer. In a group, mention me, reply to one of my messages, or start with the name of one of us:
        - `@manager`
        - `@coder` (Ada)

        Commands:
        - `/help`: what I can do
        - `/agents`: who is here, and what they are doing
        - `/ask label text`: ask one of us, like `@label text`
        - `/spawn agent [label:] task`: give a task to a new helper
        - `/steer label text`: tell one of us something while it works
        - `/focus label [everyone]`: send your messages here to one of us
        - `/unfocus [everyone]`: send them where they went before
        - `/status`: what is at work here, and what it has cost
        - `/history label [n]`: what one of us has read and said
        - `/stop [label|all]`: stop what is running here
        - `/kill label`: stop one of us, and all that it has started
        - `/new [keep]`: start afresh; with `keep`, running work goes on
        - `/forget`: erase what was said here from my memory, for good
        - `/whoami`: who you are to me, and where we are
        ");
    }

    #[test]
    fn whoami_says_who_and_where() {
        let sender = Sender {
            id: UserId::new("55"),
            name: "Ann".into(),
            username: None,
            is_bot: false,
            roles: Vec::new(),
        };
        let conversation = "telegram:main:-1:42".parse().unwrap();
        assert_snapshot!(whoami(&sender, Standing::Owner, &conversation), @"You are Ann (id `55`), one of my owners. This conversation is `telegram:main:-1:42`.");
        assert_snapshot!(whoami(&sender, Standing::Known, &conversation), @"You are Ann (id `55`), someone I know. This conversation is `telegram:main:-1:42`.");
        assert_snapshot!(whoami(&sender, Standing::Stranger, &conversation), @"You are Ann (id `55`), a guest. This conversation is `telegram:main:-1:42`.");
    }

    #[test]
    fn stopping_and_starting_afresh() {
        assert_snapshot!(stopped(&["coder", "researcher"]), @"Stopped: coder, researcher.");
        assert_snapshot!(stopped_unread("coder"), @"coder was stopped before it read what was last written to it here: please send it again if you still want an answer.");
        assert_snapshot!(nothing_to_stop(), @"Nothing is running here.");
        assert_snapshot!(new_conversation(&[]), @"We start afresh: I no longer think of what was said above.");
        assert_snapshot!(new_conversation(&["coder"]), @"We start afresh: I no longer think of what was said above. Stopped: coder.");
    }

    #[test]
    fn what_is_forgotten() {
        assert_snapshot!(forgotten(&[]), @"What was said here, and what we did for it, is erased from my memory for good. The chat itself still shows it: delete it there too.");
        assert_snapshot!(forgotten(&["coder"]), @"What was said here, and what we did for it, is erased from my memory for good. The chat itself still shows it: delete it there too. Stopped: coder.");
        assert_snapshot!(nothing_to_forget(), @"I remember nothing that was said here.");
        assert_snapshot!(forget_is_for_owners(), @"Only one of my owners can erase what everyone here has said. `/new` starts afresh.");
    }

    #[test]
    fn pairing_and_groups() {
        assert_snapshot!(owner_paired("Ann"), @"Welcome, Ann: you own this bot now. Write to me here. To let me into a group, mention me there; in Telegram write `/help@` and my name, like `/help@yourbot`, because a mention may not reach me. `/help` lists what I can do.");
        assert_snapshot!(wrong_code(4), @"That code is not valid. You have 4 more tries.");
        assert_snapshot!(wrong_code(1), @"That code is not valid. You have 1 more try.");
        assert_snapshot!(wrong_code(0), @"That code is not valid, and you have no tries left. `roundtable pair owner` on the machine I run on makes a new code.");
        assert_snapshot!(code_voided(), @"That code was visible to everyone here, so it is no longer valid. Make a new one with `roundtable pair owner` and send it to me in a private chat.");
        assert_snapshot!(group_allowed("Ann", &"telegram:main:-1".parse().unwrap()), @"Ann brought me in: from now on I answer here. To undo this, remove me from the group or run `roundtable pair revoke telegram:main:-1`.");
        assert_snapshot!(bot_paused("Echo", 20), @"Echo and I have had 20 messages in a minute, so I don't listen to it for a while. People are heard as always.");
    }

    #[test]
    fn a_failed_turn_says_what_failed_and_what_to_do() {
        let model = || "openai/gpt".to_owned();
        let after = Some(Duration::from_millis(89_001));
        let failed = |error: ModelError| model_failed("Coder", &error);
        assert_snapshot!(failed(ModelError::RateLimited { model: model(), after }), @"Coder can't answer now: openai/gpt takes no more requests for 1 min 30 s. Please ask again then.");
        assert_snapshot!(failed(ModelError::RateLimited { model: model(), after: None }), @"Coder can't answer now: openai/gpt takes no more requests for the moment. Please ask again in a few minutes.");
        assert_snapshot!(failed(ModelError::Unavailable { model: model(), reason: "HTTP 503".into() }), @"Coder can't answer now: openai/gpt is not available (HTTP 503). Please ask again in a few minutes.");
        assert_snapshot!(failed(ModelError::Refused { model: model(), reason: "invalid API key".into() }), @"Coder can't answer: openai/gpt refused the request (invalid API key). The same again won't help: please ask for something else, or whoever runs me to check the model's key and settings.");
        assert_snapshot!(timed_out("Coder", Duration::from_secs(1800)), @"Coder did not finish within 30 min and was stopped. Try a smaller piece of the task.");
        assert_snapshot!(dead_letter("Coder"), @"I had to give up on a message to Coder: I crashed three times while it was at work. Everything else goes on; please put it in other words if you send it again.");
        assert_snapshot!(empty_answer("Coder"), @"Coder had nothing to say. Please ask again in other words.");
        assert_snapshot!(cut_before_a_word("Coder"), @"Coder came to its model's limit before the first word. Please ask for a smaller piece.");
        assert_snapshot!(inbox_full("Coder", 200), @"Coder has 200 messages waiting, so I did not take this one. Please send it again later, or `/stop` what is running.");
    }

    #[test]
    fn periods_are_read_with_ease() {
        let table = [(0, "0 s"), (1, "1 s"), (59_001, "1 min"), (90_000, "1 min 30 s"), (3_600_000, "1 h")];
        for (millis, text) in table.into_iter().chain([(7_500_000, "2 h 5 min")]) {
            assert_eq!(period(Duration::from_millis(millis)), text);
        }
    }
}
