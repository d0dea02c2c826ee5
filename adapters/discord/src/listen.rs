//! Listening: what the gateway brings goes through the lanes to the core, in order, until it is stored.
//!
//! Everything runs within the one future of [`listen`]: the connection, the lanes, the backfill and the keeper
//! of positions. Dropping it ends them all.

mod keep;
mod offer;
mod servers;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use roundtable_contract::{AccountId, AccountState, Connection, Edge, MessageKind, Profile, RunError};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::api::Api;
use crate::backfill::{Backfill, MARGIN};
use crate::gateway;
use crate::lane::{Item, Key, Lanes};
use crate::places::Places;
use crate::shard::Shard;
use crate::update::{Us, edited_at, number};
use crate::{Discord, Pauses, wire};

/// How long the last positions may take at a stop.
const GOODBYE: Duration = Duration::from_secs(1);

/// Listens until `stop` fires, or until the account turns out to be of no use.
pub(crate) async fn listen(
    discord: &Discord,
    shard: Shard,
    edge: &dyn Edge,
    stop: CancellationToken,
) -> Result<(), RunError> {
    let listener = Listener::new(discord, shard, edge);
    let outcome = stop.run_until_cancelled(listener.run()).await;
    listener.lost();
    // whatever is not kept now is offered again by the next process
    let _ = timeout(GOODBYE, listener.keep_positions()).await;
    match outcome {
        None => Ok(()),
        Some(error) => {
            listener.report(AccountState::Stopped(error.reason.clone()));
            Err(error)
        }
    }
}

/// What is shared by all that runs while we listen.
pub(crate) struct Listener<'a> {
    discord: &'a Discord,
    shard: Shard,
    edge: &'a dyn Edge,
    us: Mutex<Option<Arc<Us>>>,
    places: Mutex<Places>,
    lanes: Mutex<Lanes>,
    backfill: Backfill,
    /// Members of servers by server and person; `None` is one who has left. Nothing tells when that changes, so they are
    /// forgotten before anything new is fetched.
    members: Mutex<HashMap<(u64, u64), Option<Value>>>,
    /// Whose turn it is to ask for one. They share a limit, and many that run into it at the same moment count towards a ban.
    asking: tokio::sync::Mutex<()>,
    /// Servers we are on.
    guilds: Mutex<HashSet<u64>>,
    work: Notify,
    room: Notify,
    /// When we were last online and nothing older was still to come, as a snowflake; 0 is never.
    online: AtomicU64,
    /// A little before that at the login, since clocks differ: channels never read before are read from here on.
    since: AtomicU64,
    connected: AtomicBool,
    /// Lanes that the core takes nothing from.
    refused: AtomicUsize,
}

impl<'a> Listener<'a> {
    fn new(discord: &'a Discord, shard: Shard, edge: &'a dyn Edge) -> Self {
        Self {
            discord,
            shard,
            edge,
            us: Mutex::default(),
            places: Mutex::default(),
            lanes: Mutex::default(),
            backfill: Backfill::default(),
            members: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            guilds: Mutex::default(),
            work: Notify::new(),
            room: Notify::new(),
            online: AtomicU64::new(0),
            since: AtomicU64::new(0),
            connected: AtomicBool::new(false),
            refused: AtomicUsize::new(0),
        }
    }

    async fn run(&self) -> RunError {
        self.report(AccountState::Connecting);
        self.remember().await;
        tokio::select! {
            error = gateway::connect(self) => error,
            never = self.store() => match never {},
            never = self.backfill.run(self) => match never {},
            never = self.keep() => match never {},
        }
    }

    // What the gateway tells.

    /// A new session began: what came meanwhile is to be fetched.
    pub(crate) fn ready(&self, data: &Value) {
        let us = Us {
            account: self.account().clone(),
            id: wire::id(data, "/user/id").unwrap_or(0),
            application: wire::id(data, "/application/id").unwrap_or(0),
            name: wire::text(data, "/user/username").unwrap_or_default().to_owned(),
        };
        tracing::info!(discord.connection = %self.connection(), "connected to Discord as {}", us.name);
        self.edge.connected(&us.account, Profile { name: format!("@{}", us.name), link: None });
        // it was asked for before, and is the same
        let _ = self.discord.me.set(us.id);
        *locked(&self.us) = Some(Arc::new(us));
        let online = self.online.load(Ordering::Relaxed);
        self.since.store(wire::first_at(wire::made_at(online) - MARGIN), Ordering::Relaxed);
        // who was never online before has missed nothing
        let now = wire::first_at(self.api().now());
        let _ = self.online.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        let guilds = wire::list(data, "/guilds").iter().filter_map(|guild| wire::id(guild, "/id"));
        *locked(&self.guilds) = guilds.collect();
        locked(&self.members).clear();
        let mut lanes = self.lanes();
        let known = self.within_reach(&lanes);
        for (channel, position) in &known {
            lanes.open(*channel, *position);
        }
        drop(lanes);
        let away = locked(&self.guilds).clone();
        let left = self.backfill.begin(known.into_iter().map(|(channel, _)| channel), away);
        left.into_iter().for_each(|channel| self.lanes().close(channel));
        self.wake();
    }

