//! How many tokens a text may be, where no provider has counted them.
//!
//! An estimate, on purpose on the high side for English: windows are kept with it before a call, and
//! usage is recorded with it when a provider reports none. No tokenizer fits every model.

use std::io;

use super::{Answer, ModelMessage, Request};

/// Tokens of a text: one for every 3.6 bytes, rounded up.
pub fn of_text(text: &str) -> u64 {
    of_bytes(text.len())
}

/// Tokens of one message, calls and their arguments included.
pub fn of_message(message: &ModelMessage) -> u64 {
    of_bytes(message_bytes(message))
}

/// Tokens of an answer, its opaque part included, since that is sent back.
pub fn of_answer(answer: &Answer) -> u64 {
    of_bytes(answer_bytes(answer))
}

/// Tokens of a whole request: system text, messages and tool descriptions.
pub fn of_request(request: &Request) -> u64 {
    let messages: usize = request.messages.iter().map(message_bytes).sum();
    let tools: usize = request
        .tools
        .iter()
        .map(|tool| tool.name.len() + tool.description.len() + json_bytes(&tool.schema))
        .sum();
    of_bytes(request.system.len() + messages + tools)
}

fn of_bytes(bytes: usize) -> u64 {
    (bytes as u64 * 10).div_ceil(36)
}

fn message_bytes(message: &ModelMessage) -> usize {
    match message {
        ModelMessage::User(text) => text.len(),
        ModelMessage::Assistant(answer) => answer_bytes(answer),
        ModelMessage::Tool { call_id, content } => call_id.len() + content.len(),
    }
}

fn answer_bytes(answer: &Answer) -> usize {
    let calls: usize =
        answer.calls.iter().map(|call| call.id.len() + call.name.len() + json_bytes(&call.arguments)).sum();
    answer.text.len() + calls + answer.opaque.as_ref().map_or(0, json_bytes)
}

/// The length of a value written as JSON, without writing it.
fn json_bytes(value: &serde_json::Value) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value).expect("a JSON value is writable and the counter takes all");
    count.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::models::{ToolCall, ToolSpec};

    #[test]
    fn texts_are_counted_by_bytes_and_rounded_up() {
        assert_eq!(of_text(""), 0);
        assert_eq!(of_text("a"), 1);
        assert_eq!(of_text(&"a".repeat(36)), 10);
        assert_eq!(of_text(&"a".repeat(37)), 11);
        assert_eq!(of_text("äöü"), 2);
    }

    #[test]
    fn a_request_counts_everything_that_is_sent() {
        let call = ToolCall { id: "1".into(), name: "ls".into(), arguments: json!({"a": 1}) };
        let answer = Answer { text: "abc".into(), calls: vec![call], opaque: Some(json!([1])) };
        let request = Request {
            system: "s".repeat(10),
            messages: vec![
                ModelMessage::User("u".repeat(10)),
                ModelMessage::Assistant(answer.clone()),
                ModelMessage::Tool { call_id: "1".into(), content: "ok".into() },
            ],
            tools: vec![ToolSpec {
                name: "ls".into(),
                description: "lists".into(),
                schema: json!({}).into(),
            }],
            cache_key: "not sent as text".into(),
        };
        // system 10, user 10, answer 3 + (1 + 2 + 7) + 3, result 1 + 2, tool 2 + 5 + 2: 48 bytes
        assert_eq!(of_request(&request), 14);
        assert_eq!(of_answer(&answer), of_message(&ModelMessage::Assistant(answer.clone())));
        assert_eq!(of_answer(&answer), 5);
    }
}
