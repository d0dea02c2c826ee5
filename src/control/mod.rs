//! The verbs that commands, HTTP and the command line share. Each is part of its caller's transaction, but for
//! those of [`admin`], which are transactions by themselves.

pub mod admin;

use crate::engine::{Effects, Stop, Team, Whose, stop};
use crate::store::{StoreError, Tx, sessions};

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
    let stopped = match keep {
        true => Stop::Nothing,
        false => stop(tx, team, session_id, whose, "a new conversation was begun", after).await?,
    };
    if stopped != Stop::NotTheirs {
        sessions::renew(tx, session_id).await?;
    }
    Ok(stopped)
}
