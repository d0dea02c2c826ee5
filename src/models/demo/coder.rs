//! The coder: has a page to hand out, and no tools to run or deploy it with.

use serde_json::{Value, json};

use super::Act;
use super::scene::{Part, Scene};

/// The page, as it would be served.
pub(super) const PAGE: &str = include_str!("index.html");

/// How the page gets to Vercel.
const STEPS: &str =
    "To deploy it to Vercel, in the folder with the file (one static file needs no `vercel.json`):
1. `npm install --global vercel`
2. `vercel login`
3. `vercel --prod`";

const SEND: &str = "sessions_send";

/// Answers what somebody asks about the page.
pub(super) fn answer(scene: &Scene<'_>) -> Option<String> {
    if super::manager::is_build(scene) {
        return Some(page(""));
    }
    if scene.cued(&["deploy", "vercel", "online", "publish", "veröffentlich"]) {
        return Some(deploying());
    }
    scene.word(&["page", "code", "html", "website", "file", "seite", "datei"]).then(|| page(""))
}

/// What it answers to a question about deploying, and to a teammate's other questions.
pub(super) fn deploying() -> String {
    format!("{STEPS}\n\nI have not done it: in this demonstration I have no tools to run anything.")
}

/// Works on a task: asks the researcher, if there is one, and hands the page back.
pub(super) fn task(scene: &Scene<'_>) -> Act {
    let researcher = Part::Researcher.id();
    let asked = scene.results(SEND);
    match asked.last() {
        None if scene.offers(SEND) && scene.lower.contains(researcher) => {
            Act::call(SEND, json!({"label": researcher, "message": QUESTION, "timeoutSeconds": 60}))
        }
        None => Act::Report(page("")),
        Some(result) => Act::Report(page(source(result))),
    }
}

const QUESTION: &str = "Coder here, about the page with the price of Bitcoin. How often may it ask the source \
you recommended, and what should it show when a request fails?";

/// Where the interval comes from.
fn source(result: &Value) -> &'static str {
    match result["status"].as_str() {
        Some("ok") if result["reply"].is_string() => " The researcher advised both when I asked.",
        _ => " I asked the researcher about both and got no answer, so they are my choice.",
    }
}

fn page(source: &str) -> String {
    format!(
        "The page is written. It has not been run and it is not deployed: in this demonstration I have no tools \
         for either.\n\n`index.html`\n```html\n{PAGE}```\nIt asks Coinbase's public ticker every 30 seconds while \
         it is visible; when a request fails, it keeps the last price and shows that it is old.{source}\n\n\
         {STEPS}"
    )
}
