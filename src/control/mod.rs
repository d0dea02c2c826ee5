//! The verbs that commands, HTTP and the command line share. Each is part of its caller's transaction, but for
//! those of [`admin`], which are transactions by themselves.

pub mod admin;

use crate::store::inbox::{self, Item};
use crate::store::turns::{self, Claimant, NewTurn, TurnStatus};
use crate::store::{StoreError, Tx, deliveries, entries, sessions};

/// What a stop has stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The agent whose session it was.
    pub agent: String,
    /// The turn that was cancelled.
    pub turn_id: i64,
}

/// Stops what a session is doing and has still to do: its open turn is cancelled, its waiting input is
/// consumed by it unanswered, what was not sent yet is not sent. `None`: there was nothing to stop.
pub async fn stop(tx: &mut Tx<'_>, session_id: i64) -> Result<Option<Stopped>, StoreError> {
    let session = sessions::lock(tx, session_id).await?;
    let items = inbox::pending(tx, session_id).await?;
    deliveries::cancel_of_session(tx, session_id).await?;
    let turn_id = match (session.open_turn, items.first()) {
        (Some(turn_id), _) => {
            turns::cancel(tx, turn_id, "stopped").await?;
            turn_id
        }
        (None, Some(trigger)) => {
            let nobody = Claimant { node: String::new(), lease: 0 };
            let new = NewTurn { session: &session, trigger, timeout: 0, status: TurnStatus::Cancelled };
            turns::open(tx, &new, &nobody).await?.id
        }
        (None, None) => return Ok(None),
    };
    consume(tx, turn_id, &items).await?;
    Ok(Some(Stopped { agent: session.agent, turn_id }))
}

async fn consume(tx: &mut Tx<'_>, turn_id: i64, items: &[Item]) -> Result<(), StoreError> {
    if items.is_empty() {
        return Ok(());
    }
    let turn = turns::get(tx, turn_id).await?;
    inbox::consume(tx, items, turn_id).await?;
    entries::append_input(tx, &turn, 0, items).await
}

/// Starts a session afresh under the same key. Unless `keep`, what it was doing is stopped.
pub async fn renew(tx: &mut Tx<'_>, session_id: i64, keep: bool) -> Result<Option<Stopped>, StoreError> {
    let stopped = if keep { None } else { stop(tx, session_id).await? };
    sessions::renew(tx, session_id).await?;
    Ok(stopped)
}
