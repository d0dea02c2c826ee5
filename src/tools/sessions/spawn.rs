//! `sessions_spawn`: giving work to a child.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::caller::{Called, Caller, Effect, Failure};
use super::{find, labels};
use crate::agents::Subagents;
use crate::models::ToolSpec;
use crate::routing::{self, names};
use crate::store::inbox::{self, Author, Body, ItemKind, NewItem, To};
use crate::store::runs::{self, Announce, Cleanup, Mode, NewRun, RunStatus};
use crate::store::sessions::{self, Kind, NewSession, Session};
use crate::store::{Tx, conversations, entries, trees};
use crate::tools::Refusal;
use crate::tools::arguments::{self, INVALID};

/// The arguments.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Args {
    /// The whole task: the goal, what is known, what to leave alone, and what to hand back. The child does
    /// not see your conversation.
    #[schemars(length(min = 1))]
    pub task: String,
    /// A short name that people and agents call the child by: letters, digits, - and _, at most 32. The
    /// agent's id when absent.
    pub label: Option<String>,
    /// Which agent does it (see agents_list). Your own kind when absent.
    pub agent_id: Option<String>,
    /// Another model than the agent's own.
    pub model: Option<String>,
    /// "isolated": the child knows only the task. "fork": it begins with a copy of your conversation.
    #[serde(default)]
    pub context: Context,
    /// Open a thread or topic of its own for the child.
    #[serde(default)]
    pub thread: bool,
    /// "run": one task. "session": the child stays for follow-ups after its first result.
    #[serde(default = "run_mode")]
    pub mode: Mode,
    /// Stop the child after so many seconds. 0 or absent: the usual limit.
    #[serde(default)]
    #[schemars(range(min = 0, max = 86_400))]
    pub run_timeout_seconds: i64,
    /// Who sees the result. "post": the people in the conversation and you. "parent": you, to pass it on.
    /// "silent": only you.
    #[serde(default = "post")]
    pub announce: Announce,
    /// What becomes of the child's session after the run.
    #[serde(default = "keep")]
    pub cleanup: Cleanup,
}

fn run_mode() -> Mode {
    Mode::Run
}

fn post() -> Announce {
    Announce::Post
}

fn keep() -> Cleanup {
    Cleanup::Keep
}

/// What a child knows at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Context {
    /// Its task.
    #[default]
    Isolated,
    /// What its parent knew at its last closed step.
    Fork,
}

impl Args {
    /// The label, when it can be one.
    ///
    /// # Errors
    ///
    /// It has no label's form, or is a reserved word.
    pub fn label(&self) -> Result<Option<&str>, Refusal> {
        match self.label.as_deref() {
            Some(label) if !names::is_valid(label) || names::is_reserved(label) => Err(Refusal::new(
                INVALID,
                format!(
                    "`label` must be at most {} letters (A to Z), digits, - and _, begin with a letter or \
                     digit, and be none of {}.",
                    names::MAX,
                    names::RESERVED.join(", ")
                ),
            )),
            label => Ok(label),
        }
    }
}

/// As models are told of it.
pub fn spec() -> ToolSpec {
    ToolSpec {
        name: "sessions_spawn".into(),
        description: "Starts a child session that works on a task by itself, and returns at once with its \
                      label and childSessionKey. Start everything that can be done side by side in one step, \
                      then wait with one sessions_yield, or end your turn: results are shown to the people \
                      and wake you. For a question to a teammate that exists use sessions_send."
            .into(),
        schema: arguments::schema::<Args>().into(),
    }
}

