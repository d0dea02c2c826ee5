//! From the lanes to the core: what a message is, with what has to be asked for to know it, offered until it is
//! stored.

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt as _};
use roundtable_contract::{AccountState, Event};
use serde_json::Value;
use serenity::model::id::{ChannelId, GuildId, UserId};
use tokio::time::sleep;

use super::{Listener, locked};
use crate::api::{ApiError, Call};
use crate::content::is_of_discord;
use crate::lane::{Item, Key};
use crate::places::{Kind, Place};
use crate::update::{Context, event};
use crate::wire;

/// Channels whose messages are stored at the same time.
const WORKERS: usize = 64;
/// People whose roles are remembered, for messages that come without them.
const MEMBERS: usize = 1000;

impl Listener<'_> {
    /// Stores what the lanes hold, channels at the same time, each in order.
    pub(super) async fn store(&self) -> Infallible {
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
                self.begin(channel).await;
                self.offer(event).await;
            }
            self.lanes().done(channel, key);
            self.room.notify_waiters();
        }
    }

    fn take(&self, channel: u64) -> Option<(Key, Item)> {
        self.lanes().take(channel)
    }

    /// Before the first message of a channel is offered, it is kept that the channel is read: nothing else tells
    /// the next process of a private chat.
    async fn begin(&self, channel: u64) {
        let beginning = self.lanes().beginning(channel);
        if let Some(position) = beginning {
            self.keep_position(channel, position).await;
        }
    }

    /// Offers an event until the core has stored it.
    async fn offer(&self, event: Event) {
        let mut pause = self.pauses().growing();
        let mut refused = false;
        while let Err(error) = self.edge.accept(event.clone()).await {
            if !std::mem::replace(&mut refused, true) {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
            self.refused_by_core(&error.to_string(), pause.grow()).await;
        }
        if refused {
            self.refused.fetch_sub(1, Ordering::Relaxed);
            self.ready_again();
        }
    }

    pub(super) async fn refused_by_core(&self, reason: &str, pause: Duration) {
        let reason = format!("Messages wait until they can be stored: {reason}");
        tracing::warn!(discord.connection = %self.connection(), pause_ms = pause.as_millis() as u64, "{reason}");
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
        // what is fetched does not say it
        let guild = wire::id(&item.message, "/guild_id").or_else(|| self.places().server(channel));
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
                tracing::debug!(discord.connection = %self.connection(), channel, %error, "a channel can't be seen");
                unknown(if guild.is_some() { Kind::Channel } else { Kind::Direct })
            }
        }
    }

    /// The author as a member of the server, for messages that were fetched and do not say it.
    async fn member(&self, place: &Place, message: &Value) -> Option<Value> {
        let is_person = wire::id(message, "/webhook_id").is_none() && message.get("member").is_none();
        let (guild, user) =
            (place.guild?, wire::id(message, "/author/id").filter(|id| is_person && *id != 0)?);
        let known = || locked(&self.members).get(&(guild, user)).cloned();
        if let Some(known) = known() {
            return known;
        }
        let _turn = self.asking.lock().await;
        if let Some(known) = known() {
            return known;
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
        let mut pause = self.pauses().growing();
        loop {
            match self.api().patiently(&call).await {
                Err(ApiError::Unknown(reason) | ApiError::Unreachable(reason)) => {
                    tracing::debug!(discord.connection = %self.connection(), "Discord is asked again: {reason}");
                    sleep(pause.grow()).await;
                }
                answer => return answer,
            }
        }
    }
}
