//! What people see of us: messages, edits of them, threads, "… is typing".

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use async_trait::async_trait;
use roundtable_contract::{Conversation, Edits, MessageId, Part, Receipt, SendError, Threads, Typing};
use serde_json::{Value, json};
use serenity::model::id::ChannelId;
use tokio::time::{sleep, timeout};

use crate::Discord;
use crate::api::{ApiError, Call};
use crate::error::{
    ARCHIVED, Act, HAS_THREAD, INVALID_FORM, REPLY_NEEDS_HISTORY, UNKNOWN_MESSAGE, no_address, send_error,
};
use crate::render::Body;
use crate::update::number;
use crate::wire;

/// How long a lost answer is waited for when the message itself has been seen, and how long the message is
/// waited for when the answer is lost.
const OTHER_SIGN: Duration = Duration::from_secs(2);
/// Links show no previews: an agent's text full of addresses is no picture book
/// (<https://discord.com/developers/docs/resources/message#message-object-message-flags>).
const SUPPRESS_EMBEDS: u64 = 1 << 2;
/// The longest name of a thread, in characters.
const LONGEST_NAME: usize = 100;

impl Discord {
    /// Sends a part. What Discord refuses for reasons beside the message is put right and sent once more.
    pub(crate) async fn send_part(
        &self,
        to: &Conversation,
        part: &Part,
        nonce: &str,
    ) -> Result<Receipt, SendError> {
        let (channel, body) = (channel(to)?, sent(part)?);
        let (mut reply_to, mut may_open) = (body.reply_to, true);
        loop {
            let message = message(&body.content, reply_to, nonce);
            match self.create(channel, message, nonce).await {
                Ok(id) => return Ok(Receipt { id }),
                Err(error) if reply_to.is_some() && refuses_reply(&error) => reply_to = None,
                Err(error) if error.is(ARCHIVED) && may_open => {
                    let opened = self.unarchive(channel, error).await;
                    opened.map_err(|error| send_error(error, Act::Send, to))?;
                    may_open = false;
                }
                // only a repetition can be told that: the first one was shown, and has been deleted since
                Err(error) if error.is(UNKNOWN_MESSAGE) => return Ok(Receipt { id: deleted(nonce) }),
                Err(error) => return Err(send_error(error, Act::Send, to)),
            }
        }
    }

    /// Creates a message. The answer proves that it is there, and so does the message itself when the
    /// gateway shows it.
    async fn create(&self, channel: ChannelId, message: Value, nonce: &str) -> Result<MessageId, ApiError> {
        let seen = async {
            let id = self.echoes.wait(nonce).await;
            sleep(OTHER_SIGN).await;
            id
        };
        let answered = tokio::select! {
            answered = self.api.call(Call::send(channel, message)) => answered,
            id = seen => return Ok(id),
        };
        let answer = match answered {
            Err(ApiError::Unknown(reason)) => {
                let wait = if self.listens() { OTHER_SIGN } else { Duration::ZERO };
                let seen = timeout(wait, self.echoes.wait(nonce)).await;
                return seen.map_err(|_| ApiError::Unknown(reason));
            }
            answered => answered?,
        };
        let id = wire::id(&answer, "/id").map(number);
        let id = id.ok_or_else(|| ApiError::Unknown("an answer without the message".into()))?;
        self.echoes.record(nonce, id);
        Ok(id)
    }

    /// Opens an archived thread again, for which something was `refused`: that is final only when this is too.
    async fn unarchive(&self, thread: ChannelId, refused: ApiError) -> Result<(), ApiError> {
        let opened = self.api.call(Call::change_channel(thread, json!({"archived": false}))).await;
        let Err(error) = opened else { return Ok(()) };
        tracing::debug!(
            discord.account = %self.config.account, thread = %thread, %error, "a thread stays archived"
        );
        Err(match error {
            ApiError::Refused { .. } => refused,
            // whatever became of the thread, what was refused is not there
            ApiError::Unknown(reason) => ApiError::Unreachable(reason),
            passes => passes,
        })
    }
}

