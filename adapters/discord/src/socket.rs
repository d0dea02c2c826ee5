//! The gateway's socket: JSON frames both ways.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use url::Url;

use crate::wire;

/// How long one write and a goodbye may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// An open connection to the gateway.
pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// One payload (<https://discord.com/developers/docs/events/gateway-events#payload-structure>).
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) op: i64,
    /// The number of a dispatch in its session.
    pub(crate) seq: Option<i64>,
    /// The name of a dispatch.
    pub(crate) event: String,
    pub(crate) data: Value,
}

/// The connection is gone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct Gone {
    /// What Discord gave as its reason, if it said goodbye.
    pub(crate) code: Option<u16>,
    pub(crate) reason: String,
}

impl Gone {
    pub(crate) fn because(reason: impl Into<String>) -> Self {
        Self { code: None, reason: reason.into() }
    }
}

impl Socket {
    /// Connects within `patience` to the gateway at `url`, as Discord names it.
    pub(crate) async fn open(url: &str, patience: Duration) -> Result<Self, Gone> {
        let mut url =
            Url::parse(url).map_err(|error| Gone::because(format!("no gateway is named: {error}")))?;
        url.set_query(Some("v=10&encoding=json"));
        // a large server is told of in one message
        let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        let opened = timeout(patience, connect_async_with_config(url.as_str(), Some(config), true)).await;
        let opened = opened.map_err(|_| Gone::because("the gateway does not answer"))?;
        opened.map(|(stream, _)| Self(stream)).map_err(|error| Gone::because(error.to_string()))
    }

    /// The next payload. What is none is passed over. May be dropped while it waits.
    pub(crate) async fn next(&mut self) -> Result<Frame, Gone> {
        loop {
            let message = match self.0.next().await {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Err(Gone::because(error.to_string())),
                None => return Err(Gone::because("the gateway hung up")),
            };
            match message {
                Message::Text(text) => match serde_json::from_str(text.as_str()) {
                    Ok(payload) => return Ok(Frame::read(payload)),
                    Err(error) => {
                        tracing::warn!(%error, "a payload of the gateway is no JSON and is passed over")
                    }
                },
                Message::Close(Some(frame)) => {
                    let code = u16::from(frame.code);
                    let reason = format!("the gateway hung up with code {code} {}", frame.reason);
                    return Err(Gone { code: Some(code), reason: reason.trim_end().to_owned() });
                }
                Message::Close(None) => return Err(Gone::because("the gateway hung up")),
                _ => {}
            }
        }
    }

    /// Sends one payload.
    pub(crate) async fn send(&mut self, op: i64, data: Value) -> Result<(), Gone> {
        let message = Message::text(json!({"op": op, "d": data}).to_string());
        match timeout(PATIENCE, self.0.send(message)).await {
            Ok(sent) => sent.map_err(|error| Gone::because(error.to_string())),
            Err(_) => Err(Gone::because("the gateway takes nothing any more")),
        }
    }

    /// Says goodbye with a code; one other than 1000 and 1001 keeps the session alive.
    pub(crate) async fn close(mut self, code: u16) {
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        if timeout(PATIENCE, self.0.close(Some(frame))).await.is_err() {
            tracing::debug!("the gateway did not hear the goodbye");
        }
    }
}

impl Frame {
    fn read(mut payload: Value) -> Self {
        Self {
            op: wire::number(&payload, "/op").unwrap_or(-1),
            seq: wire::number(&payload, "/s"),
            event: wire::text(&payload, "/t").unwrap_or_default().to_owned(),
            data: payload.get_mut("d").map(Value::take).unwrap_or_default(),
        }
    }
}
