//! From an HTTP request to an answer: token, method, parameters, flood limits, faults, the method itself.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, State},
    http::{HeaderMap, Uri},
    response::Response,
};
use serde_json::Value;

use super::{
    flood::{Verdict, Wanted},
    methods::{self, Method},
    polling::get_updates,
    request::{Answer, Failure, Params, response},
    world::World,
};
use crate::{
    fake::Fake,
    faults::{Fault, Obstacle, meet},
    sending::InFlight,
    server::Line,
};

const LARGEST_BODY: usize = 64 * 1024 * 1024;
/// Where a window for polls is kept: no chat has this number.
const POLLS: i64 = 0;

/// The server's only route: everything is told apart here, because paths hold a token and any case of a method's name.
pub(super) fn router(fake: Arc<Fake<World>>) -> Router {
    Router::new().fallback(serve).layer(DefaultBodyLimit::max(LARGEST_BODY)).with_state(fake)
}

async fn serve(
    State(fake): State<Arc<Fake<World>>>,
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
    let _on_its_way = arrival.in_flight.map(|key| InFlight::new(&fake, key));
    if let Some(failure) = arrival.refused {
        return fake.answer(Err(failure));
    }
    let process = async { fake.answer(request.process(&fake).await) };
    match arrival.obstacle {
        None => process.await,
        Some(obstacle) => {
            let met = meet(obstacle, &line, process).await;
            met.unwrap_or_else(|fault| fake.answer(Err(request.failure(&fake, fault))))
        }
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
    async fn read(fake: &Fake<World>, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Result<Self, Failure> {
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

    async fn process(&self, fake: &Arc<Fake<World>>) -> Answer {
        match self.method.run {
            Some(run) => fake.change(|world| run(world, self.bot, &self.params)),
            None => get_updates(fake, self.bot, &self.params).await,
        }
    }

    /// The error answer of a fault.
    fn failure(&self, fake: &Fake<World>, fault: Fault) -> Failure {
        match fault {
            Fault::RateLimit { retry_after } => self.limited(fake, retry_after),
            Fault::Limited { retry_after_ms, .. } => self.limited(fake, retry_after_ms.div_ceil(1000)),
            Fault::Error { code, description } => Failure::new(code, description),
            _ => Failure::conflict(
                "terminated by other getUpdates request; make sure that only one bot instance is running",
            ),
        }
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted { method: self.method.name, params: &self.params.0 }
    }

    fn limited(&self, fake: &Fake<World>, retry_after: u64) -> Failure {
        fake.change(|world| {
            let now = world.now_ms();
            if let Ok(Some(chat)) = self.params.int("chat_id") {
                world.floods.penalise(self.bot, chat, self.wanted(), retry_after, now);
            } else if self.method.name == "getupdates" {
                world.floods.penalise(self.bot, POLLS, self.wanted(), retry_after, now);
            }
        });
        Failure::flood(retry_after)
    }
}

impl Fake<World> {
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
        if name == "getupdates"
            && let Some(refused) = self.charge(*bot, POLLS, request.wanted())
        {
            return Arrival { refused: Some(refused), obstacle: None, in_flight: None };
        }
        let Some(chat) = chat.filter(|chat| self.chats.contains_key(&Self::key(*bot, *chat))) else {
            return Arrival { refused: None, obstacle: self.faults.take(name, chat), in_flight: None };
        };
        let thread = params.int("message_thread_id").ok().flatten().unwrap_or(0);
        let in_flight = method.sends().then_some((*bot, chat, thread));
        if let Some(key) = in_flight {
            self.begin_send(key);
        }
        let refused = if method.visible { self.charge(*bot, chat, request.wanted()) } else { None };
        let obstacle = if refused.is_none() { self.faults.take(name, Some(chat)) } else { None };
        Arrival { refused, obstacle, in_flight }
    }

    fn log(&mut self, request: &Request) {
        let bot = &self.bots[&request.bot].username;
        self.calls.add(bot, request.method.name, Value::Object(request.params.0.clone()));
    }

    fn begin_send(&mut self, key: (i64, i64, i64)) {
        let (bot, chat, thread) = key;
        let on_their_way = self.sending.begin(key);
        if on_their_way > 1 {
            self.violations.push(format!("{on_their_way} sends at once to chat {chat}, topic {thread}"));
        }
        let answered =
            self.unanswered.get_mut(&Self::key(bot, chat)).and_then(std::collections::VecDeque::pop_front);
        self.latencies.extend(answered.map(|handed_out| handed_out.elapsed()));
    }

    fn charge(&mut self, bot: i64, chat: i64, call: Wanted<'_>) -> Option<Failure> {
        let (now, method) = (self.now_ms(), call.method);
        let limits = self.settings.flood.as_ref().filter(|_| chat != POLLS);
        match self.floods.charge(limits, bot, chat, call, now) {
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
