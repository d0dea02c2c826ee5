//! What the gateway has told us about servers, channels and threads: where a message's channel lies and
//! what the numbers in its text are called. In memory only; what is not known is asked for.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::wire;

/// What a channel is (<https://discord.com/developers/docs/resources/channel#channel-object-channel-types>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One person and the bot.
    Direct,
    /// A thread or post: a channel of its own below its parent.
    Thread,
    /// A channel that has messages.
    Channel,
    /// A category, or a forum whose posts have the messages.
    Container,
}

impl Kind {
    pub(crate) fn of(number: i64) -> Self {
        match number {
            1 | 3 => Self::Direct,
            10..=12 => Self::Thread,
            4 | 14 | 15 | 16 => Self::Container,
            _ => Self::Channel,
        }
    }
}

/// The flag of a channel that the bot is told of and may not view.
const HIDDEN: i64 = 1 << 17;

/// A channel or thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) kind: Kind,
    pub(crate) guild: Option<u64>,
    /// The channel that a thread lies in; a channel's category is none.
    pub(crate) parent: Option<u64>,
    pub(crate) name: Option<String>,
    /// The newest message, which may be deleted since; 0 when none is known.
    pub(crate) newest: u64,
}

impl Place {
    /// Reads a channel object. `guild` is the server it came with.
    pub(crate) fn read(channel: &Value, guild: Option<u64>) -> Option<(u64, Self)> {
        let kind = Kind::of(wire::number(channel, "/type")?);
        let place = Self {
            kind,
            guild: wire::id(channel, "/guild_id").or(guild),
            parent: wire::id(channel, "/parent_id").filter(|_| kind == Kind::Thread),
            name: wire::text(channel, "/name").map(str::to_owned),
            newest: wire::id(channel, "/last_message_id").unwrap_or(0),
        };
        Some((wire::id(channel, "/id")?, place))
    }
}

/// A role on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Role {
    guild: u64,
    name: String,
    /// The role that came with a bot belongs to it alone: speaking to one is speaking to the other.
    bot: Option<u64>,
}

/// All places known.
#[derive(Debug, Default)]
pub(crate) struct Places {
    places: HashMap<u64, Place>,
    /// The servers of channels, also of those that are gone: how far they were read is kept under both names.
    servers: HashMap<u64, u64>,
    roles: HashMap<u64, Role>,
    /// Channels that we may not view, as we were told or as they were refused, until we are told otherwise or hear something
    /// there. Only those that were read or told of are asked for, so there are no more.
    hidden: HashSet<u64>,
}

