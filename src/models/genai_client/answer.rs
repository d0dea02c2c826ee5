//! From the end of a stream to our [`Answer`], and what of it goes back to the provider.

use genai::chat::{ContentPart, StreamEnd, ToolCall as GenaiCall};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::request::our_name;
use crate::models::{Answer, Provider, ToolCall};

/// What a provider wants back unchanged, as it is stored in [`Answer::opaque`]. Our own form: genai's
/// types change with its versions, transcripts do not.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Thoughts {
    /// Whose they are ([`ModelClient::name`](crate::models::ModelClient::name)): to any other model they
    /// mean nothing, and a wrong signature is refused.
    pub model: String,
    /// Before the text, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<Thought>,
    /// Signatures of each call (Gemini), by position.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Vec<String>>,
}

/// One piece of thinking.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Thought {
    /// The signature of the text that follows.
    Signature(String),
    /// Thinking in words.
    Text(String),
    /// A block of the provider's own form (Anthropic's `redacted_thinking`).
    Raw(Value),
}

/// The answer at the end of a stream, perhaps `cut` at its longest length.
pub(super) fn answer(provider: Provider, name: &str, end: StreamEnd, cut: bool) -> Answer {
    let mut text = String::new();
    let mut blocks = Vec::new();
    let mut raw_calls = Vec::new();
    for part in end.captured_content.into_iter().flat_map(|content| content.into_parts()) {
        match part {
            ContentPart::Text(piece) => text.push_str(&piece),
            ContentPart::ToolCall(call) => raw_calls.push(call),
            ContentPart::ThoughtSignature(signature) => blocks.push(Thought::Signature(signature)),
            ContentPart::ReasoningContent(thinking) => blocks.push(Thought::Text(thinking)),
            ContentPart::Custom(custom) => blocks.push(Thought::Raw(custom.data)),
            ContentPart::Binary(_) | ContentPart::ToolResponse(_) => {}
        }
    }
    let mut raw_calls = without_gap_fillers(raw_calls);
    let signatures = if provider == Provider::Gemini {
        raw_calls.iter_mut().map(|call| call.thought_signatures.take().unwrap_or_default()).collect()
    } else {
        Vec::new()
    };
    // DeepSeek and Kimi want their reasoning back between a call and its result, and only there.
    if matches!(provider, Provider::OpenAi | Provider::OpenRouter) && !raw_calls.is_empty() {
        blocks.extend(end.captured_reasoning_content.map(Thought::Text));
    }
    let opaque = thoughts(name, blocks, signatures);
    Answer { text, calls: calls(provider, raw_calls, cut), opaque }
}

fn thoughts(name: &str, blocks: Vec<Thought>, calls: Vec<Vec<String>>) -> Option<Value> {
    if blocks.is_empty() && calls.iter().all(Vec::is_empty) {
        return None;
    }
    let thoughts = Thoughts { model: name.into(), blocks, calls };
    Some(serde_json::to_value(thoughts).expect("texts and JSON values are JSON"))
}

/// When a server numbers its calls from 1, genai fills place 0 with the first piece of call 1: same id,
/// no arguments yet.
fn without_gap_fillers(calls: Vec<GenaiCall>) -> Vec<GenaiCall> {
    let filler = |index: usize| {
        let call = &calls[index];
        call.fn_arguments == "" && calls[index + 1..].iter().any(|later| later.call_id == call.call_id)
    };
    let keep: Vec<bool> = (0..calls.len()).map(|index| !filler(index)).collect();
    calls.into_iter().zip(keep).filter_map(|(call, keep)| keep.then_some(call)).collect()
}

fn calls(provider: Provider, raw: Vec<GenaiCall>, cut: bool) -> Vec<ToolCall> {
    let mut calls: Vec<ToolCall> = Vec::with_capacity(raw.len());
    let last = raw.len().saturating_sub(1);
    for (index, GenaiCall { call_id, fn_name, fn_arguments, .. }) in raw.into_iter().enumerate() {
        // Made-up ids: genai draws Ollama's by chance and numbers Gemini's anew in every chunk.
        let made_up = call_id.is_empty() || call_id.starts_with("call#") || provider == Provider::Ollama;
        let mut id = if made_up { format!("call_{index}") } else { call_id };
        while calls.iter().any(|earlier| earlier.id == id) {
            id.push('_');
        }
        let arguments = match (is_empty(&fn_arguments), cut && index == last) {
            // Some servers write nothing for "no arguments".
            (true, false) => json!({}),
            // They are just missing, whatever genai makes of that: such a call must not be made.
            (true, true) => json!(""),
            (false, _) => fn_arguments,
        };
        calls.push(ToolCall { id, name: our_name(provider, fn_name), arguments });
    }
    calls
}

fn is_empty(arguments: &Value) -> bool {
    match arguments {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(id: &str, name: &str, arguments: Value) -> GenaiCall {
        GenaiCall {
            call_id: id.into(),
            fn_name: name.into(),
            fn_arguments: arguments,
            thought_signatures: None,
        }
    }

    #[test]
    fn missing_ids_are_made_up_by_position_and_ids_are_unique() {
        let raw_calls = vec![
            raw("", "a", json!({})),
            raw("call#b#0", "b", json!({})),
            raw("x", "c", json!({})),
            raw("x", "d", json!({})),
        ];
        let ids: Vec<_> =
            calls(Provider::Gemini, raw_calls, false).into_iter().map(|call| (call.id, call.name)).collect();
        let expected = [("call_0", "a"), ("call_1", "b"), ("x", "c"), ("x_", "d")];
        assert_eq!(ids, expected.map(|(id, name)| (id.to_string(), name.to_string())));
        let ollama = calls(Provider::Ollama, vec![raw("call_9f3a77b0", "a", json!({}))], false);
        assert_eq!(ollama[0].id, "call_0");
    }

    #[test]
    fn absent_arguments_are_an_empty_object_and_broken_ones_stay_a_text() {
        let arguments =
            |value, cut| calls(Provider::OpenAi, vec![raw("1", "a", value)], cut).remove(0).arguments;
        for empty in [json!(""), Value::Null, json!({})] {
            assert_eq!(arguments(empty.clone(), false), json!({}));
            assert_eq!(arguments(empty, true), json!(""));
        }
        assert_eq!(arguments(json!("{\"a\": "), true), json!("{\"a\": "));
        let two = vec![raw("1", "a", json!("")), raw("2", "b", json!("{\"a\": "))];
        assert_eq!(calls(Provider::OpenAi, two, true)[0].arguments, json!({}), "only the last call is cut");
    }

    #[test]
    fn a_gap_filler_is_no_call() {
        let filled = vec![raw("1", "a", json!("")), raw("1", "a", json!({"x": 1})), raw("2", "b", json!(""))];
        let kept = without_gap_fillers(filled);
        assert_eq!(kept.len(), 2);
        assert_eq!(kept[0].fn_arguments, json!({"x": 1}));
    }
}
