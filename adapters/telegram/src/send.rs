//! What people see of us: messages, edits of them, "… is typing".

use async_trait::async_trait;
use roundtable_contract::{Conversation, Edits, MessageId, Part, Receipt, SendError, Typing};
use serde::Deserialize;
use teloxide::payloads::{
    EditMessageText, EditMessageTextSetters as _, SendChatAction, SendMessage, SendMessageSetters as _,
};
use teloxide::types::{ChatAction, ChatId, LinkPreviewOptions, ReplyParameters, ThreadId};

use crate::Telegram;
use crate::api::ApiError;
use crate::error::{NOT_MODIFIED, REPLY_GONE, TOPIC_GONE, no_address, send_error};
use crate::render::Body;

/// A conversation in Telegram's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) chat: ChatId,
    /// Left out of requests for the General topic: its number 1 is refused there.
    pub(crate) topic: Option<i32>,
}

impl Address {
    pub(crate) fn of(conversation: &Conversation) -> Result<Self, SendError> {
        let wrong = |_| no_address(conversation);
        Ok(Self {
            chat: ChatId(conversation.chat.as_str().parse().map_err(wrong)?),
            topic: conversation.thread.as_ref().map(|id| id.as_str().parse()).transpose().map_err(wrong)?,
        })
    }
}

/// What we need of the message that Telegram says it made.
#[derive(Debug, Deserialize)]
struct Sent {
    message_id: i64,
    message_thread_id: Option<i32>,
}

impl Telegram {
    /// Sends the part's stub, or its body when it has none. What was for a topic that is gone is put beside the topics,
    /// where the same people read it; a reply would take it back to where the answered message was.
    pub(crate) async fn send_part(&self, to: &Conversation, part: &Part) -> Result<Receipt, SendError> {
        let mut address = Address::of(to)?;
        let body = body(part.stub.as_ref().unwrap_or(&part.body))?;
        let mut result = self.send_body(address, &body, body.reply_to).await;
        if body.reply_to.is_some() && result.as_ref().is_err_and(|error| error.says(REPLY_GONE)) {
            result = self.send_body(address, &body, None).await;
        }
        if address.topic.is_some() && result.as_ref().is_err_and(|error| error.says(TOPIC_GONE)) {
            tracing::warn!(
                telegram.account = %self.config.account, conversation = %to,
                "a topic no longer exists: its messages go to its chat"
            );
            address.topic = None;
            result = self.send_body(address, &body, None).await;
        }
        let sent = result.map_err(|error| send_error(error, to))?;
        if address.topic.is_some() && sent.message_thread_id != address.topic {
            tracing::warn!(
                telegram.account = %self.config.account, conversation = %to, message.id = sent.message_id,
                "Telegram put a message outside of its topic, which no longer exists"
            );
        }
        Ok(Receipt { id: MessageId(sent.message_id) })
    }

    async fn send_body(
        &self,
        address: Address,
        body: &Body,
        reply_to: Option<MessageId>,
    ) -> Result<Sent, ApiError> {
        let mut request = SendMessage::new(address.chat, &body.text).link_preview_options(no_preview());
        request.entities = entities(body);
        request.message_thread_id = address.topic.map(|id| ThreadId(teloxide::types::MessageId(id)));
        if let Some(id) = reply_to.and_then(number) {
            request = request.reply_parameters(ReplyParameters::new(id).allow_sending_without_reply());
        }
        self.api.call(&request).await
    }

