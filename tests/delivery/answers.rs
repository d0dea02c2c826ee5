//! Questions and answers that can be counted.

use std::time::Duration;

use roundtable::store::deliveries::{Listed, State};
use roundtable_fakes::{Message, ModelRequest, Reply, Seat};

use crate::support::world::{Setting, World};

/// When a send is given up in these tests.
pub const TIMEOUT: Duration = Duration::from_secs(1);

/// A world in which `exactly_once` is `mode` and the model answers "question N" with "answer N, as asked".
pub async fn world(mode: &str) -> World {
    answering(&unlimited(mode)).await
}

/// The same on a given database.
pub async fn world_on(url: &str, mode: &str) -> World {
    start(World::setting().on(url), &unlimited(mode)).await
}

/// The same with other lines about the account.
pub async fn answering(lines: &str) -> World {
    start(World::setting(), lines).await
}

fn unlimited(mode: &str) -> String {
    let limits = "limits = { chat_per_second = 0, group_per_minute = 0, total_per_second = 0 }";
    format!("exactly_once = {mode:?}\n{limits}")
}

async fn start(setting: Setting, lines: &str) -> World {
    let times = "poll_timeout = \"2s\"\nsend_timeout = \"1s\"";
    let mut world = without_node(setting, &format!("{lines}\n{times}")).await;
    world.start_node().await;
    world
}

/// The same in another setting, with other times too, before the node starts.
pub async fn without_node(setting: Setting, lines: &str) -> World {
    let lines = format!("dm = \"open\"\ngroups = [\"*\"]\n{lines}");
    let mut world = setting.telegram(&lines).without_node().await;
    // No call outlives the account's lease, and a short one would give calls up early on a busy machine.
    world.env.insert("ROUNDTABLE_NODE__LEASE".to_owned(), "5s".to_owned());
    world.model.on(|request| {
        let asked = request.last_user_text();
        let name = asked.rsplit_once("question ").map(|(_, name)| name.trim())?;
        Some(Reply::text(format!("answer {name}, as asked")))
    });
    world
}

/// A question as it is written: the same name in another place is another question.
pub fn question(seat: &Seat, name: &str) -> String {
    let place = seat.place();
    format!("question {name} at {}.{}", place.chat_id(), place.thread_id().unwrap_or(0))
}

/// The answer to it.
pub fn answer(seat: &Seat, name: &str) -> String {
    question(seat, name).replacen("question", "answer", 1) + ", as asked"
}

/// Asks, and waits until the model has been asked: what is asked next starts a turn of its own.
pub async fn ask(world: &World, seat: &Seat, name: &str) {
    say(seat, name);
    let text = question(seat, name);
    let asked = |request: &ModelRequest| request.last_user_text().trim_end().ends_with(&text);
    world.model.wait_for_request(&text, asked).await.unwrap();
}

/// Asks.
pub fn say(seat: &Seat, name: &str) -> Message {
    let text = question(seat, name);
    if seat.place().chat_id() < 0 { seat.mentions_bot(&text) } else { seat.says(&text) }
}

/// Waits for the answer to `name`.
pub async fn answered(seat: &Seat, name: &str) -> Message {
    let text = answer(seat, name);
    seat.place().expect_message(&text, |message| message.text == text).await.unwrap()
}

/// What the bot shows in a place, oldest first.
pub fn shown(seat: &Seat) -> Vec<Message> {
    let mut messages = seat.place().messages();
    messages.retain(|message| message.from != seat.id() && !message.is_service());
    messages
}

/// Waits until nothing is left to be done about any delivery.
pub async fn settled(world: &World) -> Vec<Listed> {
    let stored = world.stored().await;
    let done = |one: &Listed| match one.state {
        State::Sent | State::Failed | State::Cancelled => true,
        // Given up: it is repeated once, by `deliveries retry` only after that.
        State::Unknown => one.unknowns == 2,
        State::Pending | State::Sending => false,
    };
    stored.until("everything is settled", |all| all.iter().all(done)).await
}

/// Takes everything the bot shows in a place as read.
pub async fn read_all(seat: &Seat) {
    for _ in shown(seat).iter().filter(|message| !message.read) {
        seat.next_message().await.unwrap();
    }
}
