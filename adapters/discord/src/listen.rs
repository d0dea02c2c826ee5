//! Listening: what the gateway brings goes through the lanes to the core, in order, until it is stored.
//!
//! Everything runs within the one future of [`listen`]: the connection, the lanes, the backfill and the keeper
//! of positions. Dropping it ends them all.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures::stream::{self, FuturesUnordered, StreamExt as _};
use roundtable_contract::{AccountId, AccountState, Edge, Event, MessageKind, Profile, RunError};
use serde_json::Value;
use serenity::model::id::{ChannelId, GuildId, UserId};
use tokio::sync::Notify;
use tokio::time::{Instant, interval_at, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::api::{Api, ApiError, Call};
use crate::backfill::Backfill;
use crate::content::is_of_discord;
use crate::gateway::{self, Pause};
use crate::lane::{Item, Key, Lanes};
use crate::places::{Kind, Place, Places};
use crate::update::{Context, Us, edited_at, event, number};
use crate::{Discord, Pauses, wire};

/// The name under which the core keeps when the account was last online: a snowflake of that time.
const ONLINE: &str = "@online";
/// Channels whose messages are stored at the same time.
const WORKERS: usize = 64;
/// Positions that are kept at the same time.
const KEEPERS: usize = 16;
/// How long the last positions may take at a stop.
const GOODBYE: Duration = Duration::from_secs(1);
/// People whose roles are remembered, for messages that come without them.
const MEMBERS: usize = 1000;
/// Time to let pass before a newer "online" is worth keeping, in milliseconds.
const ONLINE_STEP: i64 = 30_000;

/// Listens until `stop` fires, or until the account turns out to be of no use.
pub(crate) async fn listen(
    discord: &Discord,
    edge: &dyn Edge,
    stop: CancellationToken,
) -> Result<(), RunError> {
    let listener = Listener::new(discord, edge);
    let outcome = stop.run_until_cancelled(listener.run()).await;
    discord.listens.store(false, Ordering::Relaxed);
    match outcome {
        None => {
            // whatever is not kept now is offered again by the next process
            let _ = timeout(GOODBYE, listener.keep_positions()).await;
            Ok(())
        }
        Some(error) => {
            listener.report(AccountState::Stopped(error.reason.clone()));
            Err(error)
        }
    }
}

/// What is shared by all that runs while we listen.
pub(crate) struct Listener<'a> {
    discord: &'a Discord,
    edge: &'a dyn Edge,
    us: Mutex<Option<Arc<Us>>>,
    places: Mutex<Places>,
    lanes: Mutex<Lanes>,
    backfill: Backfill,
    /// Members of servers by server and person; `None` is one who has left.
    members: Mutex<HashMap<(u64, u64), Option<Value>>>,
    /// Servers we were on at the login.
    guilds: Mutex<HashSet<u64>>,
    work: Notify,
    room: Notify,
    /// When we were last online, as a snowflake; 0 is never.
    online: AtomicU64,
    /// The same at the login: channels never read before are read from here on.
    since: AtomicU64,
    connected: AtomicBool,
    /// Lanes that the core takes nothing from.
    refused: AtomicUsize,
}

