//! Spawning for a person: the child belongs to a session that they speak with, as if its agent had asked.

use crate::engine::{Effects, Team};
use crate::routing::{self, names};
use crate::store::inbox::{self, Author, Body, ItemKind, NewItem, To};
use crate::store::runs::{self, Announce, Cleanup, Mode, NewRun, RunStatus};
use crate::store::sessions::{self, Kind, NewSession};
use crate::store::{StoreError, Tx, trees};
use crate::tools::sessions::{Failure, take_label, within_limits};
use crate::tools::{Policy, Refusal};

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    /// The session that the child belongs to.
    pub requester_id: i64,
    /// The id of the agent that does it.
    pub agent: &'a str,
    /// What the child is called.
    pub label: Option<&'a str>,
    /// The task.
    pub text: &'a str,
    /// Where it is asked for, and where it is answered.
    pub conversation_id: i64,
    /// Who asks for it.
    pub author: Author<'a>,
    /// Tells this task from others of the same conversation and millisecond.
    pub number: i64,
    /// The name of the message that the text is the first piece of.
    pub piece: Option<&'a str>,
    /// No turn begins before this time; 0: it may at once.
    pub not_before: i64,
}

/// Why there is no child. Its `Display` is the sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// It can be no label.
    BadLabel(String),
    /// It is the name of another agent.
    LabelOfAgent(String),
    /// Somebody at work has it.
    LabelTaken(String),
    /// The tree is as deep as it may be.
    TooDeep,
    /// So many children are at work as may be.
    TooMany,
}

/// Gives a task to a new child, within the limits of `sessions_spawn`. `Ok(Ok(_))` is its label.
///
/// # Errors
///
/// Those of the database.
pub async fn spawn(
    tx: &mut Tx<'_>,
    team: &Team,
    task: &Task<'_>,
    after: &mut Effects,
) -> Result<Result<String, Refused>, StoreError> {
    if let Some(label) = task.label.filter(|label| !names::is_valid(label) || names::is_reserved(label)) {
        return Ok(Err(Refused::BadLabel(label.to_owned())));
    }
    let tree_id = sessions::get(tx, task.requester_id).await?.tree_id;
    trees::lock(tx, tree_id).await?;
    let requester = sessions::lock(tx, task.requester_id).await?;
    let limits = team.agents.get(&requester.agent).or_else(|| team.agents.get(task.agent));
    let Some(limits) = limits.map(|agent| &agent.subagents) else { return Ok(Err(Refused::TooDeep)) };
    let allowed = match within_limits(tx, &requester, limits).await {
        Ok(()) => take_label(tx, tree_id, &team.agents, task.agent, task.label).await,
        Err(failure) => Err(failure),
    };
    let label = match allowed {
        Ok(label) => label,
        Err(Failure::Refused(refusal)) => return Ok(Err(refused(&refusal, task))),
        Err(Failure::Store(error)) => return Err(error),
    };
    let key = routing::subagent_key(task.agent, &identity(tx.now(), task).to_string());
    let child = NewSession {
        key: &key,
        kind: Kind::Subagent,
        agent: task.agent,
        label: Some(&label),
        conversation_id: Some(task.conversation_id),
        parent: Some(&requester),
        task: Some(task.text),
        fork: None,
        model: None,
    };
    let session_id = sessions::create(tx, &child).await?;
    let run = NewRun {
        tree_id,
        session_id,
        requester_id: requester.id,
        requester_generation: requester.generation,
        call: (0, session_id, 0),
        conversation_id: task.conversation_id,
        status: RunStatus::Running,
        announce: Announce::Post,
        mode: Mode::Run,
        cleanup: Cleanup::Keep,
        policy: &Policy::default().to_json(),
        task: task.text,
        due_at: tx.now() + limits.run_timeout,
    };
    let run_id = runs::open(tx, &run).await?;
    let body = Body { text: task.text.to_owned(), ..Body::default() };
    let item = NewItem {
        run_id: Some(run_id),
        merge_key: task.piece,
        not_before: task.not_before,
        ..NewItem::new(ItemKind::User, task.author, To { session_id, tree_id }, task.conversation_id, &body)
    };
    inbox::push(tx, &item).await?;
    after.work = true;
    Ok(Ok(label))
}

/// A model's refusal, for people.
fn refused(refusal: &Refusal, task: &Task<'_>) -> Refused {
    let label = task.label.unwrap_or(task.agent).to_owned();
    match refusal.code {
        "depth_limit" => Refused::TooDeep,
        "label_taken" => Refused::LabelTaken(label),
        "label_reserved" => Refused::LabelOfAgent(label),
        _ => Refused::TooMany,
    }
}

/// A version 7 UUID, the same for every repetition of the transaction.
fn identity(now: i64, task: &Task<'_>) -> uuid::Uuid {
    let mut bytes = [0; 10];
    bytes[..5].copy_from_slice(&task.conversation_id.to_be_bytes()[3..]);
    bytes[5..].copy_from_slice(&task.number.to_be_bytes()[3..]);
    uuid::Builder::from_unix_timestamp_millis(now.unsigned_abs(), &bytes).into_uuid()
}
