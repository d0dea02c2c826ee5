//! From one update to one event of the contract. Pure.

use roundtable_contract::{
    AccountId, ChatId, ChatKind, Conversation, Event, EventKey, Message, MessageId, MessageKind, Quote,
    Sender, ThreadId, UserId,
};
use serde_json::Value;

use crate::content::{attachments, is_service};
use crate::entity::mark;
use crate::{topics, wire};

/// Who we are: what `getMe` said.
#[derive(Debug, Clone)]
pub(crate) struct Us {
    pub(crate) account: AccountId,
    pub(crate) id: i64,
    pub(crate) username: String,
}

impl Us {
    /// Whether `name` (without `@`) is our user name; Telegram compares them without case.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        name.eq_ignore_ascii_case(&self.username)
    }
}

/// An update of which not even the indispensable fields could be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an update of kind `{kind}` can't be read")]
pub(crate) struct Unreadable {
    /// The kind, as the platform names it.
    pub(crate) kind: String,
}

/// The number of an update, if it has one.
pub(crate) fn update_id(update: &Value) -> Option<i32> {
    update.get("update_id")?.as_i64()?.try_into().ok()
}

/// What the update means to the core; nothing for kinds and messages that it has no use for.
pub(crate) fn read(us: &Us, update: Value) -> Result<Option<Event>, Unreadable> {
    let unreadable = |kind: &str| Unreadable { kind: kind.to_owned() };
    let Value::Object(mut fields) = update else { return Err(unreadable("none")) };
    // the name of the field beside the number is the update's kind
    let kinds = [("message", MessageKind::New), ("edited_message", MessageKind::Edit)];
    let mut found = kinds.into_iter().filter_map(|(name, kind)| Some((name, kind, fields.remove(name)?)));
    let Some((name, kind, message)) = found.next() else { return Ok(None) };
    let message: wire::Message = serde_json::from_value(message).map_err(|_| unreadable(name))?;
    event(us, kind, &message).map_err(|NoAuthor| unreadable(name))
}

/// Nobody can be admitted, or refused, as the author of the message.
struct NoAuthor;

/// The event of a message, if it is of use.
fn event(us: &Us, kind: MessageKind, message: &wire::Message) -> Result<Option<Event>, NoAuthor> {
    if let Some(event) = moved(us, message).or_else(|| topics::opened(us, message)) {
        return Ok(Some(event));
    }
    let ours = message.from.as_ref().is_some_and(|from| from.id == us.id);
    // id 0 is an ephemeral message: it has no place in the chat's sequence
    let aside = message.business_connection_id.is_some() || message.message_id == 0;
    if ours || aside || is_service(&message.rest) {
        return Ok(None);
    }
    let sender = sender(message).ok_or(NoAuthor)?;
    let (text, entities) = match &message.text {
        Some(text) => (text.as_str(), &message.entities),
        None => (message.caption.as_deref().unwrap_or_default(), &message.caption_entities),
    };
    let attachments = attachments(&message.rest, message.text.is_some());
    if text.is_empty() && attachments.is_empty() {
        return Ok(None);
    }
    let marked = mark(us, text, entities);
    Ok(Some(Event::Message(Box::new(Message {
        key: key(kind, message),
        conversation: Conversation {
            account: us.account.clone(),
            chat: chat_id(message.chat.id),
            thread: message.topic().map(|id| ThreadId::new(id.to_string())),
        },
        chat_kind: if message.chat.kind == "private" { ChatKind::Direct } else { ChatKind::Group },
        title: message.chat.title.clone(),
        guild: None,
        parent: None,
        kind,
        sender,
        id: MessageId(message.message_id),
        text: marked.text,
        spans: marked.spans,
        mentions_us: marked.mentions_us,
        forwarded: message.rest.contains_key("forward_origin"),
        reply_to: reply(us, message),
        attachments,
        album: message.media_group_id.clone(),
        at: written(kind, message) * 1000,
    }))))
}

/// A group that became a supergroup says so in both chats; the two messages are one event.
fn moved(us: &Us, message: &wire::Message) -> Option<Event> {
    let here = message.chat.id;
    let (from, to) = match (message.migrate_to_chat_id, message.migrate_from_chat_id) {
        (Some(to), _) => (here, to),
        (None, Some(from)) => (from, here),
        (None, None) => return None,
    };
    let key = EventKey::new(format!("moved:{from}:{to}"));
    Some(Event::Moved { key, account: us.account.clone(), from: chat_id(from), to: chat_id(to) })
}

pub(crate) fn chat_id(id: i64) -> ChatId {
    ChatId::new(id.to_string())
}

fn key(kind: MessageKind, message: &wire::Message) -> EventKey {
    let (chat, id) = (message.chat.id, message.message_id);
    EventKey::new(match kind {
        MessageKind::New => format!("msg:{chat}:{id}"),
        MessageKind::Edit => format!("edit:{chat}:{id}:{}", written(kind, message)),
    })
}

/// Seconds since 1970 at which this version of the message was written.
fn written(kind: MessageKind, message: &wire::Message) -> i64 {
    match kind {
        MessageKind::New => message.date,
        MessageKind::Edit => message.edit_date.unwrap_or(message.date),
    }
}

/// Who wrote it. For anonymous administrators and channels `from` is a placeholder shared by all of
/// them (and marked as a bot), and the chat they speak for is in `sender_chat`.
fn sender(message: &wire::Message) -> Option<Sender> {
    if let Some(chat) = &message.sender_chat {
        return Some(Sender {
            id: UserId::new(chat.id.to_string()),
            name: chat.title.clone().unwrap_or_default(),
            username: chat.username.clone(),
            is_bot: false,
            roles: Vec::new(),
        });
    }
    let from = message.from.as_ref()?;
    Some(Sender {
        id: UserId::new(from.id.to_string()),
        name: from.name(),
        username: from.username.clone(),
        is_bot: from.is_bot,
        roles: Vec::new(),
    })
}

/// The message that this one answers, in this chat or in another one.
fn reply(us: &Us, message: &wire::Message) -> Option<Quote> {
    let quoted = message.quote.as_ref().map(|quote| quote.text.clone());
    if let Some(to) = message.reply_to_message.as_deref().filter(|to| !to.is_root_of(message)) {
        return Some(Quote {
            id: Some(MessageId(to.message_id)),
            ours: to.from.as_ref().is_some_and(|from| from.id == us.id),
            author: sender(to).map(|sender| sender.name),
            text: quoted.or_else(|| to.text.clone()).or_else(|| to.caption.clone()),
            thread: None,
        });
    }
    let to = message.external_reply.as_ref()?;
    let origin = &to.origin;
    let chat = origin.sender_chat.as_ref().or(origin.chat.as_ref());
    // a reply to another topic of the same chat is external too, but its number counts here
    let here = to.chat.as_ref().is_some_and(|chat| chat.id == message.chat.id);
    Some(Quote {
        id: to.message_id.filter(|_| here).map(MessageId),
        ours: origin.sender_user.as_ref().is_some_and(|user| user.id == us.id),
        author: (origin.sender_user.as_ref().map(wire::User::name))
            .or_else(|| origin.sender_user_name.clone())
            .or_else(|| chat.and_then(|chat| chat.title.clone())),
        text: quoted,
        thread: None,
    })
}

#[cfg(test)]
mod tests;
