//! The API over a real socket, in front of a whole node with the demonstration model.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::config::{Sources, load};

struct Node {
    base: String,
    token: String,
    http: reqwest::Client,
    stop: CancellationToken,
    work: JoinHandle<anyhow::Result<()>>,
    folder: TempDir,
}

impl Node {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data").display().to_string();
        let set = [
            ("ROUNDTABLE_NODE__DATA_DIR", data.clone()),
            ("ROUNDTABLE_STORE__URL", format!("sqlite:{data}/roundtable.db")),
            ("ROUNDTABLE_HTTP__LISTEN", "127.0.0.1:0".to_owned()),
        ];
        let env = set.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let sources = Sources { cwd: folder.path().to_owned(), env, ..Sources::default() };
        let config = load(&sources).unwrap_or_else(|report| panic!("{report}")).config;
        let app = App::start(Arc::new(config)).await.unwrap();
        let (base, token) = (format!("http://{}", app.address()), app.token().expose().to_owned());
        let stop = CancellationToken::new();
        let work = tokio::spawn(app.run(stop.clone()));
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { base, token, http, stop, work, folder }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).timeout(Duration::from_secs(10))
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, &format!("/api/v1/{path}")).bearer_auth(&self.token)).await
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let request = self.request(Method::POST, &format!("/api/v1/{path}"));
        answer(request.bearer_auth(&self.token).json(&body)).await
    }

    /// Ends the node, which must not need its whole drain for it.
    async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(8), self.work).await.unwrap().unwrap().unwrap();
        assert!(!self.folder.path().join("data/node.json").exists());
    }
}

async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

