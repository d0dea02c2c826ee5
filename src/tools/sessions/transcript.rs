//! Transcripts as agents read them: without secrets, cut to size, and as data.

use serde_json::{Value, json};

use super::caller::Caller;
use crate::models::Answer;
use crate::store::entries::{self, Content, Entry, Page};
use crate::store::{StoreError, Tx};
use crate::tools::Secrets;

/// The longest text of one entry, in characters.
const BLOCK: usize = 4000;

/// The longest whole, in bytes of text.
const TOTAL: usize = 80_000;

/// The newest messages of a session, oldest first, in short.
pub async fn newest(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    session_id: i64,
    limit: i64,
) -> Result<Vec<Value>, StoreError> {
    let page = Page { session_id, before: None, offset: 0, limit, tools: false };
    Ok(lines(&entries::page(tx, &page).await?, false, caller.secrets).0)
}

/// Entries as lines, oldest first, and how many of the oldest did not fit.
pub fn lines(entries: &[Entry], tools: bool, secrets: &Secrets) -> (Vec<Value>, usize) {
    let mut lines = Vec::new();
    let mut used = 0;
    for entry in entries.iter().rev() {
        let line = line(entry, tools, secrets);
        used += line["text"].as_str().map_or(0, str::len);
        if used > TOTAL && !lines.is_empty() {
            break;
        }
        lines.push(line);
    }
    lines.reverse();
    let left = entries.len() - lines.len();
    (lines, left)
}

fn line(entry: &Entry, tools: bool, secrets: &Secrets) -> Value {
    let (role, provenance, text) = match &entry.content {
        Content::Input { kind, author, body } => {
            ("user", format!("{}: {author}", kind.as_str()), body.text.clone())
        }
        Content::Answer(answer) => ("assistant", "agent".to_owned(), said(answer, tools)),
        Content::Result(result) => ("tool", result.tool.clone(), result.content.clone()),
    };
    // Before it is cut: half a token is known by nobody.
    let text = secrets.redact(&text);
    let cut: String = text.chars().take(BLOCK).collect();
    let mut line = json!({
        "seq": entry.seq, "role": role, "provenance": provenance, "time": entry.created_at,
    });
    if cut.len() < text.len() {
        line["truncated"] = json!(true);
    }
    line["text"] = json!(cut);
    line
}

fn said(answer: &Answer, tools: bool) -> String {
    let calls =
        answer.calls.iter().filter(|_| tools).map(|call| format!("[calls {} {}]", call.name, call.arguments));
    let text = (!answer.text.trim().is_empty()).then(|| answer.text.clone());
    text.into_iter().chain(calls).collect::<Vec<_>>().join("\n")
}
