//! From one message as Discord sends it to one event of the contract. Pure.

use roundtable_contract::{
    AccountId, ChatId, ChatKind, Conversation, Event, EventKey, Message, MessageId, MessageKind, Quote,
    Sender, UserId,
};
use serde_json::Value;

use crate::content::{attachments, forwarded, is_of_discord, text};
use crate::entity::{Marked, Named, Names, mark};
use crate::places::{Kind, Place, Places};
use crate::wire;

/// Who we are: what READY said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Us {
    pub(crate) account: AccountId,
    pub(crate) id: u64,
    /// The bot's application: 0 when it is not known, as nobody's is.
    pub(crate) application: u64,
    pub(crate) name: String,
}

impl Us {
    /// Whether a message is our own: the bot's, or one that a webhook or interaction of ours wrote.
    /// (The nonces of what we are just sending are the caller's to look at.)
    pub(crate) fn wrote(&self, message: &Value) -> bool {
        wire::id(message, "/author/id") == Some(self.id)
            || (self.application != 0 && wire::id(message, "/application_id") == Some(self.application))
    }
}

/// Where a message lies, and what only the server knows of its author.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) us: &'a Us,
    pub(crate) places: &'a Places,
    /// The place of the message's channel.
    pub(crate) place: &'a Place,
    /// The author as a member of the server, where the message does not say it.
    pub(crate) member: Option<&'a Value>,
}

/// When a message was last changed by its author, in milliseconds since 1970.
pub(crate) fn edited_at(message: &Value) -> Option<i64> {
    wire::time(message, "/edited_timestamp")
}

/// The event of a message, if it is of use to the core.
pub(crate) fn event(context: Context<'_>, kind: MessageKind, message: &Value) -> Option<Event> {
    let (us, place) = (context.us, context.place);
    if us.wrote(message) || is_of_discord(message) {
        return None;
    }
    let (id, channel) = (wire::id(message, "/id")?, wire::id(message, "/channel_id")?);
    let sender = sender(context, message)?;
    let snapshot = forwarded(message);
    let content = snapshot.unwrap_or(message);
    let marked = marked(context, content);
    let attachments = attachments(content);
    if marked.text.trim().is_empty() && attachments.is_empty() {
        return None;
    }
    let written = match kind {
        MessageKind::New => wire::made_at(id),
        MessageKind::Edit => edited_at(message)?,
    };
    Some(Event::Message(Box::new(Message {
        key: EventKey::new(match kind {
            MessageKind::New => format!("msg:{channel}:{id}"),
            MessageKind::Edit => format!("edit:{channel}:{id}:{written}"),
        }),
        conversation: Conversation::chat(us.account.clone(), channel.to_string()),
        chat_kind: if place.kind == Kind::Direct { ChatKind::Direct } else { ChatKind::Group },
        title: place.name.clone().filter(|_| place.kind != Kind::Direct),
        guild: place.guild.map(|guild| guild.to_string()),
        parent: place.parent.map(|parent| ChatId::new(parent.to_string())),
        kind,
        sender,
        id: number(id),
        mentions_us: marked.mentions_us && snapshot.is_none(),
        text: marked.text,
        spans: marked.spans,
        forwarded: snapshot.is_some(),
        reply_to: reply(context, channel, message),
        attachments,
        album: None,
        at: written,
    })))
}

/// A snowflake as the contract's number: it has 63 bits until the year 2084.
pub(crate) fn number(id: u64) -> MessageId {
    MessageId(i64::try_from(id).unwrap_or(i64::MAX))
}

/// Who wrote it. A webhook counts as a bot.
fn sender(context: Context<'_>, message: &Value) -> Option<Sender> {
    let id = wire::id(message, "/author/id")?;
    let member = message.get("member").filter(|member| member.is_object()).or(context.member);
    let roles = member.map(|member| wire::list(member, "/roles")).unwrap_or_default();
    Some(Sender {
        id: UserId::new(id.to_string()),
        name: name(message.get("author")?, member),
        username: wire::text(message, "/author/username").map(str::to_owned),
        is_bot: wire::flag(message, "/author/bot") || wire::id(message, "/webhook_id").is_some(),
        roles: roles.iter().filter_map(|role| wire::id(role, "").map(|id| id.to_string())).collect(),
    })
}

/// The name that people see: the nickname on the server, the display name, the user name.
fn name(user: &Value, member: Option<&Value>) -> String {
    let nick = member.and_then(|member| wire::text(member, "/nick"));
    let name = nick.or(wire::text(user, "/global_name")).or(wire::text(user, "/username"));
    name.unwrap_or_default().to_owned()
}

/// The message that this one answers, in this channel or in another one.
fn reply(context: Context<'_>, channel: u64, message: &Value) -> Option<Quote> {
    let is_reply = wire::number(message, "/message_reference/type").unwrap_or(0) == 0;
    let id = wire::id(message, "/message_reference/message_id").filter(|_| is_reply)?;
    let here = wire::id(message, "/message_reference/channel_id").is_none_or(|there| there == channel);
    let answered = message.get("referenced_message").filter(|answered| answered.is_object());
    Some(Quote {
        id: here.then(|| number(id)),
        ours: answered.is_some_and(|answered| context.us.wrote(answered)),
        author: answered.and_then(|answered| Some(name(answered.get("author")?, answered.get("member")))),
        text: answered.map(|answered| marked(context, answered).text).filter(|text| !text.is_empty()),
        thread: None,
    })
}

fn marked(context: Context<'_>, message: &Value) -> Marked {
    mark(&text(message), &In { context, message })
}

/// The names for the numbers in one message.
struct In<'a> {
    context: Context<'a>,
    message: &'a Value,
}

impl Names for In<'_> {
    fn user(&self, id: u64) -> Option<Named> {
        let us = self.context.us;
        if id == us.id {
            return Some(Named { name: us.name.clone(), ours: true });
        }
        let mut mentioned = wire::list(self.message, "/mentions").iter();
        let user = mentioned.find(|user| wire::id(user, "/id") == Some(id))?;
        Some(Named { name: name(user, user.get("member")), ours: false })
    }

    fn role(&self, id: u64) -> Option<Named> {
        let (name, bot) = self.context.places.role_name(id)?;
        Some(Named { name: name.to_owned(), ours: bot == Some(self.context.us.id) })
    }

    fn channel(&self, id: u64) -> Option<String> {
        self.context.places.get(id)?.name.clone()
    }
}

#[cfg(test)]
mod tests;
