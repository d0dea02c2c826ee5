//! From an HTTP request to an answer, whole or as a stream of server-sent events.

use std::{io, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, DefaultBodyLimit, State},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::post,
};
use futures::stream;
use serde_json::Value;
use tokio::{task::yield_now, time::sleep};

use super::{
    Models, anthropic, openai,
    request::{Api, ModelRequest, Refused},
    script::{Reply, Shape},
};
use crate::{
    hold::{Gate, Order},
    server::Line,
};

const LARGEST_BODY: usize = 64 * 1024 * 1024;

/// An answer as protocol frames, part by part.
pub(super) struct Frames {
    pub head: Vec<String>,
    /// One for each chunk of text.
    pub chunks: Vec<String>,
    pub calls: Vec<String>,
    pub end: Vec<String>,
    pub overloaded: String,
    pub malformed: String,
    pub wrong: String,
}

/// Arguments in the small pieces in which models stream them.
pub(super) fn pieces(arguments: &str) -> impl Iterator<Item = String> {
    let letters: Vec<char> = arguments.chars().collect();
    let pieces: Vec<String> = letters.chunks(12).map(|piece| piece.iter().collect()).collect();
    pieces.into_iter()
}

pub(super) fn router(fake: Arc<Models>) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(serve_openai))
        .route("/v1/messages", post(serve_anthropic))
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(fake)
}

async fn unknown(State(fake): State<Arc<Models>>, method: Method, uri: Uri) -> Response {
    fake.violation(format!("unknown call {method} {}", uri.path()));
    error(Api::OpenAi, 404, "Not Found")
}

async fn serve_openai(
    State(fake): State<Arc<Models>>,
    ConnectInfo(line): ConnectInfo<Line>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    serve(&fake, Api::OpenAi, line, &headers, &body).await
}

async fn serve_anthropic(
    State(fake): State<Arc<Models>>,
    ConnectInfo(line): ConnectInfo<Line>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    serve(&fake, Api::Anthropic, line, &headers, &body).await
}

async fn serve(fake: &Arc<Models>, api: Api, line: Line, headers: &HeaderMap, body: &[u8]) -> Response {
    let request = match read(api, headers, body) {
        Ok(request) => fake.note(request),
        Err(Refused { status, message }) => {
            fake.violation(format!("{api:?}: {message}"));
            return error(api, status, &message);
        }
    };
    let running = Running { fake: Arc::clone(fake), number: request.number, complete: false };
    let gate = fake.gate_for(&request);
    let mut order = Order::Answer;
    if let Some(gate) = &gate {
        order = gate.arrive().await;
    }
    let reply = fake.reply_to(&request);
    if let (Order::Process, Some(gate)) = (order, &gate) {
        order = gate.processed().await;
    }
    if order == Order::Cut {
        running.finish();
        line.cut();
        return StatusCode::NO_CONTENT.into_response();
    }
    sleep(reply.delay).await;
    match &reply.shape {
        Shape::Status(status, headers) => {
            running.finish();
            refuse(api, *status, headers)
        }
        _ if request.stream => streamed(steps(&request, reply), running, line),
        _ => {
            if let Some((_, gate)) = &reply.pause {
                gate.arrive().await;
            }
            running.finish();
            whole(&request, &reply, &line)
        }
    }
}

fn read(api: Api, headers: &HeaderMap, body: &[u8]) -> Result<ModelRequest, Refused> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/json") {
        return Err(Refused::invalid(format!("content-type must be application/json, not {kind:?}")));
    }
    let body: Value = serde_json::from_slice(body)
        .map_err(|error| Refused::invalid(format!("the body cannot be parsed as JSON: {error}")))?;
    match api {
        Api::OpenAi => openai::read(headers, body),
        Api::Anthropic => anthropic::read(headers, body),
    }
}

fn error(api: Api, status: u16, message: &str) -> Response {
    let body = match api {
        Api::OpenAi => openai::error(status, message),
        Api::Anthropic => anthropic::error(status, message),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, axum::Json(body)).into_response()
}

