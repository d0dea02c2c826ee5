//! A request's parts, and the shapes of an answer.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{limits::Refusal, routes::Route};
use crate::faults::Scope;

/// What a route gives: the body (null for 204), or why not.
pub(super) type Answer = Result<Value, Failure>;

/// An error answer.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub status: u16,
    pub body: Value,
    /// A limit's scope and how many milliseconds are left.
    pub limited: Option<(Scope, u64)>,
    /// Why a correct client never gets this one.
    pub violation: Option<String>,
}

impl Failure {
    /// An answer with one of Discord's codes.
    pub fn new(status: u16, code: u32, message: &str) -> Self {
        Self { status, body: json!({"message": message, "code": code}), limited: None, violation: None }
    }

    pub fn unauthorized() -> Self {
        Self::new(401, 0, "401: Unauthorized")
    }

    pub fn not_found() -> Self {
        Self::new(404, 0, "404: Not Found")
    }

    pub fn unknown_channel() -> Self {
        Self::new(404, 10003, "Unknown Channel")
    }

    pub fn unknown_message() -> Self {
        Self::new(404, 10008, "Unknown Message")
    }

    pub fn missing_access() -> Self {
        Self::new(403, 50001, "Missing Access")
    }

    pub fn missing_permissions() -> Self {
        Self::new(403, 50013, "Missing Permissions")
    }

    pub fn archived() -> Self {
        Self::new(400, 50083, "Thread is archived")
    }

    /// 50035 with one error on a field.
    pub fn form(field: &str, code: &str, message: &str) -> Self {
        let errors = json!({field: {"_errors": [{"code": code, "message": message}]}});
        let body = json!({"message": "Invalid Form Body", "code": 50035, "errors": errors});
        Self { status: 400, body, limited: None, violation: None }
    }

    /// 50035 for a value of the wrong type.
    pub fn invalid(field: &str) -> Self {
        Self::form(field, "BASE_TYPE_BAD_TYPE", "Value is of the wrong type.")
    }

    /// 429.
    pub fn limited(refusal: Refusal) -> Self {
        let Refusal { scope, left_ms, .. } = refusal;
        let message = if scope == Scope::Shared {
            "The resource is being rate limited."
        } else {
            "You are being rate limited."
        };
        let body =
            json!({"message": message, "retry_after": seconds(left_ms), "global": scope == Scope::Global});
        Self { status: 429, body, limited: Some((scope, left_ms)), violation: None }
    }

    /// A mistake that no correct client makes.
    pub fn violation(self, what: impl Into<String>) -> Self {
        Self { violation: Some(what.into()), ..self }
    }

    /// Discord counts it towards a ban.
    pub fn is_invalid(&self) -> bool {
        let shared = matches!(self.limited, Some((Scope::Shared, _)));
        matches!(self.status, 401 | 403) || (self.status == 429 && !shared)
    }
}

/// Milliseconds as seconds.
pub(super) fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

/// A call whose sender and route are known.
#[derive(Debug)]
pub(super) struct Request {
    /// 0 for the one route that needs nobody.
    pub bot: u64,
    pub route: &'static Route,
    /// The variable parts of the path, by name.
    pub path: BTreeMap<&'static str, String>,
    pub query: BTreeMap<String, String>,
    pub body: Map<String, Value>,
}

impl Request {
    /// An id of the path.
    pub fn id(&self, name: &str) -> Result<u64, Failure> {
        let text = self.path.get(name).map_or("", String::as_str);
        text.parse().map_err(|_| {
            Failure::form(name, "NUMBER_TYPE_COERCE", &format!("Value \"{text}\" is not snowflake."))
                .violation(format!("{} with the id {text:?}", self.route.name))
        })
    }

    /// The channel of the path.
    pub fn channel(&self) -> Result<u64, Failure> {
        self.id("channel_id")
    }

    /// The channel or guild of the path, for limits and faults.
    pub fn major(&self) -> &str {
        let major = self.path.get("channel_id").or_else(|| self.path.get("guild_id"));
        major.map_or("", String::as_str)
    }

    /// A number of the query.
    pub fn number(&self, name: &str) -> Result<Option<u64>, Failure> {
        let text = self.query.get(name);
        text.map(|text| text.parse().map_err(|_| Failure::invalid(name))).transpose()
    }

    /// A text of the body.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Failure> {
        match self.body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => {
                Err(Failure::invalid(name).violation(format!("{name} is {other}, wanted a string")))
            }
        }
    }

    /// Yes or no of the body.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Failure> {
        match self.body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => {
                Err(Failure::invalid(name).violation(format!("{name} is {other}, wanted a boolean")))
            }
        }
    }

    /// A name of 1 to 100 characters in the body.
    pub fn name(&self) -> Result<Option<String>, Failure> {
        let Some(name) = self.text("name")?.map(str::trim) else { return Ok(None) };
        let fits = (1..=100).contains(&name.chars().count());
        let short = || Failure::form("name", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.");
        if fits { Ok(Some(name.to_owned())) } else { Err(short()) }
    }

    /// Everything in one object, for whoever reads the calls.
    pub fn params(&self) -> Value {
        let mut all = self.body.clone();
        all.extend(self.query.iter().map(|(name, value)| (name.clone(), json!(value))));
        all.extend(self.path.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
        Value::Object(all)
    }
}
