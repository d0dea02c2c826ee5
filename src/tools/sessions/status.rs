//! `session_status`: what one session is doing.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::caller::{Called, Caller, Failure, WaitFor};
use super::{Target, find, list};
use crate::models::ToolSpec;
use crate::store::session_lists::{self, Filter};
use crate::store::sessions::Session;
use crate::store::waits::WaitKind;
use crate::store::{StoreError, Tx};
use crate::tools::arguments;

/// The arguments.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Args {
    /// The session's key. Your own session when absent.
    pub session_key: Option<String>,
    /// Wait up to so many seconds for it to change. 0 answers at once.
    #[serde(default)]
    #[schemars(range(min = 0, max = 60))]
    pub wait_seconds: i64,
}

/// As models are told of it.
pub fn spec() -> ToolSpec {
    ToolSpec {
        name: "session_status".into(),
        description: "Shows one session: status, model, running turn, tokens and cost. Without a key it is \
                      yours."
            .into(),
        schema: arguments::schema::<Args>().into(),
    }
}

/// Shows a session, or waits for a change of it first.
pub async fn run(tx: &mut Tx<'_>, caller: &Caller<'_>, args: &Args) -> Result<Called, Failure> {
    let session = target(tx, caller, args).await?;
    if args.wait_seconds > 0 && session.id != caller.session.id {
        return Ok(Called::Waits(WaitFor {
            kind: WaitKind::Status,
            exchange_id: None,
            target_id: Some(session.id),
            coverage: None,
            due_at: Some(tx.now() + args.wait_seconds * 1000),
        }));
    }
    Ok(Called::Done(show(tx, caller, session.id).await?))
}

/// The session as it is now.
pub async fn now(tx: &mut Tx<'_>, caller: &Caller<'_>, args: &Args) -> Result<Value, Failure> {
    let session = target(tx, caller, args).await?;
    Ok(show(tx, caller, session.id).await?)
}

async fn target(tx: &mut Tx<'_>, caller: &Caller<'_>, args: &Args) -> Result<Session, Failure> {
    let own = &caller.session.key;
    find::session(tx, caller, Target::Key(args.session_key.as_ref().unwrap_or(own))).await
}

async fn show(tx: &mut Tx<'_>, caller: &Caller<'_>, id: i64) -> Result<Value, StoreError> {
    let filter = Filter { id: Some(id), archived: true, ..Filter::default() };
    let mut session = Value::Null;
    if let Some(summary) = session_lists::list(tx, &filter, 1).await?.first() {
        session = list::row(tx, caller, summary, 0).await?;
    }
    Ok(json!({"status": "ok", "session": session}))
}