    /// Gives message `id` the body of `part`: `true` when that changed it.
    pub(crate) async fn edit_body(
        &self,
        chat: ChatId,
        id: teloxide::types::MessageId,
        body: &Body,
    ) -> Result<bool, ApiError> {
        let mut request = EditMessageText::new(chat, id, &body.text).link_preview_options(no_preview());
        request.entities = entities(body);
        match self.api.call::<_, serde::de::IgnoredAny>(&request).await {
            Ok(_) => Ok(true),
            Err(error) if error.says(NOT_MODIFIED) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl Edits for Telegram {
    async fn edit(&self, at: &Conversation, id: MessageId, part: &Part) -> Result<(), SendError> {
        let address = Address::of(at)?;
        let no_number =
            || SendError::Rejected { reason: format!("{id} is no number of a Telegram message.") };
        let number = number(id).ok_or_else(no_number)?;
        let edited = self.edit_body(address.chat, number, &body(&part.body)?).await;
        edited.map(drop).map_err(|error| send_error(error, at))
    }
}

#[async_trait]
impl Typing for Telegram {
    async fn typing(&self, at: &Conversation) -> Result<(), SendError> {
        let address = Address::of(at)?;
        let mut request = SendChatAction::new(address.chat, ChatAction::Typing);
        request.message_thread_id = address.topic.map(|id| ThreadId(teloxide::types::MessageId(id)));
        let shown = self.api.call::<_, serde::de::IgnoredAny>(&request).await;
        shown.map(drop).map_err(|error| send_error(error, at))
    }
}

/// Reads back what [`render`](crate::render) wrote.
pub(crate) fn body(json: &str) -> Result<Body, SendError> {
    serde_json::from_str(json).map_err(|error| SendError::Rejected {
        reason: format!("the stored part is not one of Telegram's: {error}"),
    })
}

/// The contract's number as one of Telegram's, which has 31 bits.
pub(crate) fn number(id: MessageId) -> Option<teloxide::types::MessageId> {
    id.0.try_into().ok().map(teloxide::types::MessageId)
}

fn entities(body: &Body) -> Option<Vec<teloxide::types::MessageEntity>> {
    (!body.entities.is_empty()).then(|| body.entities.clone())
}

/// An agent's text full of addresses is no picture book.
fn no_preview() -> LinkPreviewOptions {
    LinkPreviewOptions {
        is_disabled: true,
        url: None,
        prefer_small_media: false,
        prefer_large_media: false,
        show_above_text: false,
    }
}

#[cfg(test)]
mod tests {
    use roundtable_contract::{Channel as _, Outgoing};
    use serde_json::{Value, json};

    use super::*;
    use crate::ExactlyOnce;
    use crate::stand_in::{Calls, Reply, StandIn};

    /// Sends an answer to message 7 to `to`; gives the outcome and what was called.
    async fn sent(to: &str, mode: ExactlyOnce, script: Vec<Reply>) -> (Result<Receipt, SendError>, Calls) {
        let server = StandIn::start(script).await;
        let bot = server.bot(mode);
        let outgoing = Outgoing { reply_to: Some(MessageId(7)), ..Outgoing::of_program("**hello** you") };
        let part = bot.render(&outgoing).remove(0);
        (bot.send(&to.parse().unwrap(), &part, "nonce").await, server.calls())
    }

    fn made(fields: Value) -> Reply {
        let mut message = json!({"message_id": 31, "entities": [{"type": "from_the_future"}]});
        message.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        Reply::Result(message)
    }

    const TOPIC: &str = "telegram:main:-1001234567890:42";

    #[tokio::test]
    async fn a_part_goes_to_its_topic() {
        let (result, calls) =
            sent(TOPIC, ExactlyOnce::Probe, vec![made(json!({"message_thread_id": 42}))]).await;
        assert_eq!(result, Ok(Receipt { id: MessageId(31) }));
        let expected = json!({"chat_id": -1_001_234_567_890_i64, "message_thread_id": 42, "text": "hello you",
            "entities": [{"type": "bold", "offset": 0, "length": 5}],
            "link_preview_options": {"is_disabled": true},
            "reply_parameters": {"message_id": 7, "allow_sending_without_reply": true}});
        assert_eq!(calls, [("sendmessage".to_owned(), expected)]);
    }

    #[tokio::test]
    async fn no_thread_means_no_field_and_a_stub_goes_first() {
        let (result, calls) = sent("telegram:main:55", ExactlyOnce::Edit, vec![made(json!({}))]).await;
        assert_eq!(result, Ok(Receipt { id: MessageId(31) }));
        let expected = json!({"chat_id": 55, "text": "hell…", "link_preview_options": {"is_disabled": true},
            "reply_parameters": {"message_id": 7, "allow_sending_without_reply": true}});
        assert_eq!(calls, [("sendmessage".to_owned(), expected)]);
    }

    #[tokio::test]
    async fn a_message_put_elsewhere_is_sent() {
        let (result, _) = sent(TOPIC, ExactlyOnce::Probe, vec![made(json!({}))]).await;
        assert_eq!(result, Ok(Receipt { id: MessageId(31) }));
    }

    #[tokio::test]
    async fn a_reply_to_a_lost_message_is_sent_as_a_message() {
        let gone = Reply::Error(400, "Bad Request: message to be replied not found", json!({}));
        let (result, calls) = sent(TOPIC, ExactlyOnce::Probe, vec![gone.clone(), made(json!({}))]).await;
        assert_eq!(result, Ok(Receipt { id: MessageId(31) }));
        assert_eq!((calls.len(), calls[1].1.get("reply_parameters")), (2, None));
        let (result, calls) = sent(TOPIC, ExactlyOnce::Probe, vec![gone.clone(), gone]).await;
        assert!(matches!(result, Err(SendError::Rejected { .. })) && calls.len() == 2);
    }

    #[tokio::test]
    async fn what_was_for_a_topic_that_is_gone_is_sent_without_it() {
        for description in ["Bad Request: message thread not found", "Bad Request: TOPIC_DELETED"] {
            let gone = Reply::Error(400, description, json!({}));
            let (result, calls) = sent(TOPIC, ExactlyOnce::Probe, vec![gone, made(json!({}))]).await;
            assert_eq!(result, Ok(Receipt { id: MessageId(31) }));
            let left_out = ["message_thread_id", "reply_parameters"].map(|name| calls[1].1.get(name));
            assert_eq!((calls.len(), left_out), (2, [None, None]));
        }
    }

    #[tokio::test]
    async fn a_request_without_a_readable_answer_is_unknown_and_not_repeated() {
        for reply in [Reply::Drop, Reply::Html(502), Reply::Html(200), Reply::Result(json!("no message"))] {
            let (result, calls) = sent(TOPIC, ExactlyOnce::Probe, vec![reply.clone()]).await;
            assert!(matches!(result, Err(SendError::Unknown { .. })), "{reply:?}: {result:?}");
            assert_eq!(calls.len(), 1);
            assert!(!format!("{result:?}").contains("SECRET"), "{result:?}");
        }
    }

    #[tokio::test]
    async fn an_edit_puts_in_the_body_and_is_idempotent() {
        let not_modified = "Bad Request: message is not modified: specified new message content is the same";
        let server = StandIn::start([
            made(json!({})),
            Reply::Error(400, not_modified, json!({})),
            Reply::Error(400, "Bad Request: message to edit not found", json!({})),
        ])
        .await;
        let bot = server.bot(ExactlyOnce::Edit);
        let (at, text) = (TOPIC.parse().unwrap(), Outgoing::of_program("hello"));
        let part = bot.render(&text).remove(0);
        assert_eq!(bot.edit(&at, MessageId(31), &part).await, Ok(()));
        assert_eq!(bot.edit(&at, MessageId(31), &part).await, Ok(()));
        assert!(matches!(bot.edit(&at, MessageId(31), &part).await, Err(SendError::Rejected { .. })));
        assert!(matches!(bot.edit(&at, MessageId(1 << 40), &part).await, Err(SendError::Rejected { .. })));
        let expected = json!({"chat_id": -1_001_234_567_890_i64, "message_id": 31, "text": "hello",
            "link_preview_options": {"is_disabled": true}});
        assert_eq!(server.calls(), vec![("editmessagetext".to_owned(), expected); 3]);
    }

    #[tokio::test]
    async fn typing_is_shown_in_the_topic() {
        let server = StandIn::start([Reply::Result(json!(true))]).await;
        let shown = Typing::typing(&server.bot(ExactlyOnce::Probe), &TOPIC.parse().unwrap()).await;
        assert_eq!(shown, Ok(()));
        let expected =
            json!({"chat_id": -1_001_234_567_890_i64, "message_thread_id": 42, "action": "typing"});
        assert_eq!(server.calls(), [("sendchataction".to_owned(), expected)]);
    }

    fn address(text: &str) -> Result<Address, SendError> {
        Address::of(&text.parse().unwrap())
    }

    #[test]
    fn addresses_are_numbers() {
        let topic = Address { chat: ChatId(-1_001_234_567_890), topic: Some(42) };
        assert_eq!(address("telegram:main:-1001234567890:42"), Ok(topic));
        assert_eq!(address("telegram:main:55"), Ok(Address { chat: ChatId(55), topic: None }));
        for wrong in ["telegram:main:@channel", "telegram:main:55:general", "telegram:main:55:9999999999"] {
            assert!(matches!(address(wrong), Err(SendError::Rejected { .. })), "{wrong}");
        }
    }

    #[test]
    fn numbers_of_messages_have_31_bits() {
        assert_eq!(number(MessageId(7)), Some(teloxide::types::MessageId(7)));
        assert_eq!(number(MessageId(1 << 40)), None);
    }

    #[test]
    fn a_foreign_part_is_rejected() {
        assert!(matches!(body("{}"), Err(SendError::Rejected { .. })));
        assert!(body(r#"{"text":"x"}"#).is_ok());
    }
}
