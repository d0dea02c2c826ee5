//! What commands about the team are answered with.

use std::fmt::{self, Write as _};

use super::{dollars, one_line};
use crate::control::{Refused, Seat};
use crate::models::Answer;
use crate::routing::{KnownAgent, names};
use crate::store::entries::{Content, Entry};
use crate::store::session_lists::Summary;
use crate::store::sessions::Status;

/// A line about a task, or of a history, is no longer than this.
const LINE: usize = 100;

/// A label in a command names nobody.
pub fn nobody_called(label: &str, suggestion: Option<&str>) -> String {
    match suggestion {
        Some(meant) => {
            format!("There is no `@{label}` here, so nothing was done. Did you mean `@{meant}`?")
        }
        None => {
            format!("There is no `@{label}` here, so nothing was done. `/agents` shows who there is.")
        }
    }
}

/// An agent in a command is none.
pub fn no_such_agent(name: &str, suggestion: Option<&str>) -> String {
    match suggestion {
        Some(meant) => format!("There is no agent `{name}`. Did you mean `{meant}`?"),
        None => format!("There is no agent `{name}`. `/agents` shows who there is."),
    }
}

/// Sessions of several trees have the label that was used; said beside the answer.
pub fn several_called(label: &str) -> String {
    format!("Several here are called `@{label}`: this went to the one that was active last.")
}

/// Somebody is archived and reads nothing any more.
pub fn archived(name: &str) -> String {
    format!("{name} has ended and reads no more messages. `/agents` shows who is here.")
}

/// Stopping somebody who does nothing.
pub fn not_at_work(label: &str) -> String {
    format!("`@{label}` is not at work, so there was nothing to stop.")
}

/// What somebody is doing is not the sender's to touch.
pub fn not_yours(label: &str) -> String {
    format!(
        "Somebody else asked for what `@{label}` is doing: they or one of my owners can change that. Nothing \
         was done."
    )
}

/// A word was put into a turn at work.
pub fn steered(label: &str) -> String {
    format!("`@{label}` reads it before its next step.")
}

/// A word woke an idle session.
pub fn woken(label: &str) -> String {
    format!("`@{label}` was not at work: it reads it now and answers here.")
}

/// A task was given to a new child.
pub fn spawned(label: &str, agent: &str) -> String {
    let by = if label.eq_ignore_ascii_case(agent) { String::new() } else { format!(" ({agent})") };
    format!(
        "`@{label}`{by} is at work and answers here. `/steer {label} …` corrects it, `/kill {label}` stops it."
    )
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadLabel(label) => write!(
                f,
                "`{label}` can't be a label, so nothing was started: take up to {} letters, digits, `-` and `_`, \
                 and none of {}.",
                names::MAX,
                names::RESERVED.join(", ")
            ),
            Self::LabelOfAgent(label) => {
                write!(f, "`{label}` is the name of another agent, so nothing was started: take another label.")
            }
            Self::LabelTaken(label) => write!(
                f,
                "`@{label}` is at work already, so nothing was started: take another label, or tell it more \
                 with `/steer {label} …`."
            ),
            Self::TooDeep => f.write_str("The team here may have no helpers, so nothing was started."),
            Self::TooMany => f.write_str(
                "As many are at work here as may be, so nothing was started: wait until one has ended, or stop \
                 one with `/kill`. `/status` shows them.",
            ),
        }
    }
}

/// Messages go to somebody from now on.
pub fn focused(name: &str, everyone: bool) -> String {
    match everyone {
        false => format!("From now on your messages here go to `@{name}`. `/unfocus` ends that."),
        true => format!(
            "From now on what everyone here says to me goes to `@{name}`. `/unfocus everyone` ends that."
        ),
    }
}

