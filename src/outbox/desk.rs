//! One account's desk in the outbox: its channel, its pace, and how long this process holds it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use roundtable_contract::{Channel, ChatId};

use super::pacing::Pacer;
use crate::store::conversations::Place;
use crate::store::deliveries::{Delivery, STUCK};
use crate::time::millis;

/// Calls get at least this much time, in milliseconds; with less of the lease left none is begun.
const SHORTEST_CALL: i64 = 20;

/// A call may begin at least so many milliseconds after it was stored that it does.
const SHORTEST_DELAY: i64 = 300;

/// One account.
pub(super) struct Desk {
    pub(super) channel: Arc<dyn Channel>,
    pacer: Mutex<Pacer>,
    /// Until when this process may call for the account; 0 when it doesn't hold it.
    held_until: AtomicI64,
    /// Since when, without a break.
    held_since: AtomicI64,
    /// When the platform could not be reached last.
    missed_at: AtomicI64,
    /// The chats in which a lost message is looked for now, once for each look.
    searched: Mutex<Vec<ChatId>>,
}

/// A look for a lost message of a chat, until it is dropped.
pub(super) struct Search<'a> {
    desk: &'a Desk,
    chat: ChatId,
}

impl Drop for Search<'_> {
    fn drop(&mut self) {
        let mut searched = self.desk.searched();
        if let Some(at) = searched.iter().position(|chat| *chat == self.chat) {
            searched.swap_remove(at);
        }
    }
}

impl Desk {
    pub(super) fn new(channel: Arc<dyn Channel>) -> Self {
        let pacer = Mutex::new(Pacer::new(channel.limits()));
        let [held_until, held_since, missed_at] = [0, 0, 0].map(AtomicI64::new);
        Self { channel, pacer, held_until, held_since, missed_at, searched: Mutex::default() }
    }

    /// The account is this process's until then.
    pub(super) fn hold(&self, until: i64, now: i64) {
        if self.held_until.load(Ordering::Relaxed) <= now {
            self.held_since.store(now, Ordering::Relaxed);
        }
        // Whoever sees the account as ours sees since when.
        self.held_until.store(until, Ordering::Release);
    }

    /// The platform could not be reached.
    pub(super) fn missed(&self, now: i64) {
        self.missed_at.store(now, Ordering::Relaxed);
    }

    /// Since when this process tries to deliver it: while nobody could try, no patience is used up.
    pub(super) fn tried_since(&self, delivery: &Delivery) -> i64 {
        self.held_since.load(Ordering::Relaxed).max(delivery.created_at)
    }

    /// What was made until then is stuck. While nothing could go out at all, nothing was.
    pub(super) fn stuck_until(&self, now: i64) -> i64 {
        let since = self.held_since.load(Ordering::Relaxed).max(self.missed_at.load(Ordering::Relaxed));
        if since > now - STUCK { i64::MIN } else { now - STUCK }
    }

    /// The milliseconds that a call begun now may take; `None`: the account is not ours.
    ///
    /// No call outlives the lease, so that a new owner never meets one of ours.
    pub(super) fn call_within(&self, now: i64) -> Option<i64> {
        let left = self.held_until.load(Ordering::Acquire) - now;
        (left >= SHORTEST_CALL).then_some(left.min(self.on_its_way()))
    }

    /// The milliseconds for which a request may be on its way, however little of them is left to its caller: before
    /// they are over it can't be told that a message is not there.
    pub(super) fn on_its_way(&self) -> i64 {
        millis(self.channel.limits().send_timeout)
    }

    /// The milliseconds after which a call that is stored as begun is over. It begins a little later, or not at all:
    /// then the next one has more time for that.
    pub(super) fn over_within(&self, attempts: i64) -> i64 {
        let late = (self.on_its_way() / 10).max(SHORTEST_DELAY);
        self.on_its_way() + late * (attempts + 1)
    }

    /// Takes the chat's slot, or says how many milliseconds to wait.
    pub(super) fn pace(&self, place: &Place, now: i64) -> Result<(), u64> {
        self.pacer().take(&place.address.chat, place.kind, now)
    }

    /// The platform wants a pause of a chat, or of the whole account.
    pub(super) fn close(&self, chat: Option<&ChatId>, until: i64) {
        self.pacer().close(chat, until);
    }

    /// Whether the platform wants a pause now.
    pub(super) fn is_closed(&self, place: &Place, now: i64) -> bool {
        self.pacer().is_closed(&place.address.chat, now)
    }

    /// A lost message of the chat is looked for, among those whose numbers are known when this is called: nothing new may
    /// be shown there meanwhile, for it would be taken for the lost one.
    pub(super) fn search(&self, chat: &ChatId) -> Search<'_> {
        self.searched().push(chat.clone());
        Search { desk: self, chat: chat.clone() }
    }

    /// Whether a lost message of the chat is looked for.
    pub(super) fn is_searched(&self, place: &Place) -> bool {
        self.searched().contains(&place.address.chat)
    }

    fn searched(&self) -> MutexGuard<'_, Vec<ChatId>> {
        self.searched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a slot that no answer needs, if there is one.
    pub(super) fn pace_spare(&self, place: &Place, now: i64) -> bool {
        self.pacer().take_spare(&place.address.chat, place.kind, now)
    }

    fn pacer(&self) -> MutexGuard<'_, Pacer> {
        self.pacer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
