//! From a change of the world to the sessions that hear of it.

use serde_json::{Value, json};

use super::{
    render::{Viewer, thread_member},
    session::{Out, Session},
    world::{Lost, World},
};

/// Intent bits, as Discord numbers them.
pub(super) mod intents {
    pub const GUILDS: u64 = 1 << 0;
    pub const GUILD_MEMBERS: u64 = 1 << 1;
    pub const GUILD_PRESENCES: u64 = 1 << 8;
    pub const GUILD_MESSAGES: u64 = 1 << 9;
    pub const GUILD_REACTIONS: u64 = 1 << 10;
    pub const GUILD_TYPING: u64 = 1 << 11;
    pub const DM_MESSAGES: u64 = 1 << 12;
    pub const DM_REACTIONS: u64 = 1 << 13;
    pub const DM_TYPING: u64 = 1 << 14;
    pub const MESSAGE_CONTENT: u64 = 1 << 15;
    /// Every bit that means something.
    pub const KNOWN: u64 = 0x1_ffff | 1 << 20 | 1 << 21 | 1 << 24 | 1 << 25;
}

/// An event of a channel: its name, and the intent it needs in guilds and in DMs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    name: &'static str,
    guild: u64,
    dm: u64,
}

const fn about_messages(name: &'static str) -> Event {
    Event { name, guild: intents::GUILD_MESSAGES, dm: intents::DM_MESSAGES }
}

const fn about_guilds(name: &'static str) -> Event {
    Event { name, guild: intents::GUILDS, dm: 0 }
}

const CREATED: Event = about_messages("MESSAGE_CREATE");
const UPDATED: Event = about_messages("MESSAGE_UPDATE");
const DELETED: Event = about_messages("MESSAGE_DELETE");
const REACTED: Event =
    Event { name: "MESSAGE_REACTION_ADD", guild: intents::GUILD_REACTIONS, dm: intents::DM_REACTIONS };
const TYPING: Event = Event { name: "TYPING_START", guild: intents::GUILD_TYPING, dm: intents::DM_TYPING };

impl World {
    /// MESSAGE_CREATE, to the author too.
    pub(super) fn tell_created(&mut self, channel: u64, id: u64) {
        let by_person = !self.bots.contains_key(&self.channels[&channel].messages[&id].from);
        let asks =
            (by_person && !self.channels[&channel].messages[&id].is_service()).then_some((channel, id));
        self.tell(channel, CREATED, asks, |world, viewer| {
            world.message_event_json(&world.channels[&channel].messages[&id], viewer, true)
        });
    }

    /// MESSAGE_UPDATE, with the whole message.
    pub(super) fn tell_updated(&mut self, channel: u64, id: u64) {
        self.tell(channel, UPDATED, None, |world, viewer| {
            world.message_event_json(&world.channels[&channel].messages[&id], viewer, false)
        });
    }

    /// MESSAGE_DELETE.
    pub(super) fn tell_deleted(&mut self, channel: u64, id: u64) {
        let fields = json!({"id": id.to_string()});
        self.tell(channel, DELETED, None, |world, _| world.placed(channel, fields.clone()));
    }

    /// MESSAGE_REACTION_ADD.
    pub(super) fn tell_reacted(&mut self, channel: u64, id: u64, user: u64, emoji: &str) {
        let author = self.channels[&channel].messages[&id].from.to_string();
        let fields = json!({
            "user_id": user.to_string(), "message_id": id.to_string(), "emoji": {"id": null, "name": emoji},
            "message_author_id": author, "burst": false, "type": 0,
        });
        self.tell(channel, REACTED, None, |world, _| world.placed(channel, fields.clone()));
    }

    /// TYPING_START.
    pub(super) fn tell_typing(&mut self, channel: u64, user: u64) {
        let fields = json!({"user_id": user.to_string(), "timestamp": self.now_ms() / 1000});
        self.tell(channel, TYPING, None, |world, _| world.placed(channel, fields.clone()));
    }

    /// CHANNEL_CREATE and the like, with the whole channel.
    pub(super) fn tell_channel(&mut self, channel: u64, name: &'static str) {
        let newly = name == "THREAD_CREATE";
        self.tell(channel, about_guilds(name), None, |world, viewer| {
            world.channel_json(channel, viewer.bot, newly)
        });
    }

    /// THREAD_UPDATE, and after a return from the archive THREAD_MEMBER_UPDATE.
    pub(super) fn tell_thread_updated(&mut self, thread: u64, returned: bool) {
        self.tell_channel(thread, "THREAD_UPDATE");
        if returned {
            self.tell(thread, about_guilds("THREAD_MEMBER_UPDATE"), None, |world, viewer| {
                let mut member = thread_member(&world.channels[&thread], viewer.bot);
                member["guild_id"] = json!(world.channels[&thread].guild.map(|guild| guild.to_string()));
                member
            });
        }
    }

