//! From what went wrong to what to do about it, in a sentence.

use std::time::Duration;

use genai::webc::StreamTimeout;
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::models::ModelError;

/// Whom a failure is about.
pub(super) struct Blame<'a> {
    /// The model's id in the configuration.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its key, which must not appear in a sentence.
    pub key: Option<&'a str>,
}

impl Blame<'_> {
    /// A key is needed and there is none.
    pub fn no_key(&self) -> ModelError {
        self.refused(format!("it needs a key: set models.{}.api_key", self.id))
    }

    /// The stream ended before its end.
    pub fn cut(&self) -> ModelError {
        self.unavailable("its answer broke off")
    }

    /// The provider ended its answer with "error".
    pub fn failed_midway(&self) -> ModelError {
        self.unavailable("it failed while it was answering")
    }

    /// The provider's filters, or the model, ended the answer.
    pub fn declined(&self, word: &str) -> ModelError {
        self.refused(format!("it declined to answer ({})", short(word, 40)))
    }

    /// What an error of genai's means. Its own texts hold whole bodies and are not used.
    pub fn classify(&self, error: &genai::Error) -> ModelError {
        use genai::Error as E;
        match error {
            // Failed requests of a stream arrive as an error within it, boxed.
            E::WebStream { error, .. } => match error.downcast_ref::<E>() {
                Some(inner) => self.classify(inner),
                None => self.transport(error.as_ref()),
            },
            E::HttpError { status, body, headers, .. } => {
                let said = Said::in_body(&serde_json::from_str(body).unwrap_or_default());
                self.by_status(status.as_u16(), &said, headers)
            }
            E::ChatResponse { body, .. } if body.get("finishReason").is_some() => {
                self.declined("prompt blocked")
            }
            E::ChatResponse { body, .. } => {
                let said = Said::in_body(body);
                match said.status() {
                    Some(status) => self.by_status(status, &said, &HeaderMap::new()),
                    None => self.failed_midway(),
                }
            }
            E::StreamParse { .. }
            | E::JsonValueExt(_)
            | E::SerdeJson(_)
            | E::InvalidJsonResponseElement { .. } => {
                self.unavailable("it sent something that is not its protocol")
            }
            _ => self.refused(format!("no request could be made: check models.{}", self.id)),
        }
    }

    fn transport(&self, error: &(dyn std::error::Error + Send + Sync + 'static)) -> ModelError {
        if let Some(timeout) = error.downcast_ref::<StreamTimeout>() {
            return self.unavailable(match timeout {
                StreamTimeout::Headers => "it did not begin to answer in time",
                StreamTimeout::Read => "it fell silent in the middle of its answer",
            });
        }
        match error.downcast_ref::<reqwest::Error>() {
            Some(error) if error.is_builder() => {
                self.refused(format!("models.{}.base_url or api_key has a form that cannot be sent", self.id))
            }
            Some(error) if error.is_connect() => self.unavailable("it could not be reached"),
            _ => self.unavailable("the connection to it broke"),
        }
    }

    fn by_status(&self, status: u16, said: &Said, headers: &HeaderMap) -> ModelError {
        let id = self.id;
        if status == 402 || said.out_of_credit() {
            return self.refused(format!("the account behind models.{id}.api_key has no credit left"));
        }
        match status {
            429 => ModelError::RateLimited { model: self.name.into(), after: retry_after(headers) },
            503 | 529 => self.unavailable(&format!("it is overloaded ({status})")),
            408 | 425 | 500..=599 => self.unavailable(&format!("it failed ({status})")),
            300..=399 => self.refused(format!("models.{id}.base_url leads to a redirect ({status})")),
            401 => self.refused(format!("the key in models.{id}.api_key was refused")),
            403 => self.refused(format!("the key in models.{id}.api_key may not use it")),
            404 => self.refused(format!(
                "there is no such model or address: check models.{id}.model and models.{id}.base_url"
            )),
            _ => self.refused(match &said.message {
                Some(words) => format!("{} ({status})", short(&self.without_key(words), 200)),
                None => format!("it did not take the request ({status})"),
            }),
        }
    }

    fn without_key(&self, text: &str) -> String {
        match self.key {
            Some(key) if !key.is_empty() => text.replace(key, "[key]"),
            _ => text.into(),
        }
    }

    fn refused(&self, reason: String) -> ModelError {
        ModelError::Refused { model: self.name.into(), reason }
    }

    fn unavailable(&self, reason: &str) -> ModelError {
        ModelError::Unavailable { model: self.name.into(), reason: reason.into() }
    }
}

/// What a provider says in the JSON of an error: all four shapes (`{"error": {…}}` or bare; a `type`,
/// `code` or `status` word; a `code` number) come down to this.
#[derive(Default)]
struct Said {
    words: Vec<String>,
    code: Option<u16>,
    message: Option<String>,
}

impl Said {
    fn in_body(body: &Value) -> Self {
        // Gemini's errors also come as a list of one.
        let body = body.get(0).unwrap_or(body);
        let error = body.get("error").filter(|error| error.is_object()).unwrap_or(body);
        let word = |key: &str| error[key].as_str().map(str::to_ascii_lowercase);
        Self {
            words: ["type", "code", "status"].into_iter().filter_map(word).collect(),
            code: error["code"].as_u64().and_then(|code| u16::try_from(code).ok()),
            message: error["message"].as_str().or(body["error"].as_str()).map(Into::into),
        }
    }

