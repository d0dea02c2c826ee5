//! The methods the fake knows, with every field each may have, and the small ones themselves.

use serde_json::{Value, json};

use super::{
    request::{Answer, Failure, Params},
    send, topics,
    world::World,
};

/// How a method works on the world.
type Run = fn(&mut World, i64, &Params) -> Answer;

/// One method of the Bot API.
pub(super) struct Method {
    /// Its name in lower case.
    pub name: &'static str,
    /// Every field it has; others are violations.
    pub fields: &'static [&'static str],
    /// It counts against flood limits and is forbidden inside penalty windows.
    pub visible: bool,
    /// `None`: `getUpdates`, which waits.
    pub run: Option<Run>,
}

impl Method {
    /// It makes a message: only one may be on its way to a chat and topic.
    pub fn sends(&self) -> bool {
        matches!(self.name, "sendmessage" | "senddocument")
    }
}

/// The method of that name (lower case).
pub(super) fn find(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == name)
}

const fn quiet(name: &'static str, fields: &'static [&'static str], run: Run) -> Method {
    Method { name, fields, visible: false, run: Some(run) }
}

const fn visible(name: &'static str, fields: &'static [&'static str], run: Run) -> Method {
    Method { name, fields, visible: true, run: Some(run) }
}

const METHODS: &[Method] = &[
    Method {
        name: "getupdates",
        fields: &["offset", "limit", "timeout", "allowed_updates"],
        visible: false,
        run: None,
    },
    visible(
        "sendmessage",
        &[
            "business_connection_id",
            "chat_id",
            "message_thread_id",
            "direct_messages_topic_id",
            "text",
            "parse_mode",
            "entities",
            "link_preview_options",
            "disable_notification",
            "protect_content",
            "allow_paid_broadcast",
            "message_effect_id",
            "suggested_post_parameters",
            "reply_parameters",
            "reply_markup",
        ],
        send::send_message,
    ),
    visible(
        "senddocument",
        &[
            "business_connection_id",
            "chat_id",
            "message_thread_id",
            "document",
            "thumbnail",
            "caption",
            "parse_mode",
            "caption_entities",
            "disable_content_type_detection",
            "disable_notification",
            "protect_content",
            "allow_paid_broadcast",
            "message_effect_id",
            "reply_parameters",
            "reply_markup",
        ],
        send::send_document,
    ),
    visible(
        "sendmessagedraft",
        &["chat_id", "message_thread_id", "draft_id", "text", "parse_mode", "entities"],
        send::send_draft,
    ),
    visible(
        "editmessagetext",
        &[
            "business_connection_id",
            "chat_id",
            "message_id",
            "inline_message_id",
            "text",
            "parse_mode",
            "entities",
            "link_preview_options",
            "reply_markup",
        ],
        send::edit_text,
    ),
    visible(
        "editmessagereplymarkup",
        &["business_connection_id", "chat_id", "message_id", "inline_message_id", "reply_markup"],
        send::edit_markup,
    ),
    quiet("deletemessage", &["chat_id", "message_id"], send::delete),
    quiet("deletemessages", &["chat_id", "message_ids"], send::delete_many),
    visible(
        "sendchataction",
        &["business_connection_id", "chat_id", "message_thread_id", "action"],
        chat_action,
    ),
    quiet("setmessagereaction", &["chat_id", "message_id", "reaction", "is_big"], send::react),
    quiet("getme", &[], |world, bot, _| Ok(world.me_json(bot))),
    quiet("getchat", &["chat_id"], get_chat),
    quiet("getchatmember", &["chat_id", "user_id"], get_chat_member),
    quiet("createforumtopic", &["chat_id", "name", "icon_color", "icon_custom_emoji_id"], topics::create),
    quiet("editforumtopic", &["chat_id", "message_thread_id", "name", "icon_custom_emoji_id"], topics::edit),
    quiet("closeforumtopic", &["chat_id", "message_thread_id"], topics::close),
    quiet("reopenforumtopic", &["chat_id", "message_thread_id"], topics::reopen),
    quiet("deleteforumtopic", &["chat_id", "message_thread_id"], topics::delete),
    quiet("deletewebhook", &["drop_pending_updates"], delete_webhook),
    quiet("getwebhookinfo", &[], webhook_info),
    quiet("setmycommands", &["commands", "scope", "language_code"], set_commands),
    quiet(
        "answercallbackquery",
        &["callback_query_id", "text", "show_alert", "url", "cache_time"],
        answer_callback,
    ),
];

/// What a bot may be seen doing.
const ACTIONS: &[&str] = &[
    "typing",
    "upload_photo",
    "record_video",
    "upload_video",
    "record_voice",
    "upload_voice",
    "upload_document",
    "choose_sticker",
    "find_location",
    "record_video_note",
    "upload_video_note",
];

fn chat_action(world: &mut World, bot: i64, params: &Params) -> Answer {
    if !ACTIONS.contains(&params.text("action")?) {
        return Err(Failure::bad("wrong parameter action in request"));
    }
    let key = world.writable(bot, params)?;
    let thread = params.int("message_thread_id")?;
    // Unlike a send, an action may name General by its number.
    if let Some(thread) = thread.filter(|thread| *thread != 1) {
        world.thread(key, bot, Some(thread))?;
    }
    Ok(json!(true))
}

fn get_chat(world: &mut World, bot: i64, params: &Params) -> Answer {
    let key = world.known(bot, params)?;
    if let Some(new) = world.chats[&key].migrated_to {
        return Err(Failure::migrated(new));
    }
    let mut chat = world.chat_json(key);
    for (field, value) in [("accent_color_id", json!(0)), ("max_reaction_count", json!(11))] {
        chat[field] = value;
    }
    chat["accepted_gift_types"] = json!({
        "unlimited_gifts": true, "limited_gifts": true, "unique_gifts": true, "premium_subscription": true,
        "gifts_from_channels": true,
    });
    Ok(chat)
}

fn get_chat_member(world: &mut World, bot: i64, params: &Params) -> Answer {
    let key = world.known(bot, params)?;
    let user = params.int("user_id")?.ok_or_else(|| Failure::bad("invalid user_id specified"))?;
    if world.bots.contains_key(&user) {
        return Ok(world.member_json(key, user, world.chats[&key].bots.get(&user).copied()));
    }
    if !world.users.contains_key(&user) {
        return Err(Failure::bad("member not found"));
    }
    Ok(json!({"user": world.user_json(user), "status": "member"}))
}

fn delete_webhook(world: &mut World, bot: i64, params: &Params) -> Answer {
    let drop_pending = params.flag("drop_pending_updates")?;
    let bot = world.bots.get_mut(&bot).expect("the dispatcher found it by its token");
    bot.webhook = None;
    if drop_pending {
        bot.queue.clear();
    }
    Ok(json!(true))
}

fn webhook_info(world: &mut World, bot: i64, _params: &Params) -> Answer {
    let bot = &world.bots[&bot];
    let mut info = json!({
        "url": bot.webhook.as_deref().unwrap_or_default(), "has_custom_certificate": false,
        "pending_update_count": bot.queue.len(),
    });
    if let Some(allowed) = bot.queue.allowed() {
        info["allowed_updates"] = json!(allowed);
    }
    Ok(info)
}

fn set_commands(world: &mut World, bot: i64, params: &Params) -> Answer {
    let commands: Vec<Value> = params.parsed("commands")?.unwrap_or_default();
    let _scope: Option<Value> = params.parsed("scope")?;
    if commands.len() > 100 {
        return Err(Failure::bad("BOT_COMMANDS_TOO_MUCH"));
    }
    for command in &commands {
        let name = command["command"].as_str().unwrap_or_default().trim_start_matches('/');
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !(1..=32).contains(&name.len()) || !name.chars().all(letters) {
            return Err(Failure::bad("BOT_COMMAND_INVALID").violation(format!("command name {name:?}")));
        }
        let description = command["description"].as_str().unwrap_or_default();
        if !(1..=256).contains(&description.chars().count()) {
            let what = format!("description of /{name}: {description:?}");
            return Err(Failure::bad("BOT_COMMAND_DESCRIPTION_INVALID").violation(what));
        }
    }
    world.bots.get_mut(&bot).expect("the dispatcher found it by its token").commands = json!(commands);
    Ok(json!(true))
}

fn answer_callback(world: &mut World, bot: i64, params: &Params) -> Answer {
    let too_old = || Failure::bad("query is too old and response timeout expired or query ID is invalid");
    let text = params.text("text")?;
    if text.chars().count() > 200 {
        return Err(Failure::bad("MESSAGE_TOO_LONG").violation(format!("answer to a button: {text:?}")));
    }
    let id = params.int("callback_query_id")?.ok_or_else(too_old)?;
    let waiting = |callback: &&mut super::world::Callback| callback.bot == bot && callback.answer.is_none();
    let callback = world.callbacks.get_mut(&id).filter(waiting).ok_or_else(too_old)?;
    callback.answer = Some(json!({"text": text, "show_alert": params.flag("show_alert")?}));
    Ok(json!(true))
}
