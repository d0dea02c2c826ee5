//! A lane: the one task that delivers to a conversation, while there is something to deliver.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::Outbox;
use super::call::{call, put_back, start};
use super::commit::{CalledIn, Open};
use super::look::look;
use super::order::{self, Next};
use crate::store::StoreError;
use crate::store::conversations::Place;
use crate::store::deliveries::Delivery;

/// A lane that has to wait longer than this ends; the poll starts it again in time.
const PATIENCE: i64 = 3_000;

/// Delivers until nothing is left to do for now. `news` says that the lane was asked for more: perhaps to make
/// the call of a delivery that was stored as `sending`.
pub(super) async fn run(outbox: &Arc<Outbox>, conversation_id: i64, news: &Notify) -> Result<(), StoreError> {
    loop {
        let handed = outbox.asked(conversation_id);
        let read = Open { conversation_id, handed: handed.as_ref().map(|delivery| delivery.created_at) };
        let (mut place, open) = outbox.store.read(read).await?;
        let Some(desk) = outbox.desk(&place.address.account) else { return Ok(()) };
        if desk.call_within(outbox.store.now()).is_none() {
            return leave(outbox, &place, handed, "its account is not this node's any more").await;
        }
        let mut open = match (handed, open) {
            (Some(delivery), None) => call(outbox, desk, &mut place, delivery).await?,
            (Some(delivery), Some(_)) => put_back(outbox, &place, delivery, "its chat has moved").await?,
            (None, open) => open.unwrap_or_default(),
        };
        loop {
            let now = outbox.store.now();
            open = match order::next(&open, now, desk.stuck_until(now)) {
                Next::Send(delivery) => {
                    let delivery = delivery.clone();
                    let started = start(outbox, desk, &place, delivery, i64::MAX).await?;
                    let Some(started) = started else { return Ok(()) };
                    call(outbox, desk, &mut place, started).await?
                }
                Next::Look(delivery) => {
                    let delivery = delivery.clone();
                    look(outbox, desk, &mut place, delivery).await?
                }
                Next::Wait(until) if until - now <= PATIENCE => {
                    let pause = Duration::from_millis((until - now).unsigned_abs());
                    tokio::select! {
                        biased;
                        () = outbox.closed.cancelled() => return Ok(()),
                        () = tokio::time::sleep(pause) => {}
                        () = news.notified() => {}
                    }
                    break;
                }
                Next::Wait(_) | Next::Idle => return Ok(()),
            };
        }
    }
}

/// Leaves a conversation of which nothing is at work yet to whoever has its account next.
pub(super) async fn leave_all(
    outbox: &Arc<Outbox>,
    conversation_id: i64,
    handed: Option<Delivery>,
) -> Result<(), StoreError> {
    let place = outbox.store.read(CalledIn(conversation_id)).await?;
    leave(outbox, &place, handed, "its node is being told to stop").await
}

/// Leaves a conversation to whoever has its account, with a delivery that this process was to call for.
async fn leave(
    outbox: &Arc<Outbox>,
    place: &Place,
    handed: Option<Delivery>,
    why: &str,
) -> Result<(), StoreError> {
    if let Some(delivery) = handed {
        put_back(outbox, place, delivery, why).await?;
    }
    outbox.store.tell_said(&place.address.account, place.id);
    Ok(())
}
