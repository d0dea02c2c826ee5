//! Carries a question to a teammate and the answer back.

use serde_json::json;

use super::Act;
use super::roles::shortened;
use super::scene::{Part, Scene};

/// What a carried question begins with.
pub(super) const RELAYED: &str = "A person told me: ";

const SEND: &str = "sessions_send";

/// "Ask the coder …".
pub(super) fn act(scene: &Scene<'_>) -> Option<Act> {
    let agent = teammate(scene)?.id();
    let Some(result) = scene.results(SEND).pop() else {
        let message = shortened(&scene.said).unwrap_or(&scene.said);
        let question = if message.contains('?') { "" } else { " What do you say?" };
        let message = format!("{RELAYED}{message}{question}");
        let arguments = json!({"agentId": agent, "message": message, "timeoutSeconds": 60});
        return scene.offers(SEND).then(|| Act::call(SEND, arguments));
    };
    Some(Act::Say(match (result["status"].as_str(), result["reply"].as_str(), result["code"].as_str()) {
        (Some("ok"), Some(reply), _) => format!("The {agent} says:\n\n{reply}"),
        (Some("timeout"), ..) => format!("The {agent} is still at it. The answer comes when it is there."),
        (Some("error"), _, Some(code)) => format!("I could not ask the {agent} (`{code}`)."),
        _ => format!("The {agent} had nothing to say."),
    }))
}

/// Whom to ask, if that is what was said.
fn teammate(scene: &Scene<'_>) -> Option<Part> {
    let asks = scene.words().take(2).any(|word| matches!(word, "ask" | "tell" | "frag" | "frage"));
    let named = |part: &Part| *part != scene.part && scene.words().take(4).any(|word| word == part.id());
    let mut others = [Part::Manager, Part::Researcher, Part::Coder].into_iter();
    others.find(|part| asks && named(part))
}
