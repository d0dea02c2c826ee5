//! The edge: from a platform event to a stored inbox item, and from an account's configuration to its
//! connection.

mod accept;
mod account;
mod age;
mod commands;
mod edit;
mod held;
mod look_up;
mod merge;
mod states;
mod targets;

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use roundtable_contract::{
    AcceptError, AccountId, AccountState, Channel, ChatId, Connection, Conversation, Edge, Event, EventKey,
    Message, Profile, UserId,
};

use crate::engine::{Engine, Team};
use crate::metrics::{Counted, Metrics};
use crate::outbox::Move;
use crate::routing::{Policy, Rules};
use crate::store::deliveries::{self, Shown, Thread};
use crate::store::{Read, Store, StoreError, Transaction, Tx, conversations, cursors, events, people};

pub use accept::{Accept, Accepted};
pub use account::Account;
pub use look_up::{Known, look_up};
pub use states::{Health, States};

/// What decides about messages: the configuration, as the edge sees it.
pub struct Edges {
    /// Who answers where.
    pub rules: Arc<Rules>,
    /// Who may speak, by account.
    pub policies: HashMap<AccountId, Policy>,
    /// The team, and the way out for the program's own words.
    pub team: Team,
    /// The channels, for what only they know about ids.
    pub channels: HashMap<AccountId, Arc<dyn Channel>>,
}

impl Edges {
    /// All connections of all accounts.
    pub fn connections(&self) -> impl Iterator<Item = Connection> {
        self.channels.iter().flat_map(|(account, channel)| {
            (0..channel.shards()).map(|shard| Connection::new(account.clone(), shard))
        })
    }

    fn policy(&self, account: &AccountId) -> &Policy {
        static NOBODY: std::sync::LazyLock<Policy> = std::sync::LazyLock::new(Policy::default);
        self.policies.get(account).unwrap_or(&NOBODY)
    }

    /// Whether the configuration lets this very chat in.
    fn lists(&self, account: &AccountId, chat: &ChatId) -> bool {
        self.policy(account).groups.iter().any(|group| group == chat.as_str())
    }

    fn binds(&self, chat: &ChatId) -> bool {
        self.rules.bindings.iter().any(|binding| binding.chat.as_deref() == Some(chat.as_str()))
    }

    fn space(&self, conversation: &Conversation) -> String {
        self.channels.get(&conversation.account).map_or_else(String::new, |c| c.id_space(conversation))
    }
}

/// What the core offers the adapters.
pub struct Front {
    store: Store,
    engine: Arc<Engine>,
    edges: Arc<Edges>,
    states: Arc<States>,
    metrics: Arc<Metrics>,
    owner_code: Option<String>,
}

impl Front {
    /// The front of a node.
    pub fn new(
        store: Store,
        engine: Arc<Engine>,
        edges: Arc<Edges>,
        states: Arc<States>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { store, engine, edges, states, metrics, owner_code: None }
    }

    /// The same with a code that makes its sender an owner, to be shown with an account's address.
    pub fn inviting(self, owner_code: Option<String>) -> Self {
        Self { owner_code, ..self }
    }

    async fn message(&self, message: Message) -> Result<(), StoreError> {
        let slot = self.engine.slot();
        let by = slot.as_ref().map(|_| self.engine.claimant().clone());
        let accepted = self.store.commit(Accept { edges: self.edges.clone(), message, by }).await?;
        self.engine.follow(&accepted.after);
        match (accepted.turn, slot) {
            (Some(turn), Some(slot)) => self.engine.start(turn, slot),
            (_, slot) => drop(slot),
        }
        Ok(())
    }

    async fn thread_seen(&self, seen: ThreadSeen) -> Result<(), StoreError> {
        let account = seen.thread.address.account.clone();
        if let Some(counted) = self.store.commit(seen).await? {
            self.metrics.count(&account, counted);
        }
        Ok(())
    }

    async fn moved(&self, moved: Moved) -> Result<(), StoreError> {
        self.store.commit(moved).await
    }
}

#[async_trait]
impl Edge for Front {
    async fn accept(&self, event: Event) -> Result<(), AcceptError> {
        let outcome = match event {
            Event::Message(message) => self.message(*message).await,
            Event::Moved { key, account, from, to } => {
                let listed = self.edges.lists(&account, &from);
                if listed || self.edges.binds(&from) {
                    tracing::warn!(
                        %account,
                        "chat {from} is now {to}: write the new number into `groups` and [[bindings]]"
                    );
                }
                let space = self.edges.space(&Conversation::chat(account.clone(), to.as_str()));
                self.moved(Moved { key, listed, change: Move { account, from, to, space } }).await
            }
            Event::Opened { key, conversation, name } => {
                let space = self.edges.space(&conversation);
                let seen = ThreadSeen { key, name, thread: Thread { address: conversation, space } };
                let seen = self.thread_seen(seen).await;
                self.engine.wake();
                seen
            }
        };
        match outcome {
            Ok(()) | Err(StoreError::Duplicate) => Ok(()),
            Err(error) => Err(AcceptError { reason: error.to_string() }),
        }
    }

