//! The running node, through its HTTP API.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::{Method, RequestBuilder, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::app::{Running, token_path};
use crate::config::{Config, Secret};
use crate::http::{ErrorBody, Health};

/// How long an answer may take, beside what the call asks the node to wait.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running node.
#[derive(Clone)]
pub(super) struct Node {
    http: reqwest::Client,
    base: Url,
    token: Secret,
}

/// Why a call brought nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// The node is not there, or not well.
    #[error("the node can't be reached: {reason}")]
    Gone {
        /// What was seen.
        reason: String,
        /// The request may have been carried out all the same.
        unsure: bool,
    },
    /// The node said no.
    #[error("{0}")]
    Refused(String),
}

impl Node {
    /// The node at this address.
    pub fn new(url: &str, token: Secret) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(2))
            .redirect(reqwest::redirect::Policy::none())
            // The node is on this machine; its token is for no proxy.
            .no_proxy()
            .build()?;
        let base = Url::parse(url).with_context(|| format!("`{url}` is no address of a node"))?;
        Ok(Self { http, base, token })
    }

    /// The node that runs on this configuration's data folder; `None`: there is none.
    pub async fn find(config: &Config) -> anyhow::Result<Option<Self>> {
        let data_dir = &config.node.data_dir;
        let Some(running) = Running::find(data_dir) else { return Ok(None) };
        // The token is sent to nobody before it is known to be our node.
        let node = Self::new(&running.url, Secret::default())?;
        let health: Result<Health, _> = node.call(node.request(Method::GET, "/healthz", &[])).await;
        if !health.is_ok_and(|health| health.pid == running.pid) {
            return Ok(None);
        }
        let token = match &config.http.token {
            Some(token) => token.clone(),
            None => {
                let path = token_path(data_dir);
                let text = std::fs::read_to_string(&path);
                let text = text.with_context(|| {
                    format!("a node is running, but its token in {} can't be read", path.display())
                })?;
                Secret::from(text.trim().to_owned())
            }
        };
        Ok(Some(Self { token, ..node }))
    }

    /// Reads something; `path` is below `/api/v1/`.
    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, CallError> {
        self.call(self.request(Method::GET, &format!("/api/v1/{path}"), query)).await
    }

    /// Reads something that the node may wait for.
    pub async fn wait<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
        wait: Duration,
    ) -> Result<T, CallError> {
        let request = self.request(Method::GET, &format!("/api/v1/{path}"), query);
        self.call(request.timeout(PATIENCE + wait)).await
    }

    /// Changes something.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, CallError> {
        self.call(self.request(Method::POST, &format!("/api/v1/{path}"), &[]).json(body)).await
    }

    fn request(&self, method: Method, path: &str, query: &[(&str, String)]) -> RequestBuilder {
        let mut url = self.base.clone();
        url.set_path(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.request(method, url).timeout(PATIENCE);
        if self.token.expose().is_empty() { request } else { request.bearer_auth(self.token.expose()) }
    }

    async fn call<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, CallError> {
        let gone = |error: reqwest::Error| CallError::Gone {
            unsure: !error.is_connect(),
            reason: innermost(&error),
        };
        let answer = request.send().await.map_err(gone)?;
        let status = answer.status();
        if status.is_success() {
            return answer.json().await.map_err(gone);
        }
        let told = answer.json::<ErrorBody>().await.map(|body| body.error.message);
        let message = told.unwrap_or_else(|_| format!("the node answered {status}"));
        if status.is_server_error() {
            return Err(CallError::Gone { reason: message, unsure: true });
        }
        Err(CallError::Refused(message))
    }
}

/// The cause that says most; the outer ones repeat the address.
fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}
