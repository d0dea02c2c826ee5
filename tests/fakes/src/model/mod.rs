//! The model server and what tests do with it.

mod anthropic;
mod desk;
mod openai;
mod request;
mod script;
mod serve;

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Context as _;
use tokio::{sync::watch, time::timeout};

use crate::{
    PATIENCE,
    hold::{Gate, Hold, gate},
    server::Server,
};

pub use request::{Api, ChatMessage, ModelRequest, Role, ToolDef, ToolUse};
pub use script::Reply;

/// A rule: gives a reply to the requests it is for.
type Rule = Box<dyn FnMut(&ModelRequest) -> Option<Reply> + Send>;

/// A model server of its own, for the OpenAI and the Anthropic protocol. Without rules it echoes the last user message.
#[derive(Debug)]
pub struct ModelFake {
    fake: Arc<Models>,
    server: Server,
}

/// What the handlers share.
pub(crate) struct Models {
    log: watch::Sender<Log>,
    rules: Mutex<Vec<Rule>>,
    holds: Mutex<Vec<(String, Gate)>>,
    desk: desk::Desk,
}

/// What was asked and how it went.
#[derive(Debug, Default)]
struct Log {
    requests: Vec<ModelRequest>,
    /// Requests whose client went away before the end, by number.
    abandoned: Vec<usize>,
    in_flight: usize,
    violations: Vec<String>,
}

impl fmt::Debug for Models {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Models(..)")
    }
}

impl ModelFake {
    /// Starts one on a free port of the loopback interface.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
    }

    /// Starts one on a given address.
    pub async fn start_on(address: SocketAddr) -> anyhow::Result<Self> {
        let fake = Arc::new(Models {
            log: watch::Sender::default(),
            rules: Mutex::default(),
            holds: Mutex::default(),
            desk: desk::Desk::default(),
        });
        let server = Server::start(address, serve::router(Arc::clone(&fake))).await?;
        Ok(Self { fake, server })
    }

    /// What the program under test gets as `base_url`, of both protocols; ends in `/v1/`.
    pub fn url(&self) -> String {
        format!("http://{}/v1/", self.server.address())
    }

    /// Adds a rule; the first one that gives a reply wins.
    pub fn on(&self, rule: impl FnMut(&ModelRequest) -> Option<Reply> + Send + 'static) {
        locked(&self.fake.rules).push(Box::new(rule));
    }

    /// Replies to every request that ends in a user message with `needle` in it.
    pub fn when(&self, needle: &str, reply: Reply) {
        let needle = needle.to_owned();
        self.on(move |request| request.asks(&needle).then(|| reply.clone()));
    }

    /// Replies to one such request; a second `once` with the same needle is for the second request.
    pub fn once(&self, needle: &str, reply: Reply) {
        let (needle, mut reply) = (needle.to_owned(), Some(reply));
        self.on(move |request| if request.asks(&needle) { reply.take() } else { None });
    }

    /// Replies to every request that ends in the results of calls, one of them of `tool`.
    pub fn after(&self, tool: &str, reply: Reply) {
        let tool = tool.to_owned();
        self.on(move |request| request.result_of(&tool).map(|_| reply.clone()));
    }

    /// The next request with `needle` in its last message waits, before anything is answered, for what the test decides.
    pub fn hold(&self, needle: &str) -> Hold {
        let (gate, hold) = gate(format!("the model request {needle:?}"));
        locked(&self.fake.holds).push((needle.to_owned(), gate));
        hold
    }

    /// Forgets every request so far: in a long run they would fill the memory.
    pub fn forget(&self) {
        self.fake.log.send_modify(|log| {
            log.requests.clear();
            log.abandoned.clear();
        });
    }

    /// Every understood request so far.
    pub fn requests(&self) -> Vec<ModelRequest> {
        self.fake.log.borrow().requests.clone()
    }

    /// Waits for a request like that, [`PATIENCE`] at most; earlier ones count.
    pub async fn wait_for_request(
        &self,
        what: &str,
        mut fits: impl FnMut(&ModelRequest) -> bool,
    ) -> anyhow::Result<ModelRequest> {
        self.wait(what, |log| log.requests.iter().find(|request| fits(request)).cloned()).await
    }

    /// Waits until the client of a request like that has gone away before its answer ended.
    pub async fn wait_for_abandoned(
        &self,
        what: &str,
        mut fits: impl FnMut(&ModelRequest) -> bool,
    ) -> anyhow::Result<ModelRequest> {
        let find = |log: &Log| {
            let mut abandoned = log.abandoned.iter().filter_map(|number| log.requests.get(*number));
            abandoned.find(|request| fits(request)).cloned()
        };
        self.wait(what, find).await
    }

    /// How many requests are being answered now.
    pub fn in_flight(&self) -> usize {
        self.fake.log.borrow().in_flight
    }

    /// What no correct client sends, so far.
    pub fn violations(&self) -> Vec<String> {
        self.fake.log.borrow().violations.clone()
    }

    /// The end of a test: fails on violations.
    pub fn finish(&self) -> anyhow::Result<()> {
        let violations = self.violations();
        anyhow::ensure!(violations.is_empty(), "model requests broke rules:\n{}", violations.join("\n"));
        Ok(())
    }

    async fn wait<R>(&self, what: &str, mut find: impl FnMut(&Log) -> Option<R>) -> anyhow::Result<R> {
        let mut changes = self.fake.log.subscribe();
        let found = timeout(PATIENCE, async {
            loop {
                let found = find(&changes.borrow_and_update());
                if let Some(found) = found {
                    return found;
                }
                changes.changed().await.expect("this very object keeps the sender alive");
            }
        });
        found.await.with_context(|| {
            let last: Vec<String> = self.requests().iter().map(|r| r.last().text.clone()).collect();
            format!("waited {PATIENCE:?} for {what}; the requests ended in {last:?}")
        })
    }
}

impl Models {
    fn violation(&self, what: String) {
        self.log.send_modify(|log| log.violations.push(what));
    }

    /// Numbers and stores a request.
    fn note(&self, mut request: ModelRequest) -> ModelRequest {
        self.log.send_modify(|log| {
            request.number = log.requests.len();
            log.requests.push(request.clone());
            log.in_flight += 1;
        });
        request
    }

    fn ended(&self, number: usize, complete: bool) {
        self.desk.leave(number);
        self.log.send_modify(|log| {
            log.in_flight -= 1;
            if !complete {
                log.abandoned.push(number);
            }
        });
    }

    fn reply_to(&self, request: &ModelRequest) -> Reply {
        let scripted = locked(&self.rules).iter_mut().find_map(|rule| rule(request));
        scripted.unwrap_or_else(|| Reply::text(format!("echo: {}", request.last_user_text())))
    }

    fn gate_for(&self, request: &ModelRequest) -> Option<Gate> {
        let mut holds = locked(&self.holds);
        let at = holds.iter().position(|(needle, _)| request.last().text.contains(needle.as_str()));
        at.map(|at| holds.remove(at).1).or_else(|| self.desk.wait(request))
    }
}

/// A rule that panicked has failed its test already; the others may go on.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
