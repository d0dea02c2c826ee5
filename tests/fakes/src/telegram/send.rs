//! Methods that make, change and remove messages.

use serde_json::{Value, json};

use super::{
    chat::{ChatKey, Draft, GroupKind, Message},
    request::{Answer, Failure, Params},
    text::{self, Formatted},
    world::World,
};

/// The emoji that a bot may put under a message.
const REACTIONS: &str = "👍 👎 ❤ 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 \
     😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡";
/// Messages older than this many seconds cannot be deleted.
const DELETABLE: i64 = 48 * 3600;
const UNCHANGED: &str = "message is not modified: specified new message content and reply markup are exactly the same as a \
                         current content and reply markup of the message";

pub(super) fn send_message(world: &mut World, bot: i64, params: &Params) -> Answer {
    let formatted = formatted(world, params, "text", "entities")?;
    let key = world.writable(bot, params)?;
    if formatted.text.chars().count() > text::MAX_TEXT {
        return Err(Failure::bad("message is too long"));
    }
    let mut message = Message::new(bot, formatted.text, formatted.entities);
    message.markup = markup(params)?;
    deliver(world, key, params, message)
}

pub(super) fn send_document(world: &mut World, bot: i64, params: &Params) -> Answer {
    let file = params.0.get("document").and_then(Value::as_object);
    let mut file = file.cloned().ok_or_else(|| Failure::bad("there is no document in the request"))?;
    let inside = file.remove("text").and_then(|text| text.as_str().map(str::to_owned));
    if file["file_size"].as_u64().unwrap_or(0) > 50_000_000 {
        return Err(Failure::new(413, "Request Entity Too Large"));
    }
    let caption = match params.text("caption")? {
        "" => Formatted::default(),
        _ => formatted(world, params, "caption", "caption_entities")?,
    };
    let key = world.writable(bot, params)?;
    if caption.text.chars().count() > text::MAX_CAPTION {
        return Err(Failure::bad("message caption is too long"));
    }
    let number = world.fresh();
    file.insert("file_id".into(), json!(format!("file{number}-{bot}")));
    file.insert("file_unique_id".into(), json!(format!("file{number}")));
    let mut message = Message::new(bot, caption.text, caption.entities);
    message.content.insert("document".into(), Value::Object(file));
    message.file_text = inside;
    message.markup = markup(params)?;
    deliver(world, key, params, message)
}

/// Puts a message where the call says, and answers with it.
fn deliver(world: &mut World, key: ChatKey, params: &Params, mut message: Message) -> Answer {
    let reply = replied(world, key, params)?;
    let asked = params.int("message_thread_id")?.or(reply.and_then(|(_, thread)| thread));
    message.thread = world.thread(key, message.from, asked)?;
    // A reply to another topic is shown as a quotation from elsewhere, not as a reply.
    message.reply_to = reply.filter(|(_, thread)| *thread == message.thread).map(|(id, _)| id);
    let id = world.post(key, message);
    Ok(world.message_json(key, &world.chats[&key].messages[&id]))
}

pub(super) fn send_draft(world: &mut World, bot: i64, params: &Params) -> Answer {
    if params.int("draft_id")?.unwrap_or(0) == 0 {
        return Err(Failure::bad("draft_id must be non-zero").violation("a draft without an id"));
    }
    let draft = match params.text("text")? {
        "" => Formatted::default(),
        _ => formatted(world, params, "text", "entities")?,
    };
    let key = world.writable(bot, params)?;
    if world.chats[&key].kind.is_some() {
        return Err(Failure::bad("TEXTDRAFT_PEER_INVALID"));
    }
    if draft.text.chars().count() > text::MAX_TEXT {
        return Err(Failure::bad("message is too long"));
    }
    let thread = world.thread(key, bot, params.int("message_thread_id")?)?;
    let draft = Draft { text: draft.text, at_ms: world.now_ms() };
    world.chat(key).drafts.insert(thread.unwrap_or(0), draft);
    Ok(json!(true))
}