    /// The connection is there, with everything that was missed on it, or with what says what is to be fetched.
    pub(crate) fn found(&self) {
        self.discord.open().insert(self.shard.number);
        self.connected.store(true, Ordering::Relaxed);
        self.alive();
    }

    /// The connection works. That proves nothing while what was said before is missing: until its session begins, until
    /// all its servers have come, and until what they had news of is fetched.
    pub(crate) fn alive(&self) {
        if self.connected.load(Ordering::Relaxed) && self.backfill.is_done() {
            self.online.fetch_max(wire::first_at(self.api().now()), Ordering::Relaxed);
        }
        self.ready_again();
    }

    /// The connection is gone.
    pub(crate) fn lost(&self) {
        self.discord.open().remove(&self.shard.number);
        self.connected.store(false, Ordering::Relaxed);
    }

    /// A dispatch is missing: what is in use is looked through.
    pub(crate) fn missed(&self) {
        tracing::warn!(discord.connection = %self.connection(), "the gateway left out an event");
        self.sweep();
    }

    /// Takes in one event.
    pub(crate) fn dispatch(&self, name: &str, data: Value) {
        match name {
            "MESSAGE_CREATE" => {
                if let Some(channel) = wire::id(&data, "/channel_id") {
                    self.put(channel, MessageKind::New, data, true);
                }
            }
            "MESSAGE_UPDATE" => {
                // without a new time nobody edited it: a preview of a link, a pin, a thread
                let edited = edited_at(&data).is_some() && data.get("author").is_some();
                if let Some(channel) = wire::id(&data, "/channel_id").filter(|_| edited) {
                    self.put(channel, MessageKind::Edit, data, true);
                }
            }
            _ => {
                let told = self.places().apply(name, &data);
                let id = wire::id(&data, "/id").unwrap_or(0);
                match name {
                    // it comes again when it is there
                    "GUILD_CREATE" | "GUILD_DELETE" if wire::flag(&data, "/unavailable") => {
                        self.backfill.wait_for(id);
                    }
                    "GUILD_CREATE" => self.arrived(id, &data, &told),
                    "GUILD_DELETE" => self.left(id),
                    _ => {}
                }
            }
        }
    }

    /// Puts a message into its lane.
    pub(crate) fn put(&self, channel: u64, kind: MessageKind, message: Value, live: bool) {
        let Some(id) = wire::id(&message, "/id") else { return };
        if live {
            self.places().heard(channel, wire::id(&message, "/guild_id"));
        }
        if let Some(us) = self.us()
            && us.wrote(&message)
            && let Some(nonce) = wire::text(&message, "/nonce")
        {
            self.discord.echoes.record(nonce, number(id));
        }
        let version = match kind {
            MessageKind::New => 0,
            MessageKind::Edit => edited_at(&message).unwrap_or(0),
        };
        self.lanes().push(channel, Key { id, version }, Item { kind, message, live });
        self.work.notify_one();
    }

    // What the parts ask for.

    pub(crate) fn account(&self) -> &AccountId {
        &self.discord.config.account
    }

    pub(crate) fn shard(&self) -> Shard {
        self.shard
    }

    /// What we are called in logs and reports.
    pub(crate) fn connection(&self) -> Connection {
        Connection::new(self.account().clone(), self.shard.number)
    }

    /// Whose turn it is to log in.
    pub(crate) fn login(&self) -> &tokio::sync::Mutex<Option<Instant>> {
        &self.discord.login
    }

    pub(crate) fn api(&self) -> &Api {
        &self.discord.api
    }

    pub(crate) fn token(&self) -> &str {
        &self.discord.config.token
    }

    pub(crate) fn pauses(&self) -> Pauses {
        self.discord.config.pauses
    }

    pub(crate) fn report(&self, state: AccountState) {
        self.edge.report(&self.connection(), state);
    }

    /// Whether the gateway may be read.
    pub(crate) fn has_room(&self) -> bool {
        self.lanes().has_room()
    }

    /// Waits until something was stored.
    pub(crate) async fn room(&self) {
        self.room.notified().await;
    }

    /// The lanes changed for the better.
    pub(crate) fn wake(&self) {
        self.work.notify_one();
    }

    pub(crate) fn lanes(&self) -> MutexGuard<'_, Lanes> {
        locked(&self.lanes)
    }

    pub(crate) fn places(&self) -> MutexGuard<'_, Places> {
        locked(&self.places)
    }

    fn us(&self) -> Option<Arc<Us>> {
        locked(&self.us).clone()
    }

    /// Says that all is well, if it is.
    fn ready_again(&self) {
        if self.connected.load(Ordering::Relaxed) && self.refused.load(Ordering::Relaxed) == 0 {
            self.report(AccountState::Ready);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
