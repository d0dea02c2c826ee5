//! The world as the JSON that Discord shows. Ids are strings everywhere.

use serde_json::{Value, json};

use super::{
    channel::{Channel, Kind, Message, rights},
    mentions::mentioned,
    world::World,
};
use crate::names::first_name;

/// Who looks: what is shown of a message depends on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Viewer {
    pub bot: u64,
    /// It may read what is not meant for it.
    pub content: bool,
}

impl World {
    /// A user as others see it.
    pub(super) fn user_json(&self, id: u64) -> Value {
        let (name, bot) =
            self.users.get(&id).map_or(("someone", false), |user| (user.name.as_str(), user.bot));
        let mut user = json!({
            "id": id.to_string(), "username": name, "discriminator": "0", "global_name": null, "avatar": null,
            "public_flags": 0,
        });
        if bot {
            user["bot"] = json!(true);
        } else {
            user["global_name"] = json!(first_name(name));
        }
        user
    }

    /// A bot as it sees itself.
    pub(super) fn me_json(&self, bot: u64) -> Value {
        let mut me = self.user_json(bot);
        me["verified"] = json!(true);
        me["mfa_enabled"] = json!(false);
        me["email"] = Value::Null;
        me["flags"] = json!(0);
        me
    }

    /// A bot's application.
    pub(super) fn application_json(&self, bot: u64) -> Value {
        json!({
            "id": self.bots[&bot].application.to_string(), "name": self.name_of(bot), "icon": null, "description": "",
            "bot_public": false, "bot_require_code_grant": false, "verify_key": "0", "flags": 0, "team": null,
            "owner": self.users.values().find(|user| user.name == "owner").map(|owner| self.user_json(owner.id)),
            "bot": self.user_json(bot), "summary": "",
        })
    }

    /// A member without its user.
    pub(super) fn member_json(&self, guild: u64, user: u64) -> Value {
        let member = self.guilds.get(&guild).and_then(|guild| guild.members.get(&user));
        let roles: Vec<String> = member.iter().flat_map(|member| &member.roles).map(u64::to_string).collect();
        let joined_at = member.map_or_else(|| stamp_of(user), |member| stamp(member.joined_at));
        json!({
            "roles": roles, "joined_at": joined_at, "deaf": false, "mute": false, "nick": null,
            "avatar": null, "premium_since": null, "pending": false, "communication_disabled_until": null, "flags": 0,
        })
    }

    /// A channel or thread. `newly` is for the event of its creation.
    pub(super) fn channel_json(&self, id: u64, bot: u64, newly: bool) -> Value {
        let channel = &self.channels[&id];
        let last = channel.last_message().map(|id| id.to_string());
        let mut shown =
            json!({"id": id.to_string(), "type": channel.kind.number(), "last_message_id": last, "flags": 0});
        if let Some((_, person)) = channel.pair {
            shown["recipients"] = json!([self.user_json(person)]);
            return shown;
        }
        shown["guild_id"] = json!(channel.guild.map(|guild| guild.to_string()));
        shown["parent_id"] = json!(channel.parent.map(|parent| parent.to_string()));
        shown["name"] = json!(channel.name);
        shown["rate_limit_per_user"] = json!(0);
        if channel.kind.is_thread() {
            thread_fields(channel, bot, newly, &mut shown);
        } else {
            self.guild_channel_fields(channel, &mut shown);
        }
        shown
    }

    fn guild_channel_fields(&self, channel: &Channel, shown: &mut Value) {
        let everyone = channel.guild.unwrap_or_default().to_string();
        let (allow, deny) = (channel.granted.to_string(), channel.denied.to_string());
        shown["position"] = json!(0);
        shown["nsfw"] = json!(false);
        shown["topic"] = Value::Null;
        shown["permission_overwrites"] = json!([{"id": everyone, "type": 0, "allow": allow, "deny": deny}]);
        if channel.kind == Kind::Forum {
            shown["available_tags"] = json!([]);
            shown["default_reaction_emoji"] = Value::Null;
            shown["default_sort_order"] = Value::Null;
            shown["default_forum_layout"] = json!(0);
            let posts = self.channels.values().filter(|post| post.parent == Some(channel.id));
            shown["last_message_id"] = json!(posts.map(|post| post.id).max().map(|id| id.to_string()));
        }
    }

