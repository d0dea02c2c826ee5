//! One way to Discord's REST API: one request a call, and an answer that keeps what is known about the
//! outcome.
//!
//! serenity gives the routes and builds the requests; its own sending is not used, because its limiter
//! sleeps and repeats inside the call without a bound, bypasses another server's address, and without it
//! a 429 loses its pause.

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect;
use roundtable_contract::RunError;
use serde_json::Value;
use serenity::http::{LightMethod, Request};
use serenity::model::id::{ChannelId, GuildId, MessageId, UserId};
use tokio::time::sleep;
use url::Url;

use crate::bucket::{Buckets, Headers, Pause, Route};
use crate::clock::Clock;
use crate::wire;

/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle connections are closed before a server or a router in between forgets them, since a request on a
/// dead connection ends with an unknown outcome.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// The pause after a 429 that names none.
const DEFAULT_PAUSE: Duration = Duration::from_secs(60);

/// "internal network error": the code in the JSON form of a block by Cloudflare
/// (<https://github.com/discord/discord-api-docs/issues/6473>).
const BLOCKED: i64 = 40333;

/// The REST API of one bot.
pub(crate) struct Api {
    client: reqwest::Client,
    /// `Bot <token>`; never leaves this module.
    authorization: String,
    base: String,
    buckets: Mutex<Buckets>,
    clock: Clock,
}

/// Why a call gave no result, by what is known about its effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ApiError {
    /// Discord did not carry the request out.
    #[error("{status} {message} (code {code})")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Discord's own code, 0 where it has none
        /// (<https://discord.com/developers/docs/topics/opcodes-and-status-codes#json>).
        code: i64,
        /// Discord's words, with those about single fields.
        message: String,
    },
    /// Discord wants a pause, or would if it were asked now.
    #[error("Discord asks to wait {} ms", after.as_millis())]
    RateLimited {
        /// How long.
        after: Duration,
        /// For every request.
        whole_account: bool,
    },
    /// Nothing reached Discord: no connection, or something in between refused.
    #[error("{0}")]
    Unreachable(String),
    /// The request left, but no readable answer came back.
    #[error("{0}")]
    Unknown(String),
}

impl ApiError {
    /// Whether Discord refused with this code of its own.
    pub(crate) fn is(&self, wanted: i64) -> bool {
        matches!(self, Self::Refused { code, .. } if *code == wanted)
    }
}

/// One request.
pub(crate) struct Call {
    method: LightMethod,
    path: serenity::http::Route<'static>,
    route: Route,
    body: Option<Value>,
    query: Option<Vec<(&'static str, String)>>,
}

impl Call {
    fn new(
        method: LightMethod,
        path: serenity::http::Route<'static>,
        name: &'static str,
        major: u64,
    ) -> Self {
        Self { method, path, route: Route { name, major }, body: None, query: None }
    }

    /// Who we are.
    pub(crate) fn me() -> Self {
        Self::new(LightMethod::Get, serenity::http::Route::UserMe, "me", 0)
    }

    /// Where the gateway is, and how often we may still log in.
    pub(crate) fn gateway() -> Self {
        Self::new(LightMethod::Get, serenity::http::Route::GatewayBot, "gateway", 0)
    }

    /// What a channel or thread is.
    pub(crate) fn channel(channel: ChannelId) -> Self {
        let path = serenity::http::Route::Channel { channel_id: channel };
        Self::new(LightMethod::Get, path, "channel", channel.get())
    }

    /// A person on a server.
    pub(crate) fn member(guild: GuildId, user: UserId) -> Self {
        let path = serenity::http::Route::GuildMember { guild_id: guild, user_id: user };
        Self::new(LightMethod::Get, path, "member", guild.get())
    }

    /// Up to 100 messages of a channel that are newer than `after`.
    pub(crate) fn history(channel: ChannelId, after: u64) -> Self {
        let path = serenity::http::Route::ChannelMessages { channel_id: channel };
        let call = Self::new(LightMethod::Get, path, "history", channel.get());
        Self { query: Some(vec![("after", after.to_string()), ("limit", "100".into())]), ..call }
    }

    /// A new message.
    pub(crate) fn send(channel: ChannelId, body: Value) -> Self {
        let path = serenity::http::Route::ChannelMessages { channel_id: channel };
        Self { body: Some(body), ..Self::new(LightMethod::Post, path, "send", channel.get()) }
    }

    /// A new content of a message of ours.
    pub(crate) fn edit(channel: ChannelId, message: MessageId, body: Value) -> Self {
        let path = serenity::http::Route::ChannelMessage { channel_id: channel, message_id: message };
        Self { body: Some(body), ..Self::new(LightMethod::Patch, path, "edit", channel.get()) }
    }

    /// "… is typing", for ten seconds.
    pub(crate) fn typing(channel: ChannelId) -> Self {
        let path = serenity::http::Route::ChannelTyping { channel_id: channel };
        Self::new(LightMethod::Post, path, "typing", channel.get())
    }

