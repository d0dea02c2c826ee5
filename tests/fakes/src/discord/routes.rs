//! The routes that exist, with the fields that each knows.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    channel::Kind,
    messages::{
        create_message, create_reaction, delete_message, edit_message, get_message, get_messages, typing,
    },
    request::{Answer, Failure, Request},
    shard::Shard,
    threads::{active_threads, archived_threads, create_thread, create_thread_from_message, edit_channel},
    world::World,
};

/// One route.
#[derive(Debug)]
pub(super) struct Route {
    pub name: &'static str,
    pub verb: &'static str,
    path: &'static str,
    /// The fields of its body.
    pub fields: &'static [&'static str],
    /// The fields of its query.
    pub query: &'static [&'static str],
    /// The status of success; 204 when there is no body.
    pub status: u16,
    pub run: fn(&mut World, &Request) -> Answer,
}

impl Route {
    /// It makes a message that people see.
    pub fn sends(&self) -> bool {
        self.name == "create_message"
    }
}

macro_rules! routes {
    ($($name:ident $verb:ident $path:literal [$($field:literal)*] [$($query:literal)*] $status:literal;)*) => {
        &[$(Route {
            name: stringify!($name),
            verb: stringify!($verb),
            path: $path,
            fields: &[$($field),*],
            query: &[$($query),*],
            status: $status,
            run: $name,
        }),*]
    };
}

#[rustfmt::skip]
const ROUTES: &[Route] = routes! {
    gateway GET "/gateway" [] [] 200;
    gateway_bot GET "/gateway/bot" [] [] 200;
    me GET "/users/@me" [] [] 200;
    application GET "/applications/@me" [] [] 200;
    application GET "/oauth2/applications/@me" [] [] 200;
    create_dm POST "/users/@me/channels" ["recipient_id"] [] 200;
    get_channel GET "/channels/{channel_id}" [] [] 200;
    edit_channel PATCH "/channels/{channel_id}" ["name" "archived" "locked" "auto_archive_duration"] [] 200;
    create_message POST "/channels/{channel_id}/messages"
        ["content" "nonce" "enforce_nonce" "tts" "allowed_mentions" "message_reference" "flags"
         "embeds" "sticker_ids" "attachments" "components"] [] 200;
    get_messages GET "/channels/{channel_id}/messages" [] ["after" "before" "around" "limit"] 200;
    get_message GET "/channels/{channel_id}/messages/{message_id}" [] [] 200;
    edit_message PATCH "/channels/{channel_id}/messages/{message_id}"
        ["content" "allowed_mentions" "flags" "embeds" "attachments" "components"] [] 200;
    delete_message DELETE "/channels/{channel_id}/messages/{message_id}" [] [] 204;
    typing POST "/channels/{channel_id}/typing" [] [] 204;
    create_reaction PUT "/channels/{channel_id}/messages/{message_id}/reactions/{emoji}/@me" [] [] 204;
    create_thread_from_message POST "/channels/{channel_id}/messages/{message_id}/threads"
        ["name" "auto_archive_duration"] [] 201;
    create_thread POST "/channels/{channel_id}/threads"
        ["name" "type" "auto_archive_duration" "invitable" "message" "applied_tags"] [] 201;
    archived_threads GET "/channels/{channel_id}/threads/archived/public" [] ["before" "limit"] 200;
    active_threads GET "/guilds/{guild_id}/threads/active" [] [] 200;
    get_member GET "/guilds/{guild_id}/members/{user_id}" [] [] 200;
};

/// The route of a path below `/api/v10`, with the path's variable parts.
pub(super) fn find(
    verb: &str,
    path: &str,
) -> Result<(&'static Route, BTreeMap<&'static str, String>), Failure> {
    let mut other_verb = false;
    for route in ROUTES {
        let Some(parts) = matches(route.path, path) else { continue };
        if route.verb == verb {
            return Ok((route, parts));
        }
        other_verb = true;
    }
    let failure =
        if other_verb { Failure::new(405, 0, "405: Method Not Allowed") } else { Failure::not_found() };
    Err(failure.violation(format!("unknown route {verb} {path}")))
}

fn matches(pattern: &'static str, path: &str) -> Option<BTreeMap<&'static str, String>> {
    let (wanted, given): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
    if wanted.len() != given.len() {
        return None;
    }
    let mut parts = BTreeMap::new();
    for (wanted, given) in wanted.into_iter().zip(given) {
        if let Some(name) = wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            parts.insert(name, percent_encoding::percent_decode_str(given).decode_utf8_lossy().into_owned());
        } else if wanted != given {
            return None;
        }
    }
    Some(parts)
}