pub(super) fn edit_text(world: &mut World, bot: i64, params: &Params) -> Answer {
    let formatted = formatted(world, params, "text", "entities")?;
    let markup = markup(params)?;
    let (key, id) = editable(world, bot, params)?;
    if formatted.text.chars().count() > text::MAX_TEXT {
        return Err(Failure::bad("MESSAGE_TOO_LONG"));
    }
    let now = world.now();
    let message = world.chat(key).messages.get_mut(&id).expect("found above");
    if !message.content.is_empty() {
        return Err(Failure::bad("there is no text in the message to edit"));
    }
    if (&message.text, &message.entities, &message.markup) == (&formatted.text, &formatted.entities, &markup)
    {
        return Err(Failure::bad(UNCHANGED));
    }
    message.edits.push(std::mem::replace(&mut message.text, formatted.text));
    message.entities = formatted.entities;
    message.markup = markup;
    message.edited = Some(now);
    Ok(world.message_json(key, &world.chats[&key].messages[&id]))
}

pub(super) fn edit_markup(world: &mut World, bot: i64, params: &Params) -> Answer {
    let markup = markup(params)?;
    let (key, id) = editable(world, bot, params)?;
    let message = world.chat(key).messages.get_mut(&id).expect("found above");
    if message.markup == markup {
        return Err(Failure::bad(UNCHANGED));
    }
    message.markup = markup;
    Ok(world.message_json(key, &world.chats[&key].messages[&id]))
}

fn editable(world: &World, bot: i64, params: &Params) -> Result<(ChatKey, i64), Failure> {
    let key = world.joined(bot, params)?;
    let id = params.int("message_id")?.ok_or_else(|| Failure::bad("message identifier is not specified"))?;
    let message = world.chats[&key].message(id).ok_or_else(|| Failure::bad("message to edit not found"))?;
    if message.from != bot || message.is_service() {
        return Err(Failure::bad("message can't be edited"));
    }
    Ok((key, id))
}

pub(super) fn delete(world: &mut World, bot: i64, params: &Params) -> Answer {
    let key = world.writable(bot, params)?;
    let id = params.int("message_id")?.unwrap_or(0);
    if world.chats[&key].message(id).is_none() {
        return Err(Failure::bad("message to delete not found"));
    }
    if !remove(world, bot, key, id) {
        return Err(Failure::bad("message can't be deleted"));
    }
    Ok(json!(true))
}

pub(super) fn delete_many(world: &mut World, bot: i64, params: &Params) -> Answer {
    let key = world.writable(bot, params)?;
    let ids: Vec<i64> = params.parsed("message_ids")?.unwrap_or_default();
    if !(1..=100).contains(&ids.len()) {
        return Err(Failure::bad("message identifiers are not specified").violation("1 to 100 message ids"));
    }
    for id in ids {
        remove(world, bot, key, id);
    }
    Ok(json!(true))
}

fn remove(world: &mut World, bot: i64, key: ChatKey, id: i64) -> bool {
    let (now, admin) = (world.now(), world.is_admin(bot, key));
    let found = world.chat(key).messages.get_mut(&id).filter(|message| !message.deleted);
    let allowed = found.filter(|message| now - message.date < DELETABLE && (message.from == bot || admin));
    allowed.map(|message| message.deleted = true).is_some()
}

pub(super) fn react(world: &mut World, bot: i64, params: &Params) -> Answer {
    let key = world.writable(bot, params)?;
    let wanted: Vec<Value> = params.parsed("reaction")?.unwrap_or_default();
    let id = params.int("message_id")?.unwrap_or(0);
    let message = world.chat(key).messages.get_mut(&id).filter(|message| !message.deleted);
    let message = message.ok_or_else(|| Failure::bad("message to react not found"))?;
    match wanted.as_slice() {
        [] => drop(message.reactions.remove(&bot)),
        [one] => {
            let emoji = one["emoji"].as_str().filter(|_| one["type"] == "emoji").unwrap_or_default();
            if !REACTIONS.split_whitespace().any(|known| known == emoji) {
                return Err(Failure::bad("REACTION_INVALID").violation(format!("reaction {one}")));
            }
            message.reactions.insert(bot, emoji.to_owned());
        }
        _ => return Err(Failure::bad("REACTIONS_TOO_MANY").violation("bots have one reaction a message")),
    }
    Ok(json!(true))
}

