//! A request's parameters, however they were sent, and the two shapes of an answer.

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Multipart, Query},
    http::{HeaderMap, Request, Uri, header},
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// What a method gives: the result, or why not.
pub(super) type Answer = Result<Value, Failure>;

/// An error answer.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    code: u16,
    description: String,
    parameters: Option<Box<Value>>,
    /// Why a correct client never gets this one.
    pub violation: Option<String>,
}

impl Failure {
    pub fn new(code: u16, description: impl Into<String>) -> Self {
        Self { code, description: description.into(), parameters: None, violation: None }
    }

    pub fn bad(reason: impl AsRef<str>) -> Self {
        Self::new(400, format!("Bad Request: {}", reason.as_ref()))
    }

    pub fn forbidden(reason: &str) -> Self {
        Self::new(403, format!("Forbidden: {reason}"))
    }

    pub fn conflict(reason: &str) -> Self {
        Self::new(409, format!("Conflict: {reason}"))
    }

    pub fn migrated(to: i64) -> Self {
        let parameters = Some(Box::new(json!({"migrate_to_chat_id": to})));
        Self { parameters, ..Self::bad("group chat was upgraded to a supergroup chat") }
    }

    pub fn flood(retry_after: u64) -> Self {
        let parameters = Some(Box::new(json!({"retry_after": retry_after})));
        Self { parameters, ..Self::new(429, format!("Too Many Requests: retry after {retry_after}")) }
    }

    /// A mistake that no correct client makes.
    pub fn violation(self, what: impl Into<String>) -> Self {
        Self { violation: Some(what.into()), ..self }
    }
}

/// The answer as the server writes it.
pub(super) fn response(answer: &Answer) -> Response {
    let (code, body, wait) = match answer {
        Ok(result) => (200, json!({"ok": true, "result": result}), None),
        Err(failure) => {
            let mut body =
                json!({"ok": false, "error_code": failure.code, "description": failure.description});
            if let Some(parameters) = &failure.parameters {
                body["parameters"] = Value::clone(parameters);
            }
            (failure.code, body, failure.parameters.as_ref().and_then(|p| p["retry_after"].as_u64()))
        }
    };
    let status =
        axum::http::StatusCode::from_u16(code).unwrap_or(axum::http::StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, axum::Json(body)).into_response();
    if let Some(wait) = wait {
        response.headers_mut().insert(header::RETRY_AFTER, wait.into());
    }
    response
}

/// The parameters of a call. In forms every value is a string and nested ones are JSON inside it.
#[derive(Debug, Clone, Default)]
pub(super) struct Params(pub Map<String, Value>);

impl Params {
    /// A whole number, also as a string.
    pub fn int(&self, name: &str) -> Result<Option<i64>, Failure> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(digits)) => {
                digits.parse().map(Some).map_err(|_| self.mistyped(name, "a number"))
            }
            Some(value) => value.as_i64().map(Some).ok_or_else(|| self.mistyped(name, "a number")),
        }
    }

    /// A text; empty when it is missing.
    pub fn text(&self, name: &str) -> Result<&str, Failure> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(""),
            Some(value) => value.as_str().ok_or_else(|| self.mistyped(name, "a string")),
        }
    }

    /// Yes or no; no when it is missing.
    pub fn flag(&self, name: &str) -> Result<bool, Failure> {
        match self.0.get(name) {
            Some(Value::String(word)) => Ok(word.eq_ignore_ascii_case("true")),
            Some(Value::Bool(flag)) => Ok(*flag),
            None | Some(Value::Null) => Ok(false),
            Some(_) => Err(self.mistyped(name, "a boolean")),
        }
    }

    /// A nested value, also as JSON inside a string.
    pub fn parsed<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Failure> {
        let parsed = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(json)) => serde_json::from_str(json),
            Some(value) => serde_json::from_value(value.clone()),
        };
        parsed.map(Some).map_err(|error| self.mistyped(name, &error.to_string()))
    }

    fn mistyped(&self, name: &str, wanted: &str) -> Failure {
        let what = format!("parameter {name} has the value {}, wanted {wanted}", self.0[name]);
        Failure::bad(format!("can't parse {name}")).violation(what)
    }

    /// Reads the query and a body in any of the four encodings.
    pub async fn read(uri: &Uri, headers: &HeaderMap, body: Bytes) -> anyhow::Result<Self> {
        let mut params = form(uri)?;
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.starts_with("application/json") {
            params.extend(serde_json::from_slice::<Map<String, Value>>(&body)?);
        } else if kind.starts_with("application/x-www-form-urlencoded") {
            // A form body has the grammar of a query.
            params.extend(form(&format!("/?{}", std::str::from_utf8(&body)?).parse()?)?);
        } else if kind.starts_with("multipart/form-data") {
            params.extend(parts(kind, body).await?);
        } else {
            anyhow::ensure!(body.is_empty(), "a body of type {kind:?}");
        }
        Ok(Self(params))
    }
}

fn form(uri: &Uri) -> anyhow::Result<Map<String, Value>> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)?;
    Ok(pairs.into_iter().map(|(name, value)| (name, Value::String(value))).collect())
}

async fn parts(kind: &str, body: Bytes) -> anyhow::Result<Map<String, Value>> {
    let request = Request::builder().header(header::CONTENT_TYPE, kind).body(Body::from(body))?;
    let mut multipart = Multipart::from_request(request, &()).await?;
    let mut params = Map::new();
    while let Some(part) = multipart.next_field().await? {
        let (name, file) = (part.name().unwrap_or_default().to_owned(), part.file_name().map(str::to_owned));
        let bytes = part.bytes().await?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let value = match file {
            Some(file) => json!({"file_name": file, "file_size": bytes.len(), "text": text}),
            None => Value::String(text),
        };
        params.insert(name, value);
    }
    Ok(params)
}
