//! Finding the session that a call is about.

use super::Target;
use super::caller::{Caller, Failure};
use crate::routing;
use crate::store::session_lists::{self, Filter};
use crate::store::sessions::{self, Kind, NewSession, Session};
use crate::store::{StoreError, Tx, inbox, trees};
use crate::tools::Refusal;

/// Close labels that a refusal offers.
const OFFERS: usize = 5;

/// The session that a call is about, if the caller may see it.
pub async fn session(tx: &mut Tx<'_>, caller: &Caller<'_>, target: Target<'_>) -> Result<Session, Failure> {
    match target {
        Target::Key(key) => by_key(tx, caller, key).await,
        Target::Label(label) => by_label(tx, caller, label).await,
        Target::Agent(agent) => of_agent(tx, caller, agent).await,
    }
}

async fn by_key(tx: &mut Tx<'_>, caller: &Caller<'_>, key: &str) -> Result<Session, Failure> {
    let Some(id) = sessions::find_key(tx, key).await? else {
        let message = format!("There is no session `{key}`. sessions_list shows those you can see.");
        return Err(Refusal::new("not_found", message).into());
    };
    let session = sessions::get(tx, id).await?;
    if !caller.sees(tx, session.id, session.tree_id, &session.agent).await? {
        let message = format!("You may not see the session `{key}`. sessions_list shows those you can.");
        return Err(Refusal::new("forbidden", message).into());
    }
    Ok(session)
}

async fn by_label(tx: &mut Tx<'_>, caller: &Caller<'_>, label: &str) -> Result<Session, Failure> {
    let label = label.strip_prefix('@').unwrap_or(label).to_ascii_lowercase();
    let labels = trees::labels(tx, caller.session.tree_id).await?;
    if let Some(found) = labels.iter().find(|found| found.label.eq_ignore_ascii_case(&label)) {
        let session = sessions::get(tx, found.id).await?;
        return if caller.sees(tx, session.id, session.tree_id, &session.agent).await? {
            Ok(session)
        } else {
            Err(Refusal::new("forbidden", format!("You may not see `{label}`.")).into())
        };
    }
    // Sessions of conversations have no label: they are called by their agent.
    let mut found = visible(tx, caller, &Filter { agent: Some(&label), ..in_tree(caller) }).await?;
    found.retain(|session| session.label.is_none());
    if found.is_empty() {
        found = visible(tx, caller, &Filter { label: Some(&label), ..Filter::default() }).await?;
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => {
            let mut offers: Vec<_> = labels.iter().map(|known| known.label.clone()).collect();
            offers.sort_by_key(|known| strsim::osa_distance(&label, &known.to_ascii_lowercase()));
            offers.truncate(OFFERS);
            let message = format!("Nobody is called `{label}` here. `candidates` are the labels there are.");
            Err(Refusal::new("not_found", message).offering(offers).into())
        }
        _ => {
            let message = format!("Several sessions are called `{label}`: give one's sessionKey.");
            let keys = found.into_iter().map(|session| session.key).collect();
            Err(Refusal::new("ambiguous", message).offering(keys).into())
        }
    }
}

fn in_tree(caller: &Caller<'_>) -> Filter<'static> {
    Filter { tree_id: Some(caller.session.tree_id), ..Filter::default() }
}

async fn visible(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    filter: &Filter<'_>,
) -> Result<Vec<Session>, StoreError> {
    let mut found = Vec::new();
    for row in session_lists::list(tx, filter, 20).await? {
        if caller.sees(tx, row.id, row.tree_id, &row.agent).await? {
            found.push(sessions::get(tx, row.id).await?);
        }
    }
    Ok(found)
}

/// An agent's session for the caller's conversation, made if it is missing.
async fn of_agent(tx: &mut Tx<'_>, caller: &Caller<'_>, id: &str) -> Result<Session, Failure> {
    let Some(agent) = caller.agents.get(id) else { return Err(unknown_agent(caller, id).into()) };
    let conversation_id = caller.turn.conversation_id;
    if let Some(known) = sessions::find(tx, conversation_id, &agent.id).await? {
        let session = sessions::get(tx, known).await?;
        if caller.sees(tx, session.id, session.tree_id, &session.agent).await? {
            return Ok(session);
        }
        let message = format!("`{id}` has a session in this conversation that you may not see.");
        return Err(Refusal::new("forbidden", message).into());
    }
    if !caller.agent.subagents.allow.contains(&agent.id) {
        return Err(forbidden_agent(caller, id).into());
    }
    let root = match sessions::root_of_conversation(tx, conversation_id).await? {
        Some(root) => root,
        None => trees::root(tx, caller.session.tree_id).await?,
    };
    let root = sessions::get(tx, root).await?;
    sessions::lock_above(tx, &root).await?;
    let new = NewSession {
        key: &routing::key_beside(&root.key, &agent.id, conversation_id),
        kind: if root.kind == Kind::Direct { Kind::Direct } else { Kind::Group },
        agent: &agent.id,
        label: None,
        conversation_id: Some(conversation_id),
        parent: Some(&root),
        task: None,
        fork: None,
        model: None,
    };
    let id = sessions::create(tx, &new).await?;
    Ok(sessions::get(tx, id).await?)
}

/// There is no such agent.
pub fn unknown_agent(caller: &Caller<'_>, id: &str) -> Refusal {
    let known = caller.agents.iter().map(|agent| agent.id.clone()).collect();
    Refusal::new("not_found", format!("There is no agent `{id}`. `candidates` are those there are."))
        .offering(known)
}

/// The caller may not ask this agent.
pub fn forbidden_agent(caller: &Caller<'_>, id: &str) -> Refusal {
    let allowed = caller.agent.subagents.allow.clone();
    let message = if allowed.is_empty() {
        format!(
            "You may start no other agents, so not `{id}` either. Do it yourself or say that it can't be done."
        )
    } else {
        format!("You may not ask the agent `{id}`. `candidates` are those you may.")
    };
    Refusal::new("forbidden", message).offering(allowed)
}

/// Refuses one more message to a session that has as much to read as its agent takes.
pub async fn refuse_full(tx: &mut Tx<'_>, caller: &Caller<'_>, target: &Session) -> Result<(), Failure> {
    let cap = caller.agents.get(&target.agent).map_or(i64::MAX, |agent| agent.inbox_cap);
    if inbox::count_pending(tx, target.id).await? >= cap {
        let message = format!("{} has too much to read already. Wait until it has caught up.", target.name());
        return Err(Refusal::new("inbox_full", message).into());
    }
    Ok(())
}

/// What an archived session is told about.
pub fn archived(session: &Session) -> Refusal {
    let message = format!("{} is archived: it can be read, not spoken to. Spawn a new one.", session.name());
    Refusal::new("archived", message)
}
