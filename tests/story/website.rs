//! The wish for a website: the manager gives it to the researcher and the coder, looks at them, asks, waits; and
//! all of it stands where the wish was spoken, in order, each word under the name of who said it.

use roundtable_fakes::{ModelRequest, Reply};
use serde_json::json;

use super::{Seat, plays, world};
use crate::support::databases::on_each_database;
use crate::support::requests::{agent_of, made};
use crate::support::world::World;

const WISH: &str = "Build a website that displays the current price of Bitcoin and deploy it to Vercel.";
const TASK: &str = "Find a source for the price of Bitcoin.";
const FINDINGS: &str = "Coinbase has a spot price that needs no key.";
const QUESTION: &str = "How often may a page ask it?";
const ADVICE: &str = "Every 30 seconds is enough.";
const WORK: &str = "Write the page and say how to deploy it.";
const PAGE: &str = "index.html shows the price; npx vercel deploys it.";

#[tokio::test(flavor = "multi_thread")]
async fn a_website_is_built_in_a_topic_of_a_forum() {
    is_built(|world| Seat::Telegram(world.telegram.user("ann").in_topic("team", "bitcoin"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_website_is_built_in_a_topic_of_a_private_chat() {
    is_built(|world| Seat::Telegram(world.telegram.user("ann").in_private_topic("bitcoin"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_website_is_built_in_a_thread() {
    is_built(|world| Seat::Discord(world.discord().user("ann").in_thread("general", "bitcoin"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_website_is_built_in_a_private_message() {
    is_built(|world| Seat::Discord(world.discord().user("ann"))).await;
}

async fn is_built(sit: impl Fn(&World) -> Seat) {
    on_each_database(async |url| {
        let world = world(url).await;
        let ann = sit(&world);
        plays_the_team(&world);
        watches(&world, &ann).await;
        world.end().await;
    })
    .await;
}

/// What each of the team does, in order.
fn plays_the_team(world: &World) {
    let list = json!({"waitSeconds": 30, "label": "researcher", "messageLimit": 1});
    let researcher = json!({"task": TASK, "agentId": "researcher", "label": "researcher"});
    let coder = json!({"task": WORK, "agentId": "coder", "label": "coder"});
    let wait = json!({"until": "all", "message": "The coder is at work."});
    plays(
        &world.model,
        [
            ("manager", Reply::calls([("sessions_spawn", researcher)])),
            ("manager", Reply::calls([("sessions_list", list)])),
            ("manager", Reply::calls([("sessions_history", json!({"label": "researcher"}))])),
            (
                "manager",
                Reply::calls([("sessions_send", json!({"label": "researcher", "message": QUESTION}))]),
            ),
            ("manager", Reply::calls([("sessions_spawn", coder), ("sessions_yield", wait)])),
            ("manager", Reply::text("Here it is: index.html, and npx vercel.")),
            ("researcher", Reply::text(FINDINGS)),
            ("researcher", Reply::text(ADVICE)),
            ("coder", Reply::text(PAGE)),
        ],
    );
}

/// The wish is spoken, and what follows is seen where it was.
async fn watches(world: &World, ann: &Seat) {
    let (started, researching) = (world.model.hold("childSessionKey"), world.model.hold(TASK));
    let coding = world.model.hold(WORK);

    ann.mentions_bot(WISH);
    researching.arrived().await.unwrap();
    started.release();
    world.until("a look that waits", |rows| rows.turns == ["waiting change", "running"]).await;
    assert_eq!(asked(world, "manager").len(), 2, "nothing has changed, so it goes on waiting");
    researching.release();
    assert_eq!(ann.next().await, format!("Researcher\n{FINDINGS}"));
    coding.arrived().await.unwrap();
    assert_eq!(ann.next().await, "The coder is at work.");
    coding.release();
    let line = ann.next().await;
    assert!(line.starts_with("coder finished · "), "{line}");
    assert_eq!(ann.next().await, "Here it is: index.html, and npx vercel.");

    world.until("the end of all turns", |rows| rows.turns == ["done"; 4] && rows.pending == 0).await;
    assert_results(world);
}

/// Every request of an agent.
fn asked(world: &World, agent: &str) -> Vec<ModelRequest> {
    world.model.requests().into_iter().filter(|request| agent_of(request) == agent).collect()
}

/// The tools gave the manager what had really happened, and the others heard what it had sent them.
fn assert_results(world: &World) {
    let manager = asked(world, "manager");
    let last = manager.last().unwrap();
    let calls = made(last);
    let tools: Vec<_> = calls.iter().map(|(call, _)| call.name.as_str()).collect();
    let all = [
        "sessions_spawn",
        "sessions_list",
        "sessions_history",
        "sessions_send",
        "sessions_spawn",
        "sessions_yield",
    ];
    assert_eq!(tools, all);
    let [spawned, listed, history, sent, second, waited] = &calls[..] else { panic!("{calls:#?}") };
    let (spawned, listed, history) = (&spawned.1, &listed.1, &history.1);
    let (sent, second, waited) = (&sent.1, &second.1, &waited.1);

    let key = &spawned["childSessionKey"];
    assert_eq!((&spawned["status"], &spawned["label"]), (&json!("accepted"), &json!("researcher")));
    let row = &listed["sessions"][0];
    assert_eq!((&row["sessionKey"], &row["status"], &row["run"]), (key, &json!("idle"), &json!("done")));
    assert_eq!((&row["task"], &row["lastMessages"][0]["text"]), (&json!(TASK), &json!(FINDINGS)));
    let said: Vec<_> = history["entries"].as_array().unwrap().iter().map(|entry| &entry["text"]).collect();
    assert_eq!((&history["sessionKey"], said), (key, vec![&json!(TASK), &json!(FINDINGS)]));
    assert_eq!((&sent["status"], &sent["reply"], &sent["sessionKey"]), (&json!("ok"), &json!(ADVICE), key));
    assert_eq!((&second["status"], &second["label"]), (&json!("accepted"), &json!("coder")));
    assert_eq!((&waited["status"], &waited["running"]), (&json!("ok"), &json!(0)));
    let outcomes = waited["outcomes"].as_array().unwrap();
    let coder = outcomes.iter().find(|outcome| outcome["label"] == "coder").unwrap();
    assert_eq!((&coder["status"], &coder["result"]), (&json!("done"), &json!(PAGE)));
    let told: Vec<_> = last.messages.iter().map(|message| &message.text).collect();
    let ends = told.iter().map(|text| text.matches("\"runId\":").count()).sum::<usize>();
    assert_eq!(ends, 4, "two runs, each told when it is started and when it has ended: {told:#?}");

    let heard: Vec<_> =
        asked(world, "researcher").iter().map(|request| request.last().text.clone()).collect();
    assert!(heard[0].contains(TASK) && heard[1].contains(QUESTION), "{heard:#?}");
    assert!(asked(world, "coder")[0].asks(WORK));
}
