//! A node's side of an account: a channel whose platform is simulated. One kind of platform knows a nonce, the other
//! shows nothing but whether a number is a message of ours.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use roundtable::time::Clock as _;
use roundtable_contract::{
    AcceptError, AccountId, AccountState, Channel, Connection, Conversation, Edge, Event, Found, Limits,
    Lost, MessageId, Outgoing, Part, Receipt, Reconcile, RunError, SendError, Threads,
};
use roundtable_telegram::Batch;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::life::Life;
use super::platform::{Shown, knows_nonces, scopes, space};
use super::world::World;

/// A request that is answered arrives within so many milliseconds.
const FLIGHT: u64 = 15;

/// One that is not answered, and arrives at all, does so within so many: less than the time-out of a send.
const LONG_FLIGHT: u64 = 9_000;

/// An account as one node has it.
pub struct Line {
    world: Arc<World>,
    life: Life,
    account: AccountId,
    /// What can't be found is sent once more.
    repeats: bool,
    /// Since when the node has had the account.
    held_since: AtomicI64,
    /// Everything that people had written was given to the core.
    caught_up: AtomicBool,
    /// When that was last so.
    told_all_at: AtomicI64,
}

impl Line {
    /// The account on a node.
    pub fn new(world: &Arc<World>, life: &Life, account: AccountId, repeats: bool) -> Self {
        let (world, life, [held_since, told_all_at]) =
            (world.clone(), life.clone(), [0, 0].map(AtomicI64::new));
        Self { world, life, account, repeats, held_since, caught_up: AtomicBool::new(false), told_all_at }
    }

    /// Reads what is new, for ever: all of an account in order, or each channel by itself, so that one overtakes another.
    async fn listen(&self, edge: &dyn Edge) {
        join_all(scopes(&self.account).into_iter().map(|scope| self.read(edge, scope))).await;
    }

    /// Reads what is new in one of them.
    async fn read(&self, edge: &dyn Edge, scope: String) {
        loop {
            // An answer tells of all that was there when it was asked for.
            let asked_at = self.world.clock.now();
            self.world.lag(40).await;
            self.life.goes_on().await;
            let again = self.breaks_off().await;
            let position =
                edge.position(&self.account, &scope).await.map_or(0, |(position, _)| position) - again;
            let news = self.world.platform.news();
            let events = self.world.platform.events(&self.account, &scope, position);
            self.caught_up.store(events.is_empty(), Ordering::Relaxed);
            if events.is_empty() {
                self.told_all_at.store(asked_at, Ordering::Relaxed);
                edge.report(&Connection::new(self.account.clone(), 0), AccountState::Ready);
                // Whoever does not hear of news asks again.
                let _ = tokio::time::timeout(Duration::from_secs(5), news).await;
                continue;
            }
            self.take(edge, &scope, events).await;
        }
    }

    /// Where each channel is read by itself, its connection may break off for some time, and bring so many messages again
    /// that it has brought before.
    async fn breaks_off(&self) -> i64 {
        if !knows_nonces(&self.account) || !self.world.mishap(100) {
            return 0;
        }
        self.world.lag(10_000).await;
        i64::try_from(self.world.below(5)).expect("it is small")
    }

    /// Gives events to the core until all are stored, and moves the position as far as that allows.
    async fn take(&self, edge: &dyn Edge, scope: &str, events: Vec<(i32, Event)>) {
        let (mut batch, rough) = (Batch::of(events), Rough { edge, line: self });
        loop {
            let stored = batch.store(&rough).await;
            if let Some(last) = batch.stored_up_to() {
                // At worst they are offered again.
                let _ = edge.advance(&self.account, scope, last.into()).await;
            }
            if stored.is_ok() {
                return;
            }
            self.world.lag(2000).await;
            self.life.goes_on().await;
        }
    }

