//! The client against a server that speaks the real protocols, over real sockets.

mod anthropic;
mod failures;
mod openai;
mod others;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response, Uri};
use futures::StreamExt;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::*;
use crate::models::{Answer, ModelMessage, ToolCall, ToolSpec, http_client};

/// One scripted response.
struct Reply {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    /// Sent one by one; a piece may end anywhere, in the middle of a character too.
    pieces: Vec<Vec<u8>>,
    /// After the pieces: the end of the body, or silence.
    hangs: bool,
}

impl Reply {
    fn status(status: u16, body: &str) -> Self {
        Self { status, headers: vec![], pieces: vec![body.into()], hangs: false }
    }

    fn stream(body: &str) -> Self {
        Self::status(200, body)
    }

    fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    fn in_pieces_of(mut self, bytes: usize) -> Self {
        self.pieces = self.pieces.concat().chunks(bytes).map(Into::into).collect();
        self
    }

    fn then_hangs(mut self) -> Self {
        self.hangs = true;
        self
    }
}

/// A request as the server saw it.
#[derive(Debug, Clone)]
struct Seen {
    path: String,
    headers: HeaderMap,
    body: Value,
}

/// A provider that gives its scripted replies in order.
struct Server {
    address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

type Script = (Arc<Mutex<VecDeque<Reply>>>, Arc<Mutex<Vec<Seen>>>);

impl Server {
    async fn with(replies: impl IntoIterator<Item = Reply>) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let script: Script = (Arc::new(Mutex::new(replies.into_iter().collect())), seen.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer_as_scripted).with_state(script);
        // Ends with the test's runtime.
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address: format!("http://{address}"), seen }
    }

    fn client(&self, provider: Provider) -> GenaiClient {
        client(&spec(provider, Some(format!("{}/v1", self.address))))
    }

    /// The only request there was.
    fn only(&self) -> Seen {
        let seen = self.seen.lock().unwrap();
        assert_eq!(seen.len(), 1, "one request was expected");
        seen[0].clone()
    }
}

async fn answer_as_scripted(
    State((replies, seen)): State<Script>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let body = serde_json::from_slice(&body).expect("requests are JSON");
    seen.lock().unwrap().push(Seen { path: uri.to_string(), headers, body });
    let reply = replies.lock().unwrap().pop_front().expect("a reply for every request");
    let pieces = stream::iter(reply.pieces.into_iter().map(Ok::<_, std::io::Error>));
    let body = if reply.hangs {
        Body::from_stream(pieces.chain(stream::pending()))
    } else {
        Body::from_stream(pieces)
    };
    let mut response = Response::builder().status(reply.status).header("content-type", "text/event-stream");
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(body).unwrap()
}

fn spec(provider: Provider, base_url: Option<String>) -> ModelSpec {
    ModelSpec {
        id: "main".into(),
        provider,
        model: "model-x".into(),
        api_key: Some(SecretString::from("key-canary")),
        base_url,
        window: 10_000,
        max_output_tokens: Some(512),
        prices: Some(Prices { input: 3.0, output: 15.0, cached_fraction: 0.1 }),
        timeout: Duration::from_secs(5),
        retries: 0,
    }
}

fn client(spec: &ModelSpec) -> GenaiClient {
    GenaiClient::new(spec, http_client().unwrap()).unwrap()
}

fn request(messages: Vec<ModelMessage>) -> Request {
    let tool = |name: &str| ToolSpec {
        name: name.into(),
        description: format!("{name} it"),
        schema: json!({"type": "object", "properties": {}}).into(),
    };
    Request {
        system: "You are Manager.".into(),
        messages,
        tools: vec![tool("ls"), tool("web_search")],
        cache_key: "agent:manager:main".into(),
    }
}

fn hello() -> Request {
    request(vec![ModelMessage::User("Hello".into())])
}

fn call(id: &str, name: &str, arguments: Value) -> ToolCall {
    ToolCall { id: id.into(), name: name.into(), arguments }
}

/// Every event of a call.
async fn events(client: &GenaiClient, request: Request) -> Vec<Result<ModelEvent, ModelError>> {
    client.stream(request).collect().await
}

/// The end of a call that must work, after a check that what was streamed is what was answered.
async fn completion(client: &GenaiClient, request: Request) -> Completion {
    let mut streamed = String::new();
    let mut end = None;
    for event in events(client, request).await {
        assert!(end.is_none(), "an event after the end");
        match event.unwrap() {
            ModelEvent::Text(text) => streamed.push_str(&text),
            ModelEvent::End(completion) => end = Some(completion),
        }
    }
    let end = end.expect("an end");
    assert_eq!(streamed, end.answer.text);
    end
}

/// The error of a call that must fail before it shows anything.
async fn failure(client: &GenaiClient, request: Request) -> ModelError {
    match events(client, request).await.as_slice() {
        [Err(error)] => error.clone(),
        other => panic!("one error was expected: {other:?}"),
    }
}

/// A server-sent stream of these pieces of JSON, without event names.
fn data(values: &[Value]) -> String {
    values.iter().map(|value| format!("data: {value}\n\n")).collect()
}

/// A server-sent stream of these events, each named after its type, as Anthropic does.
fn named(values: &[Value]) -> String {
    let line = |value: &Value| format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap());
    values.iter().map(line).collect()
}
