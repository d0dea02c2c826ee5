//! Claiming (T2): a session with something to do gets a turn, and the turn its items.

use crate::agents::Agents;
use crate::store::inbox::{self, Item};
use crate::store::runs::{self, RunStatus};
use crate::store::sessions::Session;
use crate::store::turns::{self, Claimant, NewTurn, Turn, TurnStatus};
use crate::store::{StoreError, Tx, entries};
use crate::tools::Policy;

/// Opens a turn for a session that has something to do and no open turn, and gives it its items. The
/// caller has locked the session. `None`: there is nothing to do now, its thread is not there yet, or the agent is at its
/// cap.
pub async fn claim_next(
    tx: &mut Tx<'_>,
    session: &Session,
    agents: &Agents,
    by: &Claimant,
) -> Result<Option<Turn>, StoreError> {
    if session.open_turn.is_some() || waits_for_thread(tx, session).await? {
        return Ok(None);
    }
    let pending = inbox::pending(tx, session.id).await?;
    let own = match pending.iter().any(|item| item.policy.is_some()) {
        true => Policy::of_session(tx, session.id).await?,
        false => Policy::default(),
    };
    let items = batch(pending, tx.now(), &own);
    let Some(trigger) = items.iter().find(|item| item.wake) else { return Ok(None) };
    let (timeout, cap) =
        agents.get(&session.agent).map_or((0, 0), |agent| (agent.turn_timeout, agent.max_turns));
    if !turns::has_room(tx, &session.agent, cap).await? {
        return Ok(None);
    }
    let new = NewTurn { session, trigger, timeout, status: TurnStatus::Running };
    let turn = turns::open(tx, &new, by).await?;
    inbox::consume(tx, &items, turn.id).await?;
    entries::append_input(tx, &turn, 0, &items).await?;
    Ok(Some(turn))
}

/// Whether a child's thread is still being opened: it begins with its task, there, whoever has written to it meanwhile.
async fn waits_for_thread(tx: &mut Tx<'_>, session: &Session) -> Result<bool, StoreError> {
    // All others have their place.
    if session.conversation_id.is_some() {
        return Ok(false);
    }
    let run = runs::of_session(tx, session.id).await?;
    Ok(run.is_some_and(|run| run.status == RunStatus::Opening))
}

/// The items that the next turn takes: the oldest that wakes decides about the conversation, the exchange and what
/// restricts the turn beside its session's `own` policy; others of the same go with it, and nothing else does.
fn batch(mut pending: Vec<Item>, now: i64, own: &Policy) -> Vec<Item> {
    pending.retain(|item| item.not_before <= now);
    let Some(trigger) = pending.iter().find(|item| item.wake) else { return Vec::new() };
    let origin = (trigger.conversation_id, trigger.exchange_id);
    let policy = own.with_carried(trigger.policy.as_deref());
    pending.retain(|item| {
        (item.conversation_id, item.exchange_id) == origin
            && (!item.wake || own.with_carried(item.policy.as_deref()).same(&policy))
    });
    pending
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::inbox::{Body, ItemKind};

    fn item(id: i64, wake: bool, conversation_id: i64, not_before: i64) -> Item {
        Item {
            id,
            kind: ItemKind::User,
            wake,
            conversation_id,
            exchange_id: None,
            run_id: None,
            sender: String::new(),
            sender_name: String::new(),
            message_id: None,
            policy: None,
            body: Body::default(),
            merge_key: None,
            not_before,
        }
    }

    fn taken(items: Vec<Item>) -> Vec<i64> {
        batch(items, 100, &Policy::default()).into_iter().map(|item| item.id).collect()
    }

    #[test]
    fn the_oldest_that_wakes_decides_and_takes_its_conversation_with_it() {
        assert_eq!(
            taken(vec![
                item(1, false, 8, 0),
                item(2, true, 7, 0),
                item(3, true, 8, 0),
                item(4, false, 7, 0),
                item(5, true, 7, 0),
            ]),
            [2, 4, 5]
        );
    }

    #[test]
    fn what_is_held_back_waits_and_what_wakes_nobody_starts_nothing() {
        assert_eq!(taken(vec![item(1, true, 7, 101), item(2, true, 7, 100)]), [2]);
        assert!(taken(vec![item(1, false, 7, 0)]).is_empty());
    }
}
