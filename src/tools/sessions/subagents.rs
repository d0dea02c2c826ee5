//! `subagents`: looking after one's children.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::caller::{Caller, Effect, Failure};
use super::{Target, find, list, transcript};
use crate::models::ToolSpec;
use crate::store::inbox::{self, Author, Body, ItemKind, NewItem};
use crate::store::session_lists::{self, Filter};
use crate::store::sessions::{self, Session};
use crate::store::{StoreError, Tx, runs, trees};
use crate::tools::Refusal;
use crate::tools::arguments::{self, INVALID};

/// The arguments.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Args {
    /// "list": your children. "info": one of them. "log": its newest entries. "steer": give it a message
    /// that it reads before its next step. "kill": stop it and everything below it.
    pub action: Verb,
    /// The child's label, sessionKey or runId. Needed for everything but list.
    pub target: Option<String>,
    /// What to tell the child. Needed for steer.
    pub message: Option<String>,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// All children.
    List,
    /// One child.
    Info,
    /// Its newest entries.
    Log,
    /// A message into its turn.
    Steer,
    /// The end of it.
    Kill,
}

/// What to do, with all that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action<'a> {
    /// All children.
    List,
    /// The child of this name.
    Info(&'a str),
    /// Its newest entries.
    Log(&'a str),
    /// The message to it.
    Steer(&'a str, &'a str),
    /// The end of it.
    Kill(&'a str),
}

impl Args {
    /// What to do.
    ///
    /// # Errors
    ///
    /// Something is missing for this action.
    pub fn action(&self) -> Result<Action<'_>, Refusal> {
        Ok(match self.action {
            Verb::List => Action::List,
            Verb::Info => Action::Info(needed("target", &self.target)?),
            Verb::Log => Action::Log(needed("target", &self.target)?),
            Verb::Steer => Action::Steer(needed("target", &self.target)?, needed("message", &self.message)?),
            Verb::Kill => Action::Kill(needed("target", &self.target)?),
        })
    }
}

fn needed<'a>(name: &str, value: &'a Option<String>) -> Result<&'a str, Refusal> {
    let refusal = || Refusal::new(INVALID, format!("`{name}` is missing: this action needs it."));
    value.as_deref().ok_or_else(refusal)
}

/// As models are told of it.
pub fn spec() -> ToolSpec {
    ToolSpec {
        name: "subagents".into(),
        description: "Looks after the children you started: lists them, shows one, reads its log, steers it \
                      with a message while it works, or stops it. Use steer to correct a running child and \
                      kill when its work is no longer wanted."
            .into(),
        schema: arguments::schema::<Args>().into(),
    }
}

/// Entries of a child's log.
const LOG: i64 = 20;

/// Looks after the caller's children.
pub async fn run(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    args: &Args,
    effects: &mut Vec<Effect>,
) -> Result<Value, Failure> {
    match args.action()? {
        Action::List => {
            let mut children = Vec::new();
            for id in trees::descendants(tx, caller.session.id).await? {
                children.push(row(tx, caller, id).await?);
            }
            Ok(json!({"status": "ok", "children": children}))
        }
        Action::Info(name) => {
            let child = child(tx, caller, name).await?;
            Ok(json!({"status": "ok", "child": row(tx, caller, child.id).await?}))
        }
        Action::Log(name) => {
            let child = child(tx, caller, name).await?;
            let entries = transcript::newest(tx, caller, child.id, LOG).await?;
            Ok(json!({"status": "ok", "sessionKey": child.key, "label": child.name(), "entries": entries}))
        }
        Action::Steer(name, message) => {
            let child = child(tx, caller, name).await?;
            if child.archived {
                return Err(find::archived(&child).into());
            }
            find::refuse_full(tx, caller, &child).await?;
            steer(tx, caller, &child, message).await?;
            effects.push(Effect::Work);
            Ok(json!({"status": "accepted", "sessionKey": child.key, "label": child.name()}))
        }
        Action::Kill(name) => {
            let child = child(tx, caller, name).await?;
            effects.push(Effect::Stop { session_id: child.id });
            Ok(json!({"status": "ok", "stopped": child.name(), "sessionKey": child.key}))
        }
    }
}

async fn row(tx: &mut Tx<'_>, caller: &Caller<'_>, id: i64) -> Result<Value, StoreError> {
    let filter = Filter { id: Some(id), archived: true, ..Filter::default() };
    match session_lists::list(tx, &filter, 1).await?.first() {
        Some(summary) => list::row(tx, caller, summary, 0).await,
        None => Ok(Value::Null),
    }
}

/// A session below the caller's, by label, key or run.
async fn child(tx: &mut Tx<'_>, caller: &Caller<'_>, name: &str) -> Result<Session, Failure> {
    let below = trees::descendants(tx, caller.session.id).await?;
    for id in &below {
        let session = sessions::get(tx, *id).await?;
        let run = runs::of_session(tx, *id).await?;
        let called = session
            .label
            .as_deref()
            .is_some_and(|label| label.eq_ignore_ascii_case(name.trim_start_matches('@')));
        if called || session.key == name || run.is_some_and(|run| run.id.to_string() == name) {
            return Ok(session);
        }
    }
    let target = if name.starts_with("agent:") { Target::Key(name) } else { Target::Label(name) };
    let other = find::session(tx, caller, target).await?;
    let message = format!("{} is no child of yours: write to it with sessions_send.", other.name());
    Err(Refusal::new("forbidden", message).into())
}

async fn steer(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    child: &Session,
    message: &str,
) -> Result<(), StoreError> {
    let policy = caller.handed_on().to_carry();
    // A turn reads what belongs to its own conversation, which for a child is where it was asked for or its thread.
    let conversation_id = child.conversation_id.unwrap_or(caller.turn.conversation_id);
    let body = Body { text: message.to_owned(), ..Body::default() };
    let item = NewItem {
        policy: policy.as_deref(),
        ..NewItem::new(ItemKind::Agent, Author::session(caller.session), child, conversation_id, &body)
    };
    inbox::push(tx, &item).await.map(drop)
}
