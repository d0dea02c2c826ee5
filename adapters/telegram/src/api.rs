//! One way to the Bot API: one POST a call, and an answer that keeps what is known about the outcome.
//!
//! teloxide gives the payloads; its own sending is not used, because it sleeps ten seconds after every
//! 5xx and drops the error code, and because "was it sent?" is the question that delivery hangs on.

use std::error::Error;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::redirect;
use roundtable_contract::RunError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use teloxide::requests::Payload;
use url::Url;

/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle connections are closed before a server or a router in between forgets them, since a request on a
/// dead connection ends with an unknown outcome.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Who polls with the same offset again so soon is made to wait for as long if nothing is there, whatever was asked for,
/// and may get one update where there are many (the Bot API server does so against hot loops).
pub(crate) const THROTTLED: Duration = Duration::from_secs(3);

/// The Bot API of one bot.
pub(crate) struct Api {
    client: reqwest::Client,
    /// `{api_url}/bot{token}/`: holds the token, so it never leaves this module.
    base: String,
    timeout: Duration,
}

/// Why a call gave no result, by what is known about its effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ApiError {
    /// Telegram did not carry the request out.
    #[error("{code} {description}")]
    Refused {
        /// `error_code`, or the HTTP status.
        code: u16,
        /// Telegram's words, or ours for an answer that could not be read.
        description: String,
        /// How long to be silent, for a 429.
        retry_after: Option<Duration>,
        /// The id under which the chat goes on.
        migrate_to: Option<i64>,
    },
    /// Nothing reached Telegram: no connection, or something in between refused.
    #[error("{0}")]
    Unreachable(String),
    /// The request left, but no readable answer came back.
    #[error("{0}")]
    Unknown(String),
}

impl Api {
    /// A client for the bot with `token` at the server `url`. `timeout` bounds every call (for a long
    /// poll: what comes on top of its own waiting time).
    pub(crate) fn new(url: &Url, token: &str, timeout: Duration) -> Result<Self, RunError> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .tcp_nodelay(true)
            // a redirect would carry the token to another address
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| RunError {
                reason: format!("no HTTP client for Telegram: {}", causes(error)),
            })?;
        let base = format!("{}/bot{token}/", url.as_str().trim_end_matches('/'));
        Ok(Self { client, base, timeout })
    }

    /// Calls the method of `payload`. The caller names the type of the answer: teloxide's own output
    /// types do not parse what newer servers send, which would turn a message that was sent into an
    /// unknown outcome.
    pub(crate) async fn call<P, T>(&self, payload: &P) -> Result<T, ApiError>
    where
        P: Payload + Serialize + Sync,
        T: DeserializeOwned,
    {
        let unreachable = |error: &dyn Error| ApiError::Unreachable(error.to_string());
        let body = serde_json::to_vec(payload).map_err(|error| unreachable(&error))?;
        let waits = payload.timeout_hint().map_or(Duration::ZERO, |poll| poll.max(THROTTLED));
        let request = self
            .client
            .post(format!("{}{}", self.base, P::NAME))
            .header(CONTENT_TYPE, "application/json")
            .timeout(self.timeout + waits)
            .body(body);
        let response = request.send().await.map_err(unsent)?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let body = response.bytes().await.map_err(|error| ApiError::Unknown(causes(error)))?;
        read(status, retry_after, &body)
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

/// The error and what caused it, without the address, which holds the token.
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

/// The header's seconds; a date in its place is not understood.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    pause(headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?)
}

/// So many seconds in whole milliseconds, never less; `None` when they make no sense. Telegram names whole ones, and
/// something in front of it may not.
fn pause(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64((seconds * 1000.0).ceil() / 1000.0).ok()
}

/// <https://core.telegram.org/bots/api#making-requests>
#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Answer<T> {
    ok: bool,
    result: Option<T>,
    error_code: Option<u16>,
    description: Option<String>,
    parameters: Option<Parameters>,
}

#[derive(Deserialize, Default)]
struct Parameters {
    retry_after: Option<f64>,
    migrate_to_chat_id: Option<i64>,
}

