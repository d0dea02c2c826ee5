//! For tests: a server that answers Bot API calls by a script, and a core that takes what comes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use roundtable_contract::{AcceptError, AccountId, AccountState, Connection, Edge, Event};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

use crate::{Backoff, Config, ExactlyOnce, Telegram, default_limits};

/// One answer of the script.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// `{"ok":true,"result":…}`
    Result(Value),
    /// `{"ok":false,…}` with this code and description, and parameters.
    Error(u16, &'static str, Value),
    /// A page instead of JSON.
    Html(u16),
    /// The connection is closed after the request was read.
    Drop,
    /// No answer, ever.
    Hang,
}

/// What has been called, with its body.
pub(crate) type Calls = Vec<(String, Value)>;

/// The server. Calls past the end of the script hang.
pub(crate) struct StandIn {
    pub(crate) url: Url,
    calls: watch::Receiver<Calls>,
    task: JoinHandle<()>,
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl StandIn {
    pub(crate) async fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let script: Arc<Mutex<VecDeque<_>>> = Arc::new(Mutex::new(script.into_iter().collect()));
        let (seen, calls) = watch::channel(Calls::new());
        let seen = Arc::new(seen);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, script.clone(), seen.clone()));
            }
        });
        Self { url, calls, task }
    }

    /// The calls so far.
    pub(crate) fn calls(&self) -> Calls {
        self.calls.borrow().clone()
    }

    /// Waits until so many calls have come.
    pub(crate) async fn until_called(&mut self, times: usize) -> Calls {
        let waiting = self.calls.wait_for(|calls| calls.len() >= times);
        tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("too few calls").unwrap().clone()
    }

    /// The settings of a bot that talks to this server, with short pauses.
    pub(crate) fn config(&self, exactly_once: ExactlyOnce) -> Config {
        let milliseconds = Duration::from_millis;
        Config {
            account: AccountId::new("telegram", "main"),
            token: "123:SECRET".into(),
            api_url: self.url.clone(),
            limits: default_limits(),
            exactly_once,
            poll_timeout: Duration::from_secs(25),
            // a conflict in a script passes, so nobody waits for its end
            backoff: Backoff {
                first: milliseconds(1),
                most: milliseconds(4),
                conflict: Duration::from_secs(3600),
            },
        }
    }

    /// A bot with these settings.
    pub(crate) fn bot(&self, exactly_once: ExactlyOnce) -> Telegram {
        Telegram::new(self.config(exactly_once)).unwrap()
    }
}

/// Answers the requests of one connection.
async fn serve(
    stream: TcpStream,
    script: Arc<Mutex<VecDeque<Reply>>>,
    seen: Arc<watch::Sender<Calls>>,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut path = String::new();
        let mut length = 0;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let line = line.trim_end().to_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            } else if line.is_empty() {
                break;
            } else if path.is_empty() {
                path = line.split(' ').nth(1)?.to_owned();
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        let method = path.strip_prefix("/bot123:secret/").unwrap_or(&path).to_owned();
        let reply = script.lock().unwrap().pop_front().unwrap_or(Reply::Hang);
        seen.send_modify(|calls| calls.push((method, serde_json::from_slice(&body).unwrap())));
        let (status, text) = match reply {
            Reply::Result(result) => (200, json!({"ok": true, "result": result}).to_string()),
            Reply::Error(code, description, parameters) => {
                let answer = json!({"ok": false, "error_code": code, "description": description,
                    "parameters": parameters});
                (code, answer.to_string())
            }
            Reply::Html(status) => (status, "<html></html>".to_owned()),
            Reply::Drop => return None,
            Reply::Hang => std::future::pending().await,
        };
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{text}", text.len());
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

/// An edge that keeps what it gets.
#[derive(Default)]
pub(crate) struct Core {
    pub(crate) position: Option<(i64, Duration)>,
    /// So many events are refused before one is taken.
    pub(crate) refusals: Mutex<u32>,
    pub(crate) accepted: Mutex<Vec<String>>,
    pub(crate) positions: Mutex<Vec<i64>>,
    pub(crate) states: Mutex<Vec<AccountState>>,
}

#[async_trait]
impl Edge for Core {
    async fn accept(&self, event: Event) -> Result<(), AcceptError> {
        let mut refusals = self.refusals.lock().unwrap();
        if *refusals > 0 {
            *refusals -= 1;
            return Err(AcceptError { reason: "the database is away".into() });
        }
        if let Event::Message(message) = event {
            self.accepted.lock().unwrap().push(message.text);
        }
        Ok(())
    }

    async fn advance(&self, _: &AccountId, scope: &str, position: i64) -> Result<(), AcceptError> {
        assert_eq!(scope, "updates");
        self.positions.lock().unwrap().push(position);
        Ok(())
    }

    async fn position(&self, _: &AccountId, _: &str) -> Option<(i64, Duration)> {
        self.position
    }

    async fn positions(&self, _: &AccountId) -> Result<Vec<(String, i64)>, AcceptError> {
        Ok(Vec::new())
    }

    fn report(&self, _: &Connection, state: AccountState) {
        self.states.lock().unwrap().push(state);
    }
}