    /// A thread that grows out of a message.
    pub(crate) fn open_thread(channel: ChannelId, message: MessageId, body: Value) -> Self {
        let path = serenity::http::Route::ChannelMessageThreads { channel_id: channel, message_id: message };
        Self { body: Some(body), ..Self::new(LightMethod::Post, path, "open thread", channel.get()) }
    }

    /// A change of a channel or thread.
    pub(crate) fn change_channel(channel: ChannelId, body: Value) -> Self {
        let path = serenity::http::Route::Channel { channel_id: channel };
        Self { body: Some(body), ..Self::new(LightMethod::Patch, path, "change channel", channel.get()) }
    }
}

impl Api {
    /// A client for the bot with `token` at the server `url`. `timeout` bounds every call.
    pub(crate) fn new(url: &Url, token: &str, timeout: Duration) -> Result<Self, RunError> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .timeout(timeout)
            .tcp_nodelay(true)
            // a redirect would carry the token to another address
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| RunError { reason: format!("no HTTP client for Discord: {}", causes(error)) })?;
        Ok(Self {
            client,
            authorization: format!("Bot {token}"),
            base: url.as_str().trim_end_matches('/').to_owned(),
            buckets: Mutex::default(),
            clock: Clock::new(),
        })
    }

    /// What time it is at Discord, in milliseconds since 1970. A login tells it before anything is heard.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now()
    }

    /// Makes one request, or none when a limit is known to be used up. `Null` is an answer without content.
    pub(crate) async fn call(&self, call: Call) -> Result<Value, ApiError> {
        let Call { method, path, route, body, query } = call;
        let limited =
            |pause: Pause| ApiError::RateLimited { after: pause.after, whole_account: pause.whole_account };
        self.buckets(|buckets| buckets.take(route, Instant::now())).map_err(limited)?;
        let body = body.map(|body| body.to_string().into_bytes());
        let request = Request::new(path, method)
            .body(body)
            .params(query)
            .build(&self.client, &self.authorization, Some(&self.base))
            .map_err(|error| ApiError::Unreachable(format!("no request can be made: {error}")))?;
        let response = request.send().await.map_err(unsent)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        if let Some(date) = header(&headers, "date") {
            self.clock.told(date);
        }
        if let Some(headers) = limits(&headers) {
            self.buckets(|buckets| buckets.learn(route, headers, Instant::now()));
        }
        let body = response.bytes().await.map_err(|error| ApiError::Unknown(causes(error)))?;
        let answer = read(status, &headers, &body);
        if let Err(ApiError::RateLimited { after, whole_account }) = answer {
            let pause = Pause { after, whole_account };
            self.buckets(|buckets| buckets.stop(route, pause, Instant::now()));
        }
        answer
    }

    /// The same, waiting out every pause that Discord asks for. Only for reading.
    pub(crate) async fn patiently(&self, call: impl Fn() -> Call) -> Result<Value, ApiError> {
        loop {
            match self.call(call()).await {
                Err(ApiError::RateLimited { after, .. }) => sleep(after).await,
                answer => return answer,
            }
        }
    }

    fn buckets<T>(&self, with: impl FnOnce(&mut Buckets) -> T) -> T {
        with(&mut self.buckets.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A request without an answer: only a connection that never opened proves that nothing was sent.
fn unsent(error: reqwest::Error) -> ApiError {
    if error.is_connect() || error.is_builder() {
        ApiError::Unreachable(causes(error))
    } else {
        ApiError::Unknown(causes(error))
    }
}

/// The error and what caused it.
fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Seconds with a fraction, as Discord writes them, if they make sense.
fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

fn limits(headers: &HeaderMap) -> Option<Headers> {
    Some(Headers {
        bucket: header(headers, "x-ratelimit-bucket")?.to_owned(),
        remaining: header(headers, "x-ratelimit-remaining")?.parse().ok()?,
        reset_after: seconds(header(headers, "x-ratelimit-reset-after")?)?,
    })
}

/// Reads an answer. Anything of the 5xx kind may come from a proxy that gave up on a server that did not,
/// so it leaves the outcome open.
fn read(status: u16, headers: &HeaderMap, body: &[u8]) -> Result<Value, ApiError> {
    let unreadable = || format!("HTTP {status} without a readable answer");
    let parsed = serde_json::from_slice::<Value>(body).ok();
    let code = parsed.as_ref().and_then(|answer| wire::number(answer, "/code"));
    match (status, parsed, code) {
        (204, ..) => Ok(Value::Null),
        (200..=299, Some(answer), _) => Ok(answer),
        (429, answer, _) => Err(limited(headers, answer.as_ref())),
        (400..=499, Some(answer), Some(code)) => Err(refused(status, code, &answer)),
        // Discord always says a code, if only 0: something in between refused, and Discord never saw the request
        (300..=499, ..) => Err(ApiError::Unreachable(unreadable())),
        _ => Err(ApiError::Unknown(unreadable())),
    }
}

/// A refusal with a code: Discord's own, or the block of Cloudflare's in front of it, which passes.
fn refused(status: u16, code: i64, answer: &Value) -> ApiError {
    let message = words(answer).unwrap_or_else(|| format!("HTTP {status}"));
    match code {
        BLOCKED => ApiError::Unreachable(format!("HTTP {status} {message} (code {code})")),
        _ => ApiError::Refused { status, code, message },
    }
}

/// A 429 of Cloudflare's, in front of Discord, is a page that names no scope: everything waits.
fn limited(headers: &HeaderMap, answer: Option<&Value>) -> ApiError {
    let said = answer.and_then(|answer| answer.pointer("/retry_after")?.as_f64());
    let said = said.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let header_says = headers.get(RETRY_AFTER).and_then(|value| seconds(value.to_str().ok()?.trim()));
    let global = answer.is_none_or(|answer| wire::flag(answer, "/global"))
        || headers.contains_key("x-ratelimit-global");
    ApiError::RateLimited { after: said.or(header_says).unwrap_or(DEFAULT_PAUSE), whole_account: global }
}

/// Discord's message, and what it says about single fields.
fn words(answer: &Value) -> Option<String> {
    let message = wire::text(answer, "/message")?;
    let mut fields = Vec::new();
    if let Some(errors) = answer.pointer("/errors") {
        collect("", errors, &mut fields);
    }
    Some(if fields.is_empty() { message.to_owned() } else { format!("{message}: {}", fields.join("; ")) })
}

/// The messages of a tree of errors, each with its path.
fn collect(path: &str, errors: &Value, fields: &mut Vec<String>) {
    for error in wire::list(errors, "/_errors") {
        let said = wire::text(error, "/message").unwrap_or_default();
        fields.push(format!("{path} {said}").trim().to_owned());
    }
    for (name, inner) in errors.as_object().into_iter().flatten().filter(|(name, _)| *name != "_errors") {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        collect(&path, inner, fields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = list.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        pairs.collect()
    }

    fn pause(seconds: f64, whole_account: bool) -> ApiError {
        ApiError::RateLimited { after: Duration::from_secs_f64(seconds), whole_account }
    }

    #[test]
    fn an_answer_keeps_what_is_known_about_the_outcome() {
        let html = "<html>502 Bad Gateway</html>";
        let unreadable = |status: u16| format!("HTTP {status} without a readable answer");
        for (status, list, body, expected) in [
            (200, &[][..], r#"{"id":"7"}"#, Ok(serde_json::json!({"id": "7"}))),
            (204, &[], "", Ok(Value::Null)),
            (200, &[], r#"{"id":"#, Err(ApiError::Unknown(unreadable(200)))),
            (404, &[], r#"{"message":"Unknown Channel","code":10003}"#, {
                Err(ApiError::Refused { status: 404, code: 10003, message: "Unknown Channel".into() })
            }),
            (401, &[], r#"{"message":"401: Unauthorized","code":0}"#, {
                Err(ApiError::Refused { status: 401, code: 0, message: "401: Unauthorized".into() })
            }),
            (403, &[], html, Err(ApiError::Unreachable(unreadable(403)))),
            (403, &[], r#"{"error":"blocked"}"#, Err(ApiError::Unreachable(unreadable(403)))),
            (401, &[], r#"{"code":"auth","message":"log in"}"#, Err(ApiError::Unreachable(unreadable(401)))),
            (403, &[], r#"{"message":"internal network error","code":40333}"#, {
                Err(ApiError::Unreachable("HTTP 403 internal network error (code 40333)".into()))
            }),
            (502, &[], html, Err(ApiError::Unknown(unreadable(502)))),
            (500, &[], "", Err(ApiError::Unknown(unreadable(500)))),
            (503, &[], r#"{"message":"overloaded","code":130000}"#, Err(ApiError::Unknown(unreadable(503)))),
            (429, &[("retry-after", "2")], r#"{"message":"slow","retry_after":1.25,"global":false}"#, {
                Err(pause(1.25, false))
            }),
            (429, &[("retry-after", "2")], r#"{"message":"slow","retry_after":1.25,"global":true}"#, {
                Err(pause(1.25, true))
            }),
            (429, &[("retry-after", "137")], html, Err(pause(137.0, true))),
            (429, &[("retry-after", "tomorrow")], html, Err(pause(60.0, true))),
        ] {
            assert_eq!(read(status, &headers(list), body.as_bytes()), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_refusal_names_the_fields() {
        let body = r#"{"code":50035,"message":"Invalid Form Body","errors":{"content":{"_errors":
            [{"code":"BASE_TYPE_MAX_LENGTH","message":"Must be 2000 or fewer in length."}]}}}"#;
        let answer = read(400, &HeaderMap::new(), body.as_bytes());
        let message = "Invalid Form Body: content Must be 2000 or fewer in length.".to_owned();
        assert_eq!(answer, Err(ApiError::Refused { status: 400, code: 50035, message }));
    }

    #[tokio::test]
    async fn a_refused_connection_is_unreachable_and_hides_the_token() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        drop(listener);
        let api = Api::new(&url, "SECRET", Duration::from_secs(5)).unwrap();
        let error = api.call(Call::me()).await.unwrap_err();
        assert!(matches!(error, ApiError::Unreachable(_)), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("SECRET"), "{error:?}");
    }
}