fn gateway(world: &mut World, _: &Request) -> Answer {
    Ok(json!({"url": format!("ws://{}", world.host)}))
}

fn gateway_bot(world: &mut World, request: &Request) -> Answer {
    let (remaining, reset_after) = world.identifies_left(request.bot);
    let limit = json!({
        "total": world.settings.identify_budget, "remaining": remaining, "reset_after": reset_after,
        "max_concurrency": 1,
    });
    let guilds = world.guilds_of(request.bot, Shard::ALL).len();
    let shards = guilds.div_ceil(world.settings.guilds_per_shard).max(1);
    Ok(json!({"url": format!("ws://{}", world.host), "shards": shards, "session_start_limit": limit}))
}

fn me(world: &mut World, request: &Request) -> Answer {
    Ok(world.me_json(request.bot))
}

fn application(world: &mut World, request: &Request) -> Answer {
    Ok(world.application_json(request.bot))
}

fn create_dm(world: &mut World, request: &Request) -> Answer {
    let required = || Failure::form("recipient_id", "BASE_TYPE_REQUIRED", "This field is required");
    let id = request.text("recipient_id")?.ok_or_else(required)?;
    let person = id.parse().ok().and_then(|id: u64| world.users.get(&id)).map(|user| (user.id, user.bot));
    let (person, bot) = person.ok_or_else(|| Failure::new(404, 10013, "Unknown User"))?;
    if bot {
        return Err(Failure::new(400, 50007, "Cannot send messages to this user"));
    }
    let both = |guild: &super::world::Guild| {
        guild.members.contains_key(&person) && guild.members.contains_key(&request.bot)
    };
    let known = world.channels.values().any(|channel| channel.pair == Some((request.bot, person)));
    if !known && !world.guilds.values().any(both) {
        return Err(Failure::new(
            403,
            50278,
            "Cannot send messages to this user due to having no mutual guilds",
        ));
    }
    let channel = world.dm(request.bot, person);
    Ok(world.channel_json(channel, request.bot, false))
}

fn get_member(world: &mut World, request: &Request) -> Answer {
    let (guild, user) = (request.id("guild_id")?, request.id("user_id")?);
    let members = world.guilds.get(&guild).map(|guild| &guild.members);
    let members = members.filter(|members| members.contains_key(&request.bot));
    let members = members.ok_or_else(|| Failure::new(404, 10004, "Unknown Guild"))?;
    if !members.contains_key(&user) {
        return Err(Failure::new(404, 10007, "Unknown Member"));
    }
    let mut member = world.member_json(guild, user);
    member["user"] = world.user_json(user);
    Ok(member)
}

fn get_channel(world: &mut World, request: &Request) -> Answer {
    let channel = world.open(request.bot, request.channel()?)?;
    Ok(world.channel_json(channel, request.bot, false))
}

impl World {
    /// A channel that stands and that the bot sees.
    pub(super) fn open(&self, bot: u64, channel: u64) -> Result<u64, Failure> {
        let found = self.channels.get(&channel).filter(|channel| !channel.deleted);
        let found = found.ok_or_else(Failure::unknown_channel)?;
        if self.sees(bot, channel) {
            return Ok(channel);
        }
        Err(if found.kind == Kind::Dm { Failure::unknown_channel() } else { Failure::missing_access() })
    }

    /// A channel in which the bot has these rights.
    pub(super) fn allowed(&self, bot: u64, channel: u64, rights: u64) -> Result<u64, Failure> {
        let channel = self.open(bot, channel)?;
        if self.rights(channel) & rights == rights {
            Ok(channel)
        } else {
            Err(Failure::missing_permissions())
        }
    }
}

/// Fields that the fake knows and does not build: they must be empty.
pub(super) const NOT_BUILT: [&str; 4] = ["embeds", "sticker_ids", "attachments", "components"];

/// What is wrong with the fields of a request.
pub(super) fn unknown_fields(request: &Request) -> Vec<String> {
    let (route, name) = (request.route, request.route.name);
    let body = request.body.keys().filter(|field| !route.fields.contains(&field.as_str()));
    let query = request.query.keys().filter(|field| !route.query.contains(&field.as_str()));
    let mut wrong: Vec<String> =
        body.chain(query).map(|field| format!("{name} has no field {field}")).collect();
    let filled = |value: &Value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty());
    let built = NOT_BUILT.iter().filter(|field| request.body.get(**field).is_some_and(filled));
    wrong.extend(built.map(|field| format!("{name} with {field}, which this fake does not know")));
    wrong
}
