//! What we read of Telegram's updates.
//!
//! Own structs instead of teloxide's, whose message loses its text when it meets an entity or a content
//! it does not know. Here only what an event cannot do without is required; everything else may be
//! missing, of another type or new, and content is looked up by name in [`Message::rest`].

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// <https://core.telegram.org/bots/api#message>
#[derive(Debug, Deserialize)]
pub(crate) struct Message {
    pub(crate) message_id: i64,
    pub(crate) chat: Chat,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) from: Option<User>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) sender_chat: Option<Chat>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) date: i64,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) edit_date: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    message_thread_id: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    is_topic_message: bool,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) business_connection_id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) text: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) caption: Option<String>,
    #[serde(default, deserialize_with = "lenient_list")]
    pub(crate) entities: Vec<Entity>,
    #[serde(default, deserialize_with = "lenient_list")]
    pub(crate) caption_entities: Vec<Entity>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) reply_to_message: Option<Box<Message>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) external_reply: Option<ExternalReply>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) quote: Option<TextQuote>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) media_group_id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) migrate_to_chat_id: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) migrate_from_chat_id: Option<i64>,
    /// Everything not named above: content, service messages, and what is newer than this program.
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

impl Message {
    /// The topic it lies in. `message_thread_id` alone is no topic: replies in the General topic and in
    /// plain groups carry it too, and sending to it fails.
    pub(crate) fn topic(&self) -> Option<i64> {
        self.message_thread_id.filter(|_| self.is_topic_message)
    }

    /// Whether it is the service message that opened the thread `of` lies in: Telegram makes every
    /// message of a topic that answers nothing answer that one.
    pub(crate) fn is_root_of(&self, of: &Message) -> bool {
        of.message_thread_id == Some(self.message_id) && self.rest.contains_key("forum_topic_created")
    }
}

/// <https://core.telegram.org/bots/api#chat>
#[derive(Debug, Deserialize)]
pub(crate) struct Chat {
    pub(crate) id: i64,
    #[serde(default, deserialize_with = "lenient", rename = "type")]
    pub(crate) kind: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) title: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) username: Option<String>,
}

/// <https://core.telegram.org/bots/api#user>
#[derive(Debug, Deserialize)]
pub(crate) struct User {
    pub(crate) id: i64,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) is_bot: bool,
    #[serde(default, deserialize_with = "lenient")]
    first_name: String,
    #[serde(default, deserialize_with = "lenient")]
    last_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) username: Option<String>,
}

impl User {
    /// First and last name.
    pub(crate) fn name(&self) -> String {
        match &self.last_name {
            Some(last) => format!("{} {last}", self.first_name),
            None => self.first_name.clone(),
        }
    }
}

/// <https://core.telegram.org/bots/api#messageentity>, offsets in UTF-16 code units.
#[derive(Debug, Deserialize)]
pub(crate) struct Entity {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) offset: usize,
    pub(crate) length: usize,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) user: Option<User>,
}

/// <https://core.telegram.org/bots/api#externalreplyinfo>
#[derive(Debug, Deserialize)]
pub(crate) struct ExternalReply {
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) origin: Origin,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) chat: Option<Chat>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) message_id: Option<i64>,
}

/// <https://core.telegram.org/bots/api#messageorigin>, its four kinds in one.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Origin {
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) sender_user: Option<User>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) sender_user_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) sender_chat: Option<Chat>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) chat: Option<Chat>,
}

/// <https://core.telegram.org/bots/api#textquote>
#[derive(Debug, Deserialize)]
pub(crate) struct TextQuote {
    pub(crate) text: String,
}

/// A field whose value is dropped when it is not what we expect.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(from: D) -> Result<T, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(from)?).unwrap_or_default())
}

/// A list whose elements are dropped one by one when they are not what we expect.
fn lenient_list<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Vec<T>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::Array(items) => {
            items.into_iter().filter_map(|item| serde_json::from_value(item).ok()).collect()
        }
        _ => Vec::new(),
    })
}
