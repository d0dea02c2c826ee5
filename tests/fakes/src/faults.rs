//! Faults that tests put in the way of calls, one by one or at random from a seed.

use std::{collections::VecDeque, time::Duration};

use axum::{
    body::{Body, to_bytes},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use tokio::time::sleep;

use crate::{
    hold::{Gate, Order},
    rng::Rng,
    server::Line,
};

/// What goes wrong with a call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The connection closes; nothing was done.
    DropBefore,
    /// It was done, then the connection closes without an answer.
    DropAfter,
    /// A proxy's 502 page; nothing was done.
    Html502Before,
    /// It was done, the answer is a proxy's 502 page.
    Html502After,
    /// It is done that much later.
    DelayBefore(Duration),
    /// It is done at once and answered that much later.
    DelayAfter(Duration),
    /// It was done; the answer breaks off in the middle of its JSON.
    TruncatedJson,
    /// 429; the penalty window of so many seconds begins: of the chat (Telegram), of the bucket (Discord, scope `user`).
    RateLimit {
        /// Seconds.
        retry_after: u64,
    },
    /// Another error answer; nothing was done.
    Error {
        /// The HTTP status.
        code: u16,
        /// The whole description, with its prefix.
        description: String,
    },
    /// No answer ever, the connection stays open; nothing was done.
    Hang,
    /// The server says that it will write no more, and keeps the connection; nothing was done.
    HalfClose,
    /// 409: another poller has come (Telegram).
    Conflict,
    /// 429 of one scope; the window of so many milliseconds begins. Telegram knows only whole seconds and one scope.
    Limited {
        /// What is limited.
        scope: Scope,
        /// Milliseconds.
        retry_after_ms: u64,
    },
    /// Exactly this answer, as from something in front of the platform; nothing was done.
    Raw {
        /// The HTTP status.
        status: u16,
        /// Headers, with their values.
        headers: Vec<(&'static str, String)>,
        /// The whole body.
        body: String,
    },
}

/// Whose limit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The bot's, on one route and channel.
    User,
    /// Everybody's on one resource; does not count as an invalid request.
    Shared,
    /// The bot's, over all routes.
    Global,
}

impl Scope {
    /// As the header says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Shared => "shared",
            Self::Global => "global",
        }
    }
}

impl Fault {
    /// Each way to lose a call or its answer that leaves its client in the dark; `late` is longer than it waits.
    pub fn in_the_dark(late: Duration) -> Vec<Self> {
        vec![
            Self::DropAfter,
            Self::DropBefore,
            Self::Html502After,
            Self::Html502Before,
            Self::empty_500(),
            Self::TruncatedJson,
            Self::DelayAfter(late),
            Self::DelayBefore(late),
            Self::HalfClose,
        ]
    }

    /// 500 without a body.
    pub fn empty_500() -> Self {
        Self::Raw { status: 500, headers: Vec::new(), body: String::new() }
    }

    /// A content network's 429: a page, with `Retry-After` in seconds if at all.
    pub fn html_429(retry_after: Option<u64>) -> Self {
        let wait = retry_after.map(|seconds| ("retry-after", seconds.to_string()));
        let headers = wait.into_iter().chain([("content-type", "text/html".to_owned())]).collect();
        Self::Raw { status: 429, headers, body: "<html><title>Error 1015</title></html>".to_owned() }
    }

    /// Discord's error answer with one of its codes.
    pub fn discord(status: u16, code: u32, message: &str) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        let body = serde_json::json!({"code": code, "message": message}).to_string();
        Self::Raw { status, headers, body }
    }
}

/// Random faults for long runs.
#[derive(Debug, Clone)]
pub struct Chaos {
    /// The same seed and the same calls give the same faults.
    pub seed: u64,
    /// The share of calls that are hit, 0 to 1.
    pub share: f64,
    /// What may happen; one is picked.
    pub faults: Vec<Fault>,
    /// The methods that may be hit, any case; empty means all.
    pub methods: Vec<String>,
}

/// What is in a call's way.
#[derive(Debug, Clone)]
pub(crate) enum Obstacle {
    Fault(Fault),
    Gate(Gate),
}

#[derive(Debug)]
struct Rule {
    method: String,
    chat: Option<i64>,
    /// How many calls pass before it.
    spared: u32,
    obstacle: Obstacle,
}

/// All rules; each hits one call.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: VecDeque<Rule>,
    chaos: Option<(Chaos, Rng)>,
}

impl Faults {
    /// Puts something in the way of the next call of `method` (to `chat`, when given) that has no older rule.
    pub fn add(&mut self, method: &str, chat: Option<i64>, obstacle: Obstacle) {
        self.add_later(method, chat, 0, obstacle);
    }

