//! The outbox: stored deliveries become visible, in order, at the platform's pace, once.
//!
//! A conversation has at most one lane, a task that works off its deliveries one after the other; a
//! waiting conversation delays no other. Hints start lanes; a poll finds what no hint announced.

mod call;
mod commit;
mod desk;
mod lane;
mod look;
mod order;
mod pacing;
mod verdict;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use roundtable_contract::{AccountId, Channel, ChatKind, Conversation, Outgoing, Part};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::engine::Outlet;
use crate::metrics::Metrics;
use crate::routing::Rules;
use crate::store::conversations::Place;
use crate::store::deliveries::Delivery;
use crate::store::{Store, StoreError};
pub use commit::Move;
use desk::Desk;

/// An answer that is there within this time is not worth a typing indicator.
const TYPING_DELAY: Duration = Duration::from_millis(300);

/// The outbox of one node.
pub struct Outbox {
    store: Store,
    rules: Arc<Rules>,
    desks: HashMap<AccountId, Desk>,
    lanes: Mutex<Lanes>,
    /// No lane begins any more, and none waits.
    closed: CancellationToken,
    /// Told when a thread was opened, or can't be.
    threads: Arc<Notify>,
    metrics: Arc<Metrics>,
}

/// Lanes at work. A lane that is asked to work again while it is at it looks once more before it ends.
#[derive(Default)]
struct Lanes {
    at_work: HashMap<i64, Again>,
    tasks: JoinSet<()>,
}

#[derive(Default)]
struct Again {
    asked: bool,
    handed: Option<Delivery>,
    /// Wakes a lane that waits for a time.
    news: Arc<Notify>,
}

impl Outbox {
    /// An outbox for these accounts; `threads` is told of threads that were opened, `metrics` of lost sends.
    pub fn new(
        store: Store,
        rules: Arc<Rules>,
        channels: impl IntoIterator<Item = Arc<dyn Channel>>,
        threads: Arc<Notify>,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        let desks =
            channels.into_iter().map(|channel| (channel.account().clone(), Desk::new(channel))).collect();
        Arc::new(Self {
            store,
            rules,
            desks,
            lanes: Mutex::default(),
            closed: CancellationToken::new(),
            threads,
            metrics,
        })
    }

    /// The account is this process's until then; 0 gives it up. Called with every renewal of its lease.
    pub fn hold(&self, account: &AccountId, until: i64) {
        if let Some(desk) = self.desk(account) {
            desk.hold(until, self.store.now());
        }
    }

    /// Keeps the pauses that were asked for while another process had the account, or this one an earlier life. Called
    /// before the account is held.
    pub async fn keep_pauses(&self, account: &AccountId) -> Result<(), StoreError> {
        let closed = self.store.read(commit::Closed { account }).await?;
        if let Some(desk) = self.desk(account) {
            closed.into_iter().for_each(|(chat, until)| desk.close(chat.as_ref(), until));
        }
        Ok(())
    }

    /// Whether this process may call for the account now.
    pub fn holds(&self, account: &AccountId) -> bool {
        self.desk(account).is_some_and(|desk| desk.call_within(self.store.now()).is_some())
    }

    /// Another node has something to say in a conversation of this account, if it is ours.
    pub fn told(self: &Arc<Self>, account: &str, conversation_id: i64) {
        if self.desks.keys().any(|ours| ours.to_string() == account && self.holds(ours)) {
            self.work(conversation_id, None);
        }
    }