impl<'a> Listener<'a> {
    fn new(discord: &'a Discord, edge: &'a dyn Edge) -> Self {
        Self {
            discord,
            edge,
            us: Mutex::default(),
            places: Mutex::default(),
            lanes: Mutex::default(),
            backfill: Backfill::default(),
            members: Mutex::default(),
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

    /// Reads how far an earlier process got.
    async fn remember(&self) {
        let mut pause = Pause::new(self.pauses());
        let positions = loop {
            match self.edge.positions(self.account()).await {
                Ok(positions) => break positions,
                Err(error) => self.refused_by_core(&error.to_string(), pause.next()).await,
            }
        };
        let mut lanes = self.lanes();
        for (scope, position) in positions {
            let position = u64::try_from(position).unwrap_or(0);
            if scope == ONLINE {
                self.online.store(position, Ordering::Relaxed);
            } else if let Ok(channel) = scope.parse() {
                lanes.remember(channel, position);
            }
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
        tracing::info!(discord.account = %us.account, "connected to Discord as {}", us.name);
        self.edge.connected(&us.account, Profile { name: format!("@{}", us.name), link: None });
        // it was asked for before, and is the same
        let _ = self.discord.me.set(us.id);
        *locked(&self.us) = Some(Arc::new(us));
        self.since.store(self.online.load(Ordering::Relaxed), Ordering::Relaxed);
        let guilds = wire::list(data, "/guilds").iter().filter_map(|guild| wire::id(guild, "/id"));
        *locked(&self.guilds) = guilds.collect();
        let mut lanes = self.lanes();
        let known: Vec<_> = lanes.positions().collect();
        for (channel, position) in &known {
            lanes.open(*channel, *position);
        }
        drop(lanes);
        let away = locked(&self.guilds).clone();
        self.backfill.begin(known.into_iter().map(|(channel, _)| channel), away);
    }

    /// The connection is there, with everything that was missed on it.
    pub(crate) fn found(&self) {
        self.discord.listens.store(true, Ordering::Relaxed);
        self.connected.store(true, Ordering::Relaxed);
        self.alive();
    }

    /// The connection works.
    pub(crate) fn alive(&self) {
        self.online.fetch_max(wire::first_at(now()), Ordering::Relaxed);
        self.ready_again();
    }

    /// The connection is gone.
    pub(crate) fn lost(&self) {
        self.discord.listens.store(false, Ordering::Relaxed);
        self.connected.store(false, Ordering::Relaxed);
    }

    /// A dispatch is missing: what is in use is looked through.
    pub(crate) fn missed(&self) {
        tracing::warn!(discord.account = %self.account(), "the gateway left out an event");
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
                if name == "GUILD_CREATE" {
                    self.arrived(wire::id(&data, "/id").unwrap_or(0), &told);
                }
            }
        }
    }

    /// A server that we were on at the login has come: what was written there meanwhile is fetched. (Of a
    /// server that we join nothing was missed.)
    fn arrived(&self, guild: u64, channels: &[u64]) {
        if !locked(&self.guilds).contains(&guild) {
            return;
        }
        let since = Some(self.since.load(Ordering::Relaxed)).filter(|since| *since > 0);
        for channel in channels {
            let newest = self.places().get(*channel).map_or((Kind::Container, 0), |p| (p.kind, p.newest));
            let mut lanes = self.lanes();
            let read = lanes.position(*channel).or(since);
            match (newest, read) {
                ((Kind::Container, _), _) | (_, None) => {}
                ((_, newest), Some(read)) if newest > read => {
                    lanes.open(*channel, read);
                    self.backfill.add(*channel);
                }
                _ => {
                    if self.backfill.spare(*channel) {
                        lanes.close(*channel);
                        self.work.notify_one();
                    }
                }
            }
        }
        self.backfill.arrived(guild);
    }

    /// Puts a message into its lane.
    pub(crate) fn put(&self, channel: u64, kind: MessageKind, message: Value, live: bool) {
        let Some(id) = wire::id(&message, "/id") else { return };
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

    // From the lanes to the core.

    /// Stores what the lanes hold, channels at the same time, each in order.
    async fn store(&self) -> std::convert::Infallible {
        let mut workers = FuturesUnordered::new();
        loop {
            while workers.len() < WORKERS
                && let Some(channel) = self.start()
            {
                workers.push(self.store_lane(channel));
            }
            tokio::select! {
                Some(()) = workers.next() => {}
                () = self.work.notified() => {}
            }
        }
    }

    fn start(&self) -> Option<u64> {
        self.lanes().start()
    }

    async fn store_lane(&self, channel: u64) {
        while let Some((key, item)) = self.take(channel) {
            if let Some(event) = self.event(channel, &item).await {
                self.offer(event).await;
            }
            self.lanes().done(channel, key);
            self.room.notify_waiters();
        }
    }

    fn take(&self, channel: u64) -> Option<(Key, Item)> {
        self.lanes().take(channel)
    }

    /// Offers an event until the core has stored it.
    async fn offer(&self, event: Event) {
        let mut pause = Pause::new(self.pauses());
        let mut refused = false;
        while let Err(error) = self.edge.accept(event.clone()).await {
            if !std::mem::replace(&mut refused, true) {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
            self.refused_by_core(&error.to_string(), pause.next()).await;
        }
        if refused {
            self.refused.fetch_sub(1, Ordering::Relaxed);
            self.ready_again();
        }
    }

    async fn refused_by_core(&self, reason: &str, pause: Duration) {
        let reason = format!("Messages wait until they can be stored: {reason}");
        tracing::warn!(discord.account = %self.account(), pause_ms = pause.as_millis() as u64, "{reason}");
        self.report(AccountState::Degraded(reason));
        sleep(pause).await;
    }

    /// The event of a message, with what has to be asked for to know it.
    async fn event(&self, channel: u64, item: &Item) -> Option<Event> {
        let us = self.us()?;
        if us.wrote(&item.message) || is_of_discord(&item.message) {
            return None;
        }
        let place = self.place(channel, item).await;
        let member = self.member(&place, &item.message).await;
        let places = self.places();
        let context = Context { us: &us, places: &places, place: &place, member: member.as_ref() };
        event(context, item.kind, &item.message)
    }

    /// Where a channel lies. An event may be faster than the one that tells of its channel.
    async fn place(&self, channel: u64, item: &Item) -> Place {
        if let Some(place) = self.places().get(channel) {
            return place.clone();
        }
        let guild = wire::id(&item.message, "/guild_id");
        let unknown = |kind| Place { kind, guild, parent: None, name: None, newest: 0 };
        if item.live && guild.is_none() {
            return unknown(Kind::Direct);
        }
        match self.ask(|| Call::channel(ChannelId::new(channel))).await {
            Ok(answer) => {
                let mut places = self.places();
                places.channel(&answer, guild);
                places.get(channel).cloned().unwrap_or_else(|| unknown(Kind::Channel))
            }
            Err(error) => {
                tracing::debug!(discord.account = %self.account(), channel, %error, "a channel can't be seen");
                unknown(if guild.is_some() { Kind::Channel } else { Kind::Direct })
            }
        }
    }

    /// The author as a member of the server, for messages that were fetched and do not say it.
    async fn member(&self, place: &Place, message: &Value) -> Option<Value> {
        let is_person = wire::id(message, "/webhook_id").is_none() && message.get("member").is_none();
        let (guild, user) =
            (place.guild?, wire::id(message, "/author/id").filter(|id| is_person && *id != 0)?);
        if let Some(known) = locked(&self.members).get(&(guild, user)) {
            return known.clone();
        }
        let member = self.ask(|| Call::member(GuildId::new(guild), UserId::new(user))).await.ok();
        let mut members = locked(&self.members);
        if members.len() >= MEMBERS {
            members.clear();
        }
        members.insert((guild, user), member.clone());
        member
    }

    /// Asks Discord until there is an answer, or a refusal.
    pub(crate) async fn ask(&self, call: impl Fn() -> Call) -> Result<Value, ApiError> {
        let mut pause = Pause::new(self.pauses());
        loop {
            match self.api().patiently(&call).await {
                Err(ApiError::Unknown(reason) | ApiError::Unreachable(reason)) => {
                    tracing::debug!(discord.account = %self.account(), "Discord is asked again: {reason}");
                    sleep(pause.next()).await;
                }
                answer => return answer,
            }
        }
    }

    // What is kept.

    /// Keeps positions now and then, and has the channels in use looked through.
    async fn keep(&self) -> std::convert::Infallible {
        let pauses = self.pauses();
        let mut store = interval_at(Instant::now() + pauses.store, pauses.store);
        let mut sweep = interval_at(Instant::now() + pauses.sweep, pauses.sweep);
        let mut kept = self.online.load(Ordering::Relaxed);
        loop {
            tokio::select! {
                _ = store.tick() => {
                    self.keep_positions().await;
                    self.keep_online(&mut kept).await;
                }
                _ = sweep.tick() => self.sweep(),
            }
        }
    }

    async fn keep_positions(&self) {
        let moved = self.lanes().moved();
        let keep = |(channel, position): (u64, u64)| async move {
            let position = i64::try_from(position).unwrap_or(i64::MAX);
            if let Err(error) = self.edge.advance(self.account(), &channel.to_string(), position).await {
                // the messages are stored, so at worst they are offered again after a restart
                tracing::warn!(discord.account = %self.account(), %error, "a position was not kept");
                self.lanes().not_kept(channel);
            }
        };
        stream::iter(moved).for_each_concurrent(KEEPERS, keep).await;
    }

    /// Keeps that we are online, once nothing older is still to be fetched.
    async fn keep_online(&self, kept: &mut u64) {
        let online = self.online.load(Ordering::Relaxed);
        let is_news = wire::made_at(online) - wire::made_at(*kept) >= ONLINE_STEP;
        if !is_news || !self.backfill.is_done() {
            return;
        }
        let position = i64::try_from(online).unwrap_or(i64::MAX);
        if self.edge.advance(self.account(), ONLINE, position).await.is_ok() {
            *kept = online;
        }
    }

    /// Looks through the channels that were used within the last hour: an event may have been lost.
    fn sweep(&self) {
        let recent = wire::first_at(now() - 3_600_000);
        let mut lanes = self.lanes();
        let used: Vec<_> = lanes.positions().filter(|(_, position)| *position > recent).collect();
        for (channel, position) in used {
            lanes.open(channel, position);
            self.backfill.add(channel);
        }
    }

    // What the parts ask for.

    pub(crate) fn account(&self) -> &AccountId {
        &self.discord.config.account
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
        self.edge.report(self.account(), state);
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

    /// When we were last online before the login, as a snowflake, if ever.
    pub(crate) fn since(&self) -> u64 {
        self.since.load(Ordering::Relaxed)
    }

    pub(crate) fn lanes(&self) -> MutexGuard<'_, Lanes> {
        locked(&self.lanes)
    }

    fn places(&self) -> MutexGuard<'_, Places> {
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

/// Milliseconds since 1970. Only compared with snowflakes, give or take minutes.
pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
