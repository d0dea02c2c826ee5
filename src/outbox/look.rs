//! A look at the platform: whether a delivery whose call was cut off or not answered is there.

use std::sync::Arc;
use std::time::Duration;

use roundtable_contract::{Found, Lost, MessageId, Reconcile, SendError};

use super::call::{call, called_in, heed, in_time, moved, paced, settle, start};
use super::commit::{Around, NUMBERS};
use super::desk::Desk;
use super::{Outbox, verdict};
use crate::crash::{self, Side};
use crate::metrics::Counted;
use crate::store::StoreError;
use crate::store::conversations::Place;
use crate::store::deliveries::{Delivery, Shown, State};
use crate::time::millis;

/// Finds out about a delivery whose call was cut off or not answered.
pub(super) async fn look(
    outbox: &Arc<Outbox>,
    desk: &Desk,
    place: &mut Place,
    delivery: Delivery,
) -> Result<Vec<Delivery>, StoreError> {
    if desk.call_within(outbox.store.now()).is_none() {
        return Ok(Vec::new());
    }
    let delivery = count_unknown(outbox, place, delivery).await?;
    let there = called_in(outbox, place, &delivery).await?;
    let found = match desk.channel.reconcile() {
        // The second step of a two-step delivery may simply be made again.
        _ if delivery.message.is_some() => Ok(Found::Absent),
        _ if delivery.opens_for.is_some() && delivery.part.stub.is_none() => {
            Ok(opened_or_not(outbox, desk, &delivery))
        }
        None => Ok(Found::Unclear),
        Some(reconcile) => match find(outbox, desk, reconcile, &there, &delivery).await? {
            Some(found) => found,
            None => return Ok(Vec::new()),
        },
    };
    let found = match found {
        // Nothing is shown any more where it was.
        Err(SendError::Moved { to }) => {
            moved(outbox, desk, place, &to).await?;
            Ok(Found::Unclear)
        }
        found => found,
    };
    tracing::info!(delivery.id, account = %place.address.account, ?found, "a message of unknown outcome was looked for");
    if let Ok(Found::Repeatable(within)) = found {
        return repeat(outbox, desk, place, delivery, within).await;
    }
    let since = desk.tried_since(&delivery);
    let shown = verdict::of_look(&delivery, &found, &desk.channel.limits(), since, outbox.store.now());
    let counted = Counted::of(&delivery, &shown, Some(&found));
    settle(outbox, there, delivery, shown, counted).await
}

/// Sends again what may be there, while that shows nothing new. If it can't be in time, it is looked for again.
async fn repeat(
    outbox: &Arc<Outbox>,
    desk: &Desk,
    place: &mut Place,
    delivery: Delivery,
    within: Duration,
) -> Result<Vec<Delivery>, StoreError> {
    let until = outbox.store.now() + millis(within);
    match start(outbox, desk, place, delivery, until).await? {
        Some(started) => {
            outbox.metrics.count(&place.address.account, Counted::Resent);
            call(outbox, desk, place, started).await
        }
        None => Ok(Vec::new()),
    }
}

/// The platform's own event would have told of a thread that is there, once all is read that came until the call was
/// over.
fn opened_or_not(outbox: &Outbox, desk: &Desk, delivery: &Delivery) -> Found {
    let over = delivery.call_until.unwrap_or(delivery.created_at);
    match desk.channel.threads() {
        Some(threads) if !threads.has_told_all(since(over, outbox.store.now())) => Found::Later,
        _ => Found::Absent,
    }
}

/// Looks for a lost message, call by call at the chat's pace. `None`: the account is not ours any more, or won't be.
async fn find(
    outbox: &Arc<Outbox>,
    desk: &Desk,
    reconcile: &dyn Reconcile,
    place: &Place,
    delivery: &Delivery,
) -> Result<Option<Result<Found, SendError>>, StoreError> {
    let (mut after, mut ruled_out) = (delivery.after.unwrap_or(MessageId(0)), 0);
    let _search = desk.search(&place.address.chat);
    loop {
        if !paced(outbox, desk, place).await {
            return Ok(None);
        }
        let (taken, others) = outbox.store.read(Around { place, delivery, after }).await?;
        if taken.len() >= NUMBERS {
            return Ok(Some(Ok(Found::Unclear)));
        }
        let lost = Lost {
            conversation: &place.address,
            part: &delivery.part,
            nonce: &delivery.nonce(),
            age: age(delivery, outbox.store.now()),
            after,
            taken: &taken,
            ruled_out,
            others_unknown: u32::try_from(others).unwrap_or(u32::MAX),
        };
        let now = outbox.store.now();
        let Some(within) = desk.call_within(now) else { return Ok(None) };
        crash::call(&place.address.account, "find", Side::Before);
        let found = in_time(outbox, now + within, reconcile.find(&lost)).await;
        crash::call(&place.address.account, "find", Side::After);
        if let Err(error) = &found {
            heed(outbox, desk, place, error).await?;
        }
        match found {
            Ok(Found::Further(id)) => (after, ruled_out) = (id, ruled_out + 1),
            Err(SendError::RateLimited { .. }) => {}
            found => return Ok(Some(found)),
        }
    }
}

/// How long ago a delivery's first call began, at the earliest. By a clock that was set back nobody can tell.
fn age(delivery: &Delivery, now: i64) -> Duration {
    if delivery.created_at > now { Duration::MAX } else { since(delivery.created_at, now) }
}

/// How long ago `then` was.
fn since(then: i64, now: i64) -> Duration {
    Duration::from_millis(u64::try_from(now - then).unwrap_or(0))
}

/// A call of a process that died has no outcome: it becomes `unknown` before anything is asked, so that
/// it is counted once however often the asking is cut off.
async fn count_unknown(
    outbox: &Arc<Outbox>,
    place: &Place,
    delivery: Delivery,
) -> Result<Delivery, StoreError> {
    if delivery.state != State::Sending {
        return Ok(delivery);
    }
    let shown =
        Shown::Unknown { due_at: outbox.store.now(), error: "the process stopped while it was sent".into() };
    let id = delivery.id;
    let open = settle(outbox, place.clone(), delivery, shown, Some(Counted::Unknown)).await?;
    // Its own process may have put it back.
    let lost = |open: &Delivery| open.id == id && open.state == State::Unknown;
    open.into_iter().find(lost).ok_or(StoreError::Stale)
}