fn refuse(api: Api, status: u16, headers: &[(String, String)]) -> Response {
    let message = match status {
        401 => "invalid x-api-key",
        429 => "Rate limit reached",
        529 => "Overloaded",
        _ => "scripted failure",
    };
    let mut response = error(api, status, message);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) =
            (header::HeaderName::try_from(name), header::HeaderValue::try_from(value))
        {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn whole(request: &ModelRequest, reply: &Reply, line: &Line) -> Response {
    let (body, wrong) = match request.api {
        Api::OpenAi => (openai::whole(request, reply), openai::wrong()),
        Api::Anthropic => (anthropic::whole(request, reply), anthropic::wrong()),
    };
    let half = |body: String| {
        let end = body.chars().take(body.chars().count() / 2).collect::<String>();
        ([(header::CONTENT_TYPE, "application/json")], end).into_response()
    };
    match reply.shape {
        Shape::Overloaded => refuse(request.api, 529, &[]),
        Shape::Truncated | Shape::MalformedJson => half(body.to_string()),
        Shape::WrongTypes => axum::Json(wrong).into_response(),
        Shape::Broken => {
            line.cut();
            StatusCode::NO_CONTENT.into_response()
        }
        Shape::Whole | Shape::Status(..) => axum::Json(body).into_response(),
    }
}

/// One thing that happens in a stream.
enum Step {
    Frame(String),
    Wait(Duration),
    Gate(Gate),
    Break,
}

fn steps(request: &ModelRequest, reply: Reply) -> Vec<Step> {
    let frames = match request.api {
        Api::OpenAi => openai::frames(request, &reply),
        Api::Anthropic => anthropic::frames(request, &reply),
    };
    let mut steps: Vec<Step> = frames.head.into_iter().map(Step::Frame).collect();
    let pause_at = |done: usize| {
        reply.pause.clone().filter(|(after, _)| *after == done).map(|(_, gate)| Step::Gate(gate))
    };
    steps.extend(pause_at(0));
    for (index, chunk) in frames.chunks.into_iter().enumerate() {
        if index > 0 && !reply.pace.is_zero() {
            steps.push(Step::Wait(reply.pace));
        }
        steps.push(Step::Frame(chunk));
        steps.extend(pause_at(index + 1));
    }
    let rest = |steps: &mut Vec<Step>| {
        steps.extend(frames.calls.iter().chain(&frames.end).cloned().map(Step::Frame));
    };
    match reply.shape {
        Shape::Whole | Shape::Status(..) => rest(&mut steps),
        Shape::Overloaded => steps.push(Step::Frame(frames.overloaded)),
        Shape::Truncated => steps.extend(frames.calls.into_iter().map(Step::Frame)),
        Shape::Broken => steps.push(Step::Break),
        Shape::MalformedJson => {
            steps.push(Step::Frame(frames.malformed.clone()));
            rest(&mut steps);
        }
        Shape::WrongTypes => {
            steps.push(Step::Frame(frames.wrong.clone()));
            rest(&mut steps);
        }
    }
    steps
}

fn streamed(steps: Vec<Step>, running: Running, line: Line) -> Response {
    let frames =
        stream::unfold((steps.into_iter(), Some(running), line), async |(mut steps, mut running, line)| {
            loop {
                match steps.next() {
                    Some(Step::Frame(frame)) => {
                        return Some((Ok(Bytes::from(frame)), (steps, running, line)));
                    }
                    Some(Step::Wait(time)) => sleep(time).await,
                    Some(Step::Gate(gate)) if gate.arrive().await != Order::Cut => {}
                    Some(Step::Gate(_) | Step::Break) => {
                        // A moment without a frame makes the server write out the ones before.
                        yield_now().await;
                        running.take().into_iter().for_each(Running::finish);
                        line.cut();
                        return Some((Err(io::Error::other("broken by the script")), (steps, running, line)));
                    }
                    None => {
                        running.take().into_iter().for_each(Running::finish);
                        return None;
                    }
                }
            }
        });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(frames)).into_response()
}

/// A request that is being answered; dropped early, its client has gone away.
struct Running {
    fake: Arc<Models>,
    number: usize,
    complete: bool,
}

impl Running {
    /// The answer has ended as it was meant to.
    fn finish(mut self) {
        self.complete = true;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.fake.ended(self.number, self.complete);
    }
}