    /// The same after so many calls have passed.
    pub fn add_later(&mut self, method: &str, chat: Option<i64>, spared: u32, obstacle: Obstacle) {
        self.rules.push_back(Rule { method: method.to_ascii_lowercase(), chat, spared, obstacle });
    }

    /// Starts or ends random faults.
    pub fn set_chaos(&mut self, chaos: Option<Chaos>) {
        self.chaos = chaos.map(|chaos| {
            let rng = Rng::seeded(chaos.seed);
            (chaos, rng)
        });
    }

    /// Takes what is in the way of a call (`method` in lower case).
    pub fn take(&mut self, method: &str, chat: Option<i64>) -> Option<Obstacle> {
        let hit = |rule: &Rule| rule.method == method && (rule.chat.is_none() || rule.chat == chat);
        let met = self.rules.iter().position(|rule| hit(rule) && rule.spared == 0);
        for rule in self.rules.iter_mut().filter(|rule| hit(rule)) {
            rule.spared = rule.spared.saturating_sub(1);
        }
        if let Some(at) = met {
            return self.rules.remove(at).map(|rule| rule.obstacle);
        }
        let (chaos, rng) = self.chaos.as_mut()?;
        let meant = chaos.methods.is_empty() || chaos.methods.iter().any(|m| m.eq_ignore_ascii_case(method));
        if !meant || chaos.faults.is_empty() || !rng.chance(chaos.share) {
            return None;
        }
        let pick = usize::try_from(rng.below(chaos.faults.len() as u64)).unwrap_or(0);
        Some(Obstacle::Fault(chaos.faults[pick].clone()))
    }

    /// Rules that no call has met yet.
    pub fn unmet(&self) -> impl Iterator<Item = String> {
        self.rules
            .iter()
            .map(|rule| format!("{} was to meet {:?} and never came", rule.method, rule.obstacle))
    }
}

/// Lets a call meet what is in its way; `process` does it and makes the answer. Gives back the faults that only the platform itself
/// can answer.
pub(crate) async fn meet(
    obstacle: Obstacle,
    line: &Line,
    process: impl Future<Output = Response>,
) -> Result<Response, Fault> {
    let fault = match obstacle {
        Obstacle::Gate(gate) => return Ok(held(&gate, line, process).await),
        Obstacle::Fault(fault) => fault,
    };
    Ok(match fault {
        Fault::DropBefore => cut(line),
        Fault::DropAfter => {
            let _lost = process.await;
            cut(line)
        }
        Fault::Html502Before => bad_gateway(),
        Fault::Html502After => {
            let _lost = process.await;
            bad_gateway()
        }
        Fault::DelayBefore(time) => {
            sleep(time).await;
            process.await
        }
        Fault::DelayAfter(time) => {
            let answer = process.await;
            sleep(time).await;
            answer
        }
        Fault::TruncatedJson => truncated(process.await).await,
        Fault::Hang => std::future::pending().await,
        Fault::HalfClose => {
            line.end_writing();
            std::future::pending().await
        }
        Fault::Raw { status, headers, body } => raw(status, headers, body),
        fault @ (Fault::RateLimit { .. } | Fault::Limited { .. } | Fault::Error { .. } | Fault::Conflict) => {
            return Err(fault);
        }
    })
}

async fn held(gate: &Gate, line: &Line, process: impl Future<Output = Response>) -> Response {
    let order = gate.arrive().await;
    if order == Order::Cut {
        return cut(line);
    }
    let answer = process.await;
    let order = if order == Order::Process { gate.processed().await } else { order };
    if order == Order::Cut { cut(line) } else { answer }
}

fn cut(line: &Line) -> Response {
    line.cut();
    StatusCode::NO_CONTENT.into_response()
}

fn bad_gateway() -> Response {
    let page =
        "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>";
    (StatusCode::BAD_GATEWAY, [(header::CONTENT_TYPE, "text/html")], page).into_response()
}

fn raw(status: u16, headers: Vec<(&'static str, String)>, body: String) -> Response {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Body::from(body)).unwrap_or_else(|error| error.to_string().into_response())
}

/// A well-formed HTTP answer whose JSON ends in the middle.
async fn truncated(response: Response) -> Response {
    let (status, kind) = (response.status(), [(header::CONTENT_TYPE, "application/json")]);
    let whole = to_bytes(response.into_body(), usize::MAX).await.unwrap_or_default();
    (status, kind, whole.slice(..whole.len() / 2)).into_response()
}
