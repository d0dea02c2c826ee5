//! A lane: the one task that delivers to a conversation, while there is something to deliver.

use std::time::Duration;

use roundtable_contract::{Found, Lost, MessageId, Receipt, SendError};
use tokio::sync::Notify;

use super::commit::{Around, Move, Open, Settle, StartCall};
use super::desk::Desk;
use super::order::{self, Next};
use super::{Outbox, verdict};
use crate::crash::{self, Side};
use crate::store::StoreError;
use crate::store::conversations::Place;
use crate::store::deliveries::{Delivery, Shown};

/// A lane that has to wait longer than this ends; the poll starts it again in time.
const PATIENCE: i64 = 3_000;

/// Delivers until nothing is left to do for now, or until it is woken from a sleep. `handed` is a delivery
/// that was stored as `sending` for this lane to call for.
pub(super) async fn run(
    outbox: &Outbox,
    conversation_id: i64,
    mut handed: Option<Delivery>,
    wake: &Notify,
) -> Result<(), StoreError> {
    loop {
        let (mut place, mut open) = outbox.store.read(Open { conversation_id }).await?;
        // A lane that the poll began may have looked into it already: to call then would show it twice.
        handed = handed.filter(|delivery| open.contains(delivery));
        let Some(desk) = outbox.desk(&place.address.account) else { return Ok(()) };
        loop {
            let now = outbox.store.now();
            open = match (handed.take(), order::next(&open, now)) {
                (Some(delivery), _) => call(outbox, desk, &mut place, delivery).await?,
                (None, Next::Send(delivery)) => {
                    let delivery = delivery.clone();
                    let Some(started) = start(outbox, desk, &place, delivery).await? else { return Ok(()) };
                    call(outbox, desk, &mut place, started).await?
                }
                (None, Next::Look(delivery)) => {
                    let delivery = delivery.clone();
                    look(outbox, desk, &place, delivery).await?
                }
                (None, Next::Wait(until)) if until - now <= PATIENCE => {
                    tokio::select! {
                        () = tokio::time::sleep(Duration::from_millis((until - now).unsigned_abs())) => break,
                        () = wake.notified() => return Ok(()),
                    }
                }
                (None, Next::Wait(_) | Next::Idle) => return Ok(()),
            };
        }
    }
}

/// Waits for the chat's turn and marks the call as on its way. `None`: the account is not ours any more.
async fn start(
    outbox: &Outbox,
    desk: &Desk,
    place: &Place,
    delivery: Delivery,
) -> Result<Option<Delivery>, StoreError> {
    while let Err(wait) = desk.pace(place, outbox.store.now()) {
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
    let Some(within) = desk.call_within(outbox.store.now()) else { return Ok(None) };
    match outbox.store.commit(StartCall { delivery, within }).await {
        Ok(delivery) => Ok(Some(delivery)),
        // Somebody discarded or cancelled it meanwhile.
        Err(StoreError::Stale) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the call that is marked as on its way and records what it has shown.
async fn call(
    outbox: &Outbox,
    desk: &Desk,
    place: &mut Place,
    delivery: Delivery,
) -> Result<Vec<Delivery>, StoreError> {
    let left = u64::try_from(delivery.call_until.unwrap_or(0) - outbox.store.now()).unwrap_or(0);
    if left == 0 {
        // Too late to begin, as the account may be another process's by now. The poll has it looked into.
        return Ok(Vec::new());
    }
    let timeout = Duration::from_millis(left);
    crash::point("call", kind(&delivery), Side::Before);
    let outcome = tokio::time::timeout(timeout, send(desk, place, &delivery))
        .await
        .unwrap_or_else(|_| Err(SendError::Unknown { reason: "no answer in time".into() }));
    crash::point("call", kind(&delivery), Side::After);
    let now = outbox.store.now();
    if let Err(error) = &outcome {
        tracing::warn!(delivery.id, account = %place.address.account, %error, "a message was not delivered");
    }
    match &outcome {
        Err(SendError::RateLimited { after, whole_account }) => {
            let pause = i64::try_from(after.as_millis()).unwrap_or(i64::MAX / 4);
            desk.close(place, *whole_account, now + pause);
        }
        Err(SendError::Moved { to }) => {
            let from = std::mem::replace(&mut place.address.chat, to.clone());
            let space = desk.channel.id_space(&place.address);
            let account = place.address.account.clone();
            outbox.store.commit(Move { account, from, to: to.clone(), space }).await?;
        }
        _ => {}
    }
    let shown = verdict::of_call(&delivery, &outcome, &desk.channel.limits(), now);
    settle(outbox, delivery, shown).await
}

fn kind(delivery: &Delivery) -> &'static str {
    if delivery.message.is_some() { "edit" } else { "send" }
}

async fn send(desk: &Desk, place: &Place, delivery: &Delivery) -> Result<Receipt, SendError> {
    match (delivery.message, desk.channel.edits()) {
        (Some(id), Some(edits)) => {
            edits.edit(&place.address, id, &delivery.part).await.map(|()| Receipt { id })
        }
        _ => desk.channel.send(&place.address, &delivery.part, &delivery.nonce()).await,
    }
}

/// Finds out about a delivery whose call was cut off or not answered.
async fn look(
    outbox: &Outbox,
    desk: &Desk,
    place: &Place,
    delivery: Delivery,
) -> Result<Vec<Delivery>, StoreError> {
    if desk.call_within(outbox.store.now()).is_none() {
        return Ok(Vec::new());
    }
    let delivery = count_unknown(outbox, delivery).await?;
    let found = match desk.channel.reconcile() {
        // The second step of a two-step delivery may simply be made again.
        _ if delivery.message.is_some() => Ok(Found::Absent),
        None => Ok(Found::Unclear),
        Some(reconcile) => {
            let (known, others) = outbox.store.read(Around { place, delivery: &delivery }).await?;
            let lost = Lost {
                conversation: &place.address,
                part: &delivery.part,
                nonce: &delivery.nonce(),
                after: delivery.after.unwrap_or(MessageId(0)),
                before: known.before,
                taken: &known.taken,
                others_unknown: u32::try_from(others).unwrap_or(u32::MAX),
            };
            crash::point("call", "find", Side::Before);
            let found = reconcile.find(&lost).await;
            crash::point("call", "find", Side::After);
            found
        }
    };
    tracing::info!(delivery.id, account = %place.address.account, ?found, "a message of unknown outcome was looked for");
    let shown = verdict::of_look(&delivery, &found, &desk.channel.limits(), outbox.store.now());
    settle(outbox, delivery, shown).await
}

/// A call of a process that died has no outcome: it becomes `unknown` before anything is asked, so that
/// it is counted once however often the asking is cut off.
async fn count_unknown(outbox: &Outbox, delivery: Delivery) -> Result<Delivery, StoreError> {
    if delivery.state != crate::store::deliveries::State::Sending {
        return Ok(delivery);
    }
    let shown =
        Shown::Unknown { due_at: outbox.store.now(), error: "the process stopped while it was sent".into() };
    let id = delivery.id;
    let open = outbox.store.commit(Settle { delivery, shown }).await?;
    open.into_iter().find(|open| open.id == id).ok_or(StoreError::Stale)
}

async fn settle(outbox: &Outbox, delivery: Delivery, shown: Shown) -> Result<Vec<Delivery>, StoreError> {
    outbox.store.commit(Settle { delivery, shown }).await
}
