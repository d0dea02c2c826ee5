//! From an HTTP request to an answer: route, token, body, limits, faults, the route itself, and the headers of the limits.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, Query, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::map_response_with_state,
    response::{IntoResponse, Response},
    routing::any,
};
use serde_json::{Map, Value};

use super::{
    gateway,
    limits::{Key, Limit, Refusal, Slot},
    request::{Answer, Failure, Request, seconds},
    routes,
    world::World,
};
use crate::{
    fake::Fake,
    faults::{Fault, Obstacle, Scope, meet},
    sending::InFlight,
    server::Line,
};

const LARGEST_BODY: usize = 32 * 1024 * 1024;
const BASE: &str = "/api/v10";

/// The gateway's two addresses, and REST on all others.
pub(super) fn router(fake: Arc<Fake<World>>) -> Router {
    Router::new()
        .route("/", any(gateway::open))
        .route("/resume", any(gateway::open))
        .fallback(serve)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(map_response_with_state(fake.clone(), dated))
        .with_state(fake)
}

/// Every answer tells when it was given.
async fn dated(State(fake): State<Arc<Fake<World>>>, mut response: Response) -> Response {
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(fake.look(World::now_ms));
    let date = HeaderValue::from_str(&httpdate::fmt_http_date(now)).expect("a date is plain text");
    response.headers_mut().insert(header::DATE, date);
    response
}

async fn serve(
    State(fake): State<Arc<Fake<World>>>,
    ConnectInfo(line): ConnectInfo<Line>,
    verb: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if fake.look(|world| world.invalid >= world.settings.invalid_limit) {
        return banned();
    }
    let request = match read(&fake, &verb, &uri, &headers, &body) {
        Ok(request) => request,
        Err(failure) => return fake.answer(Err(failure), 200, None),
    };
    let arrival = fake.change(|world| world.arrive(&request));
    let _on_its_way = arrival.in_flight.map(|key| InFlight::new(&fake, key));
    let Arrival { key, slot, obstacle, .. } = arrival;
    let slot = match slot {
        Ok(slot) => slot,
        Err(refusal) => return fake.answer(Err(Failure::limited(refusal)), 429, None),
    };
    let shown = Some((&key, slot));
    let process = async {
        let answer = fake.change(|world| (request.route.run)(world, &request));
        fake.answer(answer, request.route.status, shown)
    };
    match obstacle {
        None => process.await,
        Some(obstacle) => {
            let met = meet(obstacle, &line, process).await;
            met.unwrap_or_else(|fault| fake.answer(Err(fake.failure(&key, fault)), 200, shown))
        }
    }
}

