//! One call for a delivery: when it may begin, until when it must be over, and what is recorded of it.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use roundtable_contract::{ChatId, Conversation, Edits, MessageId, Receipt, SendError, Threads};

use super::commit::{CalledIn, Close, Move, Settle, Settled, StartCall};
use super::desk::Desk;
use super::{Outbox, verdict};
use crate::crash::{self, Side};
use crate::metrics::Counted;
use crate::store::StoreError;
use crate::store::conversations::Place;
use crate::store::deliveries::{Delivery, Shown, Thread};
use crate::time::millis;

/// By so many milliseconds nodes may differ whose database answers in that time, and one from itself a little later: a
/// platform's pause is kept for that much longer.
const AGREEMENT: i64 = 50;

/// Waits for the chat's turn and marks the call as on its way. `None`: the account is not ours any more, or won't be,
/// or it is later than `until`.
pub(super) async fn start(
    outbox: &Arc<Outbox>,
    desk: &Desk,
    place: &Place,
    delivery: Delivery,
    until: i64,
) -> Result<Option<Delivery>, StoreError> {
    // Whoever must wait takes no slot from the look that it waits for.
    if is_in_the_way(desk, place, &delivery) {
        return Ok(None);
    }
    let paced = paced(outbox, desk, place).await;
    let now = outbox.store.now();
    if !paced || now > until || desk.call_within(now).is_none() || is_in_the_way(desk, place, &delivery) {
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

/// Whether this would show something new where a lost message is looked for. It is called for after that.
fn is_in_the_way(desk: &Desk, place: &Place, delivery: &Delivery) -> bool {
    delivery.message.is_none() && desk.is_searched(place)
}

/// Makes the call that is marked as on its way and records what it has shown.
pub(super) async fn call(
    outbox: &Arc<Outbox>,
    desk: &Desk,
    place: &mut Place,
    delivery: Delivery,
) -> Result<Vec<Delivery>, StoreError> {
    // Even a call that is cut off at once may be seen, and the account may have become another process's while the
    // call was being stored.
    let now = outbox.store.now();
    let Some(within) = desk.call_within(now) else {
        return put_back(outbox, place, delivery, "its account is not this node's any more").await;
    };
    // Another call of the chat may have been told so while this one was stored.
    if desk.is_closed(place, now) {
        return put_back(outbox, place, delivery, "the platform has asked for a pause").await;
    }
    // A look that has begun since may know nothing of this one.
    if is_in_the_way(desk, place, &delivery) {
        return put_back(outbox, place, delivery, "another message of its chat is looked for").await;
    }
    // What it may have been on its way for must be over when it is looked for.
    if now + desk.on_its_way() > delivery.call_until.unwrap_or(0) {
        return put_back(outbox, place, delivery, "the database took too long to store that it is sent")
            .await;
    }
    let until = now + within;
    let there = called_in(outbox, place, &delivery).await?;
    let step = Step::of(desk, &delivery);
    crash::call(&there.address.account, step.name(), Side::Before);
    let outcome = in_time(outbox, until, step.take(desk, &there, &delivery)).await;
    crash::call(&there.address.account, step.name(), Side::After);
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
    let open = settle(outbox, there, delivery, shown, counted).await?;
    if opens {
        outbox.threads.notify_one();
    }
    Ok(open)
}

/// Puts a delivery back that was stored as on its way and was not called for. If somebody looks for it by now, that goes
/// on.
pub(super) async fn put_back(
    outbox: &Arc<Outbox>,
    place: &Place,
    delivery: Delivery,
    why: &str,
) -> Result<Vec<Delivery>, StoreError> {
    let shown = verdict::again(&delivery, outbox.store.now(), why.to_owned());
    let counted = Counted::of(&delivery, &shown, None);
    settle(outbox, place.clone(), delivery, shown, counted).await
}

/// What a call has shown.
enum Sent {
    Message(Receipt),
    Thread(Conversation),
}

/// What is called for: in two-step sends and threads from messages first the one, then the other.
#[derive(Clone, Copy)]
enum Step<'a> {
    Send,
    Edit(&'a dyn Edits, MessageId),
    Open(&'a dyn Threads),
}

impl<'a> Step<'a> {
    fn of(desk: &'a Desk, delivery: &Delivery) -> Self {
        if let (Some(_), Some(threads)) = (delivery.opens_for, desk.channel.threads())
            && (delivery.message.is_some() || delivery.part.stub.is_none())
        {
            return Self::Open(threads);
        }
        match (delivery.message, desk.channel.edits()) {
            (Some(id), Some(edits)) => Self::Edit(edits, id),
            _ => Self::Send,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Edit(..) => "edit",
            Self::Open(_) => "open",
        }
    }

    async fn take(self, desk: &Desk, place: &Place, delivery: &Delivery) -> Result<Sent, SendError> {
        let (here, part) = (&place.address, &delivery.part);
        match self {
            Self::Send => desk.channel.send(here, part, &delivery.nonce()).await.map(Sent::Message),
            Self::Edit(edits, id) => edits.edit(here, id, part).await.map(|()| Sent::Message(Receipt { id })),
            Self::Open(threads) => threads.open(here, &part.body, delivery.message).await.map(Sent::Thread),
        }
    }
}

/// Makes a call that is over at the time `until`. A process that was stopped meanwhile must not begin with it when it
/// wakes: so the clock is looked at before each piece of work, and not only beside it.
pub(super) async fn in_time<T>(
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

/// Where the call for a delivery was made: its conversation may have another address by now.
pub(super) async fn called_in(
    outbox: &Outbox,
    place: &Place,
    delivery: &Delivery,
) -> Result<Place, StoreError> {
    match delivery.called_in {
        Some(id) => outbox.store.read(CalledIn(id)).await,
        None => Ok(place.clone()),
    }
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
            let until = now + millis(*after) + AGREEMENT;
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

/// The chat continues as `to`.
pub(super) async fn moved(
    outbox: &Arc<Outbox>,
    desk: &Desk,
    place: &mut Place,
    to: &ChatId,
) -> Result<(), StoreError> {
    let from = std::mem::replace(&mut place.address.chat, to.clone());
    let space = desk.channel.id_space(&place.address);
    let account = place.address.account.clone();
    place.space_id = outbox.store.commit(Move { account, from, to: to.clone(), space }).await?;
    Ok(())
}

/// Waits for the chat's turn; `false`: somebody else will, for this node is being told to stop.
pub(super) async fn paced(outbox: &Outbox, desk: &Desk, place: &Place) -> bool {
    while let Err(wait) = desk.pace(place, outbox.store.now()) {
        tokio::select! {
            biased;
            () = outbox.closed.cancelled() => return false,
            () = tokio::time::sleep(Duration::from_millis(wait)) => {}
        }
    }
    true
}

/// Records what is known of a delivery that was called or looked for `there`, and counts it if nobody else knew.
pub(super) async fn settle(
    outbox: &Arc<Outbox>,
    there: Place,
    delivery: Delivery,
    shown: Shown,
    counted: Option<Counted>,
) -> Result<Vec<Delivery>, StoreError> {
    let account = there.address.account.clone();
    let settle = Settle { delivery, there, shown };
    let Settled { news, open, beside } = outbox.store.commit(settle).await?;
    if let Some(counted) = counted.filter(|_| news) {
        outbox.metrics.count(&account, counted);
    }
    if let Some(conversation_id) = beside {
        outbox.work(conversation_id, None);
    }
    Ok(open)
}
