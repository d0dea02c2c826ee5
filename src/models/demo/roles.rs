//! What the demo model does. Each role is a function of the scene that acts when it has a cue; those here
//! are everybody's, the others belong to one part.

use serde_json::{Value, json};

use super::scene::{Part, Scene};
use super::voice::Voice;
use super::{Act, coder, manager, messenger, researcher};

/// In order: the first that has a cue acts.
const ROLES: [fn(&Scene<'_>) -> Option<Act>; 6] = [host, messenger::act, own, guide, polite, silent];

/// The whole answer of who has nothing to say.
const SILENCE: &str = "NO_REPLY";

/// What to do in `scene`.
pub(super) fn act(scene: &Scene<'_>) -> Act {
    match scene.voice {
        Voice::Person => ROLES.iter().find_map(|role| role(scene)).unwrap_or_else(|| echo(scene)),
        Voice::Agent { task } => colleague(scene, task || scene.opening),
        Voice::Notice => {
            let last = if scene.part == Part::Manager { manager::closing(scene) } else { None };
            Act::Report(last.unwrap_or_else(|| SILENCE.into()))
        }
    }
}

/// What this part alone does for a person.
fn own(scene: &Scene<'_>) -> Option<Act> {
    match scene.part {
        Part::Manager => manager::act(scene),
        Part::Researcher => researcher::answer(scene).map(Act::Say),
        Part::Coder => coder::answer(scene).map(Act::Say),
    }
}

/// Works on a teammate's task, or answers its question. What is neither needs no answer.
fn colleague(scene: &Scene<'_>, task: bool) -> Act {
    if task && !scene.said.starts_with(messenger::RELAYED) {
        match scene.part {
            Part::Researcher => return Act::Report(researcher::FINDINGS.into()),
            Part::Coder => return coder::task(scene),
            Part::Manager => {}
        }
    } else if !scene.said.contains('?') {
        return Act::Report(SILENCE.into());
    }
    let answer = match scene.part {
        Part::Researcher => researcher::answer(scene).unwrap_or(researcher::ADVICE.into()),
        Part::Coder => coder::answer(scene).unwrap_or_else(coder::deploying),
        Part::Manager => manager::DECISION.into(),
    };
    Act::Report(answer)
}

/// Knows who is at the table, by asking the tool.
fn host(scene: &Scene<'_>) -> Option<Act> {
    const TOOL: &str = "agents_list";
    if !scene.cued(&["at the table", "who is here", "which agents", "list the agents"]) {
        return None;
    }
    Some(match scene.result(TOOL) {
        Some(result) => Act::Say(introduce(result)),
        None if scene.offers(TOOL) => Act::call(TOOL, json!({})),
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
    match scene.part {
        Part::Manager if scene.offers("sessions_spawn") => {
            lines.push("- \"Build a website that shows the price of Bitcoin and deploy it to Vercel.\": the whole team works on it.");
            lines.push("- \"How is it going?\": I look at who is doing what.");
        }
        Part::Manager => {}
        Part::Researcher => {
            lines.push("- \"Which source is there for the price of Bitcoin?\": I tell what I found.")
        }
        Part::Coder => lines.push("- \"Show me the page\" or \"How do I deploy it?\""),
    }
    if scene.offers("sessions_send") {
        lines.push("- \"Ask the coder how to deploy the page.\": I ask a teammate and tell you the answer.");
    }
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
    let wrote = wrote(&scene.said);
    Act::Say(match scene.part {
        Part::Manager => wrote,
        Part::Researcher => {
            format!("The researcher here, who can look nothing up in this demonstration. {wrote}")
        }
        Part::Coder => format!("The coder here, who has no tools in this demonstration. {wrote}"),
    })
}

fn wrote(said: &str) -> String {
    match shortened(said) {
        Some(begin) => format!("You wrote {} characters, beginning with: {begin} …", said.chars().count()),
        None => format!("You wrote: {said}"),
    }
}

/// The beginning of a text that is too long to be repeated.
pub(super) fn shortened(text: &str) -> Option<&str> {
    const LONGEST: usize = 300;
    text.char_indices().nth(LONGEST).map(|(end, _)| text[..end].trim_end())
}
