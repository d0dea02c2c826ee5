//! A request, seen with a role's eyes.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use super::voice::{self, Voice};
use crate::models::{ModelMessage, Request};

/// What a role needs to know to act.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    /// Nothing was said in this conversation by the model yet.
    pub opening: bool,
    /// Which part it plays.
    pub part: Part,
    /// Who speaks.
    pub voice: Voice,
    /// The last thing that was said to the model, without the frame around it.
    pub said: Cow<'a, str>,
    /// The same in lower case, for cues.
    pub lower: String,
    /// Tools that may be called.
    offered: Vec<&'a str>,
    /// Tools that were called since, with their results, in order.
    results: Vec<(&'a str, &'a str)>,
}

/// The parts of the play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Whoever is neither of the others.
    Manager,
    /// Finds things out.
    Researcher,
    /// Writes programs.
    Coder,
}

impl Part {
    /// The id of the agent that plays it.
    pub fn id(self) -> &'static str {
        match self {
            Self::Manager => "manager",
            Self::Researcher => "researcher",
            Self::Coder => "coder",
        }
    }

    /// The part of the agent that a system prompt is for. The prompt's facts are one line of JSON.
    fn of(system: &str) -> Self {
        const FACTS: &str = "# Where you are\n";
        #[derive(Deserialize)]
        struct Facts {
            you: You,
        }
        #[derive(Deserialize)]
        struct You {
            id: String,
        }
        let facts = system.rfind(FACTS).and_then(|at| system[at + FACTS.len()..].lines().next());
        let id = facts.and_then(|facts| Some(serde_json::from_str::<Facts>(facts).ok()?.you.id));
        let plays = |part: &Self| id.as_deref() == Some(part.id());
        [Self::Researcher, Self::Coder].into_iter().find(plays).unwrap_or(Self::Manager)
    }
}

impl<'a> Scene<'a> {
    /// The scene of a request.
    pub fn of(request: &'a Request) -> Self {
        let heard = |message: &ModelMessage| matches!(message, ModelMessage::Assistant(answer) if !answer.text.is_empty());
        let (voice, said, since) = last_said(&request.messages);
        let calls = since.iter().filter_map(|message| match message {
            ModelMessage::Assistant(answer) => Some(&answer.calls),
            _ => None,
        });
        let calls: Vec<_> = calls.flatten().collect();
        let results = since.iter().filter_map(|message| match message {
            ModelMessage::Tool { call_id, content } => {
                let call = calls.iter().find(|call| call.id == *call_id)?;
                Some((call.name.as_str(), content.as_str()))
            }
            _ => None,
        });
        Self {
            opening: !request.messages.iter().any(heard),
            part: Part::of(&request.system),
            voice,
            lower: said.to_lowercase(),
            said,
            offered: request.tools.iter().map(|tool| tool.name.as_str()).collect(),
            results: results.collect(),
        }
    }

    /// Whether `tool` may be called.
    pub fn offers(&self, tool: &str) -> bool {
        self.offered.contains(&tool)
    }

    /// The newest result of `tool` since the last thing that was said.
    pub fn result(&self, tool: &str) -> Option<&'a str> {
        self.results.iter().rev().find(|(name, _)| *name == tool).map(|(_, content)| *content)
    }

    /// All results of `tool` since then, oldest first; what is no JSON is null.
    pub fn results(&self, tool: &str) -> Vec<Value> {
        let of_tool = self.results.iter().filter(|(name, _)| *name == tool);
        of_tool.map(|(_, content)| serde_json::from_str(content).unwrap_or_default()).collect()
    }

    /// The tool that was called last since then, and its result.
    pub fn latest(&self) -> Option<(&'a str, Value)> {
        let (name, content) = self.results.last()?;
        Some((name, serde_json::from_str(content).unwrap_or_default()))
    }

    /// Whether the words of one of `cues` were said.
    pub fn cued(&self, cues: &[&str]) -> bool {
        cues.iter().any(|cue| self.lower.contains(cue))
    }

    /// Whether one of `words` was said as a word of its own.
    pub fn word(&self, words: &[&str]) -> bool {
        self.words().any(|said| words.contains(&said))
    }

    /// What was said, word by word in lower case.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
    }
}

/// Who spoke last in this turn, what they said, and what came after it. A notice is only heard when nobody
/// else has spoken since the last answer: it may arrive in the middle of work for somebody.
fn last_said(messages: &[ModelMessage]) -> (Voice, Cow<'_, str>, &[ModelMessage]) {
    let mut notice = None;
    for (index, message) in messages.iter().enumerate().rev() {
        match message {
            ModelMessage::User(text) => {
                let (voice, said) = voice::of(text);
                if voice != Voice::Notice {
                    return (voice, said, &messages[index + 1..]);
                }
                notice.get_or_insert((voice, said, &messages[index + 1..]));
            }
            ModelMessage::Assistant(answer) if answer.calls.is_empty() => break,
            ModelMessage::Assistant(_) | ModelMessage::Tool { .. } => {}
        }
    }
    notice.unwrap_or((Voice::Person, Cow::Borrowed(""), messages))
}
