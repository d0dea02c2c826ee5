//! From an HTTP request to an answer: token, method, parameters, flood limits, faults, the method itself.

use std::{sync::Arc, time::Instant};

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use tokio::time::sleep;

use super::{
    fake::Fake,
    faults::{Fault, Obstacle},
    flood::Verdict,
    methods::{self, Method},
    polling::get_updates,
    request::{Answer, Failure, Params, response},
    world::{Call, World},
};
use crate::{
    hold::{Gate, Order},
    server::Line,
};

/// How many calls are remembered.
const LOG: usize = 100_000;
const LARGEST_BODY: usize = 64 * 1024 * 1024;

/// The server's only route: everything is told apart here, because paths hold a token and any case of a method's name.
pub(super) fn router(fake: Arc<Fake>) -> Router {
    Router::new().fallback(serve).layer(DefaultBodyLimit::max(LARGEST_BODY)).with_state(fake)
}

async fn serve(
    State(fake): State<Arc<Fake>>,
    ConnectInfo(line): ConnectInfo<Line>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = match Request::read(&fake, &uri, &headers, body).await {
        Ok(request) => request,
        Err(failure) => return fake.answer(Err(failure)),
    };
    let arrival = fake.change(|world| world.arrive(&request));
    let _on_its_way = arrival.in_flight.map(|key| InFlight { fake: Arc::clone(&fake), key });
    match (arrival.refused, arrival.obstacle) {
        (Some(failure), _) => fake.answer(Err(failure)),
        (None, None) => fake.answer(request.process(&fake).await),
        (None, Some(Obstacle::Gate(gate))) => request.held(&fake, &line, &gate).await,
        (None, Some(Obstacle::Fault(fault))) => request.failed(&fake, &line, fault).await,
    }
}

/// A call whose token and method are known.
struct Request {
    bot: i64,
    method: &'static Method,
    params: Params,
}

/// What the world says to a call when it comes.
struct Arrival {
    refused: Option<Failure>,
    obstacle: Option<Obstacle>,
    in_flight: Option<(i64, i64, i64)>,
}

impl Request {
    async fn read(fake: &Fake, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Result<Self, Failure> {
        let not_found = || Failure::new(404, "Not Found");
        let (token, method) =
            uri.path().strip_prefix("/bot").and_then(|path| path.split_once('/')).ok_or_else(|| {
                not_found()
                    .violation(format!("request for an unknown path of {} characters", uri.path().len()))
            })?;
        let bot = fake.look(|world| world.bots.values().find(|bot| bot.token == token).map(|bot| bot.id));
        let Some(bot) = bot else {
            return Err(if well_formed(token) { Failure::new(401, "Unauthorized") } else { not_found() });
        };
        let name = method.strip_prefix("test/").unwrap_or(method).to_ascii_lowercase();
        let method = methods::find(&name).ok_or_else(|| {
            Failure::new(404, "Not Found: method not found").violation(format!("unknown method {name}"))
        })?;
        let params = Params::read(uri, headers, body).await.map_err(|error| {
            Failure::bad("can't parse the request").violation(format!("{name} cannot be read: {error:#}"))
        })?;
        Ok(Self { bot, method, params })
    }

    async fn process(&self, fake: &Arc<Fake>) -> Answer {
        match self.method.run {
            Some(run) => fake.change(|world| run(world, self.bot, &self.params)),
            None => get_updates(fake, self.bot, &self.params).await,
        }
    }

    async fn held(&self, fake: &Arc<Fake>, line: &Line, gate: &Gate) -> Response {
        let order = gate.arrive().await;
        if order == Order::Cut {
            return cut(line);
        }
        let answer = self.process(fake).await;
        let order = if order == Order::Process { gate.processed().await } else { order };
        if order == Order::Cut { cut(line) } else { fake.answer(answer) }
    }

    async fn failed(&self, fake: &Arc<Fake>, line: &Line, fault: Fault) -> Response {
        match fault {
            Fault::DropBefore => cut(line),
            Fault::DropAfter => {
                let _lost = fake.answer(self.process(fake).await);
                cut(line)
            }
            Fault::Html502Before => bad_gateway(),
            Fault::Html502After => {
                let _lost = fake.answer(self.process(fake).await);
                bad_gateway()
            }
            Fault::DelayBefore(time) => {
                sleep(time).await;
                fake.answer(self.process(fake).await)
            }
            Fault::DelayAfter(time) => {
                let answer = self.process(fake).await;
                sleep(time).await;
                fake.answer(answer)
            }
            Fault::TruncatedJson => truncated(fake.answer(self.process(fake).await)),
            Fault::RateLimit { retry_after } => fake.answer(Err(fake.change(|world| {
                if let Ok(Some(chat)) = self.params.int("chat_id") {
                    let now = world.now_ms();
                    world.floods.penalise(self.bot, chat, retry_after, now);
                }
                Failure::flood(retry_after)
            }))),
            Fault::Error { code, description } => fake.answer(Err(Failure::new(code, description))),
            Fault::Hang => std::future::pending().await,
            Fault::Conflict => fake.answer(Err(Failure::conflict(
                "terminated by other getUpdates request; make sure that only one bot instance is running",
            ))),
        }
    }
}

impl Fake {
    /// Writes the answer, and down what no correct client would have caused.
    fn answer(&self, answer: Answer) -> Response {
        if let Err(failure) = &answer
            && let Some(violation) = &failure.violation
        {
            self.change(|world| world.violation(violation));
        }
        response(&answer)
    }
}

impl World {
    fn arrive(&mut self, request: &Request) -> Arrival {
        let Request { bot, method, params } = request;
        let name = method.name;
        self.log(request);
        for field in params.0.keys().filter(|field| !method.fields.contains(&field.as_str())) {
            self.violations.push(format!("{name} has no field {field}"));
        }
        let chat = params.int("chat_id").ok().flatten();
        let Some(chat) = chat.filter(|chat| self.chats.contains_key(&Self::key(*bot, *chat))) else {
            return Arrival { refused: None, obstacle: self.faults.take(name, chat), in_flight: None };
        };
        let thread = params.int("message_thread_id").ok().flatten().unwrap_or(0);
        let in_flight = method.sends().then_some((*bot, chat, thread));
        if let Some(key) = in_flight {
            self.begin_send(key);
        }
        let refused = if method.visible { self.charge(*bot, chat, name) } else { None };
        let obstacle = if refused.is_none() { self.faults.take(name, Some(chat)) } else { None };
        Arrival { refused, obstacle, in_flight }
    }

