//! `sessions_yield`: waiting for children.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::begun_anew;
use super::caller::{Called, Caller, Effect, Failure, WaitFor};
use crate::models::ToolSpec;
use crate::store::inbox::{self, Item, ItemKind};
use crate::store::waits::{self, Coverage, Wait, WaitKind};
use crate::store::{StoreError, Tx, exchanges, runs, sessions, trees};
use crate::tools::arguments;

/// The arguments.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Args {
    /// "all": until every running child has ended. "any": until the first has.
    #[serde(default = "all")]
    pub until: Coverage,
    /// What to tell the people in the conversation while you wait.
    pub message: Option<String>,
}

fn all() -> Coverage {
    Coverage::All
}

/// As models are told of it.
pub fn spec() -> ToolSpec {
    ToolSpec {
        name: "sessions_yield".into(),
        description: "Waits for the children you started and returns their outcomes with their whole \
                      results. It ends early with status interrupted when a person writes to you, and with \
                      question when a child asks you something: answer that with sessions_send, then yield \
                      again. Waiting costs nothing; do not poll instead."
            .into(),
        schema: arguments::schema::<Args>().into(),
    }
}

/// Waits for the caller's children, unless there is nothing to wait for.
pub async fn run(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    args: &Args,
    effects: &mut Vec<Effect>,
) -> Result<Called, Failure> {
    if let Some(item) = question(tx, caller).await? {
        let asked = json!({"from": item.sender_name, "sessionKey": item.sender, "message": item.body.text});
        let outcomes = take(tx, caller, None).await?;
        return Ok(Called::Done(json!({"status": "question", "question": asked, "outcomes": outcomes})));
    }
    let live = runs::count_live(tx, caller.session.id, caller.turn.generation).await?;
    let there = inbox::has_outcomes(tx, caller.session.id).await?;
    if live == 0 || (there && args.until == Coverage::Any) {
        let outcomes = take(tx, caller, None).await?;
        let mut result = json!({"status": "ok", "outcomes": outcomes, "running": live});
        if outcomes.is_empty() {
            result["note"] = json!(
                "No child of yours is at work. Results that came before this call are among your messages above."
            );
        }
        return Ok(Called::Done(result));
    }
    if caller.is_of_before()
        && inbox::has_user_item(tx, caller.session.id, caller.turn.conversation_id).await?
    {
        let outcomes = take(tx, caller, None).await?;
        let result = json!({"status": "ok", "outcomes": outcomes, "running": live});
        return Ok(Called::Done(begun_anew(interrupted(result))));
    }
    if let Some(text) = args.message.as_deref().filter(|text| !text.trim().is_empty()) {
        effects.push(Effect::Say { text: text.to_owned() });
    }
    Ok(Called::Waits(WaitFor {
        kind: WaitKind::Runs,
        exchange_id: None,
        target_id: None,
        coverage: Some(args.until),
        due_at: None,
    }))
}

/// The oldest message of somebody below the caller that waits for its answer, and can still be answered.
async fn question(tx: &mut Tx<'_>, caller: &Caller<'_>) -> Result<Option<Item>, StoreError> {
    let below = trees::descendants(tx, caller.session.id).await?;
    let owed = exchanges::owed_by(tx, caller.session.id).await?;
    for item in inbox::pending(tx, caller.session.id).await? {
        let Some(exchange) = owed.iter().find(|owed| item.exchange_id == Some(owed.id)) else { continue };
        let from = sessions::get(tx, exchange.partner(caller.session.id)).await?;
        if below.contains(&from.id) && !from.archived {
            return Ok(Some(item));
        }
    }
    Ok(None)
}

/// The outcomes that a wait has taken, and those that lie in the inbox, which are taken out of it.
async fn take(tx: &mut Tx<'_>, caller: &Caller<'_>, wait: Option<i64>) -> Result<Vec<Value>, StoreError> {
    let mut runs = Vec::new();
    let items = inbox::pending(tx, caller.session.id).await?;
    let told: Vec<Item> = items.into_iter().filter(|item| item.kind == ItemKind::Announce).collect();
    for run in told.iter().filter_map(|item| item.run_id) {
        runs.push(runs::get(tx, run).await?);
    }
    inbox::consume(tx, &told, caller.turn.id).await?;
    if let Some(wait) = wait {
        runs.extend(runs::of_wait(tx, wait).await?);
    }
    let mut outcomes = Vec::new();
    for run in runs {
        let child = sessions::get(tx, run.session_id).await?;
        outcomes.push(super::outcome_json(&run, &child));
    }
    Ok(outcomes)
}

/// The result of waiting that a person's message has ended.
fn interrupted(mut result: Value) -> Value {
    result["status"] = json!("interrupted");
    result["note"] = json!("A person has written to you. Your children go on; yield again to wait for them.");
    result
}

/// What the caller gets when its waiting is over.
pub async fn waited(tx: &mut Tx<'_>, caller: &Caller<'_>, wait: &Wait) -> Result<Value, StoreError> {
    let outcomes = take(tx, caller, Some(wait.id)).await?;
    let running = runs::count_live(tx, caller.session.id, caller.turn.generation).await?;
    let mut result = json!({"status": "ok", "outcomes": &outcomes, "running": running});
    match wait.outcome.as_deref() {
        Some(waits::INTERRUPTED) => result = interrupted(result),
        Some(outcome) => {
            if let Ok(Value::Object(mut asked)) = serde_json::from_str(outcome) {
                result["status"] = json!("question");
                result["question"] = asked.remove("question").unwrap_or_default();
                result["note"] = json!("Answer with sessions_send to that sessionKey, then yield again.");
            } else if outcomes.is_empty() {
                result["note"] = json!("Another sessions_yield of the same step has the results.");
            }
        }
        None => {}
    }
    Ok(result)
}
