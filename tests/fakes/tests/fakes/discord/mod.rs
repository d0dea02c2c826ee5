//! The Discord fake under test: plain HTTP and a plain socket play the bot.

mod faults;
mod gateway;
mod limits;
mod messages;
mod refusing;
mod resuming;
mod threads;

use std::sync::Arc;

use futures::{SinkExt as _, StreamExt as _};
use reqwest::{Method, Response};
use roundtable_fakes::DiscordFake;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use crate::client;

/// Everything that a bridge asks for: guilds, messages, reactions, DMs and content.
const INTENTS: u64 = 1 | 1 << 9 | 1 << 10 | 1 << 12 | 1 << 13 | 1 << 15;

/// A bot that says over REST what it is told to.
#[derive(Clone)]
struct Rest {
    client: reqwest::Client,
    base: Arc<str>,
    token: Arc<str>,
}

impl Rest {
    fn of(discord: &DiscordFake) -> Self {
        Self::with(discord, &discord.token())
    }

    fn with(discord: &DiscordFake, token: &str) -> Self {
        let base = format!("{}/api/v10", discord.api_url());
        Self { client: client(), base: base.into(), token: format!("Bot {token}").into() }
    }

    async fn send(&self, verb: Method, path: &str, body: Value) -> reqwest::Result<Response> {
        let request = self.client.request(verb, format!("{}{path}", self.base));
        let request =
            request.header("user-agent", "DiscordBot (none, 0)").header("authorization", &*self.token);
        if body.is_null() { request.send().await } else { request.json(&body).send().await }
    }

    /// Status and JSON of an answer.
    async fn call(&self, verb: Method, path: &str, body: Value) -> (u16, Value) {
        let answer = self.send(verb, path, body).await.expect("the fake answers");
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// The body of a call that works.
    async fn ok(&self, verb: Method, path: &str, body: Value) -> Value {
        let (status, body) = self.call(verb, path, body).await;
        assert!((200..300).contains(&status), "{path}: {status} {body}");
        body
    }

    /// Status and code of a call that does not.
    async fn refused(&self, verb: Method, path: &str, body: Value) -> (u16, u64) {
        let (status, body) = self.call(verb, path, body).await;
        (status, body["code"].as_u64().unwrap_or_else(|| panic!("{path}: {status} {body}")))
    }

    async fn post(&self, channel: u64, body: Value) -> Value {
        self.ok(Method::POST, &format!("/channels/{channel}/messages"), body).await
    }

    async fn get(&self, path: &str) -> Value {
        self.ok(Method::GET, path, Value::Null).await
    }
}

/// An id out of JSON.
fn id(value: &Value) -> u64 {
    value.as_str().and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("no id in {value}"))
}

/// The client's end of a gateway connection.
struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// Connects and hears HELLO.
    async fn open(discord: &DiscordFake) -> Self {
        let mut socket = Self::at(discord, "/").await;
        assert_eq!(socket.next().await["op"], 10);
        socket
    }

    async fn at(discord: &DiscordFake, path: &str) -> Self {
        let url = format!("{}{path}?v=10", discord.api_url().replacen("http", "ws", 1));
        Self(connect_async(url).await.unwrap().0)
    }

    /// Connects, identifies, and hears READY and the guild. Gives READY.
    async fn ready(discord: &DiscordFake, intents: u64) -> (Self, Value) {
        let mut socket = Self::open(discord).await;
        socket.identify(discord, intents).await;
        let ready = socket.event("READY").await;
        if intents & 1 != 0 {
            socket.event("GUILD_CREATE").await;
        }
        (socket, ready)
    }

    async fn say(&mut self, payload: Value) {
        self.0.send(Message::text(payload.to_string())).await.unwrap();
    }

    async fn identify(&mut self, discord: &DiscordFake, intents: u64) {
        self.identify_as(discord, intents, json!([0, 1])).await;
    }

    async fn identify_as(&mut self, discord: &DiscordFake, intents: u64, shard: Value) {
        let properties = json!({"os": "linux", "browser": "x", "device": "x"});
        let token = format!("Bot {}", discord.token());
        let data = json!({"token": token, "intents": intents, "properties": properties, "compress": true, "shard": shard});
        self.say(json!({"op": 2, "d": data})).await;
    }

    async fn resume(&mut self, discord: &DiscordFake, session: &Value, seq: u64) {
        let data = json!({"token": discord.token(), "session_id": session, "seq": seq});
        self.say(json!({"op": 6, "d": data})).await;
    }

    /// The next payload.
    async fn next(&mut self) -> Value {
        match self.frame().await {
            Some(Message::Text(text)) => serde_json::from_str(&text).unwrap(),
            other => panic!("wanted a payload, got {other:?}"),
        }
    }

    /// The data of the next payload, which is that event.
    async fn event(&mut self, name: &str) -> Value {
        let mut payload = self.next().await;
        assert_eq!(payload["t"], name, "{payload}");
        payload["d"].take()
    }

    /// The code of the close frame that comes next.
    async fn closed(&mut self) -> u16 {
        match self.frame().await {
            Some(Message::Close(Some(frame))) => frame.code.into(),
            other => panic!("wanted a close frame, got {other:?}"),
        }
    }

    /// The next frame; `None` when the connection is gone.
    async fn frame(&mut self) -> Option<Message> {
        self.0.next().await?.ok()
    }
}