    /// Looks for deliveries of an account every `poll`, until `stop` fires.
    pub async fn poll(self: &Arc<Self>, account: &AccountId, poll: Duration, stop: &CancellationToken) {
        let look = async {
            loop {
                match self.store.read(commit::Due { account }).await {
                    Ok(conversations) => conversations.into_iter().for_each(|id| self.work(id, None)),
                    Err(error) => tracing::error!(%error, "the database can't be asked for deliveries"),
                }
                tokio::time::sleep(poll).await;
            }
        };
        // A database that does not answer holds up no end.
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = look => {}
        }
    }

    /// Begins no new lane and waits up to `grace` for those at work to end. What would have to wait is left to whoever
    /// has the account next.
    pub async fn drained(&self, grace: Duration) {
        let mut tasks = {
            let mut lanes = self.lanes();
            self.closed.cancel();
            std::mem::take(&mut lanes.tasks)
        };
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(grace, all).await.is_err() {
            tracing::warn!(
                lanes = tasks.len(),
                "deliveries did not end in time; they go on at the next start"
            );
            tasks.shutdown().await;
        }
    }

    fn desk(&self, account: &AccountId) -> Option<&Desk> {
        self.desks.get(account)
    }

    fn lanes(&self) -> std::sync::MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(self: &Arc<Self>, conversation_id: i64, handed: Option<Delivery>) {
        let mut lanes = self.lanes();
        if self.closed.is_cancelled() {
            let outbox = self.clone();
            lanes.tasks.spawn(async move { outbox.leave(conversation_id, handed).await });
            return;
        }
        if let Some(again) = lanes.at_work.get_mut(&conversation_id) {
            again.asked = true;
            again.handed = handed.or(again.handed.take());
            again.news.notify_one();
            return;
        }
        let again = Again { handed, ..Again::default() };
        let news = again.news.clone();
        lanes.at_work.insert(conversation_id, again);
        while lanes.tasks.try_join_next().is_some() {}
        let outbox = self.clone();
        lanes.tasks.spawn(async move { outbox.lane(conversation_id, &news).await });
    }

    /// Takes what a lane was asked to do: the delivery to call for, if one was handed over.
    fn asked(&self, conversation_id: i64) -> Option<Delivery> {
        let mut lanes = self.lanes();
        let again = lanes.at_work.get_mut(&conversation_id)?;
        again.asked = false;
        again.handed.take()
    }

    /// Leaves what is to be said to whoever has the account next.
    async fn leave(self: Arc<Self>, conversation_id: i64, handed: Option<Delivery>) {
        if let Err(error) = lane::leave_all(&self, conversation_id, handed).await {
            tracing::error!(%error, "what is left for the next node could not be told; it finds it by itself");
        }
    }

    async fn lane(self: &Arc<Self>, conversation_id: i64, news: &Notify) {
        loop {
            let work = AssertUnwindSafe(lane::run(self, conversation_id, news)).catch_unwind();
            let error = match work.await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some("a channel panicked".to_owned()),
            };
            if let Some(error) = &error {
                // The poll comes back to it; a delivery that was on its way is looked into then.
                tracing::error!(%error, "a conversation's deliveries can't be worked off now");
            }
            let mut lanes = self.lanes();
            let goes_on = lanes.at_work.get(&conversation_id).is_some_and(|again| match error {
                None => again.asked,
                // What was handed over meanwhile is stored as on its way, and nobody else would call for it.
                Some(_) => again.handed.is_some(),
            });
            if !goes_on {
                lanes.at_work.remove(&conversation_id);
                return;
            }
        }
    }
}

/// The outbox as turns see it.
pub struct Way(pub Arc<Outbox>);

#[async_trait]
impl Outlet for Way {
    fn render(&self, place: &Place, outgoing: &Outgoing) -> Vec<Part> {
        self.0.desk(&place.address.account).map_or_else(Vec::new, |desk| desk.channel.render(outgoing))
    }

    fn bound_agent(&self, place: &Place) -> Option<String> {
        let (guild, parent) = (place.guild.as_deref(), place.parent.as_ref());
        self.0.rules.bound_agent(&place.address, place.kind, guild, parent).map(str::to_owned)
    }

    fn opens_threads(&self, place: &Place) -> bool {
        let desk = self.0.desk(&place.address.account);
        let Some(threads) = desk.as_ref().and_then(|desk| desk.channel.threads()) else { return false };
        // What grows out of a message grows in a server's channels (Discord docs, Threads).
        !threads.grows_from_message() || place.kind != ChatKind::Direct
    }

    fn thread_home(&self, place: &Place) -> Conversation {
        let chat = place.parent.as_ref().unwrap_or(&place.address.chat);
        Conversation::chat(place.address.account.clone(), chat.as_str())
    }

    /// A thread is a delivery in two steps where it grows out of a message: that message, and the thread from it.
    fn opening(&self, place: &Place, name: &str, outgoing: &Outgoing) -> Option<Part> {
        let desk = self.0.desk(&place.address.account)?;
        let body = name.to_owned();
        if desk.channel.threads()?.grows_from_message() {
            let message = desk.channel.render(outgoing).into_iter().next()?;
            return Some(Part { body, text: message.text, stub: Some(message.body) });
        }
        Some(Part { text: body.clone(), body, stub: None })
    }

    fn space(&self, conversation: &Conversation) -> String {
        self.0
            .desk(&conversation.account)
            .map_or_else(String::new, |desk| desk.channel.id_space(conversation))
    }

    fn send_now(&self, place: &Place) -> Option<i64> {
        if self.0.closed.is_cancelled() {
            return None;
        }
        let now = self.0.store.now();
        let desk = self.0.desk(&place.address.account)?;
        desk.call_within(now)?;
        desk.pace(place, now).ok().map(|()| desk.over_within(0))
    }

    fn dispatch(&self, delivery: Delivery) {
        self.0.work(delivery.conversation_id, Some(delivery));
    }

    fn hint(&self, conversation_id: i64) {
        self.0.work(conversation_id, None);
    }

    async fn typing(&self, place: &Place) {
        let desk = self.0.desk(&place.address.account);
        if let Some(desk) = desk
            && let Some(typing) = desk.channel.typing()
        {
            let repeat = desk.channel.limits().typing_lasts * 9 / 10;
            tokio::time::sleep(TYPING_DELAY).await;
            loop {
                let now = self.0.store.now();
                if desk.call_within(now).is_some()
                    && desk.pace_spare(place, now)
                    && let Err(error) = typing.typing(&place.address).await
                {
                    tracing::debug!(conversation = %place.address, %error, "no typing shown");
                    if let Err(error) = call::heed(&self.0, desk, place, &error).await {
                        tracing::error!(%error, "a pause can't be stored");
                    }
                }
                tokio::time::sleep(repeat).await;
            }
        }
        std::future::pending().await
    }
}