#[async_trait]
impl Edits for Discord {
    async fn edit(&self, at: &Conversation, id: MessageId, part: &Part) -> Result<(), SendError> {
        let (channel, body) = (channel(at)?, body(&part.body)?);
        let no_number = || SendError::Rejected { reason: format!("No Discord message has the number {id}.") };
        let message = message_id(id).ok_or_else(no_number)?;
        let change = json!({"content": body.content, "allowed_mentions": {"parse": []}});
        let mut may_open = true;
        loop {
            match self.api.call(Call::edit(channel, message, change.clone())).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is(ARCHIVED) && may_open => {
                    let opened = self.unarchive(channel, error).await;
                    opened.map_err(|error| send_error(error, Act::Edit, at))?;
                    may_open = false;
                }
                Err(error) => return Err(send_error(error, Act::Edit, at)),
            }
        }
    }
}

#[async_trait]
impl Threads for Discord {
    fn grows_from_message(&self) -> bool {
        true
    }

    fn has_told_all(&self, _ago: Duration) -> bool {
        true
    }

    async fn open(
        &self,
        at: &Conversation,
        name: &str,
        from: Option<MessageId>,
    ) -> Result<Conversation, SendError> {
        let no_message = || SendError::Rejected {
            reason: "A Discord thread grows out of a message, and none was named.".into(),
        };
        let (id, channel) = (from.ok_or_else(no_message)?, channel(at)?);
        let message = message_id(id).ok_or_else(no_message)?;
        let name: String = name.chars().take(LONGEST_NAME).collect();
        let thread = |id: String| Conversation::chat(at.account.clone(), id);
        match self.api.call(Call::open_thread(channel, message, json!({"name": name}))).await {
            Ok(answer) => match wire::id(&answer, "/id") {
                Some(id) => Ok(thread(id.to_string())),
                None => Err(SendError::Unknown { reason: "an answer without the thread".into() }),
            },
            // a thread that grows out of a message has the message's number
            Err(error) if error.is(HAS_THREAD) => Ok(thread(id.to_string())),
            Err(error) => Err(send_error(error, Act::OpenThread, at)),
        }
    }
}

#[async_trait]
impl Typing for Discord {
    async fn typing(&self, at: &Conversation) -> Result<(), SendError> {
        match self.api.call(Call::typing(channel(at)?)).await {
            // messages have a bucket of their own, whose pauses `api` keeps apart
            Ok(_) | Err(ApiError::RateLimited { whole_account: false, .. }) => Ok(()),
            Err(error) => Err(send_error(error, Act::Send, at)),
        }
    }
}

/// A conversation's channel or thread. Zero is no number, and serenity's ids cannot hold it.
pub(crate) fn channel(at: &Conversation) -> Result<ChannelId, SendError> {
    let id = at.chat.as_str().parse::<u64>().ok().filter(|id| *id != 0 && at.thread.is_none());
    id.map(ChannelId::new).ok_or_else(|| no_address(at))
}

fn message_id(id: MessageId) -> Option<serenity::model::id::MessageId> {
    let id = u64::try_from(id.0).ok().filter(|id| *id != 0)?;
    Some(serenity::model::id::MessageId::new(id))
}

/// What is sent of a part: its stub, when it has one.
pub(crate) fn sent(part: &Part) -> Result<Body, SendError> {
    body(part.stub.as_ref().unwrap_or(&part.body))
}

/// Reads back what [`render`](crate::render) wrote.
fn body(json: &str) -> Result<Body, SendError> {
    serde_json::from_str(json).map_err(|error| SendError::Rejected {
        reason: format!("The stored part is not one of Discord's: {error}."),
    })
}

/// The request for a message. Nothing in it may ping, and a message with this nonce is made once.
fn message(content: &str, reply_to: Option<MessageId>, nonce: &str) -> Value {
    let mut message = json!({
        "content": content,
        "nonce": nonce,
        "enforce_nonce": true,
        "flags": SUPPRESS_EMBEDS,
        "allowed_mentions": {"parse": [], "replied_user": false},
    });
    if let Some(id) = reply_to {
        message["message_reference"] = json!({"message_id": id.to_string(), "fail_if_not_exists": false});
    }
    message
}

/// Whether it is only the reply that Discord does not take: to a message of its own, or without the right to
/// read the history.
fn refuses_reply(error: &ApiError) -> bool {
    let names_it = |error: &ApiError| error.to_string().contains("message_reference");
    error.is(REPLY_NEEDS_HISTORY) || (error.is(INVALID_FORM) && names_it(error))
}

/// A number for a message that was shown under one we never learnt: no message has it, and none is newer.
fn deleted(nonce: &str) -> MessageId {
    let mut hasher = DefaultHasher::new();
    nonce.hash(&mut hasher);
    MessageId(-((hasher.finish() >> 2) as i64) - 1)
}
