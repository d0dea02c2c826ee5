//! The sessions that a decision names, found or made.

use roundtable_contract::{ChatKind, Message};

use super::Edges;
use crate::routing::{self, Target};
use crate::store::conversations::Place;
use crate::store::sessions::{self, Kind, NewSession, Session};
use crate::store::{StoreError, Tx};

/// The session of a target, made if it is missing.
pub(super) async fn find_or_create(
    tx: &mut Tx<'_>,
    edges: &Edges,
    message: &Message,
    place: &Place,
    target: &Target,
) -> Result<i64, StoreError> {
    match target {
        Target::Session(id) => Ok(*id),
        Target::Agent { agent } => match sessions::find(tx, place.id, agent).await? {
            Some(id) => Ok(id),
            None => create(tx, edges, message, place, agent).await,
        },
    }
}

/// The session of a target, if there is one.
pub(super) async fn find(tx: &mut Tx<'_>, place: &Place, target: &Target) -> Result<Option<i64>, StoreError> {
    match target {
        Target::Session(id) => Ok(Some(*id)),
        Target::Agent { agent } => sessions::find(tx, place.id, agent).await,
    }
}

/// The session that a conversation's others are children of, made if it is missing: that of the agent which the
/// conversation belongs to.
pub(super) async fn root(
    tx: &mut Tx<'_>,
    edges: &Edges,
    message: &Message,
    place: &Place,
) -> Result<Session, StoreError> {
    let seen = routing::Place::of(message);
    let id = match sessions::root_of_conversation(tx, place.id).await? {
        Some(root) => root,
        None => grow(tx, place, &seen, &edges.rules.resolve(&seen).agents[0], None).await?,
    };
    sessions::get(tx, id).await
}

/// Makes an agent's session for the conversation. All of a conversation's are one tree.
async fn create(
    tx: &mut Tx<'_>,
    edges: &Edges,
    message: &Message,
    place: &Place,
    agent: &str,
) -> Result<i64, StoreError> {
    let root = root(tx, edges, message, place).await?;
    if root.agent == agent {
        return Ok(root.id);
    }
    sessions::lock_above(tx, &root).await?;
    grow(tx, place, &routing::Place::of(message), agent, Some(&root)).await
}

async fn grow(
    tx: &mut Tx<'_>,
    place: &Place,
    seen: &routing::Place<'_>,
    agent: &str,
    parent: Option<&Session>,
) -> Result<i64, StoreError> {
    let kind = match place.kind {
        ChatKind::Direct => Kind::Direct,
        ChatKind::Group => Kind::Group,
    };
    let new = NewSession {
        key: &routing::session_key(agent, seen),
        kind,
        agent,
        label: None,
        conversation_id: Some(place.id),
        parent,
        task: None,
        fork: None,
        model: None,
    };
    sessions::create(tx, &new).await
}
