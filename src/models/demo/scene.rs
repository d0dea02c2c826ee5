//! A request, seen with a role's eyes.

use crate::models::{ModelMessage, Request};

/// What a role needs to know to act.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    /// Nothing was said to the user yet in this conversation.
    pub opening: bool,
    /// The last thing that was said to the model.
    pub said: &'a str,
    /// The same in lower case, for cues.
    pub lower: String,
    /// Tools that may be called.
    offered: Vec<&'a str>,
    /// Tools that were called since, with their results, in order.
    results: Vec<(&'a str, &'a str)>,
}

impl<'a> Scene<'a> {
    /// The scene of a request.
    pub fn of(request: &'a Request) -> Self {
        let heard = |message: &ModelMessage| matches!(message, ModelMessage::Assistant(answer) if !answer.text.is_empty());
        let last = request.messages.iter().rposition(|message| matches!(message, ModelMessage::User(_)));
        let (said, since) = match last.map(|index| (&request.messages[index], &request.messages[index + 1..]))
        {
            Some((ModelMessage::User(text), since)) => (text.as_str(), since),
            _ => ("", &request.messages[..]),
        };
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
            said: said.trim(),
            lower: said.to_lowercase(),
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

    /// Whether the words of one of `cues` were said.
    pub fn cued(&self, cues: &[&str]) -> bool {
        cues.iter().any(|cue| self.lower.contains(cue))
    }

    /// Whether one of `words` was said as a word of its own.
    pub fn word(&self, words: &[&str]) -> bool {
        self.lower.split(|c: char| !c.is_alphanumeric()).any(|said| words.contains(&said))
    }
}
