//! The core as a channel sees it, made of nothing but memory.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use roundtable_contract::{
    AcceptError, AccountId, AccountState, Channel, Connection, Event, EventKey, Message, RunError,
};
use roundtable_fakes::PATIENCE;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// What a channel has told the edge.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Every message that was offered, accepted or not.
    pub offered: Vec<Message>,
    /// Those that were accepted.
    pub accepted: Vec<Message>,
    /// The positions remembered, by scope.
    pub positions: HashMap<String, i64>,
    /// How often a position was refused.
    pub unkept: usize,
    /// The states reported, oldest first.
    pub states: Vec<AccountState>,
}

impl Told {
    /// The texts accepted in `chat`.
    pub fn texts_of(&self, chat: &str) -> Vec<&str> {
        let there = self.accepted.iter().filter(|message| message.conversation.chat.as_str() == chat);
        there.map(|message| message.text.as_str()).collect()
    }

    /// How often a text was offered.
    pub fn offers_of(&self, text: &str) -> usize {
        self.offered.iter().filter(|message| message.text == text).count()
    }
}

/// What the edge does with a text.
#[derive(Debug, Clone, Copy)]
pub enum Whim {
    /// Refuses it so many times.
    Refuse(usize),
    /// Keeps it waiting for ever.
    Block,
}

/// The edge.
#[derive(Debug, Default)]
pub struct Edge {
    told: watch::Sender<Told>,
    whims: HashMap<&'static str, Whim>,
    /// What it keeps no position of.
    forgets: Mutex<Option<String>>,
    /// It knows what it has accepted, as the core does, and a second event with the same key does nothing.
    known: Option<Mutex<HashSet<EventKey>>>,
}

impl Edge {
    /// An edge that was there before: it knows positions, and what it has accepted since.
    pub fn knowing(positions: HashMap<String, i64>) -> Self {
        let told = watch::Sender::new(Told { positions, ..Told::default() });
        Self { told, known: Some(Mutex::default()), ..Self::default() }
    }

    /// The same, taking everything but `text`.
    pub fn but(self, text: &'static str, whim: Whim) -> Self {
        Self { whims: HashMap::from([(text, whim)]), ..self }
    }

    /// Keeps no position called `scope` from now on, or again all of them.
    pub fn forgets(&self, scope: Option<String>) {
        *self.forgets.lock().unwrap() = scope;
    }

    /// An edge of a process that starts again: it knows the positions, and which events it took if it did before.
    pub fn after(&self) -> Self {
        let positions = self.told.borrow().positions.clone();
        let known = self.known.as_ref().map(|known| Mutex::new(known.lock().unwrap().clone()));
        Self { told: watch::Sender::new(Told { positions, ..Told::default() }), known, ..Self::default() }
    }

    /// What it was told so far.
    pub fn seen(&self) -> Told {
        self.told.borrow().clone()
    }

    /// Waits until something holds of what it was told.
    pub async fn until(&self, what: &str, mut holds: impl FnMut(&Told) -> bool) {
        let mut told = self.told.subscribe();
        let waited = timeout(PATIENCE, told.wait_for(|told| holds(told))).await.is_ok();
        assert!(waited, "waited {PATIENCE:?} until {what}: {:#?}", self.seen());
    }
}

#[async_trait]
impl roundtable_contract::Edge for Edge {
    async fn accept(&self, event: Event) -> Result<(), AcceptError> {
        let Event::Message(message) = event else { return Ok(()) };
        if self.known.as_ref().is_some_and(|known| known.lock().unwrap().contains(&message.key)) {
            return Ok(());
        }
        let mut offers = 0;
        self.told.send_modify(|told| {
            told.offered.push((*message).clone());
            offers = told.offers_of(&message.text);
        });
        match self.whims.get(message.text.as_str()) {
            Some(Whim::Block) => std::future::pending().await,
            Some(Whim::Refuse(times)) if offers <= *times => {
                return Err(AcceptError { reason: "the database is away".into() });
            }
            _ => {}
        }
        if let Some(known) = &self.known {
            known.lock().unwrap().insert(message.key.clone());
        }
        self.told.send_modify(|told| told.accepted.push(*message));
        Ok(())
    }

    async fn advance(&self, _account: &AccountId, scope: &str, position: i64) -> Result<(), AcceptError> {
        let forgets = self.forgets.lock().unwrap().as_deref() == Some(scope);
        self.told.send_modify(|told| {
            if forgets {
                told.unkept += 1;
            } else {
                told.positions.insert(scope.to_owned(), position);
            }
        });
        if forgets { Err(AcceptError { reason: "the database is away".into() }) } else { Ok(()) }
    }

    async fn positions(&self, _account: &AccountId) -> Result<Vec<(String, i64)>, AcceptError> {
        Ok(self.told.borrow().positions.iter().map(|(scope, position)| (scope.clone(), *position)).collect())
    }

    async fn position(&self, _account: &AccountId, scope: &str) -> Option<(i64, Duration)> {
        self.told.borrow().positions.get(scope).map(|position| (*position, Duration::ZERO))
    }

    fn report(&self, _connection: &Connection, state: AccountState) {
        self.told.send_modify(|told| told.states.push(state));
    }
}

/// A channel that listens.
pub struct Listener {
    pub edge: Arc<Edge>,
    stop: CancellationToken,
    run: JoinHandle<Result<(), RunError>>,
}

/// Lets a channel listen for the edge.
pub fn listen(channel: Arc<dyn Channel>, edge: Edge) -> Listener {
    let (edge, stop) = (Arc::new(edge), CancellationToken::new());
    let run = tokio::spawn({
        let (edge, stop) = (Arc::clone(&edge), stop.clone());
        async move { channel.run(0, edge.as_ref(), stop).await }
    });
    Listener { edge, stop, run }
}

impl Listener {
    /// Stops it, which must take no longer than it takes to notice.
    pub async fn stop(self) -> (Result<(), RunError>, Arc<Edge>) {
        self.stop.cancel();
        self.ended().await
    }

    /// Waits until it has ended.
    pub async fn ended(self) -> (Result<(), RunError>, Arc<Edge>) {
        let outcome = timeout(PATIENCE, self.run).await;
        (outcome.expect("it ends").expect("it does not panic"), self.edge)
    }
}