    /// A request that arrives, whatever becomes of whoever made it; what the platform answers.
    fn arrives<T: Send + 'static>(
        &self,
        within: u64,
        request: impl FnOnce(&World) -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (world, flight) = (self.world.clone(), self.world.millis(within));
        let (tell, told) = oneshot::channel();
        tokio::spawn(async move {
            world.clock.passes(flight).await;
            // Whoever asked may be gone.
            let _ = tell.send(request(&world));
        });
        told
    }

    /// Makes a request, which may go wrong in all ways.
    async fn call<T: Send + 'static>(
        &self,
        request: impl FnOnce(&World) -> T + Send + 'static,
    ) -> Result<T, SendError> {
        self.life.goes_on().await;
        let lost = |reason: &str| SendError::Unknown { reason: reason.into() };
        self.world.platform.called.notify_waiters();
        match self.world.fate() {
            0..40 => {
                self.world.lag(50).await;
                let after = self.world.millis(4000);
                return Err(SendError::RateLimited { after, whole_account: self.world.chance(30) });
            }
            40..80 => {
                self.world.lag(50).await;
                return Err(SendError::Unreachable { reason: "nobody answers".into() });
            }
            80..120 => {
                self.world.lag(2000).await;
                return Err(lost("the request was cut off"));
            }
            120..180 => {
                let arrived = self.arrives(LONG_FLIGHT, request);
                self.world.lag(2000).await;
                drop(arrived);
                return Err(lost("the answer was cut off"));
            }
            180..210 => return std::future::pending().await,
            210..240 => {
                let _arrived = self.arrives(LONG_FLIGHT, request);
                return std::future::pending().await;
            }
            _ => {}
        }
        let answer = self.arrives(FLIGHT, request).await.map_err(|_| lost("the platform is gone"))?;
        self.world.lag(120).await;
        self.life.goes_on().await;
        Ok(answer)
    }

    /// Tries the numbers that a lost message can have, as on a platform without nonces.
    fn probe(&self, lost: &Lost<'_>) -> Found {
        let newest = lost.taken.last().unwrap_or(&lost.after);
        if lost.others_unknown > 0 {
            return Found::Unclear;
        }
        if lost.ruled_out >= 20 {
            return Found::Absent;
        }
        let free = (lost.after.0 + 1..).zip(lost.taken).find(|(number, taken)| *number != taken.0);
        let id = free.map_or(newest.0 + 1, |(number, _)| number);
        match self.world.platform.shown_as(lost.conversation, id) {
            Some(shown) if shown.place.chat == lost.conversation.chat => {
                if shown.text != lost.part.text {
                    self.world.breaks(format_args!("a probe turns {} into {}", shown.text, lost.part.text));
                }
                Found::Visible(Receipt { id: MessageId(id) })
            }
            _ => Found::Further(MessageId(id)),
        }
    }

    /// Within the window a repetition is safe; behind it the history is read.
    fn read_back(&self, lost: &Lost<'_>) -> Found {
        let window = Duration::from_secs(60).saturating_sub(lost.age);
        if !window.is_zero() {
            return Found::Repeatable(window);
        }
        let shown = self.world.platform.shown_in(lost.conversation).into_iter().find(|shown| {
            shown.number > lost.after.0
                && shown.text == lost.part.text
                && !lost.taken.contains(&MessageId(shown.number))
        });
        shown.map_or(Found::Absent, |shown| Found::Visible(Receipt { id: MessageId(shown.number) }))
    }
}

#[async_trait]
impl Channel for Line {
    fn account(&self) -> &AccountId {
        &self.account
    }

    fn limits(&self) -> Limits {
        Limits {
            chat_per_second: 1.0,
            chat_burst: 5,
            group_per_minute: 20,
            total_per_second: 30.0,
            send_timeout: Duration::from_secs(10),
            typing_lasts: Duration::from_secs(5),
            repeat_unknown: self.repeats,
        }
    }

    fn render(&self, outgoing: &Outgoing) -> Vec<Part> {
        let parts = outgoing.text.trim().split("\n---\n").filter(|text| !text.is_empty());
        parts.map(|text| Part { body: text.to_owned(), text: text.to_owned(), stub: None }).collect()
    }

    fn id_space(&self, conversation: &Conversation) -> String {
        space(conversation)
    }

