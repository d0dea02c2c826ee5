//! Language models behind one trait: the engine asks, a client streams.
//!
//! [`Models::build`] makes every configured model once; each is its client ([`GenaiClient`] or [`Demo`])
//! wrapped in [`Resilient`], which retries and falls back.

mod demo;
mod genai_client;
mod prices;
mod registry;
mod retry;
mod spec;
pub mod tokens;

use std::sync::Arc;
use std::time::Duration;

use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use demo::Demo;
pub use genai_client::GenaiClient;
pub use prices::{Prices, Spent};
pub use registry::{BuildError, Models, http_client};
pub use retry::{Jitter, Resilient, RetryPolicy, system_jitter};
pub use spec::{ModelSpec, Provider, UnknownProvider};

/// One model as an agent uses it. Implementations do one attempt: retries and fallback are
/// [`Resilient`]'s, so that they are the same for every provider.
pub trait ModelClient: Send + Sync {
    /// Starts one call. The stream ends with exactly one [`ModelEvent::End`]; a stream that ends without
    /// it, or yields an error, is a failed call. Dropping the stream cancels the request.
    fn stream(&self, request: Request) -> BoxStream<'static, Result<ModelEvent, ModelError>>;

    /// The model's name as it is recorded with its usage, `anthropic/claude-…`.
    fn name(&self) -> &str;

    /// How many tokens of context it takes.
    fn window(&self) -> u32;
}

/// What is asked of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The stable head: soul and rules.
    pub system: String,
    /// The conversation so far, oldest first; starts with `User`, every call followed by its result.
    pub messages: Vec<ModelMessage>,
    /// What it may call.
    pub tools: Vec<ToolSpec>,
    /// A name that stays the same for calls with the same prefix, for the provider's cache.
    pub cache_key: String,
}

/// One message of a model's conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelMessage {
    /// What people, other agents and the program said.
    User(String),
    /// What the model answered before.
    Assistant(Answer),
    /// The result of one call.
    Tool {
        /// The call's id as the model gave it.
        call_id: String,
        /// The result: JSON or text.
        content: String,
    },
}

/// A model's whole answer; stored in the transcript as it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Answer {
    /// The text, perhaps empty.
    pub text: String,
    /// The calls it asks for, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<ToolCall>,
    /// What the provider wants back unchanged (thinking blocks and their signatures). Opaque.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opaque: Option<Value>,
}

/// A call that a model asks for. Not validated: `arguments` is whatever the model wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The provider's id, made up by us when it is missing.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// Its arguments: an object when the model behaves, a string when it wrote no JSON.
    pub arguments: Value,
}

impl ToolCall {
    /// Whether another call, whatever its id, asks for the same.
    pub fn asks_the_same(&self, other: &Self) -> bool {
        self.name == other.name && self.arguments == other.arguments
    }
}

/// A tool as a model is told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// The name to call it by.
    pub name: String,
    /// What it does and when to use it.
    pub description: String,
    /// JSON schema of its arguments. Shared: every request of an agent has all of them.
    pub schema: Arc<Value>,
}

/// What arrives while a model answers.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelEvent {
    /// More text of an answer that may still fail and be begun anew: only the end is sure.
    Text(String),
    /// The end: the whole answer and what it cost.
    End(Completion),
}

/// A finished call.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// What the model said.
    pub answer: Answer,
    /// What it used.
    pub usage: Usage,
    /// Which model answered ([`ModelClient::name`]); with a fallback not always the one that was asked.
    pub model: String,
    /// The answer is as long as the model may write, and goes on.
    pub cut: bool,
}

/// Tokens and money of one call.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read, cached ones included.
    pub input: u64,
    /// Tokens read from the provider's cache.
    pub cached: u64,
    /// Tokens written.
    pub output: u64,
    /// US dollars × 1,000,000; `None` when the model's price is not known.
    pub cost_micros: Option<u64>,
}

/// Why a call failed, by what to do about it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ModelError {
    /// Too many requests or tokens; the provider may say how long to wait.
    #[error("{model} is rate limited")]
    RateLimited {
        /// The model.
        model: String,
        /// The provider's wish.
        after: Option<Duration>,
    },
    /// The provider is overloaded, failed (5xx), cut the stream or could not be reached. May pass.
    #[error("{model} is not available: {reason}")]
    Unavailable {
        /// The model.
        model: String,
        /// What was seen, without request or response bodies.
        reason: String,
    },
    /// The provider refuses: wrong key, unknown model, request not understood, content refused. Permanent.
    #[error("{model} refused the request: {reason}")]
    Refused {
        /// The model.
        model: String,
        /// The provider's words, without secrets.
        reason: String,
    },
}

impl ModelError {
    /// Which model failed.
    pub fn model(&self) -> &str {
        match self {
            Self::RateLimited { model, .. }
            | Self::Unavailable { model, .. }
            | Self::Refused { model, .. } => model,
        }
    }
}