    fn out_of_credit(&self) -> bool {
        let words =
            ["insufficient_quota", "billing_error", "billing_hard_limit_reached", "billing_not_active"];
        self.words.iter().any(|word| words.contains(&word.as_str()))
            || self.message.as_deref().is_some_and(|message| message.contains("credit balance is too low"))
    }

    /// The HTTP status that an error inside a stream stands for.
    fn status(&self) -> Option<u16> {
        let meant = |word: &String| match word.as_str() {
            "invalid_request_error" | "invalid_argument" | "failed_precondition" => Some(400),
            "authentication_error" | "invalid_api_key" | "unauthenticated" => Some(401),
            "billing_error" | "insufficient_quota" => Some(402),
            "permission_error" | "permission_denied" => Some(403),
            "not_found_error" | "model_not_found" | "not_found" => Some(404),
            "request_too_large" => Some(413),
            "rate_limit_error" | "rate_limit_exceeded" | "resource_exhausted" => Some(429),
            "api_error" | "server_error" | "internal" => Some(500),
            "unavailable" => Some(503),
            "overloaded_error" => Some(529),
            _ => None,
        };
        self.code.filter(|code| (400..600).contains(code)).or_else(|| self.words.iter().find_map(meant))
    }
}

/// How long the provider asks to wait: milliseconds where it says them, else seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    let seconds = number("retry-after-ms").map(|ms| ms / 1_000.0).or_else(|| number("retry-after"))?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// One line of at most `limit` characters.
fn short(text: &str, limit: usize) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(limit).collect();
    line.trim().into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BLAME: Blame<'static> = Blame { id: "main", name: "openai/m", key: Some("sk-canary") };

    fn sentence(status: u16, body: Value) -> String {
        BLAME.by_status(status, &Said::in_body(&body), &HeaderMap::new()).to_string()
    }

    #[test]
    fn every_class_of_fault_has_its_own_sentence() {
        let error = |kind: &str| json!({"error": {"type": kind, "message": "m"}});
        let faults = [401, 402, 403, 404, 429, 500, 529].map(|status| sentence(status, json!(null)));
        insta::assert_snapshot!(faults.join("\n"), @r"
        openai/m refused the request: the key in models.main.api_key was refused
        openai/m refused the request: the account behind models.main.api_key has no credit left
        openai/m refused the request: the key in models.main.api_key may not use it
        openai/m refused the request: there is no such model or address: check models.main.model and models.main.base_url
        openai/m is rate limited
        openai/m is not available: it failed (500)
        openai/m is not available: it is overloaded (529)
        ");
        // A 429 that no waiting cures is not a rate limit.
        assert_eq!(sentence(429, error("insufficient_quota")), faults[1]);
        assert_eq!(
            sentence(400, json!({"error": {"message": "Your credit balance is too low to access"}})),
            faults[1]
        );
    }

    #[test]
    fn the_providers_words_are_short_and_without_the_key() {
        let body = json!({"error": {"message": format!("bad key sk-canary\n{}", "x".repeat(500))}});
        let sentence = sentence(400, body);
        assert!(sentence.starts_with("openai/m refused the request: bad key [key] xxx"), "{sentence}");
        assert!(!sentence.contains("canary") && sentence.len() < 260, "{sentence}");
    }

    #[test]
    fn a_body_that_is_no_json_is_not_quoted() {
        let said = Said::in_body(&serde_json::from_str("<html>hello ann</html>").unwrap_or_default());
        let error = BLAME.by_status(400, &said, &HeaderMap::new());
        assert_eq!(error.to_string(), "openai/m refused the request: it did not take the request (400)");
    }

    #[test]
    fn errors_inside_a_stream_are_read_in_every_dialect() {
        let status = |body: Value| Said::in_body(&body).status();
        assert_eq!(status(json!({"type": "error", "error": {"type": "overloaded_error"}})), Some(529));
        assert_eq!(status(json!({"message": "boom", "type": "server_error"})), Some(500));
        assert_eq!(status(json!({"code": 429, "message": "slow down"})), Some(429));
        assert_eq!(status(json!({"error": {"code": 503, "status": "UNAVAILABLE"}})), Some(503));
        assert_eq!(status(json!([{"error": {"status": "RESOURCE_EXHAUSTED"}}])), Some(429));
        assert_eq!(status(json!("text")), None);
        assert_eq!(status(json!(null)), None);
    }

    #[test]
    fn waits_are_read_in_milliseconds_and_seconds() {
        let after = |pairs: &[(&'static str, &str)]| {
            let headers =
                pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            retry_after(&headers)
        };
        assert_eq!(after(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(after(&[("retry-after", "0.5")]), Some(Duration::from_millis(500)));
        assert_eq!(
            after(&[("retry-after", "2"), ("retry-after-ms", "1500")]),
            Some(Duration::from_millis(1_500))
        );
        for odd in ["-1", "soon", "NaN", "inf", ""] {
            assert_eq!(after(&[("retry-after", odd)]), None, "{odd:?}");
        }
        assert_eq!(after(&[]), None);
    }
}
