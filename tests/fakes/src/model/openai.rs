//! The chat completions protocol of OpenAI and everyone who speaks it.

use std::time::Instant;

use axum::http::{HeaderMap, header};
use serde_json::{Value, json};

use super::{
    request::{
        Api, ChatMessage, ModelRequest, Refused, Role, ToolDef, ToolUse, Unpaired, only_known, paired,
        text_of, tool,
    },
    script::Reply,
    serve::{Frames, pieces},
};

const FIELDS: &[&str] = &[
    "model",
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "stream",
    "stream_options",
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "stop",
    "seed",
    "user",
    "metadata",
    "store",
    "reasoning_effort",
    "verbosity",
    "response_format",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "frequency_penalty",
    "presence_penalty",
    "service_tier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_cache_options",
    "safety_identifier",
    "modalities",
    "prediction",
];

/// Reads a request as strictly as the provider.
pub(super) fn read(headers: &HeaderMap, body: Value) -> Result<ModelRequest, Refused> {
    let key = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if key.and_then(|key| key.strip_prefix("Bearer ")).is_none_or(str::is_empty) {
        return Err(Refused::unauthorized("You didn't provide an API key."));
    }
    only_known(&body, FIELDS)?;
    let given = body["messages"].as_array().filter(|list| !list.is_empty());
    let given = given.ok_or_else(|| Refused::invalid("Invalid 'messages': empty array or not an array"))?;
    let (mut system, mut messages) = (Vec::new(), Vec::new());
    for (place, message) in given.iter().enumerate() {
        match message["role"].as_str() {
            Some("system" | "developer") => system.push(text(place, message)?),
            Some("user") => messages.push(ChatMessage::text(Role::User, text(place, message)?)),
            Some("assistant") => messages.push(assistant(place, message)?),
            Some("tool") => messages.push(ChatMessage {
                call_id: Some(message["tool_call_id"].as_str().unwrap_or_default().to_owned()),
                ..ChatMessage::text(Role::Tool, text(place, message)?)
            }),
            _ => {
                return Err(Refused::invalid(format!(
                    "Invalid value: messages[{place}].role is {}",
                    message["role"]
                )));
            }
        }
    }
    paired(&messages).map_err(|unpaired| Refused::invalid(said(&unpaired)))?;
    if messages.is_empty() {
        return Err(Refused::invalid("Invalid 'messages': nothing but system messages"));
    }
    let model = body["model"].as_str().filter(|model| !model.is_empty());
    Ok(ModelRequest {
        number: 0,
        api: Api::OpenAi,
        model: model.ok_or_else(|| Refused::invalid("you must provide a model parameter"))?.to_owned(),
        system: system.join("\n\n"),
        messages,
        tools: tools(&body["tools"])?,
        stream: body["stream"] == true,
        raw: body,
        at: Instant::now(),
    })
}

fn text(place: usize, message: &Value) -> Result<String, Refused> {
    let wrong = || Refused::invalid(format!("Invalid type for 'messages[{place}].content'"));
    text_of(&message["content"]).ok_or_else(wrong)
}

fn assistant(place: usize, message: &Value) -> Result<ChatMessage, Refused> {
    let wrong = |what: &str| Refused::invalid(format!("Invalid 'messages[{place}].tool_calls': {what}"));
    let mut said = ChatMessage::text(Role::Assistant, "");
    for call in message["tool_calls"].as_array().into_iter().flatten() {
        if call["type"] != "function" {
            return Err(wrong("type must be 'function'"));
        }
        let string = |value: &Value, what: &str| value.as_str().map(str::to_owned).ok_or_else(|| wrong(what));
        let written = string(&call["function"]["arguments"], "arguments must be a string")?;
        said.calls.push(ToolUse {
            id: string(&call["id"], "id is missing")?,
            name: string(&call["function"]["name"], "function.name is missing")?,
            arguments: serde_json::from_str(&written).unwrap_or(Value::String(written)),
        });
    }
    if said.calls.is_empty() || !message["content"].is_null() {
        said.text = text(place, message)?;
    }
    Ok(said)
}

fn tools(given: &Value) -> Result<Vec<ToolDef>, Refused> {
    let read = |given: &Value| {
        let function = &given["function"];
        if given["type"] != "function" {
            return Err(Refused::invalid("Invalid value: tools[].type must be 'function'"));
        }
        tool(&function["name"], &function["description"], &function["parameters"])
    };
    given.as_array().into_iter().flatten().map(read).collect()
}

