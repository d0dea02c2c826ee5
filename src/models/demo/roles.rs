//! The demo model's parts. Each is a function of the scene that acts when it has a cue.

use serde_json::{Value, json};

use super::Act;
use super::scene::Scene;

/// In order: the first that has a cue acts.
const ROLES: [fn(&Scene<'_>) -> Option<Act>; 4] = [host, guide, polite, silent];

/// What to do in `scene`.
pub(super) fn act(scene: &Scene<'_>) -> Act {
    ROLES.iter().find_map(|role| role(scene)).unwrap_or_else(|| echo(scene))
}

/// Knows who is at the table, by asking the tool.
fn host(scene: &Scene<'_>) -> Option<Act> {
    const TOOL: &str = "agents_list";
    if !scene.cued(&["at the table", "who is here", "which agents", "list the agents"]) {
        return None;
    }
    Some(match scene.result(TOOL) {
        Some(result) => Act::Say(introduce(result)),
        None if scene.offers(TOOL) => Act::Call { tool: TOOL, arguments: json!({}) },
        None => Act::Say("Only me, as far as I can see: I was given no way to look around.".into()),
    })
}

/// The names in a result of `agents_list`. What the tool says itself is data and is not repeated.
fn introduce(result: &str) -> String {
    let result: Value = serde_json::from_str(result).unwrap_or_default();
    let name = |agent: &Value| {
        let field = ["name", "agentId", "id"].into_iter().find_map(|key| agent[key].as_str());
        field.or(agent.as_str()).map(String::from)
    };
    let names: Vec<String> = result["agents"].as_array().into_iter().flatten().filter_map(name).collect();
    match names.as_slice() {
        [] => "I asked, and could make nothing of the answer.".into(),
        [one] => format!("At the table: {one}."),
        [rest @ .., last] => format!("At the table: {} and {last}.", rest.join(", ")),
    }
}

/// Says what can be tried.
fn guide(scene: &Scene<'_>) -> Option<Act> {
    if !scene.word(&["help"]) && !scene.cued(&["what can you do", "what can i try", "how does this work"]) {
        return None;
    }
    let mut lines = vec!["You can try:"];
    if scene.offers("agents_list") {
        lines.push("- \"Who is at the table?\": I call a tool and tell you what it found.");
    }
    lines.push("- anything else: I repeat it, so that you see a message come and an answer go.");
    Some(Act::Say(lines.join("\n")))
}

/// Greets and takes thanks.
fn polite(scene: &Scene<'_>) -> Option<Act> {
    if scene.word(&["hello", "hi", "hey"]) {
        return Some(Act::Say("Hello! Ask me for help to see what can be tried.".into()));
    }
    scene.word(&["thanks", "thank"]).then(|| Act::Say("You are welcome.".into()))
}

/// Nothing was said.
fn silent(scene: &Scene<'_>) -> Option<Act> {
    scene
        .said
        .is_empty()
        .then(|| Act::Say("I heard nothing. Ask me for help to see what can be tried.".into()))
}

/// Anything else.
fn echo(scene: &Scene<'_>) -> Act {
    const LONGEST: usize = 300;
    let cut = scene.said.char_indices().nth(LONGEST).map(|(end, _)| end);
    Act::Say(match cut {
        Some(end) => format!(
            "You wrote {} characters, beginning with: {} …",
            scene.said.chars().count(),
            scene.said[..end].trim_end()
        ),
        None => format!("You wrote: {}", scene.said),
    })
}