fn read(
    fake: &Fake<World>,
    verb: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Request, Failure> {
    let outside = || Failure::not_found().violation(format!("a request for {} outside {BASE}", uri.path()));
    let path = uri.path().strip_prefix(BASE).ok_or_else(outside)?;
    let (route, path) = routes::find(verb.as_str(), path)?;
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let bot = match text(header::AUTHORIZATION).strip_prefix("Bot ") {
        _ if route.name == "gateway" => 0,
        Some(token) => fake.look(|world| world.bot_with_token(token)).ok_or_else(Failure::unauthorized)?,
        None => {
            let what = format!("{} without `Authorization: Bot …`", route.name);
            return Err(Failure::unauthorized().violation(what));
        }
    };
    if !text(header::USER_AGENT).starts_with("DiscordBot (") {
        let what = format!("{} without the User-Agent `DiscordBot (url, version)`", route.name);
        return Err(Failure::new(403, 40333, "internal network error").violation(what));
    }
    let unreadable =
        |what: String| Failure::new(400, 50109, "The request body contains invalid JSON.").violation(what);
    let query = Query::<BTreeMap<String, String>>::try_from_uri(uri);
    let Query(query) = query.map_err(|error| unreadable(format!("{}: {error}", route.name)))?;
    let body = if body.is_empty() {
        Map::new()
    } else if text(header::CONTENT_TYPE).starts_with("application/json") {
        serde_json::from_slice(body).map_err(|error| unreadable(format!("{}: {error}", route.name)))?
    } else {
        return Err(unreadable(format!("{} with a body that is not JSON", route.name)));
    };
    Ok(Request { bot, route, path, query, body })
}

/// What the world says to a call when it comes.
struct Arrival {
    key: Key,
    slot: Result<Slot, Refusal>,
    obstacle: Option<Obstacle>,
    in_flight: Option<(u64, u64)>,
}

impl World {
    fn arrive(&mut self, request: &Request) -> Arrival {
        let route = request.route;
        let bot = self.name_of(request.bot).to_owned();
        self.calls.add(&bot, route.name, request.params());
        self.violations.extend(routes::unknown_fields(request));
        let channel = request.channel().ok();
        let in_flight = channel.filter(|_| route.sends()).map(|channel| (request.bot, channel));
        if let Some(key) = in_flight {
            self.begin_send(key);
        }
        let renames = route.name == "edit_channel" && request.body.contains_key("name");
        let limited = if renames { "rename" } else { route.name };
        let key = Key { bot: request.bot, route: limited.to_owned(), major: request.major().to_owned() };
        let own = self.settings.limits.get(limited).copied().unwrap_or(Limit::NONE);
        let (now, global) = (self.now_ms(), self.settings.global_limit);
        let slot = self.limits.charge(&key, own, global, now);
        if let Err(refusal) = &slot
            && refusal.early
        {
            let what = format!("{limited} in {} came {} ms too early", key.major, refusal.left_ms);
            self.violation(what);
        }
        let place = key.major.parse().ok();
        let obstacle = if slot.is_ok() { self.faults.take(route.name, place) } else { None };
        Arrival { key, slot, obstacle, in_flight }
    }

    fn begin_send(&mut self, key: (u64, u64)) {
        let on_their_way = self.sending.begin(key);
        if on_their_way > 1 {
            let what = format!("{on_their_way} sends at once to {}", self.title_of(key.1));
            self.violation(what);
        }
        let answered = self.take_unanswered(key.1);
        self.latencies.extend(answered.map(|handed_out| handed_out.elapsed()));
    }

    /// The oldest message that waits in the channel, or the one that this thread was opened from.
    fn take_unanswered(&mut self, channel: u64) -> Option<std::time::Instant> {
        if let Some((_, at)) =
            self.unanswered.get_mut(&channel).and_then(std::collections::VecDeque::pop_front)
        {
            return Some(at);
        }
        let parent = self.channels.get(&channel)?.parent?;
        let waiting = self.unanswered.get_mut(&parent)?;
        let place = waiting.iter().position(|(message, _)| *message == channel)?;
        waiting.remove(place).map(|(_, at)| at)
    }
}

impl Fake<World> {
    /// The error answer of a fault.
    fn failure(&self, key: &Key, fault: Fault) -> Failure {
        match fault {
            Fault::RateLimit { retry_after } => self.refuse(key, Scope::User, retry_after * 1000),
            Fault::Limited { scope, retry_after_ms } => self.refuse(key, scope, retry_after_ms),
            Fault::Error { code, description } => Failure::new(code, 0, &description),
            _ => Failure::new(409, 0, "409: Conflict"),
        }
    }

    fn refuse(&self, key: &Key, scope: Scope, ms: u64) -> Failure {
        self.change(|world| {
            let now = world.now_ms();
            world.limits.refuse(key, scope, ms, now);
        });
        Failure::limited(Refusal { scope, left_ms: ms, early: false })
    }

    /// Writes the answer, and down what no correct client would have caused.
    fn answer(&self, answer: Answer, status: u16, slot: Option<(&Key, Slot)>) -> Response {
        let mut response = match answer {
            Ok(Value::Null) => StatusCode::NO_CONTENT.into_response(),
            Ok(body) => (code(status), Json(body)).into_response(),
            Err(failure) => {
                self.change(|world| {
                    world.invalid += u32::from(failure.is_invalid());
                    world.violations.extend(failure.violation.clone());
                });
                let mut response = (code(failure.status), Json(failure.body)).into_response();
                failure.limited.iter().for_each(|(scope, ms)| refused(response.headers_mut(), *scope, *ms));
                response
            }
        };
        if let Some((key, slot)) = slot {
            let now = self.look(World::now_ms);
            let headers = response.headers_mut();
            set(headers, "x-ratelimit-limit", slot.limit);
            set(headers, "x-ratelimit-remaining", slot.remaining);
            set(headers, "x-ratelimit-reset", seconds(slot.reset_ms));
            set(headers, "x-ratelimit-reset-after", seconds(slot.reset_ms.saturating_sub(now)));
            set(headers, "x-ratelimit-bucket", key.bucket());
        }
        response
    }
}

fn refused(headers: &mut HeaderMap, scope: Scope, ms: u64) {
    set(headers, "retry-after", ms.div_ceil(1000));
    set(headers, "x-ratelimit-scope", scope.name());
    if scope == Scope::Global {
        set(headers, "x-ratelimit-global", true);
    }
}

fn set(headers: &mut HeaderMap, name: &'static str, value: impl ToString) {
    if let Ok(value) = HeaderValue::from_str(&value.to_string()) {
        headers.insert(name, value);
    }
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn banned() -> Response {
    let page = "<html><head><title>Error 1015</title></head><body>You are being rate limited</body></html>";
    (StatusCode::TOO_MANY_REQUESTS, [(header::CONTENT_TYPE, "text/html")], page).into_response()
}
