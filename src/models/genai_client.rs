//! Every real provider, through the genai crate.
//!
//! genai is used for what it is good at, the protocols; everything it would decide by itself (which
//! adapter a model name means, keys from the environment, reasoning effort from a name's ending) is
//! decided here and given to it.

mod answer;
mod failure;
mod request;

use std::sync::Arc;

use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt, TryStreamExt};
use genai::adapter::AdapterKind;
use genai::chat::{ChatOptions, ChatStream, ChatStreamEvent, ReasoningEffort, StopReason, StreamEnd};
use genai::resolver::{AuthData, Endpoint};
use genai::{ModelIden, ServiceTarget};
use secrecy::ExposeSecret;

use self::failure::Blame;
use super::{
    Completion, ModelClient, ModelError, ModelEvent, ModelSpec, Prices, Provider, Request, Spent, Usage,
    tokens,
};

/// One configured model of a real provider. Makes one attempt; cheap to call, built once.
#[derive(Clone)]
pub struct GenaiClient(Arc<Inner>);

struct Inner {
    spec: ModelSpec,
    name: String,
    target: ServiceTarget,
    options: ChatOptions,
    client: genai::Client,
}

impl GenaiClient {
    /// The client for `spec`; `None` when it means the demo model, which is no provider's.
    pub fn new(spec: &ModelSpec, http: reqwest::Client) -> Option<Self> {
        let adapter = adapter(spec)?;
        // Servers of one's own often need no key, and genai insists on one.
        let key = spec.api_key.as_ref().map_or("none", |key| key.expose_secret());
        let target = ServiceTarget {
            endpoint: Endpoint::from_owned(endpoint(spec)),
            auth: AuthData::from_single(key),
            model: ModelIden::new(adapter, spec.model.as_str()),
        };
        let client = genai::Client::builder()
            .with_reqwest(http)
            .build()
            .expect("building fails only over making an HTTP client, and it was given one");
        let options = options(spec, adapter);
        Some(Self(Arc::new(Inner { name: spec.name(), spec: spec.clone(), target, options, client })))
    }
}

impl ModelClient for GenaiClient {
    fn stream(&self, request: Request) -> BoxStream<'static, Result<ModelEvent, ModelError>> {
        let inner = self.0.clone();
        stream::once(async move { inner.start(request).await }).try_flatten().boxed()
    }

    fn name(&self) -> &str {
        &self.0.name
    }

    fn window(&self) -> u32 {
        self.0.spec.window
    }
}

impl Inner {
    async fn start(
        self: Arc<Self>,
        request: Request,
    ) -> Result<impl Stream<Item = Result<ModelEvent, ModelError>>, ModelError> {
        if self.spec.api_key.is_none()
            && self.spec.base_url.is_none()
            && self.spec.provider != Provider::Ollama
        {
            return Err(self.blame().no_key());
        }
        let asked = tokens::of_request(&request);
        let mut options = self.options.clone();
        if takes_cache_key(&self.spec) {
            options = options.with_prompt_cache_key(&request.cache_key);
        }
        let chat = request::chat_request(self.spec.provider, &self.name, request);
        let response = self
            .client
            .exec_chat_stream(self.target.clone(), chat, Some(&options))
            .await
            .map_err(|error| self.blame().classify(&error))?;
        Ok(stream::unfold(Some(response.stream), move |state| {
            let inner = self.clone();
            async move { inner.next(state?, asked).await }
        }))
    }

    /// The next event, and the stream as long as more may follow: it is not read on after an end or an
    /// error, whatever genai would still find in it.
    async fn next(
        &self,
        mut stream: ChatStream,
        asked: u64,
    ) -> Option<(Result<ModelEvent, ModelError>, Option<ChatStream>)> {
        loop {
            let event = match stream.next().await {
                Some(Ok(ChatStreamEvent::Chunk(chunk))) if !chunk.content.is_empty() => {
                    return Some((Ok(ModelEvent::Text(chunk.content)), Some(stream)));
                }
                Some(Ok(ChatStreamEvent::End(end))) => self.end(end, asked).map(ModelEvent::End),
                Some(Ok(_)) => continue,
                Some(Err(error)) => Err(self.blame().classify(&error)),
                None => Err(self.blame().cut()),
            };
            return Some((event, None));
        }
    }