fn said(unpaired: &Unpaired) -> String {
    match unpaired {
        Unpaired::Unanswered(ids) => format!(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. \
             The following tool_call_ids did not have response messages: {}",
            ids.join(", ")
        ),
        Unpaired::Orphan(id) => format!(
            "Invalid parameter: messages with role 'tool' must be a response to a preceding message with 'tool_calls' ({id})."
        ),
        Unpaired::Twice(id) => format!("Duplicate value for 'tool_call_id' of {id}"),
    }
}

/// An error as the provider words it.
pub(super) fn error(status: u16, message: &str) -> Value {
    let kind = match status {
        401 => "authentication_error",
        429 => "rate_limit_exceeded",
        500.. => "server_error",
        _ => "invalid_request_error",
    };
    json!({"error": {"message": message, "type": kind, "param": null, "code": null}})
}

/// The answer in one piece.
pub(super) fn whole(request: &ModelRequest, reply: &Reply) -> Value {
    let mut message = json!({"role": "assistant", "content": null, "refusal": null});
    if !reply.chunks.is_empty() {
        message["content"] = json!(reply.chunks.concat());
    }
    if !reply.calls.is_empty() {
        let calls = reply.calls.iter().enumerate().map(|(index, (name, arguments))| {
            json!({"id": reply.call_id("call", request.number, index), "type": "function",
                   "function": {"name": name, "arguments": arguments}})
        });
        message["tool_calls"] = calls.collect();
    }
    json!({
        "id": format!("chatcmpl-{}", request.number), "object": "chat.completion", "created": 1_795_000_000,
        "model": request.model,
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": reason(reply)}],
        "usage": usage(request, reply),
    })
}

/// The answer as a stream.
pub(super) fn frames(request: &ModelRequest, reply: &Reply) -> Frames {
    let chunk = |choices: Value, usage: Value| {
        let chunk = json!({
            "id": format!("chatcmpl-{}", request.number), "object": "chat.completion.chunk", "created": 1_795_000_000,
            "model": request.model, "choices": choices, "usage": usage,
        });
        format!("data: {chunk}\n\n")
    };
    let delta = |delta: Value, reason: Value| {
        chunk(json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": reason}]), Value::Null)
    };
    let mut calls = Vec::new();
    for (index, (name, arguments)) in reply.calls.iter().enumerate() {
        let function = json!({"name": name, "arguments": ""});
        let opened = json!({"index": index, "id": reply.call_id("call", request.number, index), "type": "function", "function": function});
        calls.push(delta(json!({"tool_calls": [opened]}), Value::Null));
        for piece in pieces(arguments) {
            let more = json!({"index": index, "function": {"arguments": piece}});
            calls.push(delta(json!({"tool_calls": [more]}), Value::Null));
        }
    }
    let mut end = vec![delta(json!({}), json!(reason(reply)))];
    if request.raw["stream_options"]["include_usage"] == true {
        end.push(chunk(json!([]), usage(request, reply)));
    }
    end.push("data: [DONE]\n\n".to_owned());
    Frames {
        head: vec![delta(json!({"role": "assistant", "content": ""}), Value::Null)],
        chunks: reply.chunks.iter().map(|text| delta(json!({"content": text}), Value::Null)).collect(),
        calls,
        end,
        overloaded: format!("data: {}\n\n", error(503, "The server is overloaded")),
        malformed: "data: {\"id\":\"chatcmpl-1\",\"choi\n\n".to_owned(),
        wrong: format!("data: {}\n\n", wrong()),
    }
}

/// An answer of the wrong types.
pub(super) fn wrong() -> Value {
    json!({"id": 7, "object": ["chat"], "choices": {"delta": "text"}, "usage": "none"})
}

fn reason(reply: &Reply) -> &'static str {
    match (reply.at_limit, reply.calls.is_empty()) {
        (true, _) => "length",
        (false, true) => "stop",
        (false, false) => "tool_calls",
    }
}

fn usage(request: &ModelRequest, reply: &Reply) -> Value {
    let (read, written) = (request.tokens(), reply.tokens());
    json!({
        "prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0},
    })
}
