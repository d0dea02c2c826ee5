//! Opening topics: in forums, and in private chats of bots that have topics.
//!
//! `createForumTopic` takes no key, so a call of unknown outcome can't be repeated freely; but our own topics are
//! told to us by an update like anybody's, which proves that one is there.

use std::time::Duration;

use async_trait::async_trait;
use roundtable_contract::{Conversation, Event, EventKey, MessageId, SendError, Threads};
use serde::Deserialize;
use serde_json::Value;
use teloxide::payloads::CreateForumTopic;

use crate::Telegram;
use crate::error::send_error;
use crate::send::Address;
use crate::update::{Us, chat_id};
use crate::wire;

/// The longest name of a topic, in characters (<https://core.telegram.org/bots/api#createforumtopic>: 128).
const LONGEST: usize = 100;

#[derive(Deserialize)]
struct Topic {
    message_thread_id: i64,
}

#[async_trait]
impl Threads for Telegram {
    fn grows_from_message(&self) -> bool {
        false
    }

    fn has_told_all(&self, ago: Duration) -> bool {
        self.listening.has_told(ago)
    }

    async fn open(
        &self,
        at: &Conversation,
        name: &str,
        _from: Option<MessageId>,
    ) -> Result<Conversation, SendError> {
        let address = Address::of(at)?;
        let name: String = name.chars().take(LONGEST).collect();
        let opened = self.api.call::<_, Topic>(&CreateForumTopic::new(address.chat, name)).await;
        let topic = opened.map_err(|error| send_error(error, at))?;
        let chat = Conversation::chat(at.account.clone(), at.chat.as_str());
        Ok(chat.with_thread(topic.message_thread_id.to_string()))
    }
}

/// The event of a topic that we opened ourselves.
pub(crate) fn opened(us: &Us, message: &wire::Message) -> Option<Event> {
    let created = message.rest.get("forum_topic_created")?;
    let ours = message.from.as_ref().is_some_and(|from| from.id == us.id);
    let name = created.get("name").and_then(Value::as_str).filter(|_| ours)?;
    let chat = chat_id(message.chat.id);
    let conversation = Conversation::chat(us.account.clone(), chat.as_str());
    Some(Event::Opened {
        key: EventKey::new(format!("topic:{chat}:{}", message.message_id)),
        // A topic has the number of the message that opened it.
        conversation: conversation.with_thread(message.message_id.to_string()),
        name: name.to_owned(),
    })
}
