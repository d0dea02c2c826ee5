//! A model request, the same for both protocols.

use std::{collections::HashSet, time::Instant};

use serde_json::Value;

/// The protocol a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// `/v1/chat/completions`.
    OpenAi,
    /// `/v1/messages`.
    Anthropic,
}

/// Who speaks in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The person, or the program.
    User,
    /// The model.
    Assistant,
    /// A tool: the result of one call.
    Tool,
}

/// A call that the model made.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolUse {
    /// Its id.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments; a string when they are no JSON.
    pub arguments: Value,
}

/// A tool that the model may call.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolDef {
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// The JSON schema of its arguments.
    pub schema: Value,
}

/// One message of the conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatMessage {
    /// Who speaks.
    pub role: Role,
    /// The text, or the result of a call.
    pub text: String,
    /// The calls of an assistant message.
    pub calls: Vec<ToolUse>,
    /// For results: the call.
    pub call_id: Option<String>,
}

impl ChatMessage {
    /// A message without calls.
    pub(super) fn text(role: Role, text: impl Into<String>) -> Self {
        Self { role, text: text.into(), calls: Vec::new(), call_id: None }
    }
}

/// A request that keeps the protocol's rules.
#[derive(Debug, Clone)]
pub struct ModelRequest {
    /// Its place in the log.
    pub number: usize,
    /// The protocol.
    pub api: Api,
    /// The model's name.
    pub model: String,
    /// The system prompt.
    pub system: String,
    /// The conversation; never empty.
    pub messages: Vec<ChatMessage>,
    /// What the model may call.
    pub tools: Vec<ToolDef>,
    /// The answer is to be streamed.
    pub stream: bool,
    /// The body as it came.
    pub raw: Value,
    /// When it came.
    pub at: Instant,
}

impl ModelRequest {
    /// The last message.
    pub fn last(&self) -> &ChatMessage {
        self.messages.last().expect("requests without messages are refused")
    }

    /// The text of the last user message, empty if there is none.
    pub fn last_user_text(&self) -> &str {
        let mut users = self.messages.iter().rev().filter(|message| message.role == Role::User);
        users.next().map_or("", |message| message.text.as_str())
    }

    /// It ends in a user message with `needle` in it.
    pub fn asks(&self, needle: &str) -> bool {
        self.last().role == Role::User && self.last().text.contains(needle)
    }

    /// The results at the end of the conversation, as (tool, result).
    pub fn results(&self) -> Vec<(&str, &str)> {
        let tail = self.messages.iter().rev().take_while(|message| message.role == Role::Tool);
        let calls = || self.messages.iter().flat_map(|message| &message.calls);
        let name_of = |id: &str| calls().rfind(|call| call.id == id).map_or("", |call| call.name.as_str());
        let named = |message: &'_ ChatMessage| message.call_id.as_deref().map_or("", name_of);
        let mut results: Vec<(&str, &str)> =
            tail.map(|message| (named(message), message.text.as_str())).collect();
        results.reverse();
        results
    }

    /// The result of a call of `tool` at the end of the conversation.
    pub fn result_of(&self, tool: &str) -> Option<&str> {
        self.results().into_iter().find(|(name, _)| *name == tool).map(|(_, result)| result)
    }

    /// Tokens read, as usage reports them: a quarter of the characters.
    pub(super) fn tokens(&self) -> usize {
        let said: usize = self.messages.iter().map(|message| message.text.chars().count()).sum();
        tokens(self.system.chars().count() + said)
    }
}

/// Tokens of so many characters; never zero.
pub(super) fn tokens(characters: usize) -> usize {
    characters / 4 + 1
}

/// Why a request is refused, in the provider's words.
#[derive(Debug)]
pub(super) struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// The provider's message.
    pub message: String,
}

impl Refused {
    /// A request that breaks the protocol.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { status: 400, message: message.into() }
    }

    /// A request without a key.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self { status: 401, message: message.into() }
    }
}

/// Refuses fields that the protocol does not have.
pub(super) fn only_known(body: &Value, known: &[&str]) -> Result<(), Refused> {
    let Some(fields) = body.as_object() else { return Err(Refused::invalid("the body is not an object")) };
    match fields.keys().find(|field| !known.contains(&field.as_str())) {
        Some(field) => Err(Refused::invalid(format!("{field}: Extra inputs are not permitted"))),
        None => Ok(()),
    }
}

/// Checks a tool as both protocols do: a plain name and an object schema.
pub(super) fn tool(name: &Value, description: &Value, schema: &Value) -> Result<ToolDef, Refused> {
    let name = name.as_str().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !(1..=64).contains(&name.len()) || !name.chars().all(plain) {
        return Err(Refused::invalid(format!("tool name {name:?} does not match '^[a-zA-Z0-9_-]{{1,64}}$'")));
    }
    if schema["type"] != "object" {
        return Err(Refused::invalid(format!("Invalid schema for {name:?}: schema must have type 'object'")));
    }
    let description = description.as_str().unwrap_or_default().to_owned();
    Ok(ToolDef { name: name.to_owned(), description, schema: schema.clone() })
}

/// The text of a string or of a list of text parts; other kinds of parts have none.
pub(super) fn text_of(content: &Value) -> Option<String> {
    match content {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => Some(parts.iter().filter_map(|part| part["text"].as_str()).collect()),
        _ => None,
    }
}

/// How calls and results do not fit together.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unpaired {
    /// Calls without a result directly after.
    Unanswered(Vec<String>),
    /// A result without a call directly before.
    Orphan(String),
    /// Two calls with one id.
    Twice(String),
}

/// Checks that every call is answered exactly once, directly after the message that made it.
pub(super) fn paired(messages: &[ChatMessage]) -> Result<(), Unpaired> {
    let mut seen = HashSet::new();
    let mut open: Vec<String> = Vec::new();
    for message in messages {
        if let Some(id) = &message.call_id {
            let at = open.iter().position(|call| call == id).ok_or_else(|| Unpaired::Orphan(id.clone()))?;
            open.remove(at);
            continue;
        }
        if !open.is_empty() {
            return Err(Unpaired::Unanswered(open));
        }
        for call in &message.calls {
            if !seen.insert(call.id.clone()) {
                return Err(Unpaired::Twice(call.id.clone()));
            }
            open.push(call.id.clone());
        }
    }
    if open.is_empty() { Ok(()) } else { Err(Unpaired::Unanswered(open)) }
}