    fn log(&mut self, request: &Request) {
        let call = Call {
            at: Instant::now(),
            bot: self.bots[&request.bot].username.clone(),
            method: request.method.name.to_owned(),
            params: Value::Object(request.params.0.clone()),
        };
        if self.calls.len() == LOG {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
    }

    fn begin_send(&mut self, key: (i64, i64, i64)) {
        let (bot, chat, thread) = key;
        let on_their_way = self.in_flight.entry(key).or_default();
        *on_their_way += 1;
        if *on_their_way > 1 {
            self.violations.push(format!("{on_their_way} sends at once to chat {chat}, topic {thread}"));
        }
        let answered =
            self.unanswered.get_mut(&Self::key(bot, chat)).and_then(std::collections::VecDeque::pop_front);
        self.latencies.extend(answered.map(|handed_out| handed_out.elapsed()));
    }

    fn charge(&mut self, bot: i64, chat: i64, method: &str) -> Option<Failure> {
        let now = self.now_ms();
        match self.floods.charge(self.settings.flood.as_ref(), bot, chat, now) {
            Verdict::Pass => None,
            Verdict::Over(seconds) => Some(Failure::flood(seconds)),
            Verdict::Early { again, left_ms } => {
                self.violation(format!(
                    "{method} to chat {chat} inside its penalty window, {left_ms} ms too early"
                ));
                Some(Failure::flood(again))
            }
        }
    }
}

/// A send on its way, until it is answered or its client gives up.
struct InFlight {
    fake: Arc<Fake>,
    key: (i64, i64, i64),
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.fake.change(|world| {
            if let Some(on_their_way) = world.in_flight.get_mut(&self.key) {
                *on_their_way = on_their_way.saturating_sub(1);
            }
        });
    }
}

/// `<digits>:<35 characters>`.
fn well_formed(token: &str) -> bool {
    let secret = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    token.split_once(':').is_some_and(|(id, rest)| {
        !id.is_empty()
            && id.chars().all(|c| c.is_ascii_digit())
            && rest.len() == 35
            && rest.chars().all(secret)
    })
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

/// A well-formed HTTP answer whose JSON ends in the middle.
fn truncated(response: Response) -> Response {
    let (status, kind) = (response.status(), [(header::CONTENT_TYPE, "application/json")]);
    (status, kind, r#"{"ok":true,"result":{"message_id":1"#).into_response()
}
