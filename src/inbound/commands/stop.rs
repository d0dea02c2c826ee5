//! `/stop`, `/kill`, `/new` and `/forget`.

use std::collections::BTreeSet;

use super::{Asked, Done};
use crate::control;
use crate::engine::{self, Effects};
use crate::phrases;
use crate::routing::Stop;
use crate::store::{StoreError, Tx, deliveries, runs, sessions, trees};

pub(super) async fn stop(tx: &mut Tx<'_>, asked: &Asked<'_>, which: &Stop) -> Result<Done, StoreError> {
    if let Stop::Label(label) = which {
        return kill(tx, asked, label).await;
    }
    let (mut stops, mut after) = (Vec::new(), Effects::default());
    for session in here(tx, asked).await? {
        stops.push(control::stop(tx, &asked.edges.team, session, asked.whose(), &mut after).await?);
    }
    let names = stopped(&stops);
    let text = if !names.is_empty() {
        phrases::stopped(&names)
    } else if stops.contains(&engine::Stop::NotTheirs) {
        phrases::not_yours_to_stop()
    } else {
        phrases::nothing_to_stop()
    };
    Ok(Done { text: Some(text), after })
}

pub(super) async fn kill(tx: &mut Tx<'_>, asked: &Asked<'_>, label: &str) -> Result<Done, StoreError> {
    let target = match asked.called(label) {
        Ok(target) => target,
        Err(nobody) => return Ok(Done::said(nobody)),
    };
    let Some(session) = asked.found(tx, &target).await? else {
        return Ok(Done::said(phrases::not_at_work(label)));
    };
    let mut after = Effects::default();
    let text = match control::stop(tx, &asked.edges.team, session, asked.whose(), &mut after).await? {
        stop @ engine::Stop::Stopped(_) => phrases::stopped(&stopped(&[stop])),
        engine::Stop::Nothing => phrases::not_at_work(label),
        engine::Stop::NotTheirs => phrases::not_yours(label),
    };
    Ok(Done { text: Some(text), after })
}

pub(super) async fn renew(tx: &mut Tx<'_>, asked: &Asked<'_>, keep: bool) -> Result<Done, StoreError> {
    let (mut stops, mut after) = (Vec::new(), Effects::default());
    for session in here(tx, asked).await? {
        stops.push(control::renew(tx, &asked.edges.team, session, keep, asked.whose(), &mut after).await?);
    }
    let names = stopped(&stops);
    let text = if stops.contains(&engine::Stop::NotTheirs) {
        phrases::not_yours_to_stop()
    } else {
        phrases::new_conversation(&names)
    };
    Ok(Done { text: Some(text), after })
}

/// Erases more than the sender's own words, so in a group it is for owners.
pub(super) async fn forget(tx: &mut Tx<'_>, asked: &Asked<'_>) -> Result<Done, StoreError> {
    if !asked.decides_for_everyone() {
        return Ok(Done::said(phrases::forget_is_for_owners()));
    }
    let (mut stops, mut after) = (Vec::new(), Effects::default());
    for session in here(tx, asked).await? {
        // One that is below another went with it.
        if sessions::in_use(tx, session).await?.is_some() {
            stops.push(control::forget(tx, &asked.edges.team, session, asked.whose(), &mut after).await?);
        }
    }
    deliveries::forget_own_words(tx, asked.place.id).await?;
    let text = match stops.is_empty() {
        true => phrases::nothing_to_forget(),
        false => phrases::forgotten(&stopped(&stops)),
    };
    Ok(Done { text: Some(text), after })
}

/// The sessions that answer here. Their trees are locked, in the order of their numbers: before one locks what lies
/// between trees it has all of them, as whoever asks somebody of another tree has its own.
async fn here(tx: &mut Tx<'_>, asked: &Asked<'_>) -> Result<Vec<i64>, StoreError> {
    let mut sessions = sessions::of_conversation(tx, asked.place.id).await?;
    if let Some(run) = asked.place.run_id {
        // The thread was opened for a child: it is its conversation too.
        sessions.push(runs::get(tx, run).await?.session_id);
    }
    let mut of_trees = BTreeSet::new();
    for session in &sessions {
        of_trees.extend(sessions::tree_of(tx, *session).await?);
    }
    for tree in of_trees {
        trees::lock(tx, tree).await?;
    }
    Ok(sessions)
}

/// Whose work was stopped, each once.
fn stopped(stops: &[engine::Stop]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for stop in stops {
        if let engine::Stop::Stopped(stopped) = stop {
            names.extend(
                stopped.iter().map(String::as_str).filter(|name| !names.contains(name)).collect::<Vec<_>>(),
            );
        }
    }
    names
}
