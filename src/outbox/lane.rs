//! A lane: the one task that delivers to a conversation, while there is something to deliver.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use roundtable_contract::{ChatId, Conversation, Found, Lost, MessageId, Receipt, Reconcile, SendError};
use tokio::sync::Notify;

use super::commit::{Around, CalledIn, Close, Move, NUMBERS, Open, Settle, Settled, StartCall};
use super::desk::Desk;
use super::order::{self, Next};
use super::{Outbox, verdict};
use crate::crash::{self, Side};
use crate::metrics::Counted;
use crate::store::StoreError;
use crate::store::conversations::Place;
use crate::store::deliveries::{Delivery, Shown, State, Thread};

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

/// Waits for the chat's turn; `false`: somebody else will, for this node is being told to stop.
async fn paced(outbox: &Outbox, desk: &Desk, place: &Place) -> bool {
    while let Err(wait) = desk.pace(place, outbox.store.now()) {
        tokio::select! {
            biased;
            () = outbox.closed.cancelled() => return false,
            () = tokio::time::sleep(Duration::from_millis(wait)) => {}
        }
    }
    true
}

/// Waits for the chat's turn and marks the call as on its way. `None`: the account is not ours any more, or won't be,
/// or it is later than `until`.
async fn start(
    outbox: &Arc<Outbox>,
    desk: &Desk,
    place: &Place,
    delivery: Delivery,
    until: i64,
) -> Result<Option<Delivery>, StoreError> {
    let paced = paced(outbox, desk, place).await;
    let now = outbox.store.now();
    if !paced || now > until || desk.call_within(now).is_none() {
        return Ok(None);
    }
    let start = StartCall {
        within: desk.over_within(delivery.attempts),
        delivery,
        stuck_until: desk.stuck_until(now),
    };
    match outbox.store.commit(start).await {
        Ok(delivery) => Ok(Some(delivery)),
        // Somebody discarded or cancelled it meanwhile, or it must wait for another message of its chat:
        // whoever settles that one says when.
        Err(StoreError::Stale) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the call that is marked as on its way and records what it has shown.
async fn call(
    outbox: &Arc<Outbox>,
    desk: &Desk,
    place: &mut Place,
    delivery: Delivery,
) -> Result<Vec<Delivery>, StoreError> {
    // Even a call that is cut off at once may be seen, and the account may have become another process's while the
    // call was being stored.
    let now = outbox.store.now();
    let Some(within) = desk.call_within(now) else { return Ok(Vec::new()) };
    // What it may have been on its way for must be over when it is looked for.
    if now + desk.on_its_way() > delivery.call_until.unwrap_or(0) {
        return not_called(outbox, place, delivery, "the database took too long to store that it is sent")
            .await;
    }
    let until = now + within;
    let there = called_in(outbox, place, &delivery).await?;
    crash::point("call", kind(&delivery), Side::Before);
    let outcome = in_time(outbox, until, send(desk, &there, &delivery)).await;
    crash::point("call", kind(&delivery), Side::After);
    if let Err(error) = &outcome {
        tracing::warn!(delivery.id, account = %place.address.account, %error, "a message was not delivered");
        heed(outbox, desk, place, error).await?;
    }
    if let Err(SendError::Moved { to }) = &outcome
        && delivery.message.is_none()
    {
        moved(outbox, desk, place, to).await?;
    }
    let read = |outcome| {
        let since = desk.tried_since(&delivery);
        verdict::of_call(&delivery, &outcome, &desk.channel.limits(), since, outbox.store.now())
    };
    let shown = match outcome {
        Ok(Sent::Thread(address)) => {
            let space = desk.channel.id_space(&address);
            Shown::Opened(Thread { address, space })
        }
        Ok(Sent::Message(receipt)) => read(Ok(receipt)),
        Err(error) => read(Err(error)),
    };
    let opens = delivery.opens_for.is_some();
    let counted = Counted::of(&delivery, &shown, None);
    let open = settle(outbox, place, delivery, shown, counted).await?;
    if opens {
        outbox.threads.notify_one();
    }
    Ok(open)
}

/// Puts a delivery back that was stored as on its way and is not.
async fn not_called(
    outbox: &Arc<Outbox>,
    place: &Place,
    delivery: Delivery,
    why: &str,
) -> Result<Vec<Delivery>, StoreError> {
    let shown = verdict::again(&delivery, outbox.store.now(), why.to_owned());
    let counted = Counted::of(&delivery, &shown, None);
    settle(outbox, place, delivery, shown, counted).await
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

/// The chat continues as `to`.
async fn moved(outbox: &Arc<Outbox>, desk: &Desk, place: &mut Place, to: &ChatId) -> Result<(), StoreError> {
    let from = std::mem::replace(&mut place.address.chat, to.clone());
    let space = desk.channel.id_space(&place.address);
    let account = place.address.account.clone();
    place.space_id = outbox.store.commit(Move { account, from, to: to.clone(), space }).await?;
    Ok(())
}

/// Makes a call that is over at the time `until`. A process that was stopped meanwhile must not begin with it when it
/// wakes: so the clock is looked at before each piece of work, and not only beside it.
async fn in_time<T>(
    outbox: &Outbox,
    until: i64,
    call: impl Future<Output = Result<T, SendError>>,
) -> Result<T, SendError> {
    let over = || Err(SendError::Unknown { reason: "no answer in time".into() });
    let left = || u64::try_from(until - outbox.store.now()).unwrap_or(0);
    let mut call = pin!(call);
    let work = poll_fn(|context| match left() {
        0 => Poll::Ready(over()),
        _ => call.as_mut().poll(context),
    });
    tokio::time::timeout(Duration::from_millis(left()), work).await.unwrap_or_else(|_| over())
}

/// What a call has shown.
enum Sent {
    Message(Receipt),
    Thread(Conversation),
}

/// Keeps the pause that the platform asks for, and stores it for whoever has the account next; and keeps in mind that
/// the platform is away.
pub(super) async fn heed(
    outbox: &Outbox,
    desk: &Desk,
    place: &Place,
    error: &SendError,
) -> Result<(), StoreError> {
    let now = outbox.store.now();
    match error {
        SendError::RateLimited { after, whole_account } => {
            let until = now + i64::try_from(after.as_millis()).unwrap_or(i64::MAX / 4);
            let chat = (!whole_account).then(|| place.address.chat.clone());
            desk.close(chat.as_ref(), until);
            outbox.store.commit(Close { account: place.address.account.clone(), chat, until }).await
        }
        SendError::Unreachable { .. } => {
            desk.missed(now);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn kind(delivery: &Delivery) -> &'static str {
    if delivery.message.is_some() { "edit" } else { "send" }
}

async fn send(desk: &Desk, place: &Place, delivery: &Delivery) -> Result<Sent, SendError> {
    if let (Some(_), Some(threads)) = (delivery.opens_for, desk.channel.threads())
        && (delivery.message.is_some() || delivery.part.stub.is_none())
    {
        let opened = threads.open(&place.address, &delivery.part.body, delivery.message).await;
        return opened.map(Sent::Thread);
    }
    match (delivery.message, desk.channel.edits()) {
        (Some(id), Some(edits)) => {
            edits.edit(&place.address, id, &delivery.part).await.map(|()| Sent::Message(Receipt { id }))
        }
        _ => desk.channel.send(&place.address, &delivery.part, &delivery.nonce()).await.map(Sent::Message),
    }
}

/// Where the call for a delivery was made: its conversation may have another address by now.
async fn called_in(outbox: &Outbox, place: &Place, delivery: &Delivery) -> Result<Place, StoreError> {
    match delivery.called_in {
        Some(id) => outbox.store.read(CalledIn(id)).await,
        None => Ok(place.clone()),
    }
}

/// Finds out about a delivery whose call was cut off or not answered.
async fn look(
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
    let shown = verdict::of_look(&delivery, &found, &desk.channel.limits(), outbox.store.now());
    let counted = Counted::of(&delivery, &shown, Some(&found));
    settle(outbox, place, delivery, shown, counted).await
}

/// Sends again what may be there, while that shows nothing new. If it can't be in time, it is looked for again.
async fn repeat(
    outbox: &Arc<Outbox>,
    desk: &Desk,
    place: &mut Place,
    delivery: Delivery,
    within: Duration,
) -> Result<Vec<Delivery>, StoreError> {
    let until = outbox.store.now() + i64::try_from(within.as_millis()).unwrap_or(i64::MAX / 4);
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
            // Its first call began then, at the earliest.
            age: since(delivery.created_at, outbox.store.now()),
            after,
            taken: &taken,
            ruled_out,
            others_unknown: u32::try_from(others).unwrap_or(u32::MAX),
        };
        let now = outbox.store.now();
        let Some(within) = desk.call_within(now) else { return Ok(None) };
        crash::point("call", "find", Side::Before);
        let found = in_time(outbox, now + within, reconcile.find(&lost)).await;
        crash::point("call", "find", Side::After);
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
    let open = settle(outbox, place, delivery, shown, Some(Counted::Unknown)).await?;
    open.into_iter().find(|open| open.id == id).ok_or(StoreError::Stale)
}

/// Records what is known, and counts it if nobody else knew.
async fn settle(
    outbox: &Arc<Outbox>,
    place: &Place,
    delivery: Delivery,
    shown: Shown,
    counted: Option<Counted>,
) -> Result<Vec<Delivery>, StoreError> {
    let Settled { news, open, beside } = outbox.store.commit(Settle { delivery, shown }).await?;
    if let Some(counted) = counted.filter(|_| news) {
        outbox.metrics.count(&place.address.account, counted);
    }
    if let Some(conversation_id) = beside {
        outbox.work(conversation_id, None);
    }
    Ok(open)
}
