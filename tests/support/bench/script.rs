//! The scripted parts of a bench: model, tool and clock, and the log of what was asked of them.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use roundtable::models::{
    Answer, Completion, ModelClient, ModelError, ModelEvent, Request, ToolCall, ToolSpec, Usage,
};
use roundtable::time::Clock;
use roundtable::tools::{CallContext, Refusal, Tool};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What a scripted model or tool does when it is asked.
pub enum Does {
    /// Answers.
    Says(String),
    /// Calls the tool once for each of these arguments.
    Calls(Vec<Value>),
    /// Fails.
    Fails(ModelError),
    /// Never answers.
    Hangs,
    /// Does that when the test says so.
    After(CancellationToken, Box<Does>),
    /// Has a bug.
    Panics,
}

impl Does {
    /// Says this.
    pub fn says(text: &str) -> Self {
        Self::Says(text.to_owned())
    }

    /// Does it when the gate is opened.
    pub fn after(self, gate: &CancellationToken) -> Self {
        Self::After(gate.clone(), Box::new(self))
    }

    /// What it does, once it may.
    async fn begun(mut self) -> Self {
        while let Self::After(gate, does) = self {
            gate.cancelled().await;
            self = *does;
        }
        self
    }
}

pub(super) type Script = Box<dyn FnMut(&Request) -> Does + Send>;
pub(super) type ToolScript = Box<dyn FnMut(&Value) -> Does + Send>;

/// A clock that stands still until it is moved.
pub(super) struct Stopped {
    pub(super) now: AtomicI64,
    /// How often somebody looked at it.
    pub(super) looks: watch::Sender<usize>,
}

impl Clock for Stopped {
    fn now(&self) -> i64 {
        self.looks.send_modify(|looks| *looks += 1);
        self.now.load(Ordering::SeqCst)
    }

    fn anchor(&self, _now: i64) {}
}

/// What the model was asked, and what the tool was given.
#[derive(Default)]
pub struct Log {
    /// Requests, with the time of each.
    pub requests: Vec<(i64, Request)>,
    /// Arguments of calls that were begun.
    pub calls: Vec<Value>,
}

/// What the scripted parts of all nodes share.
pub(super) struct Shared {
    pub(super) clock: Arc<Stopped>,
    pub(super) model: Mutex<Script>,
    pub(super) tool: Mutex<ToolScript>,
    pub(super) repeatable: bool,
    pub(super) log: watch::Sender<Log>,
}

/// The model.
pub(super) struct Model(pub(super) Arc<Shared>);

impl ModelClient for Model {
    fn stream(&self, request: Request) -> BoxStream<'static, Result<ModelEvent, ModelError>> {
        let does = (self.0.model.lock().expect("no script panics"))(&request);
        let number = self.0.log.borrow().requests.len();
        let now = self.0.clock.now();
        self.0.log.send_modify(|log| log.requests.push((now, request)));
        let event = async move {
            let (text, calls) = match does.begun().await {
                Does::Says(text) => (text, Vec::new()),
                Does::Calls(calls) => (String::new(), named(number, calls)),
                Does::Fails(error) => return Err(error),
                Does::Panics => panic!("the model client has a bug, on purpose"),
                Does::Hangs | Does::After(..) => std::future::pending().await,
            };
            let answer = Answer { text, calls, opaque: None };
            Ok(ModelEvent::End(Completion {
                answer,
                usage: Usage::default(),
                model: "bench".into(),
                cut: false,
            }))
        };
        stream::once(event).boxed()
    }

    fn name(&self) -> &str {
        "bench"
    }

    fn window(&self) -> u32 {
        1_000_000
    }
}

fn named(request: usize, calls: Vec<Value>) -> Vec<ToolCall> {
    let named = (0..).zip(calls).map(|(index, arguments)| ToolCall {
        id: format!("c{request}-{index}"),
        name: "deed".into(),
        arguments,
    });
    named.collect()
}

/// The tool.
pub(super) struct Deed(pub(super) Arc<Shared>);

#[async_trait]
impl Tool for Deed {
    fn spec(&self) -> ToolSpec {
        let schema = json!({"type": "object"});
        ToolSpec { name: "deed".into(), description: "Does something.".into(), schema: schema.into() }
    }

    fn group(&self) -> &'static str {
        "sessions"
    }

    fn repeatable(&self) -> bool {
        self.0.repeatable
    }

    async fn call(&self, _context: &CallContext<'_>, arguments: &Value) -> Result<Value, Refusal> {
        let does = (self.0.tool.lock().expect("no script panics"))(arguments);
        self.0.log.send_modify(|log| log.calls.push(arguments.clone()));
        match does.begun().await {
            Does::Says(text) => Ok(json!({"status": "ok", "text": text})),
            Does::Panics => panic!("the tool has a bug, on purpose"),
            Does::Hangs | Does::Calls(_) | Does::Fails(_) | Does::After(..) => std::future::pending().await,
        }
    }
}
