//! What scripted models say, and what they read in a request.

use roundtable::models::{Answer, ModelMessage, Request, ToolCall};
use serde_json::Value;

/// Says this.
pub fn says(text: impl Into<String>) -> Answer {
    Answer { text: text.into(), ..Answer::default() }
}

/// Calls these tools.
pub fn calls(calls: impl IntoIterator<Item = (&'static str, Value)>) -> Answer {
    let call = |(index, (name, arguments)): (usize, (&str, Value))| ToolCall {
        id: format!("call-{index}"),
        name: name.into(),
        arguments,
    };
    Answer { calls: calls.into_iter().enumerate().map(call).collect(), ..Answer::default() }
}

/// All that a model has been told, without what it said itself.
pub fn told(request: &Request) -> impl Iterator<Item = &str> {
    request.messages.iter().filter_map(|message| match message {
        ModelMessage::User(text) | ModelMessage::Tool { content: text, .. } => Some(text.as_str()),
        ModelMessage::Assistant(_) => None,
    })
}

/// Who asks: the label of a child, the agent's id of others.
pub fn who(request: &Request) -> String {
    let facts =
        request.system.lines().find(|line| line.starts_with("{\"")).expect("facts are a line of JSON");
    let facts: Value = serde_json::from_str(facts).expect("facts are JSON");
    facts["you"]["label"].as_str().or(facts["you"]["id"].as_str()).expect("an agent has an id").to_owned()
}

/// How often the session has answered before, in its whole transcript.
pub fn answers(request: &Request) -> usize {
    request.messages.iter().filter(|message| matches!(message, ModelMessage::Assistant(_))).count()
}

/// The results of the calls of the session's last step.
pub fn results(request: &Request) -> Vec<Value> {
    // What was said meanwhile comes behind them.
    let newest = request.messages.iter().rev().skip_while(|message| matches!(message, ModelMessage::User(_)));
    let tail = newest.map_while(|message| match message {
        ModelMessage::Tool { content, .. } => Some(serde_json::from_str(content).expect("results are JSON")),
        _ => None,
    });
    let mut results: Vec<Value> = tail.collect();
    results.reverse();
    results
}