    async fn run(&self, _shard: u32, edge: &dyn Edge, stop: CancellationToken) -> Result<(), RunError> {
        self.held_since.store(self.world.clock.now(), Ordering::Relaxed);
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.listen(edge) => {}
        }
        Ok(())
    }

    async fn send(&self, to: &Conversation, part: &Part, nonce: &str) -> Result<Receipt, SendError> {
        let (place, nonce, text) = (to.clone(), nonce.to_owned(), part.text.clone());
        let since = self.held_since.load(Ordering::Relaxed);
        let shows = move |world: &World| {
            let shown = Shown { place, number: 0, nonce, text, at: world.clock.now(), since };
            world.platform.shows(world, shown)
        };
        self.call(shows).await.map(|id| Receipt { id })
    }

    fn threads(&self) -> Option<&dyn Threads> {
        Some(self)
    }

    fn reconcile(&self) -> Option<&dyn Reconcile> {
        Some(self)
    }
}

#[async_trait]
impl Threads for Line {
    fn grows_from_message(&self) -> bool {
        knows_nonces(&self.account)
    }

    fn has_told_all(&self, ago: Duration) -> bool {
        self.told_all_at.load(Ordering::Relaxed)
            >= self.world.clock.now() - i64::try_from(ago.as_millis()).expect("it is small")
    }

    async fn open(
        &self,
        at: &Conversation,
        name: &str,
        from: Option<MessageId>,
    ) -> Result<Conversation, SendError> {
        let (home, name) = (at.clone(), name.to_owned());
        self.call(move |world| world.platform.opens(world, &home, &name, from)).await
    }
}

#[async_trait]
impl Reconcile for Line {
    async fn find(&self, lost: &Lost<'_>) -> Result<Found, SendError> {
        self.life.goes_on().await;
        self.world.lag(60).await;
        if self.world.mishap(50) {
            return Err(SendError::Unreachable { reason: "nobody answers".into() });
        }
        if self.world.mishap(50) {
            return Err(SendError::RateLimited { after: self.world.millis(3000), whole_account: false });
        }
        let found = if self.world.mishap(50) {
            // The history is not ours to read, or the answer is none that anybody knows.
            Found::Unclear
        } else if knows_nonces(&self.account) {
            self.read_back(lost)
        } else if self.caught_up.load(Ordering::Relaxed) {
            self.probe(lost)
        } else {
            Found::Later
        };
        if found == Found::Unclear {
            // What only stands for something is sent until it is seen.
            let times = if lost.part.stub.is_some() { u32::MAX } else { u32::from(self.repeats) };
            self.world.platform.gives_up(&self.world, lost.nonce, times);
        }
        self.life.goes_on().await;
        Ok(found)
    }
}

/// The way in, on which events come late, twice, or not at once.
struct Rough<'a> {
    edge: &'a dyn Edge,
    line: &'a Line,
}

#[async_trait]
impl Edge for Rough<'_> {
    async fn accept(&self, event: Event) -> Result<(), AcceptError> {
        let world = &self.line.world;
        if world.mishap(150) {
            world.lag(800).await;
        }
        if world.mishap(50) {
            world.note(format_args!("{} does not get an event stored", self.line.account));
            return Err(AcceptError { reason: "the database is busy".into() });
        }
        self.edge.accept(event.clone()).await?;
        if world.mishap(100) {
            world.note(format_args!("{} tells of an event again", self.line.account));
            self.edge.accept(event).await?;
        }
        Ok(())
    }

    async fn advance(&self, account: &AccountId, scope: &str, position: i64) -> Result<(), AcceptError> {
        self.edge.advance(account, scope, position).await
    }

    async fn position(&self, account: &AccountId, scope: &str) -> Option<(i64, Duration)> {
        self.edge.position(account, scope).await
    }

    async fn positions(&self, account: &AccountId) -> Result<Vec<(String, i64)>, AcceptError> {
        self.edge.positions(account).await
    }

    fn report(&self, connection: &Connection, state: AccountState) {
        self.edge.report(connection, state);
    }
}
