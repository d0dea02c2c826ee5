//! The local channel over HTTP: what a terminal says and reads.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use roundtable_contract::{
    ChatKind, Conversation, Edge, Event, EventKey, Message, MessageId, MessageKind, Sender, UserId,
};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::error::ApiError;
use super::{Api, typed};
use crate::local::account;
use crate::store::local::Line;
use crate::store::{Read, StoreError, Tx, conversations, local};

/// The longest wait of one request.
const LONGEST_WAIT: Duration = Duration::from_secs(25);

/// The longest name of a chat, in characters.
const LONGEST_NAME: usize = 32;

/// The body of `POST local/{chat}/messages`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saying {
    /// The name to show.
    pub sender: String,
    /// The text.
    pub text: String,
}

/// Its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The number of the new line.
    pub id: i64,
}

/// The answer of `GET local/{chat}/messages`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Oldest first.
    pub lines: Vec<Line>,
    /// What to ask for next, as `after`.
    pub next: i64,
    /// Something was still to be answered or sent, before `lines` were read: when it is false, all that will
    /// come has come.
    pub busy: bool,
}

/// The answer of `GET local`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chats {
    /// The one with the newest line first.
    pub chats: Vec<Chat>,
}

/// A local conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chat {
    /// Its name.
    pub name: String,
    /// The number of its newest line.
    pub last: i64,
}

/// Which lines.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Lines behind this one.
    #[serde(default)]
    after: i64,
    /// Seconds to wait for the first.
    #[serde(default)]
    wait: u64,
    /// Instead: this many of the newest.
    last: Option<i64>,
}

/// Says what is wrong with the name of a chat.
pub fn check_chat(name: &str) -> Result<(), String> {
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    if starts && name.len() <= LONGEST_NAME && name.chars().all(good) {
        return Ok(());
    }
    Err(format!(
        "`{}` is no name for a chat: write up to {LONGEST_NAME} of a-z, 0-9, `_` and `-`, beginning with a letter \
         or digit.",
        name.escape_debug()
    ))
}

/// `GET local`: all chats that have lines.
pub(super) async fn chats(State(api): State<Arc<Api>>) -> Result<Json<Chats>, ApiError> {
    let chats = api.store.read(Named).await?.into_iter().map(|(name, last)| Chat { name, last }).collect();
    Ok(Json(Chats { chats }))
}

/// `POST local/{chat}/messages`: somebody says something. It survives a crash from the answer on.
pub(super) async fn say(
    State(api): State<Arc<Api>>,
    chat: Result<Path<String>, PathRejection>,
    body: Result<Json<Saying>, JsonRejection>,
) -> Result<(StatusCode, Json<Said>), ApiError> {
    let Path(chat) = chat?;
    check(&api, &chat)?;
    let Json(Saying { sender, text }) = body?;
    if text.trim().is_empty() {
        return Err(ApiError::bad_request("The text is empty."));
    }
    if sender.trim().is_empty() || sender.chars().count() > 64 || sender.contains(char::is_control) {
        return Err(ApiError::bad_request("The sender is no name: write 1 to 64 visible characters."));
    }
    let id = api.local.said(&chat, &sender, &text).await?;
    let message = message(&chat, sender, text, id, api.store.now());
    api.front.accept(Event::Message(Box::new(message))).await.map_err(|error| {
        tracing::error!(%error, "a local message was not accepted");
        let text =
            "The message was not stored for the agents; the node's log says why. Please send it again.";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_stored", text)
    })?;
    Ok((StatusCode::CREATED, Json(Said { id: id.0 })))
}

/// `GET local/{chat}/messages?after=&wait=` or `?last=`: lines, waiting for the first up to 25 s.
pub(super) async fn messages(
    State(api): State<Arc<Api>>,
    State(stop): State<CancellationToken>,
    chat: Result<Path<String>, PathRejection>,
    query: Result<Query<Which>, QueryRejection>,
) -> Result<Json<Page>, ApiError> {
    let Path(chat) = chat?;
    check(&api, &chat)?;
    let Query(Which { after, wait, last }) = query?;
    let busy = api.store.read(Busy(&Conversation::chat(account(), chat.as_str()))).await?;
    let lines = match last {
        Some(last) => api.store.read(Newest { chat: &chat, limit: last.clamp(1, 500) }).await?,
        None => {
            let wait = Duration::from_secs(wait).min(LONGEST_WAIT);
            tokio::select! {
                lines = api.local.lines(&chat, after, wait) => lines?,
                () = stop.cancelled() => Vec::new(),
            }
        }
    };
    let next = lines.last().map_or(after, |line| line.id);
    Ok(Json(Page { lines, next, busy }))
}

fn check(api: &Api, chat: &str) -> Result<(), ApiError> {
    if !api.config.channels.local.enabled {
        return Err(ApiError::not_found("The local chat is switched off (channels.local.enabled)."));
    }
    check_chat(chat).map_err(ApiError::bad_request)
}

/// What was said, as the edge takes it. A local chat is a private one: its peer has the chat's name, so that
/// each chat is a session of its own, as everywhere.
fn message(chat: &str, sender: String, text: String, id: MessageId, now: i64) -> Message {
    Message {
        key: EventKey::new(format!("msg:{chat}:{id}")),
        conversation: Conversation::chat(account(), chat),
        chat_kind: ChatKind::Direct,
        title: None,
        guild: None,
        parent: None,
        kind: MessageKind::New,
        sender: Sender {
            id: UserId::new(chat),
            name: sender,
            username: None,
            is_bot: false,
            roles: Vec::new(),
        },
        id,
        spans: typed::spans(&text),
        text,
        mentions_us: false,
        forwarded: false,
        reply_to: None,
        attachments: Vec::new(),
        album: None,
        at: now,
    }
}

struct Named;

#[async_trait]
impl Read for Named {
    type Output = Vec<(String, i64)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, StoreError> {
        local::chats(tx, &account(), 200).await
    }
}

struct Newest<'a> {
    chat: &'a str,
    limit: i64,
}

#[async_trait]
impl Read for Newest<'_> {
    type Output = Vec<Line>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Line>, StoreError> {
        local::newest(tx, &account(), self.chat, self.limit).await
    }
}

struct Busy<'a>(&'a Conversation);

#[async_trait]
impl Read for Busy<'_> {
    type Output = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        match conversations::find(tx, self.0).await? {
            Some(place) => conversations::busy(tx, place.id).await,
            None => Ok(false),
        }
    }
}
