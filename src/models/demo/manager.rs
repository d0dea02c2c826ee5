//! The manager: gives a thing to build to the researcher and the coder, and sums up.

use serde_json::{Value, json};

use super::Act;
use super::roles::shortened;
use super::scene::{Part, Scene};

/// What it answers to a teammate's question.
pub(super) const DECISION: &str = "Take the simplest choice that keeps the task whole, and say in your result \
which one you took.";

const SPAWN: &str = "sessions_spawn";
const YIELD: &str = "sessions_yield";
const LIST: &str = "sessions_list";
const HISTORY: &str = "sessions_history";
const SEND: &str = "sessions_send";

/// What people are told while the researcher is at work.
const BEGUN: &str = "I have asked the researcher which source to take.";

/// A wait that ends so often without outcomes is given up.
const PATIENCE: usize = 5;

/// Builds, or says how far the team is.
pub(super) fn act(scene: &Scene<'_>) -> Option<Act> {
    if is_build(scene) && scene.offers(SPAWN) {
        return Some(build(scene).unwrap_or_else(Act::Say));
    }
    overview(scene)
}

/// Whether a person wants something built: loosely, in a few languages.
pub(super) fn is_build(scene: &Scene<'_>) -> bool {
    const VERBS: &str = " build create make write develop implement code bau baue bauen erstell erstelle erstellen \
         mach mache machen schreib schreibe schreiben programmier programmiere programmieren entwickle \
         entwickeln crea crear construye crée créer construis ";
    const THINGS: &str = " website webseite webpage webapp web homepage site page seite app apps application \
         anwendung program programm programa programme script skript tool game spiel bot dashboard widget ";
    let among = |list: &str, word: &str| list.split(' ').any(|listed| listed == word);
    let (mut verb, mut thing) = (false, false);
    for word in scene.words() {
        verb |= among(VERBS, word);
        thing |= among(THINGS, word);
    }
    verb && thing
}

/// The next step of the story, told by what was done since the person spoke. `Err` is the end of it.
fn build(scene: &Scene<'_>) -> Result<Act, String> {
    let spawned = scene.results(SPAWN);
    let Some(first) = spawned.first() else {
        return Ok(delegate(scene));
    };
    started(first, Part::Researcher)?;
    let waits = scene.results(YIELD);
    let Some(findings) = outcome(&waits, Part::Researcher) else { return wait(scene, &waits) };
    let findings = findings?;
    if let Some(look) = look(scene) {
        return Ok(look);
    }
    let Some(second) = spawned.get(1) else {
        return Ok(Act::Call(vec![spawn(Part::Coder, coding(&scene.said, findings))]));
    };
    started(second, Part::Coder)?;
    Err(handed_over(scene, findings))
}

/// Spawns the researcher and waits in one step, so that no result can come in between.
fn delegate(scene: &Scene<'_>) -> Act {
    let mut calls = vec![spawn(Part::Researcher, research(&scene.said))];
    if scene.offers(YIELD) {
        calls.push((YIELD, json!({"until": "all", "message": BEGUN})));
    }
    Act::Call(calls)
}

fn spawn(part: Part, task: String) -> (&'static str, Value) {
    (SPAWN, json!({"task": task, "label": part.id(), "agentId": part.id()}))
}

/// What it says about a result that people have seen: the last word of the story, and else nothing.
pub(super) fn closing(scene: &Scene<'_>) -> Option<String> {
    let result: Value = serde_json::from_str(&scene.said).ok()?;
    let done = result["label"] == Part::Coder.id() && result["status"] == "done";
    done.then(|| {
        "That is the page, and the way to Vercel with it. To go on with them, write `@researcher …` or `@coder …`."
            .into()
    })
}

fn started(result: &Value, part: Part) -> Result<(), String> {
    match (result["status"].as_str(), result["code"].as_str()) {
        (Some("accepted"), _) => Ok(()),
        (_, code) => Err(format!(
            "I could not give the work to the {} (`{}`). `/stop all` ends what is still running here; then ask \
             me again.",
            part.id(),
            code.unwrap_or("unknown")
        )),
    }
}

/// Waits for the child, answering it when it asks. `Err` says why not.
fn wait(scene: &Scene<'_>, waits: &[Value]) -> Result<Act, String> {
    const LATER: &str = "The team is at work; its results appear here.";
    if !scene.offers(YIELD) || waits.len() >= PATIENCE {
        return Err(LATER.into());
    }
    let waited =
        scene.latest().filter(|(tool, _)| *tool == YIELD).map(|(_, result)| result).unwrap_or_default();
    if waited["status"] == "error" {
        return Err(LATER.into());
    }
    if waited["running"] == 0 {
        return Err("Nobody is at work any more, and there is no result. Ask me again.".into());
    }
    Ok(match waited["question"]["sessionKey"].as_str() {
        Some(key) if scene.offers(SEND) => {
            Act::call(SEND, json!({"sessionKey": key, "message": DECISION, "timeoutSeconds": 0}))
        }
        _ => Act::call(YIELD, json!({"until": "all"})),
    })
}

