//! A lane: the one task that delivers to a conversation, while there is something to deliver.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::Outbox;
use super::call::{call, not_called, start};
use super::commit::{CalledIn, Open};
use super::look::look;
use super::order::{self, Next};
use crate::store::StoreError;
use crate::store::deliveries::Delivery;

/// A lane that has to wait longer than this ends; the poll starts it again in time.
const PATIENCE: i64 = 3_000;

/// Delivers until nothing is left to do for now. `news` says that the lane was asked for more: perhaps to make
/// the call of a delivery that was stored as `sending`.
pub(super) async fn run(outbox: &Arc<Outbox>, conversation_id: i64, news: &Notify) -> Result<(), StoreError> {
    loop {
        // Once its time is over, it is looked for and must not be called for any more.
        let in_time = |delivery: &Delivery| delivery.call_until > Some(outbox.store.now());
        let handed = outbox.asked(conversation_id).filter(in_time);
        let read = Open { conversation_id, handed: handed.as_ref().map(|delivery| delivery.created_at) };
        let (mut place, open) = outbox.store.read(read).await?;
        let mut handed = handed.filter(|_| open.is_none());
        let mut open = open.unwrap_or_default();
        let Some(desk) = outbox.desk(&place.address.account) else { return Ok(()) };
        if desk.call_within(outbox.store.now()).is_none() {
            outbox.store.tell_said(&place.address.account, conversation_id);
            return Ok(());
        }
        loop {
            let now = outbox.store.now();
            open = match (handed.take(), order::next(&open, now, desk.stuck_until(now))) {
                (Some(delivery), _) => call(outbox, desk, &mut place, delivery).await?,
                (None, Next::Send(delivery)) => {
                    let delivery = delivery.clone();
                    let started = start(outbox, desk, &place, delivery, i64::MAX).await?;
                    let Some(started) = started else { return Ok(()) };
                    call(outbox, desk, &mut place, started).await?
                }
                (None, Next::Look(delivery)) => {
                    let delivery = delivery.clone();
                    look(outbox, desk, &mut place, delivery).await?
                }
                (None, Next::Wait(until)) if until - now <= PATIENCE => {
                    let pause = Duration::from_millis((until - now).unsigned_abs());
                    tokio::select! {
                        biased;
                        () = outbox.closed.cancelled() => return Ok(()),
                        () = tokio::time::sleep(pause) => {}
                        () = news.notified() => {}
                    }
                    break;
                }
                (None, Next::Wait(_) | Next::Idle) => return Ok(()),
            };
        }
    }
}

/// Leaves a conversation to whoever has its account next, with a delivery that this process was to call for.
pub(super) async fn leave(
    outbox: &Arc<Outbox>,
    conversation_id: i64,
    handed: Option<Delivery>,
) -> Result<(), StoreError> {
    let place = outbox.store.read(CalledIn(conversation_id)).await?;
    if let Some(delivery) = handed {
        not_called(outbox, &place, delivery, "its node is being told to stop").await?;
    }
    outbox.store.tell_said(&place.address.account, conversation_id);
    Ok(())
}