fn code((status, body): (StatusCode, Value)) -> (u16, String) {
    let message = body["error"]["message"].as_str().unwrap_or_default();
    assert!(message.ends_with('.'), "{message:?} is no sentence");
    (status.as_u16(), body["error"]["code"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_knows_the_token_and_means_us_gets_in() {
    let node = Node::start().await;
    let sessions = || node.request(Method::GET, "/api/v1/sessions");
    assert_eq!(code(answer(sessions()).await), (401, "unauthorized".into()));
    assert_eq!(code(answer(sessions().bearer_auth("guess")).await), (401, "unauthorized".into()));
    let rebound = sessions().bearer_auth(&node.token).header("Host", "evil.example");
    assert_eq!(code(answer(rebound).await), (403, "wrong_host".into()));
    let in_url = format!("sessions?token={}", node.token);
    assert_eq!(code(node.get(&in_url).await), (400, "bad_request".into()));
    assert_eq!(node.get("sessions").await, (StatusCode::OK, json!([])));
    node.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_for_who_knows_the_token() {
    let node = Node::start().await;
    let metrics = || node.request(Method::GET, "/metrics");
    assert_eq!(code(answer(metrics()).await), (401, "unauthorized".into()));
    assert_eq!(code(answer(metrics().bearer_auth("guess")).await), (401, "unauthorized".into()));
    let text = metrics().bearer_auth(&node.token).send().await.unwrap().text().await.unwrap();
    assert!(text.contains("\nroundtable_deliveries_unknown_total{account=\"local:main\"} 0\n"), "{text}");
    node.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_is_a_code_and_a_sentence() {
    let node = Node::start().await;
    let open = |path| answer(node.request(Method::GET, path));
    assert_eq!(code(open("/nothing").await), (404, "not_found".into()));
    assert_eq!(code(node.get("nothing").await), (404, "not_found".into()));
    assert_eq!(code(node.post("sessions", json!({})).await), (405, "method_not_allowed".into()));
    assert_eq!(code(node.get("sessions/entries").await), (400, "bad_request".into()));
    assert_eq!(code(node.get("sessions/entries?key=agent:none:main").await), (404, "not_found".into()));
    assert_eq!(code(node.post("deliveries/7/retry", json!({})).await), (404, "not_found".into()));
    assert_eq!(code(node.post("deliveries/x/discard", json!({})).await), (400, "bad_request".into()));
    let unknown_group = json!({ "conversation": "telegram:main:-1" });
    assert_eq!(code(node.post("pair/revoke", unknown_group).await), (404, "not_found".into()));
    for (chat, body) in [
        ("Lobby", json!({ "sender": "ann", "text": "hi" })),
        ("lobby", json!({ "sender": "ann", "text": "  " })),
        ("lobby", json!({ "sender": "\n", "text": "hi" })),
        ("lobby", json!({ "sender": "ann" })),
    ] {
        let path = format!("local/{chat}/messages");
        let (status, _) = code(node.post(&path, body.clone()).await);
        assert!(matches!(status, 400 | 422), "{chat} {body}: {status}");
    }
    let large = json!({ "sender": "ann", "text": "x".repeat(super::MAX_BODY) });
    assert_eq!(code(node.post("local/lobby/messages", large).await), (413, "too_large".into()));
    node.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_is_answered() {
    let node = Node::start().await;
    let (status, said) =
        node.post("local/lobby/messages", json!({ "sender": "ann", "text": "/whoami" })).await;
    assert_eq!(status, StatusCode::CREATED);
    let after = said["id"].as_i64().unwrap();
    let (_, page) = node.get(&format!("local/lobby/messages?after={after}&wait=9")).await;
    let line = &page["lines"][0];
    assert!(line["text"].as_str().unwrap().contains("local:main:lobby"), "{page}");
    assert_eq!((&line["own"], &page["next"]), (&json!(false), &line["id"]));

    assert!(line["text"].as_str().unwrap().contains("one of my owners"), "{page}");

    let (_, newest) = node.get("local/lobby/messages?last=1").await;
    assert_eq!(newest["lines"], page["lines"]);
    // The line is seen a moment before its delivery is known to be sent.
    let quiet = async { while node.get("local/lobby/messages").await.1["busy"] != json!(false) {} };
    tokio::time::timeout(Duration::from_secs(10), quiet).await.unwrap();
    let (_, chats) = node.get("local").await;
    assert_eq!(chats, json!({ "chats": [{ "name": "lobby", "last": line["id"] }] }));
    node.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chats_are_sessions_of_their_own() {
    let node = Node::start().await;
    for chat in ["lobby", "work"] {
        node.post(&format!("local/{chat}/messages"), json!({ "sender": "ann", "text": "hello" })).await;
    }
    let (_, sessions) = node.get("sessions?limit=9").await;
    let keys: std::collections::BTreeSet<&str> =
        sessions.as_array().unwrap().iter().map(|session| session["key"].as_str().unwrap()).collect();
    let lobby = "agent:manager:local:main:dm:lobby";
    assert_eq!(keys, [lobby, "agent:manager:local:main:dm:work"].into());
    let (_, entries) = node.get(&format!("sessions/entries?key={lobby}&limit=1")).await;
    assert_eq!((&entries[0]["author"], &entries[0]["text"]), (&json!("ann"), &json!("hello")));
    node.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_needs_no_token_and_readiness_names_the_accounts() {
    let node = Node::start().await;
    let (status, alive) = answer(node.request(Method::GET, "/healthz")).await;
    assert_eq!((status, &alive["pid"]), (StatusCode::OK, &json!(std::process::id())));
    let ready = async || answer(node.request(Method::GET, "/readyz")).await;
    // The account is connected by a task that has only just begun.
    let connected = async {
        while ready().await.0 != StatusCode::OK {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), connected).await.unwrap();
    let (_, body) = ready().await;
    assert_eq!((&body["ready"], &body["accounts"]["local:main"]["state"]), (&json!(true), &json!("ready")));
    node.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_poll_does_not_hold_up_the_stop() {
    let node = Node::start().await;
    let poll = node.request(Method::GET, "/api/v1/local/lobby/messages?wait=25");
    let poll = tokio::spawn(answer(poll.bearer_auth(&node.token)));
    // The node answers others while it waits.
    assert_eq!(node.get("local").await.0, StatusCode::OK);
    node.end().await;
    // It was answered with nothing, or it came too late to be let in.
    if let Ok((status, page)) = poll.await {
        assert_eq!((status, &page["lines"]), (StatusCode::OK, &json!([])));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_code_is_made_while_nobody_owns_the_bot() {
    let node = Node::start().await;
    let (_, first) = node.post("pair/owner", json!({})).await;
    let (_, second) = node.post("pair/owner", json!({})).await;
    assert_ne!(first["code"], second["code"]);
    assert!(crate::routing::pairing::bare_code(second["code"].as_str().unwrap()).is_some(), "{second}");
    node.end().await;
}
