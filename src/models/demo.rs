//! The model that is there without a key: deterministic, offline, and it says so.
//!
//! It reads a request as a [`Scene`], which says who speaks and which part it plays (the manager, the
//! researcher or the coder), and asks its [`roles`] in turn what they would do; the first that has a cue acts.
//! Given a thing to build, the three show how a team works: the manager delegates, waits, looks and sums up,
//! the coder asks the researcher. What they say about the world was written beforehand, and they say so.

mod coder;
mod manager;
mod messenger;
mod researcher;
mod roles;
mod scene;
mod voice;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use serde_json::Value;

use self::scene::Scene;
use super::{Answer, Completion, ModelClient, ModelError, ModelEvent, Request, ToolCall, Usage, tokens};

/// The offline model. The same request always gets the same answer, at once and free of charge.
#[derive(Debug, Clone)]
pub struct Demo {
    window: u32,
}

/// What a role does in a scene.
#[derive(Debug, Clone, PartialEq)]
enum Act {
    /// Answers a person.
    Say(String),
    /// Hands something to a teammate, or says one of the words that mean silence: nothing is added.
    Report(String),
    /// Calls tools that the request offers, all in one step.
    Call(Vec<(&'static str, Value)>),
}

impl Act {
    fn call(tool: &'static str, arguments: Value) -> Self {
        Self::Call(vec![(tool, arguments)])
    }
}

/// Said once, at the start of a conversation.
const INTRODUCTION: &str = "I am the demo model: offline, and with a few scripted answers instead of a mind. \
     For a real one set ANTHROPIC_API_KEY, OPENAI_API_KEY, GEMINI_API_KEY or OPENROUTER_API_KEY and start again.";

impl Demo {
    /// A demo model that pretends to have `window` tokens of context.
    pub fn new(window: u32) -> Self {
        Self { window }
    }
}

impl ModelClient for Demo {
    fn stream(&self, request: Request) -> BoxStream<'static, Result<ModelEvent, ModelError>> {
        let answer = play(&request);
        let usage = Usage {
            input: tokens::of_request(&request),
            cached: 0,
            output: tokens::of_answer(&answer),
            cost_micros: Some(0),
        };
        let words: Vec<_> =
            answer.text.split_inclusive(' ').map(|word| Ok(ModelEvent::Text(word.into()))).collect();
        let end = ModelEvent::End(Completion { answer, usage, model: self.name().into(), cut: false });
        stream::iter(words).chain(stream::iter([Ok(end)])).boxed()
    }

    fn name(&self) -> &str {
        "demo"
    }

    fn window(&self) -> u32 {
        self.window
    }
}

/// The whole answer to a request.
fn play(request: &Request) -> Answer {
    let scene = Scene::of(request);
    match roles::act(&scene) {
        Act::Say(text) if scene.opening => {
            Answer { text: format!("{INTRODUCTION}\n\n{text}"), ..Answer::default() }
        }
        Act::Say(text) | Act::Report(text) => Answer { text, ..Answer::default() },
        Act::Call(calls) => {
            // Ids are unique within the conversation, and the same for the same request.
            let step = request.messages.len();
            let calls = calls.into_iter().enumerate().map(|(index, (tool, arguments))| ToolCall {
                id: format!("demo_{step}_{index}"),
                name: tool.into(),
                arguments,
            });
            Answer { calls: calls.collect(), ..Answer::default() }
        }
    }
}

#[cfg(test)]
mod tests;
