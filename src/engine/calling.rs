//! Making the calls of a step.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::json;

use super::Engine;
use super::calls::CommitCalls;
use super::commit::CommitResult;
use super::desk::Desk;
use crate::agents::{Agent, QueueMode};
use crate::crash::{self, Side};
use crate::models::ToolCall;
use crate::store::StoreError;
use crate::store::entries::CallResult;
use crate::store::turns::Turn;
use crate::tools::CallContext;

/// Makes the calls of a step: those that work outside the database at the same time, each result committed as it
/// comes; then those on sessions, in one transaction. `true`: the turn waits now.
pub(super) async fn run_calls(
    engine: &Arc<Engine>,
    turn: &Turn,
    agent: &Agent,
    desk: &Desk,
    step: i64,
    calls: Vec<(i64, ToolCall)>,
    interrupted: bool,
) -> Result<bool, StoreError> {
    let (sessions, calls): (Vec<_>, Vec<_>) =
        calls.into_iter().partition(|(_, call)| engine.team.tools.is_of_sessions(&call.name));
    let context = CallContext { agent, agents: &engine.team.agents, policy: &desk.policy };
    let mut left = calls.len();
    let mut results: FuturesUnordered<_> = calls
        .iter()
        .map(|(index, call)| async move {
            let content = if interrupted && !engine.team.tools.repeatable(&call.name) {
                interrupted_result()
            } else {
                crash::point("call", "tool", Side::Before);
                let content = engine.team.tools.call(&context, call).await.to_string();
                crash::point("call", "tool", Side::After);
                content
            };
            (*index, CallResult { call_id: call.id.clone(), tool: call.name.clone(), content })
        })
        .collect();
    while let Some((call_index, result)) = results.next().await {
        left -= 1;
        let absorb = left == 0 && sessions.is_empty() && agent.queue == QueueMode::Steer;
        let commit = CommitResult { turn: turn.clone(), step, call_index, result, absorb };
        engine.store.commit(commit).await?;
    }
    if sessions.is_empty() {
        return Ok(false);
    }
    let (policy, team) = (desk.policy.clone(), engine.team.clone());
    let made =
        engine.store.commit(CommitCalls { turn: turn.clone(), step, calls: sessions, policy, team }).await?;
    engine.follow(&made.after);
    Ok(made.suspended)
}

fn interrupted_result() -> String {
    json!({
        "status": "error",
        "code": "interrupted",
        "message": "interrupted: the process stopped while this ran; its effect is unknown",
    })
    .to_string()
}