/// Reads, checks and normalises a text; the program under test formats with entities only.
fn formatted(world: &mut World, params: &Params, field: &str, entities: &str) -> Result<Formatted, Failure> {
    if !params.text("parse_mode")?.is_empty() {
        return Err(Failure::bad("unsupported parse_mode").violation("parse_mode instead of entities"));
    }
    let raw = params.text(field)?;
    if raw.is_empty() {
        return Err(Failure::bad("message text is empty").violation("a message without text"));
    }
    let entities: Vec<Value> = params.parsed(entities)?.unwrap_or_default();
    let formatted = text::format(raw, &entities);
    world.violations.extend(formatted.violations.iter().cloned());
    if text::is_blank(&formatted.text) {
        return Err(Failure::bad("text must be non-empty").violation(format!("nothing to see in {raw:?}")));
    }
    Ok(formatted)
}

/// The message that a send answers: its number and its topic.
fn replied(world: &World, key: ChatKey, params: &Params) -> Result<Option<(i64, Option<i64>)>, Failure> {
    let Some(reply): Option<Value> = params.parsed("reply_parameters")? else { return Ok(None) };
    let id = reply["message_id"].as_i64().unwrap_or(0);
    match world.chats[&key].message(id) {
        Some(message) => Ok(Some((id, message.thread))),
        None if reply["allow_sending_without_reply"] == json!(true) => Ok(None),
        None => Err(Failure::bad("message to be replied not found")),
    }
}

fn markup(params: &Params) -> Result<Option<Value>, Failure> {
    let Some(markup): Option<Value> = params.parsed("reply_markup")? else { return Ok(None) };
    let rows = markup["inline_keyboard"].as_array().cloned().unwrap_or_default();
    let buttons: Vec<&Value> = rows.iter().filter_map(Value::as_array).flatten().collect();
    if buttons.len() > 100 {
        return Err(Failure::bad("reply markup is too long").violation("more than 100 buttons"));
    }
    for button in &buttons {
        let data = button["callback_data"].as_str();
        if data.is_some_and(|data| !(1..=64).contains(&data.len())) {
            return Err(Failure::bad("BUTTON_DATA_INVALID").violation(format!("callback data {data:?}")));
        }
        if button["text"].as_str().unwrap_or_default().is_empty() {
            return Err(Failure::bad(
                "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
            )
            .violation(format!("a button without text: {button}")));
        }
    }
    Ok((!buttons.is_empty()).then_some(markup))
}

impl World {
    /// The topic that a message to `asked` lands in, or why it cannot.
    pub(super) fn thread(&self, key: ChatKey, bot: i64, asked: Option<i64>) -> Result<Option<i64>, Failure> {
        let chat = &self.chats[&key];
        let Some(asked) = asked else { return Ok(None) };
        let private = chat.kind.is_none();
        match chat.kind {
            Some(GroupKind::Basic | GroupKind::Supergroup) => return Ok(None),
            Some(GroupKind::Forum) => {}
            None if self.bots[&key.bot].topics => {}
            None => return Err(Failure::bad("message thread not found")),
        }
        // General has the number 1, but a send must not name it.
        let topic = chat.topics.get(&asked).filter(|topic| !topic.deleted && asked != 1);
        match topic {
            None if private && self.settings.lost_topic_falls_back => Ok(None),
            None => Err(Failure::bad("message thread not found")),
            Some(topic) if topic.closed && !self.is_admin(bot, key) => Err(Failure::bad("TOPIC_CLOSED")),
            Some(_) => Ok(Some(asked)),
        }
    }
}