impl Places {
    /// Takes in an event that tells of places; gives the channels that it told of.
    pub(crate) fn apply(&mut self, event: &str, data: &Value) -> Vec<u64> {
        match event {
            "GUILD_CREATE" => self.guild(data),
            "GUILD_DELETE" if !wire::flag(data, "/unavailable") => {
                let gone = wire::id(data, "/id");
                self.places.retain(|_, place| place.guild != gone);
                self.roles.retain(|_, role| Some(role.guild) != gone);
                Vec::new()
            }
            "GUILD_ROLE_CREATE" | "GUILD_ROLE_UPDATE" => {
                if let (Some(guild), Some(role)) = (wire::id(data, "/guild_id"), data.get("role")) {
                    self.role(guild, role);
                }
                Vec::new()
            }
            "CHANNEL_CREATE" | "CHANNEL_UPDATE" | "THREAD_CREATE" | "THREAD_UPDATE" => {
                self.channel(data, None).into_iter().collect()
            }
            "THREAD_LIST_SYNC" => {
                let guild = wire::id(data, "/guild_id");
                wire::list(data, "/threads").iter().filter_map(|thread| self.channel(thread, guild)).collect()
            }
            "CHANNEL_DELETE" | "THREAD_DELETE" => {
                if let Some(gone) = wire::id(data, "/id") {
                    self.places.retain(|id, place| *id != gone && place.parent != Some(gone));
                }
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn guild(&mut self, data: &Value) -> Vec<u64> {
        let Some(guild) = wire::id(data, "/id") else { return Vec::new() };
        for role in wire::list(data, "/roles") {
            self.role(guild, role);
        }
        let channels = wire::list(data, "/channels").iter().chain(wire::list(data, "/threads"));
        channels.filter_map(|channel| self.channel(channel, Some(guild))).collect()
    }

    fn role(&mut self, guild: u64, role: &Value) {
        if let (Some(id), Some(name)) = (wire::id(role, "/id"), wire::text(role, "/name")) {
            let bot = wire::id(role, "/tags/bot_id");
            self.roles.insert(id, Role { guild, name: name.to_owned(), bot });
        }
    }

    /// Takes in a channel object, for one that was asked for too.
    pub(crate) fn channel(&mut self, channel: &Value, guild: Option<u64>) -> Option<u64> {
        let (id, mut place) = Place::read(channel, guild)?;
        if let Some(old) = self.places.get(&id) {
            // some events leave out what has not changed
            place.newest = place.newest.max(old.newest);
            place.guild = place.guild.or(old.guild);
        }
        if let Some(guild) = place.guild {
            self.lies_on(id, guild);
        }
        self.places.insert(id, place);
        if wire::number(channel, "/flags").unwrap_or(0) & HIDDEN == 0 {
            self.hidden.remove(&id);
        } else {
            self.hidden.insert(id);
        }
        Some(id)
    }

    /// We were refused a channel, also one of which nothing else is known, as an archived thread or what is gone. Gives its
    /// newest message, 0 when none is known.
    pub(crate) fn hide(&mut self, channel: u64) -> u64 {
        self.hidden.insert(channel);
        self.get(channel).map_or(0, |place| place.newest)
    }

    /// A message came from a channel: we may view it.
    pub(crate) fn heard(&mut self, channel: u64, guild: Option<u64>) {
        self.hidden.remove(&channel);
        if let Some(guild) = guild {
            self.lies_on(channel, guild);
        }
    }

    /// Whether we know that we may not view a channel.
    pub(crate) fn is_hidden(&self, channel: u64) -> bool {
        self.hidden.contains(&channel)
    }

    /// A channel is on a server.
    pub(crate) fn lies_on(&mut self, channel: u64, guild: u64) {
        self.servers.insert(channel, guild);
    }

    /// The server of a channel, gone or not; `None` for what is private.
    pub(crate) fn server(&self, channel: u64) -> Option<u64> {
        self.servers.get(&channel).copied()
    }

    /// The place of a channel's number, if it is known.
    pub(crate) fn get(&self, channel: u64) -> Option<&Place> {
        self.places.get(&channel)
    }

    /// The name of a role, and the bot it belongs to.
    pub(crate) fn role_name(&self, role: u64) -> Option<(&str, Option<u64>)> {
        self.roles.get(&role).map(|role| (role.name.as_str(), role.bot))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told() -> Places {
        let mut places = Places::default();
        let guild = json!({"id": "1", "roles": [{"id": "7", "name": "devs"},
            {"id": "8", "name": "bridge", "tags": {"bot_id": "900"}}],
            "channels": [{"id": "20", "type": 0, "name": "general", "parent_id": "2", "last_message_id": "40"},
                {"id": "21", "type": 15, "name": "forum"}, {"type": 0}],
            "threads": [{"id": "30", "type": 11, "name": "plans", "parent_id": "20", "last_message_id": null}]});
        assert_eq!(places.apply("GUILD_CREATE", &guild), [20, 21, 30]);
        places
    }

    #[test]
    fn a_server_tells_of_its_channels_threads_and_roles() {
        let places = told();
        let general = places.get(20).unwrap();
        assert_eq!((general.kind, general.guild, general.parent), (Kind::Channel, Some(1), None));
        assert_eq!((general.name.as_deref(), general.newest), (Some("general"), 40));
        assert_eq!(places.get(21).unwrap().kind, Kind::Container);
        let thread = places.get(30).unwrap();
        assert_eq!((thread.kind, thread.guild, thread.parent), (Kind::Thread, Some(1), Some(20)));
        assert_eq!(places.role_name(7), Some(("devs", None)));
        assert_eq!(places.role_name(8), Some(("bridge", Some(900))));
    }

    #[test]
    fn a_channel_is_hidden_until_we_are_told_or_hear_otherwise() {
        let mut places = told();
        let channel = |flags: i64| json!({"id": "20", "type": 0, "guild_id": "1", "flags": flags});
        assert!(!places.is_hidden(20) && !places.is_hidden(99));
        places.apply("CHANNEL_UPDATE", &channel(HIDDEN | 1));
        assert!(places.is_hidden(20));
        places.apply("CHANNEL_UPDATE", &channel(1));
        assert!(!places.is_hidden(20));
        assert_eq!((places.hide(20), places.hide(99)), (40, 0));
        assert!(places.is_hidden(20) && places.is_hidden(99));
        places.apply("CHANNEL_UPDATE", &channel(1));
        places.heard(99, Some(1));
        assert!(!places.is_hidden(20) && !places.is_hidden(99));
        places.apply("CHANNEL_UPDATE", &channel(HIDDEN));
        places.heard(20, Some(1));
        assert!(!places.is_hidden(20));
    }

    #[test]
    fn changes_are_followed() {
        let mut places = told();
        let renamed = json!({"id": "30", "type": 11, "guild_id": "1", "name": "done", "parent_id": "20"});
        places.apply("THREAD_UPDATE", &renamed);
        assert_eq!(places.get(30).unwrap().name.as_deref(), Some("done"));
        places.apply("GUILD_DELETE", &json!({"id": "1", "unavailable": true}));
        assert!(places.get(20).is_some(), "an outage is no removal");
        places.apply("CHANNEL_DELETE", &json!({"id": "20"}));
        assert_eq!((places.get(20), places.get(30)), (None, None), "threads go with their channel");
        places.apply("GUILD_DELETE", &json!({"id": "1"}));
        assert_eq!((places.get(21), places.role_name(7)), (None, None));
        assert_eq!((places.server(20), places.server(21), places.server(22)), (Some(1), Some(1), None));
    }
}
