//! `sessions_list`: who is there, and what they are doing.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::caller::{Called, Caller, Failure, WaitFor};
use super::transcript;
use crate::agents::Visibility;
use crate::models::ToolSpec;
use crate::store::session_lists::{self, Filter, Summary};
use crate::store::sessions::Kind;
use crate::store::waits::WaitKind;
use crate::store::{StoreError, Tx};
use crate::tools::Refusal;
use crate::tools::arguments::{self, INVALID};

/// The arguments.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Args {
    /// Only sessions of these kinds. Children that were spawned are "subagent".
    #[serde(default)]
    pub kinds: Vec<Kind>,
    /// Only the session with this label.
    pub label: Option<String>,
    /// Only sessions of this agent.
    pub agent_id: Option<String>,
    /// Only sessions whose label, key or task contains this text.
    pub search: Option<String>,
    /// Only sessions that changed in the last so many minutes.
    #[schemars(range(min = 1, max = 5_256_000))]
    pub active_minutes: Option<i64>,
    /// Archived sessions too.
    #[serde(default)]
    pub archived: bool,
    /// At most so many rows.
    #[serde(default = "super::page")]
    #[schemars(range(min = 1, max = 200))]
    pub limit: i64,
    /// With each session its newest so many messages.
    #[serde(default)]
    #[schemars(range(min = 0, max = 20))]
    pub message_limit: i64,
    /// The `nextCursor` of the page before.
    pub cursor: Option<String>,
    /// Wait up to so many seconds for something to change. 0 answers at once.
    #[serde(default)]
    #[schemars(range(min = 0, max = 60))]
    pub wait_seconds: i64,
}

/// As models are told of it.
pub fn spec() -> ToolSpec {
    ToolSpec {
        name: "sessions_list".into(),
        description: "Lists the sessions you may see, newest first: label, sessionKey, agent, status (idle, \
                      queued, running, waiting, archived), task, tokens and cost. Look here instead of asking \
                      a teammate how far they are. To wait for your children use sessions_yield, not this in \
                      a loop."
            .into(),
        schema: arguments::schema::<Args>().into(),
    }
}

/// Lists, or waits for a change first.
pub async fn run(tx: &mut Tx<'_>, caller: &Caller<'_>, args: &Args) -> Result<Called, Failure> {
    if args.wait_seconds > 0 {
        behind(args)?;
        let due_at = Some(tx.now() + args.wait_seconds * 1000);
        return Ok(Called::Waits(WaitFor {
            kind: WaitKind::Change,
            exchange_id: None,
            target_id: None,
            coverage: None,
            due_at,
        }));
    }
    rows(tx, caller, args).await.map(Called::Done)
}

/// The list as it is now.
pub async fn rows(tx: &mut Tx<'_>, caller: &Caller<'_>, args: &Args) -> Result<Value, Failure> {
    let (label, search) = (args.label.as_deref().map(lower), args.search.as_deref().map(lower));
    let filter = Filter {
        tree_id: (caller.visibility() <= Visibility::Tree).then_some(caller.session.tree_id),
        agent: args.agent_id.as_deref(),
        label: label.as_deref(),
        search: search.as_deref(),
        since: args.active_minutes.map(|minutes| tx.now() - minutes * 60_000),
        archived: args.archived,
        behind: behind(args)?,
        ..Filter::default()
    };
    let found = session_lists::list(tx, &filter, args.limit + 1).await?;
    let page = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let next =
        (found.len() > page).then(|| &found[page - 1]).map(|last| format!("{}.{}", last.updated_at, last.id));
    let mut sessions = Vec::new();
    for summary in found.iter().take(page) {
        let wanted = args.kinds.is_empty() || args.kinds.contains(&summary.kind);
        if wanted && caller.sees(tx, summary.id, summary.tree_id, &summary.agent).await? {
            sessions.push(row(tx, caller, summary, args.message_limit).await?);
        }
    }
    let mut result = json!({"status": "ok", "sessions": sessions});
    if let Some(next) = next {
        result["nextCursor"] = json!(next);
    }
    Ok(result)
}

fn lower(text: &str) -> String {
    text.trim_start_matches('@').to_lowercase()
}

fn behind(args: &Args) -> Result<Option<(i64, i64)>, Refusal> {
    let Some(cursor) = &args.cursor else { return Ok(None) };
    let parts = cursor.split_once('.').and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?)));
    parts
        .map(Some)
        .ok_or_else(|| Refusal::new(INVALID, "`cursor` must be the `nextCursor` of a page before."))
}

/// One session as a row.
pub async fn row(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    summary: &Summary,
    messages: i64,
) -> Result<Value, StoreError> {
    let model = caller.agents.get(&summary.agent).map(|agent| agent.model.name().to_owned());
    let mut row = json!({
        "sessionKey": summary.key,
        "sessionId": summary.id.to_string(),
        "agentId": summary.agent,
        "label": summary.label.as_deref().unwrap_or(&summary.agent),
        "kind": summary.kind.as_str(),
        "status": summary.status.as_str(),
        "model": summary.model.clone().or(model),
        "parentKey": summary.parent_key,
        "depth": summary.depth,
        "conversation": summary.conversation,
        "task": summary.task,
        "updatedAt": summary.updated_at,
        "tokens": {"input": summary.input_tokens, "output": summary.output_tokens},
        "costUsd": usd(summary.cost_micros),
    });
    if let Some(run) = &summary.run_status {
        row["run"] = json!(run);
    }
    if messages > 0 {
        row["lastMessages"] = transcript::newest(tx, caller, summary.id, messages).await?.into();
    }
    Ok(row)
}

/// US dollars. A cost is far below the 53 bits that a float holds exactly.
fn usd(micros: i64) -> f64 {
    micros as f64 / 1e6
}