/// They no longer do; `had_one`: they did.
pub fn unfocused(had_one: bool, everyone: bool) -> String {
    match (had_one, everyone) {
        (true, false) => "Your messages here go where they went before.".into(),
        (true, true) => "Messages here go where they went before.".into(),
        (false, false) => "You have no focus here: `/focus label` sets one.".into(),
        (false, true) => "There is no focus for everyone here: `/focus label everyone` sets one.".into(),
    }
}

/// Somebody who is no owner wants to decide for everyone.
pub fn focus_is_for_owners() -> String {
    "Only one of my owners can decide for everyone here. Without `everyone` it is for your own messages."
        .into()
}

/// The session that messages went to was archived.
pub fn focus_lost(name: &str) -> String {
    format!("{name} has ended, so messages here go where they went before. `/focus label` chooses another.")
}

/// Whose history is asked for has none.
pub fn nothing_said(label: &str) -> String {
    format!("`@{label}` has read and said nothing here yet. `@{label} …` speaks to it.")
}

/// The answer to `/agents`: everybody at the table, then who could be called to it.
pub fn agents(team: &[KnownAgent], table: &[Seat]) -> String {
    let mut text = String::new();
    for Seat { session, level } in table {
        let name = session.label.as_deref().unwrap_or(&session.agent);
        let by = if name.eq_ignore_ascii_case(&session.agent) {
            String::new()
        } else {
            format!(" ({})", session.agent)
        };
        let task = session.task.as_deref().map(|task| format!(": {}", one_line(task, LINE)));
        let (indent, state, task) = ("  ".repeat(*level), state(session), task.unwrap_or_default());
        // Writing to a String can't fail.
        let _ = writeln!(text, "{indent}- `@{name}`{by}, {state}{task}");
    }
    let absent = team.iter().filter(|agent| {
        !table.iter().any(|seat| seat.session.label.is_none() && seat.session.agent == agent.id)
    });
    let absent: Vec<_> = absent.map(|agent| format!("`@{}`", agent.id)).collect();
    if !absent.is_empty() {
        let _ = write!(text, "Not here yet, and called by their names: {}.", absent.join(", "));
    }
    text.trim_end().to_owned()
}

fn state(session: &Summary) -> &'static str {
    match (session.status, session.run_status.as_deref()) {
        (Status::Idle, Some("opening")) => "waiting for its thread",
        (Status::Idle, Some("running")) => "waiting for its helpers",
        (Status::Idle, Some("done")) => "finished",
        (Status::Idle, Some("failed")) => "failed",
        (Status::Idle, Some("cancelled")) => "stopped",
        (Status::Idle, Some("timed_out")) => "out of time",
        (Status::Idle, _) => "idle",
        (Status::Queued, _) => "about to start",
        (Status::Running, _) => "at work",
        (Status::Waiting, _) => "waiting",
        (Status::Archived, _) => "ended",
    }
}

/// The answer to `/status`.
pub fn status(table: &[Seat]) -> String {
    let sum = |count: fn(&Summary) -> i64| table.iter().map(|seat| count(&seat.session)).sum::<i64>();
    let busy = table.iter().filter(|seat| seat.session.status != Status::Idle);
    let mut text = String::new();
    for Seat { session, .. } in busy {
        let name = session.label.as_deref().unwrap_or(&session.agent);
        let _ = writeln!(text, "- `@{name}`, {}: {}", state(session), spent(session));
    }
    if text.is_empty() {
        text.push_str("Nothing is running here.\n");
    }
    let (input, output) = (sum(|session| session.input_tokens), sum(|session| session.output_tokens));
    let all = match sum(|session| session.cost_micros) {
        0 => String::new(),
        micros => format!(", {}", dollars(micros)),
    };
    let _ = write!(text, "Together so far: {input} tokens read, {output} written{all}.");
    text
}

fn spent(session: &Summary) -> String {
    let cost = match session.cost_micros {
        0 => String::new(),
        micros => format!(", {}", dollars(micros)),
    };
    format!("{} tokens read, {} written{cost}", session.input_tokens, session.output_tokens)
}