/// The result of a child, once a wait has returned it. `Err` says that it has none.
fn outcome(waits: &[Value], part: Part) -> Option<Result<&str, String>> {
    let mut outcomes = waits.iter().filter_map(|wait| wait["outcomes"].as_array()).flatten();
    let outcome = outcomes.rfind(|outcome| outcome["label"] == part.id())?;
    Some(match (outcome["status"].as_str(), outcome["result"].as_str()) {
        (Some("done"), Some(result)) => Ok(result),
        (status, _) => Err(format!(
            "The {0} has not finished ({1}). I stop here; ask me again, or write to them: `@{0} …`.",
            part.id(),
            outcome["reason"].as_str().or(status).unwrap_or("for no known reason"),
        )),
    })
}

/// Looks at the table and at what the researcher did, where that is possible and was not done.
fn look(scene: &Scene<'_>) -> Option<Act> {
    let calls =
        [(LIST, json!({"limit": 20})), (HISTORY, json!({"label": Part::Researcher.id(), "limit": 10}))];
    let undone = |tool| scene.offers(tool) && scene.result(tool).is_none();
    let calls: Vec<_> = calls.into_iter().filter(|(tool, _)| undone(tool)).collect();
    (!calls.is_empty()).then_some(Act::Call(calls))
}

fn wish(said: &str) -> &str {
    shortened(said).unwrap_or(said)
}

fn research(said: &str) -> String {
    format!(
        "Goal: a page that shows the current price of Bitcoin needs a source. A person asked: \"{}\"\n\
         Find out: which public service gives the price without a key, how often a page may ask it, and what to \
         do when it fails.\n\
         Hand back: one recommendation, two alternatives, and what is uncertain.",
        wish(said)
    )
}

fn coding(said: &str, findings: &str) -> String {
    format!(
        "Goal: one static page that shows the current price of Bitcoin, ready for Vercel. A person asked: \
         \"{}\"\n\
         Leave alone: accounts, keys, and everything that costs money.\n\
         Hand back: the file, how to deploy it, and what you could not do. If something is missing, ask the \
         researcher (label `{}`).\n\n\
         What the researcher found:\n{findings}",
        wish(said),
        Part::Researcher.id()
    )
}

/// Ends the turn while the coder works: its result is shown under its own name when it is there.
fn handed_over(scene: &Scene<'_>, findings: &str) -> String {
    let recommendation = findings.lines().next().unwrap_or_default();
    let mut parts = vec![format!("The researcher says: {recommendation}")];
    let (listed, read) = (scene.results(LIST).pop(), scene.results(HISTORY).pop());
    let count = |result: Option<Value>, rows: &str| result?[rows].as_array().map(Vec::len);
    if let (Some(sessions), Some(entries)) = (count(listed, "sessions"), count(read, "entries")) {
        parts.push(format!(
            "I looked at the table (sessions there: {sessions}) and at what the researcher had done (entries \
             read: {entries})."
        ));
    }
    if !scene.cued(&["bitcoin", "btc"]) {
        parts.push(
            "You asked for something else: this demonstration has one project, a page with the price of \
             Bitcoin, and makes that whatever is asked."
                .into(),
        );
    }
    parts.push("The coder writes the page now and hands it out here.".into());
    parts.join("\n\n")
}

/// Says who is doing what.
fn overview(scene: &Scene<'_>) -> Option<Act> {
    if !scene.cued(&["how is it going", "how far", "who is doing what", "status?", "wie weit", "wie steht"]) {
        return None;
    }
    let Some(result) = scene.results(LIST).pop() else {
        return scene.offers(LIST).then(|| Act::call(LIST, json!({"limit": 20})));
    };
    let row = |row: &Value| {
        let name = row["label"].as_str().or(row["agentId"].as_str())?;
        Some(format!("- {name}: {}", row["status"].as_str()?))
    };
    let rows: Vec<_> = result["sessions"].as_array().into_iter().flatten().filter_map(row).collect();
    Some(Act::Say(match rows.is_empty() {
        true => "I looked, and saw nobody at work.".into(),
        false => format!("At the table:\n{}", rows.join("\n")),
    }))
}
