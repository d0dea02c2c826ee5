//! The fakes under test: a plain HTTP client plays the bot.

mod discord;
mod model;
mod polling;
mod sending;
mod topics;

use std::sync::Arc;

use roundtable_fakes::TelegramFake;
use serde_json::{Value, json};

/// A client; the TLS provider is for its constructor only.
fn client() -> reqwest::Client {
    // The error means that another test was faster.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// A bot that says what it is told to.
#[derive(Clone)]
struct Bot {
    client: reqwest::Client,
    base: Arc<str>,
}

impl Bot {
    fn of(telegram: &TelegramFake) -> Self {
        let base = format!("{}/bot{}/", telegram.url(), telegram.token());
        Self { client: client(), base: base.into() }
    }

    async fn try_call(&self, method: &str, params: Value) -> reqwest::Result<Value> {
        self.client.post(format!("{}{method}", self.base)).json(&params).send().await?.json().await
    }

    async fn call(&self, method: &str, params: Value) -> Value {
        self.try_call(method, params).await.expect("the fake answers with JSON")
    }

    /// The result of a call that works.
    async fn ok(&self, method: &str, params: Value) -> Value {
        let mut answer = self.call(method, params).await;
        assert_eq!(answer["ok"], true, "{method}: {answer}");
        answer["result"].take()
    }

    /// The description of a call that does not.
    async fn refused(&self, method: &str, params: Value) -> String {
        let answer = self.call(method, params).await;
        assert_eq!(answer["ok"], false, "{method}: {answer}");
        answer["description"].as_str().unwrap_or_default().to_owned()
    }

    /// The updates of one poll from `offset` that does not wait.
    async fn updates(&self, offset: i64) -> Vec<Value> {
        let updates = self.ok("getUpdates", json!({"offset": offset, "timeout": 0})).await;
        updates.as_array().expect("a list").clone()
    }
}

/// The texts in a batch of updates.
fn texts(updates: &[Value]) -> Vec<&str> {
    updates.iter().map(|update| update["message"]["text"].as_str().unwrap_or_default()).collect()
}