    fn end(&self, mut end: StreamEnd, asked: u64) -> Result<Completion, ModelError> {
        let reason = end.captured_stop_reason.take();
        match &reason {
            // genai makes up the end of a Gemini or Ollama stream that was cut; a real one has a reason.
            None if matches!(self.spec.provider, Provider::Gemini | Provider::Ollama) => {
                return Err(self.blame().cut());
            }
            Some(StopReason::ContentFilter(word)) => return Err(self.blame().declined(word)),
            Some(StopReason::Other(word)) if word == "error" || word == "MALFORMED_FUNCTION_CALL" => {
                return Err(self.blame().failed_midway());
            }
            _ => {}
        }
        let reported = end.captured_usage.take();
        let cut = matches!(reason, Some(StopReason::MaxTokens(_)));
        let answer = answer::answer(self.spec.provider, &self.name, end, cut);
        let spent = reported.and_then(spent).unwrap_or_else(|| Spent {
            input: asked,
            output: tokens::of_answer(&answer),
            ..Spent::default()
        });
        Ok(Completion { answer, usage: usage(spent, self.spec.prices), model: self.name.clone(), cut })
    }

    fn blame(&self) -> Blame<'_> {
        Blame {
            id: &self.spec.id,
            name: &self.name,
            key: self.spec.api_key.as_ref().map(|key| key.expose_secret()),
        }
    }
}

fn adapter(spec: &ModelSpec) -> Option<AdapterKind> {
    match spec.provider {
        Provider::Anthropic => Some(AdapterKind::Anthropic),
        Provider::OpenAi => Some(AdapterKind::OpenAI),
        Provider::Gemini => Some(AdapterKind::Gemini),
        // The local adapter never sends a key; the cloud's speaks the same protocol and does.
        Provider::Ollama if spec.api_key.is_some() => Some(AdapterKind::OllamaCloud),
        Provider::Ollama => Some(AdapterKind::Ollama),
        Provider::OpenRouter => Some(AdapterKind::OpenRouter),
        Provider::Demo => None,
    }
}

/// Where requests go. It must end with a slash: genai appends to it, or replaces its last segment.
fn endpoint(spec: &ModelSpec) -> String {
    let base = spec.base_url.as_deref().unwrap_or(match spec.provider {
        Provider::Anthropic => "https://api.anthropic.com/v1/",
        Provider::OpenAi => "https://api.openai.com/v1/",
        Provider::Gemini => "https://generativelanguage.googleapis.com/v1beta/",
        Provider::Ollama => "http://localhost:11434/",
        Provider::OpenRouter => "https://openrouter.ai/api/v1/",
        Provider::Demo => "",
    });
    format!("{}/", base.trim_end_matches('/'))
}

/// Only OpenAI itself is known to take the parameter; strict look-alikes refuse unknown ones.
fn takes_cache_key(spec: &ModelSpec) -> bool {
    spec.provider == Provider::OpenAi && spec.base_url.is_none()
}

fn options(spec: &ModelSpec, adapter: AdapterKind) -> ChatOptions {
    let mut options = ChatOptions::default()
        .with_capture_usage(true)
        .with_capture_content(true)
        .with_capture_tool_calls(true)
        .with_stream_header_timeout(spec.timeout)
        .with_stream_read_timeout(spec.timeout);
    // For Gemini the flag asks for thought summaries, which models without thinking refuse; its
    // signatures are captured anyway.
    if adapter != AdapterKind::Gemini {
        options = options.with_capture_reasoning_content(true);
    }
    // Without an explicit effort genai takes one from the end of the name, and `some-max` is asked for
    // as `some`. A budget has no place in these protocols, so that it is sent as nothing.
    if matches!(adapter, AdapterKind::OpenAI | AdapterKind::OpenRouter) {
        options = options.with_reasoning_effort(ReasoningEffort::Budget(0));
    }
    match spec.max_output_tokens {
        Some(limit) => options.with_max_tokens(limit),
        None => options,
    }
}

/// What the provider counted; `None` when it counted nothing.
fn spent(usage: genai::chat::Usage) -> Option<Spent> {
    let count = |tokens: Option<i32>| tokens.map_or(0, |tokens| u64::try_from(tokens).unwrap_or(0));
    let details = usage.prompt_tokens_details.unwrap_or_default();
    let spent = Spent {
        input: count(usage.prompt_tokens),
        cached: count(details.cached_tokens),
        cache_written: count(details.cache_creation_tokens),
        output: count(usage.completion_tokens),
    };
    (spent.input > 0 || spent.output > 0).then_some(spent)
}

fn usage(spent: Spent, prices: Option<Prices>) -> Usage {
    Usage {
        input: spent.input,
        cached: spent.cached,
        output: spent.output,
        cost_micros: prices.map(|prices| prices.cost_micros(spent)),
    }
}

#[cfg(test)]
mod tests;