    /// A message as history shows it.
    pub(super) fn message_json(&self, message: &Message, viewer: Viewer) -> Value {
        let mut shown = self.bare_message_json(message, viewer);
        let channel = &self.channels[&message.channel];
        if let Some(answered) = message.reply_to {
            let from = if message.kind == 21 { channel.parent } else { Some(channel.id) };
            shown["message_reference"] = json!({
                "type": 0, "message_id": answered.to_string(), "channel_id": from.map(|id| id.to_string()),
            });
            if let Some(guild) = channel.guild {
                shown["message_reference"]["guild_id"] = json!(guild.to_string());
            }
            let found =
                from.and_then(|from| self.channels.get(&from)).and_then(|from| from.message(answered));
            shown["referenced_message"] =
                found.map_or(Value::Null, |answered| self.bare_message_json(answered, viewer));
        }
        if message.flags & HAS_THREAD != 0 && self.channels.contains_key(&message.id) {
            shown["thread"] = self.channel_json(message.id, viewer.bot, false);
        }
        shown
    }

    fn bare_message_json(&self, message: &Message, viewer: Viewer) -> Value {
        let named = mentioned(&message.text);
        let mentions: Vec<u64> = named.users.union(&message.pings.users).copied().collect();
        let known = mentions.iter().filter(|id| self.users.contains_key(id));
        let reactions: Vec<Value> = message.reactions.iter().filter(|(_, by)| !by.is_empty()).map(|(emoji, by)| {
            json!({
                "emoji": {"id": null, "name": emoji}, "count": by.len(), "me": by.contains(&viewer.bot), "me_burst": false,
                "count_details": {"burst": 0, "normal": by.len()}, "burst_colors": [],
            })
        }).collect();
        let mut shown = json!({
            "id": message.id.to_string(), "channel_id": message.channel.to_string(), "type": message.kind,
            "content": message.text, "author": self.user_json(message.from), "timestamp": stamp_of(message.id),
            "edited_timestamp": message.edited.map(stamp), "tts": false, "mention_everyone": message.pings.everyone,
            "mentions": known.map(|id| self.user_json(*id)).collect::<Vec<_>>(),
            "mention_roles": named.roles.iter().map(u64::to_string).collect::<Vec<_>>(),
            "attachments": [], "embeds": [], "components": [], "pinned": false, "flags": message.flags,
        });
        if !reactions.is_empty() {
            shown["reactions"] = json!(reactions);
        }
        for (name, value) in &message.extra {
            shown[name] = value.clone();
        }
        let dm = self.channels[&message.channel].pair.is_some();
        if !(viewer.content || dm || message.from == viewer.bot || mentions.contains(&viewer.bot)) {
            shown["content"] = json!("");
            for list in ["embeds", "attachments", "components"] {
                shown[list] = json!([]);
            }
        }
        shown
    }

    /// A message as the gateway tells it.
    pub(super) fn message_event_json(&self, message: &Message, viewer: Viewer, created: bool) -> Value {
        let mut shown = self.message_json(message, viewer);
        let channel = &self.channels[&message.channel];
        shown["channel_type"] = json!(channel.kind.number());
        if let Some(guild) = channel.guild {
            shown["guild_id"] = json!(guild.to_string());
            shown["member"] = self.member_json(guild, message.from);
            let mentions = shown["mentions"].as_array_mut().into_iter().flatten();
            for user in mentions {
                let id = user["id"].as_str().and_then(|id| id.parse().ok()).unwrap_or_default();
                user["member"] = self.member_json(guild, id);
            }
        }
        if let Some(nonce) = message.nonce.as_ref().filter(|_| created) {
            shown["nonce"] = nonce.clone();
        }
        shown
    }

