//! What agents do: models that answer at random, and a tool that takes its time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use roundtable::models::{
    Answer, Completion, ModelClient, ModelError, ModelEvent, ModelMessage, Request, ToolSpec, Usage,
};
use roundtable::tools::{CallContext, Refusal, Tool};
use serde_json::{Value, json};

use super::life::Life;
use super::world::World;
use crate::support::words::{calls, says, who};

/// The model of every agent of a node.
pub struct Mind {
    /// The world.
    pub world: Arc<World>,
    /// The node's life.
    pub life: Life,
    /// How many of the node's turns think.
    pub thoughts: Arc<Thoughts>,
}

/// How many turns of a node think at the same time.
pub struct Thoughts {
    now: AtomicUsize,
    most: usize,
}

/// One that thinks, until it is dropped.
struct Thought(Arc<Thoughts>);

impl Thoughts {
    /// None yet, and never more than the node may have turns at work.
    pub fn new(most: usize) -> Self {
        Self { now: AtomicUsize::new(0), most }
    }

    fn begin(self: &Arc<Self>, world: &World) -> Thought {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        if now > self.most {
            world.breaks(format_args!("{now} turns are at work on one node, of {}", self.most));
        }
        Thought(self.clone())
    }
}

impl Drop for Thought {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Steps of a turn after which an agent comes to an end.
const ENOUGH: usize = 5;

/// Labels that children are given, so that they meet again.
const LABELS: [&str; 4] = ["amber", "birch", "cedar", "worker"];

type Call = (&'static str, Value);

impl Mind {
    fn answer(world: &World, request: &Request) -> Result<Answer, ModelError> {
        let model = || "mind".to_owned();
        if world.mishap(30) {
            return Err(ModelError::RateLimited { model: model(), after: Some(world.millis(20_000)) });
        }
        if world.mishap(20) {
            return Err(ModelError::Unavailable { model: model(), reason: "overloaded".into() });
        }
        let steps = request.messages.iter().rev();
        let steps = steps.take_while(|message| !matches!(message, ModelMessage::User(_)));
        let steps = steps.filter(|message| matches!(message, ModelMessage::Assistant(_))).count();
        let me = who(request);
        if steps >= ENOUGH || world.chance(if steps == 0 { 35 } else { 50 }) {
            return Ok(Self::ends(world, &me));
        }
        let can = |name: &str| request.tools.iter().any(|tool| tool.name == name);
        let mut asked: Vec<Call> = Vec::new();
        match world.below(100) {
            0..45 if can("sessions_spawn") => {
                for _ in 0..=world.below(2) {
                    asked.push(Self::spawn(world));
                }
                if world.chance(60) {
                    asked.push(Self::waits(world));
                }
            }
            45..60 => asked.push(Self::waits(world)),
            60..75 => asked.push(Self::sends(world)),
            75..90 => {
                for _ in 0..=world.below(2) {
                    let number = world.below(1000);
                    asked.push((*world.one_of(&["deed", "look"]), json!({"number": number})));
                }
            }
            90..95 => asked.push(("sessions_list", json!({"waitSeconds": world.below(2) * 20}))),
            _ => {
                let target = *world.one_of(&LABELS);
                let action = *world.one_of(&["kill", "steer"]);
                asked.push(("subagents", json!({"action": action, "target": target, "message": "go on"})));
            }
        }
        asked.retain(|(name, _)| can(name));
        if asked.is_empty() { Ok(Self::ends(world, &me)) } else { Ok(calls(asked)) }
    }

    fn ends(world: &World, me: &str) -> Answer {
        let number = world.below(1_000_000_000);
        match world.below(20) {
            0 => says("NO_REPLY"),
            1 => says(""),
            2..6 => says(format!("{me} says {number}, first\n---\n{me} says {number}, second")),
            _ => says(format!("{me} says {number}")),
        }
    }

    fn spawn(world: &World) -> Call {
        let mut wanted = json!({
            "task": format!("task {}", world.below(1_000_000)),
            "agentId": world.one_of(&["worker", "worker", "manager"]),
            "announce": world.one_of(&["post", "post", "parent", "silent"]),
            "cleanup": world.one_of(&["keep", "archive"]),
            "mode": world.one_of(&["run", "run", "session"]),
        });
        if world.chance(70) {
            wanted["label"] = json!(world.one_of(&LABELS));
        }
        if world.chance(20) {
            wanted["runTimeoutSeconds"] = json!(1 + world.below(40));
        }
        if world.chance(15) {
            wanted["thread"] = json!(true);
        }
        ("sessions_spawn", wanted)
    }

    fn waits(world: &World) -> Call {
        let mut wanted = json!({"until": world.one_of(&["all", "all", "any"])});
        if world.chance(20) {
            wanted["message"] = json!(format!("wait, {}", world.below(1_000_000)));
        }
        ("sessions_yield", wanted)
    }

    fn sends(world: &World) -> Call {
        let mut wanted = json!({
            "message": format!("question {}", world.below(1_000_000)),
            "timeoutSeconds": world.one_of(&[0, 5, 30]),
            "replyBack": world.chance(50),
        });
        match world.chance(40) {
            true => wanted["agentId"] = json!(world.one_of(&["manager", "worker"])),
            false => wanted["label"] = json!(world.one_of(&LABELS)),
        }
        ("sessions_send", wanted)
    }
}

impl ModelClient for Mind {
    fn stream(&self, request: Request) -> BoxStream<'static, Result<ModelEvent, ModelError>> {
        let (world, life, thoughts) = (self.world.clone(), self.life.clone(), self.thoughts.clone());
        let event = async move {
            life.goes_on().await;
            let _thought = thoughts.begin(&world);
            if !is_well_formed(&request.messages) {
                world.breaks(format_args!(
                    "{} is shown what no model takes: {:?}",
                    who(&request),
                    request.messages
                ));
            }
            let bound = *world.one_of(&[1, 50, 500, 4000]);
            world.lag(bound).await;
            if world.mishap(10) {
                world.note(format_args!("the model of {} hangs", who(&request)));
                std::future::pending::<()>().await;
            }
            life.goes_on().await;
            let answer = Self::answer(&world, &request)?;
            world.note(format_args!("  {} {}", who(&request), short(&answer)));
            Ok(ModelEvent::End(Completion {
                answer,
                usage: Usage::default(),
                model: "mind".into(),
                cut: false,
            }))
        };
        stream::once(event).boxed()
    }

    fn name(&self) -> &str {
        "mind"
    }

    fn window(&self) -> u32 {
        1_000_000
    }
}

/// Whether a conversation is one as models take it: it begins with what somebody says, each call is followed by its one
/// result, in order, and the last word is not the model's own.
fn is_well_formed(messages: &[ModelMessage]) -> bool {
    let mut open: VecDeque<&str> = VecDeque::new();
    let begins = matches!(messages.first(), Some(ModelMessage::User(_)));
    let ends = !matches!(messages.last(), Some(ModelMessage::Assistant(_)));
    let each = messages.iter().all(|message| match message {
        ModelMessage::User(_) => open.is_empty(),
        ModelMessage::Assistant(answer) => {
            let alone = open.is_empty();
            open.extend(answer.calls.iter().map(|call| call.id.as_str()));
            alone
        }
        ModelMessage::Tool { call_id, .. } => open.pop_front() == Some(call_id),
    });
    begins && each && ends && open.is_empty()
}

/// An answer in a line.
fn short(answer: &Answer) -> String {
    let calls = answer.calls.iter().map(|call| format!("{} {}", call.name, call.arguments));
    match answer.calls.is_empty() {
        true => format!("says {:?}", answer.text),
        false => format!("calls {}", calls.collect::<Vec<_>>().join(", ")),
    }
}

/// A tool that works outside the database.
pub struct Deed {
    /// The world.
    pub world: Arc<World>,
    /// The node's life.
    pub life: Life,
    /// Whether it only looks, so that it may be called again.
    pub looks: bool,
}

#[async_trait]
impl Tool for Deed {
    fn spec(&self) -> ToolSpec {
        let name = if self.looks { "look" } else { "deed" };
        let schema = json!({"type": "object"});
        ToolSpec { name: name.into(), description: "Takes its time.".into(), schema: Arc::new(schema) }
    }

    fn group(&self) -> &'static str {
        "sessions"
    }

    fn repeatable(&self) -> bool {
        self.looks
    }

    async fn call(&self, _: &CallContext<'_>, arguments: &Value) -> Result<Value, Refusal> {
        tokio::time::sleep(Duration::from_millis(self.world.below(3000))).await;
        self.life.goes_on().await;
        Ok(json!({"done": arguments["number"]}))
    }
}
