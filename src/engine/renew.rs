//! Beginning a session anew: what it has asked for before is shown to people and wakes nobody.

use serde_json::Value;

use super::effects::Effects;
use super::team::Team;
use super::{close, outcomes, stop};
use crate::store::inbox::{self, Item, ItemKind};
use crate::store::runs::{self, Announce};
use crate::store::sessions::{self, Session};
use crate::store::{StoreError, Tx, trees, waits};

/// Starts a new generation of a session. What is at work goes on.
pub async fn renew(
    tx: &mut Tx<'_>,
    team: &Team,
    session_id: i64,
    after: &mut Effects,
) -> Result<(), StoreError> {
    let tree_id = sessions::get(tx, session_id).await?.tree_id;
    // What ends at this moment is of the one generation or of the other.
    trees::lock(tx, tree_id).await?;
    let session = sessions::lock(tx, session_id).await?;
    post_unheard(tx, team, &session, after).await?;
    sessions::renew(tx, session_id).await?;
    // It may have been woken by what it has not heard, and its own run have ended then.
    close::end_left(tx, team, session_id, after).await
}

/// Takes the outcomes that a session has not heard of out of its inbox and posts those that people have not seen either;
/// unless a turn that goes on waits for outcomes, which will hear of these too.
async fn post_unheard(
    tx: &mut Tx<'_>,
    team: &Team,
    session: &Session,
    after: &mut Effects,
) -> Result<(), StoreError> {
    if !waits::covering(tx, session.id, session.generation).await?.is_empty() {
        return Ok(());
    }
    let mut items = inbox::pending(tx, session.id).await?;
    items.retain(|item| item.kind == ItemKind::Announce);
    let Some(first) = items.first() else { return Ok(()) };
    for item in &items {
        let Some(run) = item.run_id else { continue };
        let run = runs::get(tx, run).await?;
        if run.announce != Announce::Post && !was_seen(item) {
            let child = sessions::get(tx, run.session_id).await?;
            outcomes::post(tx, team, &run, &child, after).await?;
        }
    }
    let put_away = stop::record(tx, session, first).await?;
    inbox::consume(tx, &items, put_away).await
}

fn was_seen(told: &Item) -> bool {
    serde_json::from_str::<Value>(&told.body.text).is_ok_and(|told| told["shown"] == true)
}
