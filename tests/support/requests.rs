//! What a model was asked and what people read, in the words of tests.

use roundtable_fakes::{ModelRequest, Role, Seat, ToolUse};
use serde_json::Value;

/// What the agent that asks is told of itself and of where it is.
pub fn facts_of(request: &ModelRequest) -> Value {
    let facts = request.system.split("# Where you are\n").last().unwrap_or_default();
    // The roster may follow.
    let facts = facts.lines().next().unwrap_or_default();
    serde_json::from_str(facts).expect("the facts are JSON")
}

/// The id of the agent that asks.
pub fn agent_of(request: &ModelRequest) -> String {
    facts_of(request)["you"]["id"].as_str().expect("an agent has an id").to_owned()
}

/// The label of the session that asks, if it has one.
pub fn label_of(request: &ModelRequest) -> Option<String> {
    facts_of(request)["you"]["label"].as_str().map(str::to_owned)
}

/// Every call in the request's transcript with its result, oldest first.
pub fn made(request: &ModelRequest) -> Vec<(ToolUse, Value)> {
    let result_of = |call: &ToolUse| {
        let found = request.messages.iter().find(|message| message.call_id.as_ref() == Some(&call.id));
        let result = &found.expect("every call has a result").text;
        serde_json::from_str(result).expect("a result is JSON")
    };
    let calls = request.messages.iter().flat_map(|message| &message.calls);
    calls.map(|call| (call.clone(), result_of(call))).collect()
}

/// Everything that people are quoted with in a request, the newest last.
pub fn heard(request: &ModelRequest) -> String {
    let users = request.messages.iter().filter(|message| message.role == Role::User);
    users.map(|message| message.text.as_str()).collect::<Vec<_>>().join("\n")
}

/// The next message of the bot here, as people see it: without the marks that keep names from being links.
pub async fn next_text(seat: &Seat) -> String {
    seat.next_message().await.unwrap().text.replace('\u{200b}', "")
}

/// Now, in seconds since 1970: Telegram delivers nothing that is older than a day.
pub fn today() -> u64 {
    std::time::UNIX_EPOCH.elapsed().expect("it is after 1970").as_secs()
}