/// Reads an answer. Anything of the 5xx kind may come from a proxy that gave up on a server that did
/// not, so it leaves the outcome open.
fn read<T: DeserializeOwned>(status: u16, header: Option<Duration>, body: &[u8]) -> Result<T, ApiError> {
    let Ok(answer) = serde_json::from_slice::<Answer<T>>(body) else {
        let description = format!("HTTP {status} without a readable answer");
        return Err(match status {
            429 => ApiError::Refused { code: 429, description, retry_after: header, migrate_to: None },
            // something in between refused, and Telegram never saw the request
            300..=499 => ApiError::Unreachable(description),
            _ => ApiError::Unknown(description),
        });
    };
    let description = answer.description.unwrap_or_else(|| format!("HTTP {status}"));
    let code = answer.error_code.unwrap_or(status);
    match (answer.ok, answer.result) {
        (true, Some(result)) => Ok(result),
        (true, None) => Err(ApiError::Unknown("an answer without a result".into())),
        (false, _) if code >= 500 => Err(ApiError::Unknown(description)),
        (false, _) => {
            let parameters = answer.parameters.unwrap_or_default();
            Err(ApiError::Refused {
                code,
                description,
                retry_after: parameters.retry_after.and_then(pause).or(header),
                migrate_to: parameters.migrate_to_chat_id,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16, description: &str) -> ApiError {
        ApiError::Refused { code, description: description.into(), retry_after: None, migrate_to: None }
    }

    #[test]
    fn an_answer_keeps_what_is_known_about_the_outcome() {
        let html = "<html>502 Bad Gateway</html>";
        let five = Some(Duration::from_secs(5));
        let flood = |after: u64| ApiError::Refused {
            code: 429,
            description: "Too Many Requests: retry after 7".into(),
            retry_after: Some(Duration::from_secs(after)),
            migrate_to: None,
        };
        let unreadable = "HTTP 429 without a readable answer".to_owned();
        for (status, header, body, expected) in [
            (200, None, r#"{"ok":true,"result":7,"new_field":[]}"#, Ok(7)),
            (400, None, r#"{"ok":false,"error_code":400,"description":"Bad Request: x"}"#, {
                Err(refused(400, "Bad Request: x"))
            }),
            (401, None, r#"{"ok":false}"#, Err(refused(401, "HTTP 401"))),
            (
                429,
                five,
                r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 7",
                    "parameters":{"retry_after":7}}"#,
                Err(flood(7)),
            ),
            (429, five, r#"{"ok":false,"description":"Too Many Requests: retry after 7"}"#, Err(flood(5))),
            (429, five, html, {
                Err(ApiError::Refused {
                    code: 429,
                    description: unreadable,
                    retry_after: five,
                    migrate_to: None,
                })
            }),
            (
                400,
                None,
                r#"{"ok":false,"description":"moved","parameters":{"migrate_to_chat_id":-1001234567890}}"#,
                Err(ApiError::Refused {
                    code: 400,
                    description: "moved".into(),
                    retry_after: None,
                    migrate_to: Some(-1_001_234_567_890),
                }),
            ),
            (403, None, html, Err(ApiError::Unreachable("HTTP 403 without a readable answer".into()))),
            (502, None, html, Err(ApiError::Unknown("HTTP 502 without a readable answer".into()))),
            (500, None, r#"{"ok":false,"error_code":500,"description":"Internal Server Error"}"#, {
                Err(ApiError::Unknown("Internal Server Error".into()))
            }),
            (200, None, r#"{"ok":true,"resu"#, {
                Err(ApiError::Unknown("HTTP 200 without a readable answer".into()))
            }),
            (200, None, r#"{"ok":true}"#, Err(ApiError::Unknown("an answer without a result".into()))),
        ] {
            assert_eq!(read::<i64>(status, header, body.as_bytes()), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_pause_of_any_length_is_read_and_never_shortened() {
        let said = |seconds: &str| {
            let body = format!(r#"{{"ok":false,"error_code":429,"parameters":{{"retry_after":{seconds}}}}}"#);
            match read::<i64>(429, Some(Duration::from_secs(2)), body.as_bytes()) {
                Err(ApiError::Refused { code: 429, retry_after, .. }) => retry_after,
                other => panic!("{other:?}"),
            }
        };
        let header = |text: &str| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]));
        for (seconds, ms) in
            [("0", 0), ("0.3", 300), ("0.3001", 301), ("5", 5_000), ("137", 137_000), ("3600", 3_600_000)]
        {
            let expected = Some(Duration::from_millis(ms));
            assert_eq!((said(seconds), header(seconds)), (expected, expected), "{seconds}");
        }
        for senseless in ["-1", "1e300"] {
            assert_eq!((said(senseless), header(senseless)), (Some(Duration::from_secs(2)), None));
        }
        assert_eq!(header("tomorrow"), None);
    }

    #[tokio::test]
    async fn a_refused_connection_is_unreachable_and_hides_the_token() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        drop(listener);
        let api = Api::new(&url, "123:SECRET", Duration::from_secs(5)).unwrap();
        let error = api.call::<_, serde_json::Value>(&teloxide::payloads::GetMe::new()).await.unwrap_err();
        assert!(matches!(error, ApiError::Unreachable(_)), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("SECRET"), "{error:?}");
    }
}
