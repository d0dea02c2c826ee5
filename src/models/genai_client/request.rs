//! From our [`Request`] to genai's.

use std::collections::{HashMap, HashSet};

use genai::chat::{
    CacheControl, ChatMessage, ChatRequest, ContentPart, MessageContent, MessageOptions, Tool,
    ToolCall as GenaiCall, ToolResponse,
};
use serde_json::{Value, json};

use super::answer::{Thought, Thoughts};
use crate::models::{Answer, ModelMessage, Provider, Request, ToolCall, ToolSpec};

/// For Anthropic genai replaces a tool of this name by the provider's own search.
const OUR_SEARCH: &str = "web_search";
/// What we call it there.
const THEIR_SEARCH: &str = "search_the_web";

/// The request for `provider`; `name` is the model's own, whose earlier thoughts may go back to it.
pub(super) fn chat_request(provider: Provider, name: &str, request: Request) -> ChatRequest {
    let mut messages = Vec::with_capacity(request.messages.len() + 1);
    if !request.system.is_empty() {
        messages.push(ChatMessage::system(request.system));
    }
    let systems = messages.len();
    let mut ids = Ids::new(provider);
    for message in request.messages {
        match message {
            ModelMessage::User(text) => messages.push(ChatMessage::user(text)),
            ModelMessage::Assistant(answer) => messages.extend(assistant(provider, name, answer, &mut ids)),
            ModelMessage::Tool { call_id, content } => {
                let result = ToolResponse::new(ids.of_result(call_id), content);
                match messages.last_mut() {
                    // Anthropic wants the results of one answer in one message; the others take either,
                    // except Ollama, for which genai keeps one result of a message.
                    Some(last)
                        if provider == Provider::Anthropic && last.content.contains_tool_response() =>
                    {
                        last.content.push(result);
                    }
                    _ => messages.push(ChatMessage::tool(MessageContent::from_parts(vec![result.into()]))),
                }
            }
        }
    }
    if provider == Provider::Anthropic {
        mark_cached(&mut messages, systems);
    }
    let tools: Vec<Tool> = request.tools.into_iter().map(|spec| tool(provider, spec)).collect();
    let chat = ChatRequest::new(messages);
    if tools.is_empty() { chat } else { chat.with_tools(tools) }
}

/// Marks where Anthropic's cache may end: after the tools and the system text, which outlive a
/// conversation, and after the last message, which the next step of the turn starts with.
fn mark_cached(messages: &mut [ChatMessage], systems: usize) {
    let mark = || Some(MessageOptions::default().with_cache_control(CacheControl::Ephemeral));
    if let Some(system) = messages.iter_mut().take(systems).next_back() {
        system.options = mark();
    }
    if let Some(last) = messages.last_mut() {
        last.options = mark();
    }
}

/// An earlier answer; `None` when nothing of it can be sent: providers refuse empty messages.
fn assistant(provider: Provider, name: &str, answer: Answer, ids: &mut Ids) -> Option<ChatMessage> {
    if answer.text.trim().is_empty() && answer.calls.is_empty() {
        return None;
    }
    let thoughts = answer
        .opaque
        .and_then(|opaque| serde_json::from_value::<Thoughts>(opaque).ok())
        .filter(|thoughts| thoughts.model == name);
    let (blocks, signatures) = thoughts.map(|own| (own.blocks, own.calls)).unwrap_or_default();
    let mut parts: Vec<ContentPart> = blocks
        .into_iter()
        .map(|thought| match thought {
            Thought::Signature(signature) => ContentPart::ThoughtSignature(signature),
            Thought::Text(thinking) => ContentPart::ReasoningContent(thinking),
            Thought::Raw(block) => ContentPart::from_custom(block, None),
        })
        .collect();
    if !answer.text.trim().is_empty() {
        parts.push(ContentPart::Text(answer.text));
    }
    let mut signatures = signatures.into_iter();
    parts.extend(answer.calls.into_iter().map(|call| {
        let own = signatures.next().filter(|signatures| !signatures.is_empty());
        ContentPart::ToolCall(their_call(provider, call, own, ids))
    }));
    Some(ChatMessage::assistant(MessageContent::from_parts(parts)))
}

fn their_call(
    provider: Provider,
    call: ToolCall,
    signatures: Option<Vec<String>>,
    ids: &mut Ids,
) -> GenaiCall {
    // Providers refuse arguments that are no object, also in what their own model once wrote.
    let arguments = match call.arguments {
        arguments @ Value::Object(_) => arguments,
        broken => json!({ "invalid_arguments": broken }),
    };
    GenaiCall {
        call_id: ids.of_call(call.id),
        fn_name: their_name(provider, call.name),
        fn_arguments: arguments,
        thought_signatures: signatures,
    }
}

fn tool(provider: Provider, spec: ToolSpec) -> Tool {
    Tool::new(their_name(provider, spec.name))
        .with_description(spec.description)
        .with_schema(Value::clone(&spec.schema))
}

/// The ids of calls as a provider gets them: every one once, though some servers use one again in every
/// answer, and providers refuse that.
struct Ids {
    provider: Provider,
    used: HashSet<String>,
    /// What the newest answer's calls are called.
    newest: HashMap<String, String>,
}

impl Ids {
    fn new(provider: Provider) -> Self {
        Self { provider, used: HashSet::new(), newest: HashMap::new() }
    }

    fn of_call(&mut self, id: String) -> String {
        let mut theirs = their_id(self.provider, id.clone());
        while !self.used.insert(theirs.clone()) {
            theirs.push('_');
        }
        self.newest.insert(id, theirs.clone());
        theirs
    }

    /// A result follows the answer that asked for it.
    fn of_result(&self, id: String) -> String {
        self.newest.get(&id).cloned().unwrap_or_else(|| their_id(self.provider, id))
    }
}

/// A call's id as `provider` takes it: Anthropic allows letters, digits, `_` and `-`, and a transcript
/// may hold ids of another provider.
fn their_id(provider: Provider, id: String) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if provider != Provider::Anthropic || id.chars().all(allowed) {
        return id;
    }
    id.chars().map(|c| if allowed(c) { c } else { '_' }).collect()
}

fn their_name(provider: Provider, name: String) -> String {
    if provider == Provider::Anthropic && name == OUR_SEARCH { THEIR_SEARCH.into() } else { name }
}

/// The name of a called tool as we know it.
pub(super) fn our_name(provider: Provider, name: String) -> String {
    if provider == Provider::Anthropic && name == THEIR_SEARCH { OUR_SEARCH.into() } else { name }
}
