//! The messages protocol of Anthropic.

use std::time::Instant;

use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::{
    request::{
        Api, ChatMessage, ModelRequest, Refused, Role, ToolUse, Unpaired, only_known, paired, text_of, tool,
    },
    script::Reply,
    serve::{Frames, pieces},
};

const FIELDS: &[&str] = &[
    "model",
    "messages",
    "max_tokens",
    "system",
    "tools",
    "tool_choice",
    "stream",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "metadata",
    "thinking",
    "service_tier",
    "container",
    "context_management",
    "cache_control",
    "output_config",
    "output_format",
    "mcp_servers",
];

/// Reads a request as strictly as the provider.
pub(super) fn read(headers: &HeaderMap, body: Value) -> Result<ModelRequest, Refused> {
    let header = |name: &str| headers.get(name).is_some_and(|value| !value.is_empty());
    if !header("x-api-key") {
        return Err(Refused::unauthorized("x-api-key header is required"));
    }
    if !header("anthropic-version") {
        return Err(Refused::invalid("anthropic-version: header is required"));
    }
    only_known(&body, FIELDS)?;
    if body["max_tokens"].as_u64().is_none_or(|tokens| tokens == 0) {
        return Err(Refused::invalid("max_tokens: Field required"));
    }
    let given = body["messages"].as_array().filter(|list| !list.is_empty());
    let given = given.ok_or_else(|| Refused::invalid("messages: at least one message is required"))?;
    if given[0]["role"] != "user" {
        return Err(Refused::invalid("messages: first message must use the \"user\" role"));
    }
    if given[given.len() - 1]["role"] != "user" {
        return Err(Refused::invalid("messages: the conversation must end with a user message"));
    }
    let mut messages = Vec::new();
    for (place, message) in given.iter().enumerate() {
        read_message(place, message, &mut messages)?;
    }
    paired(&messages).map_err(|unpaired| Refused::invalid(said(&unpaired)))?;
    let tools = body["tools"].as_array().into_iter().flatten();
    let model = body["model"].as_str().filter(|model| !model.is_empty());
    let system = if body["system"].is_null() { Some(String::new()) } else { text_of(&body["system"]) };
    Ok(ModelRequest {
        number: 0,
        api: Api::Anthropic,
        model: model.ok_or_else(|| Refused::invalid("model: Field required"))?.to_owned(),
        system: system.ok_or_else(|| Refused::invalid("system: Input should be a valid string or list"))?,
        messages,
        tools: tools
            .map(|given| tool(&given["name"], &given["description"], &given["input_schema"]))
            .collect::<Result<_, _>>()?,
        stream: body["stream"] == true,
        raw: body,
        at: Instant::now(),
    })
}

/// Splits a message into one per speaker: results are blocks of user messages here. Turns of one role in a row are one turn,
/// as the provider has it, so the order of all blocks is what counts.
fn read_message(place: usize, message: &Value, messages: &mut Vec<ChatMessage>) -> Result<(), Refused> {
    let wrong = |what: String| Refused::invalid(format!("messages.{place}.content: {what}"));
    let role = match message["role"].as_str() {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        _ => {
            return Err(Refused::invalid(format!(
                "messages.{place}.role: Input should be 'user' or 'assistant'"
            )));
        }
    };
    let blocks = match &message["content"] {
        Value::String(text) => vec![json!({"type": "text", "text": text})],
        Value::Array(blocks) if !blocks.is_empty() => blocks.clone(),
        _ => return Err(wrong("a non-empty string or list is required".to_owned())),
    };
    let mut spoken = ChatMessage::text(role, "");
    for block in &blocks {
        match (block["type"].as_str().unwrap_or_default(), role) {
            ("text", _) => {
                let text = block["text"].as_str().unwrap_or_default();
                if text.trim().is_empty() {
                    return Err(wrong("text content blocks must contain non-whitespace text".to_owned()));
                }
                spoken.text += text;
            }
            ("tool_use", Role::Assistant) => {
                spoken.calls.push(call(block).ok_or_else(|| wrong(block.to_string()))?)
            }
            ("tool_result", Role::User) if spoken.text.is_empty() => messages.push(ChatMessage {
                call_id: Some(block["tool_use_id"].as_str().unwrap_or_default().to_owned()),
                ..ChatMessage::text(Role::Tool, text_of(&block["content"]).unwrap_or_default())
            }),
            ("tool_result", Role::User) => {
                return Err(wrong("tool_result blocks come before text".to_owned()));
            }
            ("thinking" | "redacted_thinking", Role::Assistant) | ("image" | "document", Role::User) => {}
            (kind, _) => return Err(wrong(format!("block of type {kind:?} is not allowed here"))),
        }
    }
    if !spoken.text.is_empty() || !spoken.calls.is_empty() {
        messages.push(spoken);
    }
    Ok(())
}

