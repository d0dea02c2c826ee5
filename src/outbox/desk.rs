//! One account's desk in the outbox: its channel, its pace, and how long this process holds it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use roundtable_contract::{Channel, ChatId};
use tokio::sync::RwLock;

use super::pacing::Pacer;
use crate::store::conversations::Place;

/// Calls get at least this much time, in milliseconds; with less of the lease left none is begun.
const SHORTEST_CALL: i64 = 20;

/// One account.
pub(super) struct Desk {
    pub(super) channel: Arc<dyn Channel>,
    pacer: Mutex<Pacer>,
    /// Until when this process may call for the account; 0 when it doesn't hold it.
    held_until: AtomicI64,
    rooms: Mutex<HashMap<ChatId, Arc<Room>>>,
}

/// One chat, which the lanes of its threads share. Who looks for a lost message must be alone in it: what
/// another lane sends meanwhile could be taken for the lost one.
#[derive(Default)]
pub(super) struct Room {
    /// Held for reading by everyone who calls, from before the call until its outcome is stored; for writing by
    /// who looks, for one call.
    pub(super) door: RwLock<()>,
    /// Deliveries of this process that are marked as on their way, and wait at the door or are inside.
    callers: Mutex<Vec<i64>>,
}

/// Rooms that are remembered before the empty ones are forgotten.
const ROOMS: usize = 4096;

impl Desk {
    pub(super) fn new(channel: Arc<dyn Channel>) -> Self {
        let pacer = Mutex::new(Pacer::new(channel.limits()));
        Self { channel, pacer, held_until: AtomicI64::new(0), rooms: Mutex::default() }
    }

    /// The account is this process's until then.
    pub(super) fn hold(&self, until: i64) {
        self.held_until.store(until, Ordering::Relaxed);
    }

    /// The milliseconds that a call begun now may take; `None`: the account is not ours.
    ///
    /// No call outlives the lease, so that a new owner never meets one of ours.
    pub(super) fn call_within(&self, now: i64) -> Option<i64> {
        let left = self.held_until.load(Ordering::Relaxed) - now;
        let timeout = i64::try_from(self.channel.limits().send_timeout.as_millis()).unwrap_or(i64::MAX);
        (left >= SHORTEST_CALL).then_some(left.min(timeout))
    }

    /// Takes the chat's slot, or says how many milliseconds to wait.
    pub(super) fn pace(&self, place: &Place, now: i64) -> Result<(), u64> {
        self.pacer().take(&place.address.chat, place.kind, now)
    }

    /// The platform wants a pause.
    pub(super) fn close(&self, place: &Place, whole_account: bool, until: i64) {
        self.pacer().close(&place.address.chat, whole_account, until);
    }

    /// The platform has asked for a pause that is not over.
    pub(super) fn is_closed(&self, place: &Place, now: i64) -> bool {
        self.pacer().is_closed(&place.address.chat, now)
    }

    /// The room of a chat.
    pub(super) fn room(&self, chat: &ChatId) -> Arc<Room> {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        if rooms.len() >= ROOMS {
            rooms.retain(|_, room| Arc::strong_count(room) > 1);
        }
        rooms.entry(chat.clone()).or_default().clone()
    }

    fn pacer(&self) -> std::sync::MutexGuard<'_, Pacer> {
        self.pacer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// The delivery `id` is marked as on its way, here, until the returned value is dropped.
    pub(super) fn enter(&self, id: i64) -> Caller<'_> {
        self.callers().push(id);
        Caller { room: self, id }
    }

    /// Whether this process itself sends the delivery `id`.
    pub(super) fn knows(&self, id: i64) -> bool {
        self.callers().contains(&id)
    }

    fn callers(&self) -> std::sync::MutexGuard<'_, Vec<i64>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A delivery on its way. See [`Room::enter`].
pub(super) struct Caller<'a> {
    room: &'a Room,
    id: i64,
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        self.room.callers().retain(|id| *id != self.id);
    }
}