/// The answer to `/history`: these entries of somebody's transcript, oldest first.
pub fn history(name: &str, entries: &[Entry]) -> String {
    let mut lines = Vec::new();
    for entry in entries {
        let (author, text) = match &entry.content {
            Content::Input { author, body, .. } => (author.as_str(), one_line(&body.text, LINE)),
            Content::Answer(answer) => (name, said(answer)),
            Content::Result(_) => continue,
        };
        lines.push(format!("- {author}: {text}"));
    }
    if lines.is_empty() { nothing_said(name) } else { lines.join("\n") }
}

fn said(answer: &Answer) -> String {
    let calls: Vec<_> = answer.calls.iter().map(|call| format!("`{}`", call.name)).collect();
    match (one_line(&answer.text, LINE), calls.is_empty()) {
        (text, true) => text,
        (text, false) if text.is_empty() => format!("calls {}", calls.join(", ")),
        (text, false) => format!("{text} (and calls {})", calls.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::models::ToolCall;
    use crate::store::inbox::{Body, ItemKind};
    use crate::store::sessions::Kind;

    fn seat(label: Option<&str>, agent: &str, status: Status, level: usize) -> Seat {
        let session = Summary {
            id: 1,
            key: String::new(),
            tree_id: 1,
            agent: agent.into(),
            label: label.map(Into::into),
            kind: Kind::Direct,
            status,
            parent_key: None,
            parent_id: None,
            depth: 0,
            task: label.map(|_| "Dig a\n hole".into()),
            conversation: String::new(),
            generation: 1,
            entries: 0,
            input_tokens: 1200,
            output_tokens: 34,
            cost_micros: 0,
            model: None,
            run_status: label.map(|_| "done".into()),
            updated_at: 0,
        };
        Seat { session, level }
    }

    fn team() -> Vec<KnownAgent> {
        let agent = |id: &str| KnownAgent { id: id.into(), name: id.into(), aliases: Vec::new() };
        vec![agent("manager"), agent("coder"), agent("researcher")]
    }

    #[test]
    fn labels_that_call_nobody() {
        assert_snapshot!(nobody_called("codr", Some("coder")), @"There is no `@codr` here, so nothing was done. Did you mean `@coder`?");
        assert_snapshot!(nobody_called("zelda", None), @"There is no `@zelda` here, so nothing was done. `/agents` shows who there is.");
        assert_snapshot!(no_such_agent("codr", Some("coder")), @"There is no agent `codr`. Did you mean `coder`?");
        assert_snapshot!(no_such_agent("zelda", None), @"There is no agent `zelda`. `/agents` shows who there is.");
        assert_snapshot!(several_called("helper"), @"Several here are called `@helper`: this went to the one that was active last.");
        assert_snapshot!(archived("helper"), @"helper has ended and reads no more messages. `/agents` shows who is here.");
    }

    #[test]
    fn working_with_one_of_the_team() {
        assert_snapshot!(not_at_work("helper"), @"`@helper` is not at work, so there was nothing to stop.");
        assert_snapshot!(not_yours("helper"), @"Somebody else asked for what `@helper` is doing: they or one of my owners can change that. Nothing was done.");
        assert_snapshot!(steered("helper"), @"`@helper` reads it before its next step.");
        assert_snapshot!(woken("helper"), @"`@helper` was not at work: it reads it now and answers here.");
        assert_snapshot!(spawned("helper", "coder"), @"`@helper` (coder) is at work and answers here. `/steer helper …` corrects it, `/kill helper` stops it.");
        assert_snapshot!(spawned("coder", "coder"), @"`@coder` is at work and answers here. `/steer coder …` corrects it, `/kill coder` stops it.");
    }

    #[test]
    fn what_can_not_be_spawned() {
        assert_snapshot!(Refused::BadLabel("all".into()), @"`all` can't be a label, so nothing was started: take up to 32 letters, digits, `-` and `_`, and none of all, here, everyone, channel, admin, bot, team.");
        assert_snapshot!(Refused::LabelOfAgent("coder".into()), @"`coder` is the name of another agent, so nothing was started: take another label.");
        assert_snapshot!(Refused::LabelTaken("helper".into()), @"`@helper` is at work already, so nothing was started: take another label, or tell it more with `/steer helper …`.");
        assert_snapshot!(Refused::TooDeep, @"The team here may have no helpers, so nothing was started.");
        assert_snapshot!(Refused::TooMany, @"As many are at work here as may be, so nothing was started: wait until one has ended, or stop one with `/kill`. `/status` shows them.");
    }

    #[test]
    fn focus_comes_and_goes() {
        assert_snapshot!(focused("coder", false), @"From now on your messages here go to `@coder`. `/unfocus` ends that.");
        assert_snapshot!(focused("coder", true), @"From now on what everyone here says to me goes to `@coder`. `/unfocus everyone` ends that.");
        assert_snapshot!(unfocused(true, false), @"Your messages here go where they went before.");
        assert_snapshot!(unfocused(true, true), @"Messages here go where they went before.");
        assert_snapshot!(unfocused(false, false), @"You have no focus here: `/focus label` sets one.");
        assert_snapshot!(unfocused(false, true), @"There is no focus for everyone here: `/focus label everyone` sets one.");
        assert_snapshot!(focus_is_for_owners(), @"Only one of my owners can decide for everyone here. Without `everyone` it is for your own messages.");
        assert_snapshot!(focus_lost("coder"), @"coder has ended, so messages here go where they went before. `/focus label` chooses another.");
    }

    #[test]
    fn the_table_is_a_tree() {
        let table = [
            seat(None, "manager", Status::Waiting, 0),
            seat(Some("helper"), "coder", Status::Running, 1),
            seat(Some("coder"), "coder", Status::Idle, 2),
            seat(None, "researcher", Status::Idle, 1),
        ];
        assert_snapshot!(agents(&team(), &table), @"
        - `@manager`, waiting
          - `@helper` (coder), at work: Dig a hole
            - `@coder`, finished: Dig a hole
          - `@researcher`, idle
        Not here yet, and called by their names: `@coder`.
        ");
        assert_snapshot!(status(&table), @"
        - `@manager`, waiting: 1200 tokens read, 34 written
        - `@helper`, at work: 1200 tokens read, 34 written
        Together so far: 4800 tokens read, 136 written.
        ");
        let mut dear = seat(None, "coder", Status::Idle, 0);
        dear.session.cost_micros = 1_239_999;
        assert_snapshot!(status(&[dear]), @"
        Nothing is running here.
        Together so far: 1200 tokens read, 34 written, $1.23.
        ");
    }

    #[test]
    fn a_history_is_short() {
        let entry = |content| Entry {
            seq: 1,
            generation: 1,
            turn_id: 1,
            step: 1,
            call_index: None,
            content,
            size: 0,
            created_at: 0,
        };
        let body = Body { text: "word ".repeat(50), ..Body::default() };
        let input = Content::Input { kind: ItemKind::User, author: "Ann".into(), body };
        let call = ToolCall { id: "1".into(), name: "agents_list".into(), arguments: serde_json::json!({}) };
        let calls = Content::Answer(Answer { calls: vec![call], ..Answer::default() });
        let said = Content::Answer(Answer { text: "Done.".into(), ..Answer::default() });
        let entries = [input, calls, said].map(entry);
        assert_snapshot!(history("coder", &entries), @"
        - Ann: word word word word word word word word word word word word word word word word word word word word…
        - coder: calls `agents_list`
        - coder: Done.
        ");
        assert_snapshot!(history("coder", &[]), @"`@coder` has read and said nothing here yet. `@coder …` speaks to it.");
    }
}
