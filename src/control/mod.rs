//! The verbs that commands, HTTP and the command line share. Each is part of its caller's transaction, but for
//! those of [`admin`] and [`retention`], which are transactions by themselves.

pub mod admin;
mod reach;
pub mod retention;
mod spawn;
mod steer;
mod table;

use crate::engine::{self, Effects, Stop, Team, Whose};
use crate::store::{StoreError, Tx, deliveries, exchanges, retention as erasing, sessions, trees};

pub use reach::reach;
pub use spawn::{Refused, Task, spawn};
pub use steer::{Steered, Word, steer};
pub use table::{Seat, table};

/// Stops what a session is doing, with all that it started, if the one who asks may.
pub async fn stop(
    tx: &mut Tx<'_>,
    team: &Team,
    session_id: i64,
    whose: Whose<'_>,
    after: &mut Effects,
) -> Result<Stop, StoreError> {
    // Whose work it is must not change before it is stopped.
    let tree_id = sessions::get(tx, session_id).await?.tree_id;
    trees::lock(tx, tree_id).await?;
    match reach(tx, session_id, whose).await? {
        Some(whose) => engine::stop(tx, team, session_id, whose, "stopped by a person", after).await,
        None => Ok(Stop::NotTheirs),
    }
}

/// Starts a session afresh under the same key. Unless `keep`, what it was doing is stopped, with all that it
/// started; if that is somebody else's, nothing is changed.
pub async fn renew(
    tx: &mut Tx<'_>,
    team: &Team,
    session_id: i64,
    keep: bool,
    whose: Whose<'_>,
    after: &mut Effects,
) -> Result<Stop, StoreError> {
    let Some(whose) = reach(tx, session_id, whose).await? else { return Ok(Stop::NotTheirs) };
    let stopped = match keep {
        true => Stop::Nothing,
        false => engine::stop(tx, team, session_id, whose, "a new conversation was begun", after).await?,
    };
    if stopped != Stop::NotTheirs {
        engine::renew(tx, team, session_id, after).await?;
    }
    Ok(stopped)
}

/// Takes a session out of use, with all below it: what it was doing is stopped, what it has not said yet is not said,
/// and its rows are erased from now on.
pub async fn forget(
    tx: &mut Tx<'_>,
    team: &Team,
    session_id: i64,
    whose: Whose<'_>,
    after: &mut Effects,
) -> Result<Stop, StoreError> {
    let tree_id = sessions::get(tx, session_id).await?.tree_id;
    trees::lock(tx, tree_id).await?;
    // Nobody of another tree speaks to them meanwhile: what they are told would be told to nobody.
    trees::lock_between(tx).await?;
    let mut going = trees::descendants(tx, session_id).await?;
    going.push(session_id);
    for id in &going {
        exchanges::hold_open(tx, *id).await?;
    }
    let stopped = engine::stop(tx, team, session_id, whose, "its conversation was erased", after).await?;
    for id in going {
        exchanges::end_all(tx, id, "erased").await?;
        deliveries::drop_of_session(tx, id).await?;
        let now = tx.now();
        erasing::forget(tx, id, now).await?;
    }
    after.work = true;
    Ok(stopped)
}
