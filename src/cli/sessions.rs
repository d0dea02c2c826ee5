//! `roundtable sessions list|show|prune`.

use clap::Subcommand;

use super::api::Node;
use super::{Context, offline, out, prune};
use crate::control::admin::{Sessions, Transcript, TranscriptLine};
use crate::store::entries::Role;
use crate::store::session_lists::Summary;
use crate::time::{Clock as _, SystemClock};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The most recently changed sessions, newest first.
    List {
        /// How many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=500))]
        limit: i64,
    },
    /// The transcript of one session, oldest entry first.
    Show {
        /// The session's key, `agent:…`.
        key: String,
        /// Only what comes behind this entry.
        #[arg(long, default_value_t = 0)]
        after: i64,
        /// How many entries.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(i64).range(1..=500))]
        limit: i64,
    },
    /// Remove sessions for good that are old and at rest, with everything that belongs to them.
    Prune(prune::Arguments),
}

pub(super) async fn run(context: &Context, command: Command) -> anyhow::Result<()> {
    let config = context.load()?;
    let node = Node::find(&config).await?;
    let now = SystemClock::new().now();
    match command {
        Command::Prune(arguments) => prune::run(context, &config, node, arguments).await,
        Command::List { limit } => {
            let sessions: Vec<Summary> = match node {
                Some(node) => node.get("sessions", &[("limit", limit.to_string())]).await?,
                None => offline::read(&config, Sessions { key: None, limit }).await?,
            };
            if sessions.is_empty() {
                eprintln!("There are no sessions yet.");
            }
            out::data(context.json, &sessions, |sessions| list(sessions, now))
        }
        Command::Show { key, after, limit } => {
            let query = [("key", key.clone()), ("after", after.to_string()), ("limit", limit.to_string())];
            let lines: Vec<TranscriptLine> = match node {
                Some(node) => node.get("sessions/entries", &query).await?,
                None => {
                    let found = offline::read(&config, Transcript { key: key.clone(), after, limit }).await?;
                    found.ok_or_else(|| anyhow::anyhow!("There is no session `{key}`."))?
                }
            };
            out::data(context.json, &lines, |lines| transcript(lines, now))?;
            if let Some(last) = lines.last().filter(|_| lines.len() as i64 == limit) {
                eprintln!("There may be more: add `--after {}`.", last.seq);
            }
            Ok(())
        }
    }
}

fn list(sessions: &[Summary], now: i64) -> String {
    if sessions.is_empty() {
        return String::new();
    }
    let row = |session: &Summary| {
        [
            session.key.clone(),
            session.status.as_str().to_owned(),
            session.entries.to_string(),
            (session.input_tokens + session.output_tokens).to_string(),
            cost(session.cost_micros),
            out::age(now, session.updated_at),
            session.conversation.clone(),
        ]
    };
    let header = ["SESSION", "STATUS", "ENTRIES", "TOKENS", "COST", "CHANGED", "CONVERSATION"];
    out::table(header, sessions.iter().map(row).collect())
}

/// Hundredths of a cent, which is what small models cost.
fn cost(micros: i64) -> String {
    if micros == 0 { "-".into() } else { format!("${}.{:04}", micros / 1_000_000, micros % 1_000_000 / 100) }
}

fn transcript(lines: &[TranscriptLine], now: i64) -> String {
    let entry = |line: &TranscriptLine| {
        let author = match line.role {
            Role::Tool => format!("result of {}", line.author.as_deref().unwrap_or("a tool")),
            Role::User | Role::Assistant => line.author.as_deref().unwrap_or("agent").to_owned(),
        };
        let mut text = format!("#{} {author}, {} ago\n", line.seq, out::age(now, line.created_at));
        for piece in line.text.lines() {
            text += &format!("  {piece}\n");
        }
        for attachment in &line.attachments {
            text += &format!("  [{}]\n", attachment.name.as_deref().unwrap_or(&attachment.kind));
        }
        for call in &line.calls {
            text += &format!("  calls {} {}\n", call.name, call.arguments);
        }
        out::harmless(&text)
    };
    lines.iter().map(entry).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sessions_are_listed() {
        let session: Summary = serde_json::from_value(json!({
            "id": 1, "tree_id": 1, "label": null, "parent_key": null, "parent_id": null, "depth": 0, "task": null,
            "key": "agent:coder:telegram:main:dm:55", "agent": "coder", "kind": "direct", "status": "running",
            "conversation": "telegram:main:55", "generation": 1, "entries": 12, "input_tokens": 1200,
            "output_tokens": 34, "cost_micros": 12_345, "updated_at": 1_000,
        }))
        .unwrap();
        insta::assert_snapshot!(list(&[session], 121_000), @r"
        SESSION                          STATUS   ENTRIES  TOKENS  COST     CHANGED  CONVERSATION
        agent:coder:telegram:main:dm:55  running  12       1234    $0.0123  2 min    telegram:main:55
        ");
    }

    #[test]
    fn transcripts_are_printed() {
        let base = json!({
            "seq": 1, "generation": 1, "turn": 1, "step": 0, "role": "user", "author": "Ann",
            "text": "hi\n\u{1b}[2Jthere", "created_at": 0,
            "attachments": [{ "kind": "photo", "reference": "x", "name": null, "size": null }],
        });
        let line = |change: serde_json::Value| -> TranscriptLine {
            let mut line = base.clone();
            line.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            serde_json::from_value(line).unwrap()
        };
        let lines = [
            line(json!({})),
            line(json!({
                "seq": 2, "role": "assistant", "author": null, "text": "", "attachments": [],
                "calls": [{ "id": "1", "name": "agents_list", "arguments": { "all": true } }],
            })),
            line(
                json!({ "seq": 3, "role": "tool", "author": "agents_list", "text": "{}", "attachments": [] }),
            ),
        ];
        insta::assert_snapshot!(transcript(&lines, 7_000), @r#"
        #1 Ann, 7 s ago
          hi
          [2Jthere
          [photo]

        #2 agent, 7 s ago
          calls agents_list {"all":true}

        #3 result of agents_list, 7 s ago
          {}
        "#);
    }
}