    /// GUILD_CREATE: everything a bot sees of a guild.
    pub(super) fn guild_json(&self, guild: u64, bot: u64) -> Value {
        let found = &self.guilds[&guild];
        let roles: Vec<Value> = found.roles.iter().map(|(id, name)| {
            let permissions = if *id == guild { rights::USUAL } else { 0 }.to_string();
            json!({
                "id": id.to_string(), "name": name, "color": 0, "hoist": false, "position": 0, "permissions": permissions,
                "managed": false, "mentionable": false, "flags": 0, "icon": null, "unicode_emoji": null,
                    "colors": {"primary_color": 0, "secondary_color": null, "tertiary_color": null},
            })
        }).collect();
        let members: Vec<Value> = found
            .members
            .keys()
            .map(|user| {
                let mut member = self.member_json(guild, *user);
                member["user"] = self.user_json(*user);
                member
            })
            .collect();
        let seen = |threads: bool| -> Vec<Value> {
            let all =
                self.channels.values().filter(|channel| channel.guild == Some(guild) && !channel.deleted);
            let kind = all.filter(|channel| channel.kind.is_thread() == threads && !channel.archived);
            let seen = kind.filter(|channel| self.sees(bot, channel.id));
            seen.map(|channel| self.channel_json(channel.id, bot, false)).collect()
        };
        json!({
            "id": guild.to_string(), "name": found.name, "icon": null, "splash": null, "discovery_splash": null,
            "owner_id": found.owner.to_string(), "afk_channel_id": null, "afk_timeout": 300, "verification_level": 0,
            "default_message_notifications": 0, "explicit_content_filter": 0, "roles": roles, "emojis": [],
            "features": [], "mfa_level": 0, "application_id": null, "system_channel_id": null,
            "system_channel_flags": 0, "rules_channel_id": null, "vanity_url_code": null, "description": null,
            "banner": null, "premium_tier": 0, "preferred_locale": "en-US", "public_updates_channel_id": null,
            "nsfw_level": 0, "premium_progress_bar_enabled": false, "joined_at": stamp(found.members[&bot].joined_at),
            "large": false, "unavailable": false, "member_count": members.len(), "voice_states": [],
            "members": members, "channels": seen(false), "threads": seen(true), "presences": [],
            "stage_instances": [], "guild_scheduled_events": [], "stickers": [],
        })
    }
}

/// The flag of a message that a thread hangs on.
pub(super) const HAS_THREAD: u64 = 1 << 5;

fn thread_fields(channel: &Channel, bot: u64, newly: bool, shown: &mut Value) {
    let count =
        channel.messages.values().filter(|message| !message.deleted && message.id != channel.id).count();
    shown["owner_id"] = json!(channel.owner.to_string());
    shown["message_count"] = json!(count);
    shown["total_message_sent"] = json!(channel.messages.len());
    shown["member_count"] = json!(channel.members.len());
    shown["applied_tags"] = json!([]);
    shown["thread_metadata"] = json!({
        "archived": channel.archived, "locked": channel.locked, "auto_archive_duration": channel.auto_archive,
        "archive_timestamp": stamp(channel.archived_at), "create_timestamp": stamp(channel.created_at),
    });
    if channel.kind == Kind::PrivateThread {
        shown["thread_metadata"]["invitable"] = json!(true);
    }
    if channel.members.contains(&bot) {
        shown["member"] = thread_member(channel, bot);
    }
    if newly {
        shown["newly_created"] = json!(true);
    }
}

/// A bot's membership of a thread.
pub(super) fn thread_member(thread: &Channel, bot: u64) -> Value {
    json!({
        "id": thread.id.to_string(), "user_id": bot.to_string(), "join_timestamp": stamp(thread.created_at), "flags": 0,
    })
}

fn stamp_of(id: u64) -> String {
    stamp((id >> 22) + super::world::EPOCH)
}

/// Milliseconds since 1970 as ISO 8601 with microseconds, the way Discord writes them.
pub(super) fn stamp(ms: u64) -> String {
    let (days, rest) = (ms / 86_400_000, ms % 86_400_000);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}000+00:00", ms % 1000)
}

/// Days since 1970 as a date: years are counted from March, so that the leap day is the last of a year.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let calendar = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + u64::from(calendar <= 2), calendar, day)
}

#[cfg(test)]
mod tests {
    use super::stamp;

    #[test]
    fn times_are_written_as_discord_writes_them() {
        assert_eq!(stamp(0), "1970-01-01T00:00:00.000000+00:00");
        assert_eq!(stamp(1_709_210_096_789), "2024-02-29T12:34:56.789000+00:00");
        assert_eq!(stamp(1_798_761_599_001), "2026-12-31T23:59:59.001000+00:00");
    }
}