/// Starts a child, within all limits.
pub async fn run(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    args: &Args,
    effects: &mut Vec<Effect>,
) -> Result<Called, Failure> {
    let id = args.agent_id.as_deref().unwrap_or(&caller.agent.id);
    let Some(agent) = caller.agents.get(id) else { return Err(find::unknown_agent(caller, id).into()) };
    let limits = &caller.agent.subagents;
    if agent.id != caller.agent.id && !limits.allow.contains(&agent.id) {
        return Err(find::forbidden_agent(caller, id).into());
    }
    within_limits(tx, caller.session, limits).await?;
    let model = model(caller, args)?;
    if args.thread && !caller.opens_threads {
        let message = "No thread can be opened in this conversation. Spawn without `thread`.";
        return Err(Refusal::new("no_threads", message).into());
    }
    let label = labels::take(tx, caller.session.tree_id, caller.agents, &agent.id, args.label()?).await?;
    let fork = match args.context {
        Context::Isolated => None,
        Context::Fork => entries::before_step(tx, caller.turn, caller.step).await?,
    };
    let key = routing::subagent_key(&agent.id, &identity(tx.now(), caller).to_string());
    let conversation_id = caller.turn.conversation_id;
    let child = NewSession {
        key: &key,
        kind: Kind::Subagent,
        agent: &agent.id,
        label: Some(&label),
        conversation_id: (!args.thread).then_some(conversation_id),
        parent: Some(caller.session),
        task: Some(&args.task),
        fork,
        model: model.as_deref(),
    };
    let child_id = sessions::create(tx, &child).await?;
    let asked = if args.run_timeout_seconds > 0 { args.run_timeout_seconds * 1000 } else { i64::MAX };
    let new = NewRun {
        tree_id: caller.session.tree_id,
        session_id: child_id,
        requester_id: caller.session.id,
        requester_generation: caller.turn.generation,
        call: (caller.turn.id, caller.step, caller.index),
        conversation_id,
        status: if args.thread { RunStatus::Opening } else { RunStatus::Running },
        announce: args.announce,
        mode: args.mode,
        cleanup: args.cleanup,
        policy: &caller.handed_on().to_json(),
        task: &args.task,
        due_at: tx.now() + limits.run_timeout.min(asked),
    };
    let run_id = runs::open(tx, &new).await?;
    let (author, body) =
        (Author::session(caller.session), Body { text: args.task.clone(), ..Body::default() });
    let child = To { session_id: child_id, tree_id: caller.session.tree_id };
    let item = NewItem {
        run_id: Some(run_id),
        not_before: if args.thread { inbox::NEVER } else { 0 },
        ..NewItem::new(ItemKind::Task, author, child, conversation_id, &body)
    };
    inbox::push(tx, &item).await?;
    if args.thread {
        effects.push(Effect::OpenThread { run_id, session_id: child_id, name: label.clone() });
    }
    effects.push(Effect::Work);
    Ok(Called::Done(json!({
        "status": "accepted",
        "runId": run_id.to_string(),
        "childSessionKey": key,
        "label": label,
        "conversation": if args.thread { Value::Null } else { json!(conversations::get(tx, conversation_id).await?.address.to_string()) },
    })))
}

/// Refuses one more child of a session that has as many, or is as deep, as its agent's limits allow. The caller
/// holds the tree's lock.
pub async fn within_limits(tx: &mut Tx<'_>, session: &Session, limits: &Subagents) -> Result<(), Failure> {
    if session.depth + 1 > limits.max_depth {
        let message = format!(
            "Children may be {} levels deep and you are at the last: do it yourself.",
            limits.max_depth
        );
        return Err(Refusal::new("depth_limit", message).into());
    }
    let children = runs::live_children(tx, session.id).await?.len();
    if i64::try_from(children).unwrap_or(i64::MAX) >= limits.max_children {
        let message = format!(
            "You have {children} children at work, which is the limit: wait for one with sessions_yield."
        );
        return Err(Refusal::new("children_limit", message).into());
    }
    if trees::live_sessions(tx, session.tree_id).await? >= limits.max_sessions {
        let message = format!(
            "{} sessions of this tree are at work, which is the limit: wait until some have ended.",
            limits.max_sessions
        );
        return Err(Refusal::new("tree_limit", message).into());
    }
    Ok(())
}

fn model(caller: &Caller<'_>, args: &Args) -> Result<Option<String>, Refusal> {
    match &args.model {
        Some(id) if !caller.agents.models().any(|known| known == id) => {
            let known = caller.agents.models().map(str::to_owned).collect();
            let message =
                format!("There is no model `{id}`. Leave `model` out, or take one of `candidates`.");
            Err(Refusal::new("not_found", message).offering(known))
        }
        model => Ok(model.clone()),
    }
}

/// A version 7 UUID, the same for every repetition of the transaction.
fn identity(now: i64, caller: &Caller<'_>) -> uuid::Uuid {
    let mut bytes = [0; 10];
    bytes[..5].copy_from_slice(&caller.turn.id.to_be_bytes()[3..]);
    bytes[5..8].copy_from_slice(&caller.step.to_be_bytes()[5..]);
    bytes[8..].copy_from_slice(&caller.index.to_be_bytes()[6..]);
    uuid::Builder::from_unix_timestamp_millis(now.unsigned_abs(), &bytes).into_uuid()
}