fn call(block: &Value) -> Option<ToolUse> {
    let id = block["id"].as_str().filter(|id| {
        !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    })?;
    let name = block["name"].as_str().filter(|name| !name.is_empty())?;
    let arguments = Some(&block["input"]).filter(|input| input.is_object())?;
    Some(ToolUse { id: id.to_owned(), name: name.to_owned(), arguments: arguments.clone() })
}

fn said(unpaired: &Unpaired) -> String {
    match unpaired {
        Unpaired::Unanswered(ids) => format!(
            "`tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block must have a \
             corresponding `tool_result` block in the next message.",
            ids.join(", ")
        ),
        Unpaired::Orphan(id) => format!(
            "unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a corresponding \
             `tool_use` block in the previous message."
        ),
        Unpaired::Twice(id) => format!("`tool_use` ids must be unique: {id}"),
    }
}

/// An error as the provider words it.
pub(super) fn error(status: u16, message: &str) -> Value {
    let kind = match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    json!({"type": "error", "error": {"type": kind, "message": message}})
}

/// The answer in one piece.
pub(super) fn whole(request: &ModelRequest, reply: &Reply) -> Value {
    let mut content = Vec::new();
    if !reply.chunks.is_empty() {
        content.push(json!({"type": "text", "text": reply.chunks.concat()}));
    }
    for (index, (name, arguments)) in reply.calls.iter().enumerate() {
        let input: Value = serde_json::from_str(arguments).unwrap_or(json!({"broken": arguments}));
        content
            .push(json!({"type": "tool_use", "id": reply.call_id("toolu", request.number, index), "name": name, "input": input}));
    }
    let mut message = opened(request);
    message["content"] = json!(content);
    message["stop_reason"] = json!(reason(reply));
    message["usage"]["output_tokens"] = json!(reply.tokens());
    message
}

fn opened(request: &ModelRequest) -> Value {
    json!({
        "id": format!("msg_{}", request.number), "type": "message", "role": "assistant", "model": request.model,
        "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": request.tokens(), "output_tokens": 1, "cache_creation_input_tokens": 0,
                  "cache_read_input_tokens": 0},
    })
}

/// The answer as a stream.
pub(super) fn frames(request: &ModelRequest, reply: &Reply) -> Frames {
    let event =
        |event: Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default());
    let delta = |index: usize, delta: Value| {
        event(json!({"type": "content_block_delta", "index": index, "delta": delta}))
    };
    let start = |index: usize, block: Value| {
        event(json!({"type": "content_block_start", "index": index, "content_block": block}))
    };
    let stop = |index: usize| event(json!({"type": "content_block_stop", "index": index}));
    let with_text = usize::from(!reply.chunks.is_empty());

    let mut head = vec![event(json!({"type": "message_start", "message": opened(request)}))];
    let mut calls = Vec::new();
    if with_text == 1 {
        head.push(start(0, json!({"type": "text", "text": ""})));
        calls.push(stop(0));
    }
    head.push(event(json!({"type": "ping"})));
    for (place, (name, arguments)) in reply.calls.iter().enumerate() {
        let index = with_text + place;
        let block = json!({"type": "tool_use", "id": reply.call_id("toolu", request.number, place), "name": name, "input": {}});
        calls.push(start(index, block));
        calls.extend(
            pieces(arguments)
                .map(|piece| delta(index, json!({"type": "input_json_delta", "partial_json": piece}))),
        );
        calls.push(stop(index));
    }
    let stopped = json!({"stop_reason": reason(reply), "stop_sequence": null});
    let usage = json!({"output_tokens": reply.tokens()});
    Frames {
        head,
        chunks: reply
            .chunks
            .iter()
            .map(|text| delta(0, json!({"type": "text_delta", "text": text})))
            .collect(),
        calls,
        end: vec![
            event(json!({"type": "message_delta", "delta": stopped, "usage": usage})),
            event(json!({"type": "message_stop"})),
        ],
        overloaded: event(error(529, "Overloaded")),
        malformed: "event: content_block_delta\ndata: {\"type\":\"content_bl\n\n".to_owned(),
        wrong: event(wrong()),
    }
}

/// An answer of the wrong types.
pub(super) fn wrong() -> Value {
    json!({"type": "content_block_delta", "index": "first", "delta": [1], "content": 5, "usage": "none"})
}

fn reason(reply: &Reply) -> &'static str {
    match (reply.at_limit, reply.calls.is_empty()) {
        (true, _) => "max_tokens",
        (false, true) => "end_turn",
        (false, false) => "tool_use",
    }
}
