//! Whose work a session does: others' is for owners and for whoever it was asked for by.

use crate::engine::Whose;
use crate::store::runs::{self, Run};
use crate::store::{StoreError, Tx, turns};

/// As whom somebody may touch a session's work. That of a live run belongs as a whole to the person behind it, through
/// however many agents; `None`: that is somebody else. Any other session's work belongs to those who wrote to it.
///
/// # Errors
///
/// Those of the database.
pub async fn reach<'a>(
    tx: &mut Tx<'_>,
    session_id: i64,
    whose: Whose<'a>,
) -> Result<Option<Whose<'a>>, StoreError> {
    let Whose::Sender(sender) = whose else { return Ok(Some(whose)) };
    let Some(run) = runs::of_session(tx, session_id).await?.filter(|run| run.ended_at.is_none()) else {
        return Ok(Some(whose));
    };
    let theirs = person_behind(tx, run).await? == sender;
    Ok(theirs.then_some(Whose::EverybodysBy(sender)))
}

/// The person whose wish led to a run: the one who asked the turn that asked the turn that asked for it.
async fn person_behind(tx: &mut Tx<'_>, mut run: Run) -> Result<String, StoreError> {
    while run.turn_id != 0 {
        let asking = turns::get(tx, run.turn_id).await?.session_id;
        match runs::of_session(tx, asking).await? {
            Some(above) => run = above,
            None => break,
        }
    }
    runs::asked_by(tx, &run).await
}