    async fn advance(&self, account: &AccountId, scope: &str, position: i64) -> Result<(), AcceptError> {
        let advance = Advance { account: account.clone(), scope: scope.to_owned(), position };
        self.store.commit(advance).await.map_err(|error| AcceptError { reason: error.to_string() })
    }

    async fn position(&self, account: &AccountId, scope: &str) -> Option<(i64, Duration)> {
        match self.store.read(Position { account, scope }).await {
            Ok(found) => found.map(|(position, at)| {
                let age = u64::try_from(self.store.now() - at).unwrap_or(0);
                (position, Duration::from_millis(age))
            }),
            Err(error) => {
                tracing::warn!(%account, %error, "the last position can't be read; reading starts afresh");
                None
            }
        }
    }

    async fn positions(&self, account: &AccountId) -> Result<Vec<(String, i64)>, AcceptError> {
        let positions = self.store.read(Positions { account }).await;
        positions.map_err(|error| AcceptError { reason: error.to_string() })
    }

    fn connected(&self, account: &AccountId, profile: Profile) {
        tracing::info!(%account, "{account} is connected as {}", profile.name);
        if let (Some(code), Some(link)) = (&self.owner_code, profile.link) {
            // The code makes an owner: it is for the eyes at the terminal and for no log.
            if std::io::stderr().is_terminal() {
                eprintln!("To own {}, open {link}{code}", profile.name);
            }
        }
    }

    fn report(&self, connection: &Connection, state: AccountState) {
        self.states.report(connection, state, self.store.now());
    }
}

/// A chat continues under another id, said by the platform.
struct Moved {
    key: EventKey,
    /// The configuration lets the chat in under its old id, so it stays let in under the new one.
    listed: bool,
    change: Move,
}

#[async_trait]
impl Transaction for Moved {
    type Output = ();
    const NAME: &'static str = "moved";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let account = &self.change.account;
        events::take(tx, account, self.key.as_str(), 0, "moved").await?;
        if self.listed {
            people::allow_chat(tx, account, &self.change.to, &UserId::new("configuration")).await?;
        }
        self.change.run(tx).await?;
        Ok(())
    }
}

/// A thread that we asked for is there, said by the platform: the call that opened it may have told us nothing.
struct ThreadSeen {
    key: EventKey,
    name: String,
    thread: Thread,
}

#[async_trait]
impl Transaction for ThreadSeen {
    /// What there is to count.
    type Output = Option<Counted>;
    const NAME: &'static str = "thread_seen";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, StoreError> {
        let address = &self.thread.address;
        events::take(tx, &address.account, self.key.as_str(), 0, "thread opened").await?;
        // Another of the same name may be on its way by now.
        let known = conversations::find(tx, address).await?;
        if known.is_some_and(|thread| thread.run_id.is_some()) {
            return Ok(None);
        }
        let Some(delivery) = deliveries::opening_thread(tx, address, &self.name).await? else {
            return Ok(None);
        };
        let home = conversations::get(tx, delivery.conversation_id).await?;
        let shown = Shown::Opened(self.thread.clone());
        let news = deliveries::settle(tx, &delivery, &home, &shown).await?;
        Ok(Counted::of(&delivery, &shown, None).filter(|_| news))
    }
}

struct Advance {
    account: AccountId,
    scope: String,
    position: i64,
}

#[async_trait]
impl Transaction for Advance {
    type Output = ();
    const NAME: &'static str = "advance";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        cursors::advance(tx, &self.account, &self.scope, self.position).await
    }
}

struct Positions<'a> {
    account: &'a AccountId,
}

#[async_trait]
impl Read for Positions<'_> {
    type Output = Vec<(String, i64)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, StoreError> {
        cursors::positions(tx, self.account).await
    }
}

struct Position<'a> {
    account: &'a AccountId,
    scope: &'a str,
}

#[async_trait]
impl Read for Position<'_> {
    type Output = Option<(i64, i64)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, StoreError> {
        cursors::position(tx, self.account, self.scope).await
    }
}
