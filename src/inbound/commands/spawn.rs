//! `/spawn`: work for a new child of the conversation's own session.

use super::{Asked, Done};
use crate::control::{self, Task};
use crate::engine::Effects;
use crate::inbound::targets;
use crate::phrases;
use crate::routing::{KnownAgent, names};
use crate::store::inbox::Author;
use crate::store::{StoreError, Tx};

pub(super) async fn spawn(
    tx: &mut Tx<'_>,
    asked: &Asked<'_>,
    agent: &str,
    label: Option<&str>,
    task: &str,
) -> Result<Done, StoreError> {
    let Some(agent) = asked.edges.rules.agent(agent) else {
        let known = asked.edges.rules.agents.iter().flat_map(KnownAgent::names);
        return Ok(Done::said(phrases::no_such_agent(agent, names::closest(agent, known))));
    };
    let root = targets::root(tx, asked.edges, asked.message, asked.place).await?;
    let task = Task {
        requester_id: root.id,
        agent: &agent.id,
        label,
        text: task,
        conversation_id: asked.place.id,
        author: Author::person(&asked.message.sender),
        number: asked.message.id.0,
        piece: asked.held.piece(),
        not_before: asked.held.until(tx.now()),
    };
    let mut after = Effects::default();
    let text = match control::spawn(tx, &asked.edges.team, &task, &mut after).await? {
        Ok(label) => phrases::spawned(&label, &agent.id),
        Err(refused) => refused.to_string(),
    };
    Ok(Done { text: Some(text), after })
}