    /// THREAD_DELETE or CHANNEL_DELETE; call it while the bots can still see it.
    pub(super) fn tell_channel_deleted(&mut self, channel: u64) {
        if self.channels[&channel].kind.is_thread() {
            self.tell(channel, about_guilds("THREAD_DELETE"), None, |world, _| {
                let thread = &world.channels[&channel];
                let id = |id: Option<u64>| id.map(|id| id.to_string());
                json!({
                    "id": channel.to_string(), "guild_id": id(thread.guild), "parent_id": id(thread.parent),
                    "type": thread.kind.number(),
                })
            });
        } else {
            self.tell_channel(channel, "CHANNEL_DELETE");
        }
    }

    /// GUILD_CREATE to every session that has a right to it.
    pub(super) fn tell_guild(&mut self, guild: u64) {
        for (session, viewer) in self.viewers_of(Some(guild), intents::GUILDS) {
            if self.guilds[&guild].members.contains_key(&viewer.bot) {
                let shown = self.guild_json(guild, viewer.bot);
                self.push(&session, "GUILD_CREATE", &shown, None);
            }
        }
    }

    /// GUILD_DELETE of a guild that will be back.
    pub(super) fn tell_guild_away(&mut self, guild: u64) {
        for (session, _) in self.viewers_of(Some(guild), intents::GUILDS) {
            let data = json!({"id": guild.to_string(), "unavailable": true});
            self.push(&session, "GUILD_DELETE", &data, None);
        }
    }

    /// GUILD_DELETE of a guild that has put a bot out, to that bot.
    pub(super) fn tell_put_out(&mut self, guild: u64, bot: u64) {
        let viewers = self.viewers_of(Some(guild), intents::GUILDS);
        for (session, _) in viewers.into_iter().filter(|(_, viewer)| viewer.bot == bot) {
            self.push(&session, "GUILD_DELETE", &json!({"id": guild.to_string()}), None);
        }
    }

    /// An event of any name to every session, whatever its intents.
    pub(super) fn tell_all(&mut self, name: &str, data: &Value) {
        for (session, _) in self.viewers(|_| true) {
            self.push(&session, name, data, None);
        }
    }

    fn placed(&self, channel: u64, mut fields: Value) -> Value {
        fields["channel_id"] = json!(channel.to_string());
        if let Some(guild) = self.channels[&channel].guild {
            fields["guild_id"] = json!(guild.to_string());
        }
        fields
    }

    fn viewers(&self, wants: impl Fn(&Session) -> bool) -> Vec<(String, Viewer)> {
        let wanting = self.sessions.iter().filter(|(_, session)| wants(session));
        let viewer =
            |session: &Session| Viewer { bot: session.bot, content: session.wants(intents::MESSAGE_CONTENT) };
        wanting.map(|(id, session)| (id.clone(), viewer(session))).collect()
    }

    /// Those who hear of what happens in a guild, or in DMs, and want to.
    fn viewers_of(&self, guild: Option<u64>, intents: u64) -> Vec<(String, Viewer)> {
        self.viewers(|session| session.shard.hears(guild) && session.wants(intents))
    }

    fn tell(
        &mut self,
        channel: u64,
        event: Event,
        asks: Option<(u64, u64)>,
        make: impl Fn(&Self, Viewer) -> Value,
    ) {
        let found = &self.channels[&channel];
        let bit = if found.pair.is_some() { event.dm } else { event.guild };
        let available = found.guild.is_none_or(|guild| self.guilds[&guild].available);
        for (session, viewer) in self.viewers_of(found.guild, bit) {
            if available && self.sees(viewer.bot, channel) {
                let data = make(self, viewer);
                self.push(&session, event.name, &data, asks);
            }
        }
    }

    /// Numbers an event, keeps it for replay and sends it if the session is connected.
    pub(super) fn push(&mut self, session: &str, name: &str, data: &Value, asks: Option<(u64, u64)>) {
        let keep = self.settings.replay;
        let Some(session) = self.sessions.get_mut(session) else { return };
        let lost = if asks.is_some() { self.losses.pop_front() } else { None };
        let text = match lost {
            None => session.record(name, data, keep),
            Some(Lost::Garbled) => {
                session.record(name, &json!({"id": {}, "channel_id": [], "content": 7}), keep)
            }
            Some(Lost::LeftOut) => return session.leave_out(),
            Some(Lost::Unsent) => return,
        };
        let connection = session.connection.and_then(|id| self.connections.get_mut(&id));
        if let Some(connection) = connection {
            connection.outbox.push_back(Out::Event { text, asks });
        }
    }
}
