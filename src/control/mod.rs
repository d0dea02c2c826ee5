//! The verbs that commands, HTTP and the command line share. Each is part of its caller's transaction, but for
//! those of [`admin`], which are transactions by themselves.

pub mod admin;

use crate::store::inbox::{self, Item};
use crate::store::turns::{self, Claimant, NewTurn, TurnStatus};
use crate::store::{StoreError, Tx, deliveries, entries, sessions};

/// Whose work may be touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose<'a> {
    /// Everybody's: for owners, and in private chats.
    Everybodys,
    /// That of this sender.
    Sender(&'a str),
}

/// What a stop has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// Work was stopped.
    Stopped(Stopped),
    /// There was nothing to stop.
    Nothing,
    /// What runs is somebody else's. Nothing was changed.
    NotTheirs,
}

/// What was stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The agent whose session it was.
    pub agent: String,
    /// The turn that was cancelled.
    pub turn_id: i64,
}

/// Stops what a session is doing and has still to do: its open turn is cancelled, its waiting input is
/// consumed by it unanswered, what was not sent yet is not sent.
pub async fn stop(tx: &mut Tx<'_>, session_id: i64, whose: Whose<'_>) -> Result<Stop, StoreError> {
    let session = sessions::lock(tx, session_id).await?;
    let mut items = inbox::pending(tx, session_id).await?;
    if let Whose::Sender(sender) = whose {
        items.retain(|item| item.sender == sender);
        if let Some(turn_id) = session.open_turn
            && turns::asked_by(tx, turn_id).await? != sender
        {
            return Ok(Stop::NotTheirs);
        }
    }
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
        (None, None) => return Ok(Stop::Nothing),
    };
    match whose {
        Whose::Everybodys => deliveries::cancel_of_session(tx, session_id).await?,
        Whose::Sender(_) => deliveries::cancel_of_turn(tx, turn_id).await?,
    }
    consume(tx, turn_id, &items).await?;
    Ok(Stop::Stopped(Stopped { agent: session.agent, turn_id }))
}

async fn consume(tx: &mut Tx<'_>, turn_id: i64, items: &[Item]) -> Result<(), StoreError> {
    if items.is_empty() {
        return Ok(());
    }
    let turn = turns::get(tx, turn_id).await?;
    inbox::consume(tx, items, turn_id).await?;
    entries::append_input(tx, &turn, 0, items).await
}

/// Starts a session afresh under the same key. Unless `keep`, what it was doing is stopped; if that is
/// somebody else's, nothing is changed.
pub async fn renew(
    tx: &mut Tx<'_>,
    session_id: i64,
    keep: bool,
    whose: Whose<'_>,
) -> Result<Stop, StoreError> {
    let stopped = if keep { Stop::Nothing } else { stop(tx, session_id, whose).await? };
    if stopped != Stop::NotTheirs {
        sessions::renew(tx, session_id).await?;
    }
    Ok(stopped)
}
