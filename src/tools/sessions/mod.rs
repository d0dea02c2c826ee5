//! The session tools: what agents call to work with each other. Names and parameters are those that models
//! know from elsewhere.

mod caller;
mod find;
mod history;
mod labels;
mod list;
mod send;
mod spawn;
mod status;
mod subagents;
#[cfg(test)]
mod tests;
mod transcript;
mod yielding;

use serde_json::{Value, json};

use crate::agents::is_silent;
use crate::models::{ToolCall, ToolSpec};
use crate::store::runs::Run;
use crate::store::sessions::Session;
use crate::store::waits::{self, Wait};
use crate::store::{StoreError, Tx};

pub use caller::{Called, Caller, Effect, Failure, WaitFor};
pub use labels::take as take_label;
pub use spawn::within_limits;

use super::Refusal;
use super::arguments::{self, INVALID};

/// Whom a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// The session with this key.
    Key(&'a str),
    /// The session with this label.
    Label(&'a str),
    /// An agent's session for the caller's conversation.
    Agent(&'a str),
}

/// The one target that was named, of those that a tool takes.
fn one<'a, const N: usize>(given: [(&str, Option<Target<'a>>); N]) -> Result<Target<'a>, Refusal> {
    let mut named = given.iter().filter_map(|(_, target)| *target);
    match (named.next(), named.next()) {
        (Some(target), None) => Ok(target),
        _ => {
            let names = given.map(|(name, _)| format!("`{name}`")).join(", ");
            Err(Refusal::new(INVALID, format!("Give exactly one of {names}.")))
        }
    }
}

/// What is taken for absent numbers of rows.
fn page() -> i64 {
    50
}

/// The policy group of all of them.
pub const GROUP: &str = "sessions";

/// As models are told of them.
pub fn specs() -> [ToolSpec; 7] {
    [
        list::spec(),
        history::spec(),
        send::spec(),
        spawn::spec(),
        yielding::spec(),
        subagents::spec(),
        status::spec(),
    ]
}

/// Whether a tool only looks at sessions, or waits for them: with children at work that may be done again and again.
pub fn only_looks(name: &str) -> bool {
    matches!(name, "sessions_list" | "sessions_history" | "sessions_yield" | "session_status")
}

/// Makes a call, in the engine's transaction. What is refused has changed nothing.
pub async fn call(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    call: &ToolCall,
    effects: &mut Vec<Effect>,
) -> Result<Called, StoreError> {
    match make(tx, caller, call, effects).await {
        Ok(called) => Ok(called),
        Err(Failure::Refused(refusal)) => Ok(Called::Done(refusal.to_json())),
        Err(Failure::Store(error)) => Err(error),
    }
}

async fn make(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    call: &ToolCall,
    effects: &mut Vec<Effect>,
) -> Result<Called, Failure> {
    let given = &call.arguments;
    let done = |called, ignored: &[String]| match called {
        Called::Done(result) => Called::Done(arguments::note(result, ignored)),
        waits @ Called::Waits(_) => waits,
    };
    Ok(match call.name.as_str() {
        "sessions_list" => {
            let args = arguments::read::<list::Args>(given)?;
            done(list::run(tx, caller, &args.value).await?, &args.ignored)
        }
        "sessions_history" => {
            let args = arguments::read::<history::Args>(given)?;
            done(Called::Done(history::run(tx, caller, &args.value).await?), &args.ignored)
        }
        "sessions_send" => {
            let args = arguments::read::<send::Args>(given)?;
            done(send::run(tx, caller, &args.value, effects).await?, &args.ignored)
        }
        "sessions_spawn" => {
            let args = arguments::read::<spawn::Args>(given)?;
            done(spawn::run(tx, caller, &args.value, effects).await?, &args.ignored)
        }
        "sessions_yield" => {
            let args = arguments::read::<yielding::Args>(given)?;
            done(yielding::run(tx, caller, &args.value, effects).await?, &args.ignored)
        }
        "subagents" => {
            let args = arguments::read::<subagents::Args>(given)?;
            done(Called::Done(subagents::run(tx, caller, &args.value, effects).await?), &args.ignored)
        }
        "session_status" => {
            let args = arguments::read::<status::Args>(given)?;
            done(status::run(tx, caller, &args.value).await?, &args.ignored)
        }
        _ => return Err(Refusal::new("unknown_tool", format!("There is no tool `{}`.", call.name)).into()),
    })
}

/// The result of a call that waited, in the transaction that resumes its turn.
pub async fn waited(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    call: &ToolCall,
    wait: &Wait,
) -> Result<Value, StoreError> {
    let (result, ignored) = match call.name.as_str() {
        "sessions_send" => (Ok(send::waited(tx, wait).await?), ignored::<send::Args>(call)),
        "sessions_yield" => (Ok(yielding::waited(tx, caller, wait).await?), ignored::<yielding::Args>(call)),
        "sessions_list" => match arguments::read::<list::Args>(&call.arguments) {
            Ok(args) => (list::rows(tx, caller, &args.value).await, args.ignored),
            Err(refusal) => (Err(refusal.into()), Vec::new()),
        },
        _ => match arguments::read::<status::Args>(&call.arguments) {
            Ok(args) => (status::now(tx, caller, &args.value).await, args.ignored),
            Err(refusal) => (Err(refusal.into()), Vec::new()),
        },
    };
    let interrupted = wait.outcome.as_deref() == Some(waits::INTERRUPTED);
    match result {
        Ok(result) if interrupted && caller.is_of_before() => {
            Ok(arguments::note(begun_anew(result), &ignored))
        }
        Ok(result) => Ok(arguments::note(result, &ignored)),
        Err(Failure::Refused(refusal)) => Ok(refusal.to_json()),
        Err(Failure::Store(error)) => Err(error),
    }
}

/// What a turn of before `/new keep` is told when a person has written: it can't read that, and each wait of it would be
/// interrupted again.
fn begun_anew(mut result: Value) -> Value {
    result["note"] = json!(
        "A person has begun a new conversation here, and what they have written is for that one: it is read when your \
         turn is over. End your turn. Your children go on, and their results are posted without you."
    );
    result
}

fn ignored<T: serde::de::DeserializeOwned + schemars::JsonSchema + 'static>(call: &ToolCall) -> Vec<String> {
    arguments::read::<T>(&call.arguments).map(|args| args.ignored).unwrap_or_default()
}

/// The outcome of a run as its requester's model gets it, from a wait or from its inbox.
pub fn outcome_json(run: &Run, child: &Session) -> Value {
    let mut json = json!({
        "label": child.name(),
        "agentId": child.agent,
        "sessionKey": child.key,
        "runId": run.id.to_string(),
        "status": run.status.as_str(),
        "seconds": run.seconds(),
    });
    if let Some(outcome) = &run.outcome {
        json["status"] = json!(outcome.status.as_str());
        json["result"] = json!(if is_silent(&outcome.text) { "" } else { &outcome.text });
        if let Some(reason) = &outcome.reason {
            json["reason"] = json!(reason);
        }
    }
    json
}
