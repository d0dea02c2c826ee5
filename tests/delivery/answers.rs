//! Questions and answers that can be counted.

use std::time::Duration;

use roundtable_fakes::{Message, Place, Reply, Seat};

use crate::support::world::{Setting, World};

/// When a send is given up in these tests.
pub const TIMEOUT: Duration = Duration::from_secs(1);

/// A world in which `exactly_once` is `mode` and the model answers "… question N" with "answer N, as asked".
pub async fn world(mode: &str) -> World {
    answering(setting(mode).start().await)
}

/// Its beginning.
pub fn setting(mode: &str) -> Setting {
    World::setting().telegram(&format!(
        "dm = \"open\"\ngroups = [\"*\"]\nexactly_once = {mode:?}\n\
         limits = {{ chat_per_second = 0, group_per_minute = 0, total_per_second = 0 }}\n\
         poll_timeout = \"2s\"\nsend_timeout = \"{}ms\"",
        TIMEOUT.as_millis()
    ))
}

/// Teaches the model to answer questions.
pub fn answering(world: World) -> World {
    world.model.on(|request| {
        let asked = request.last_user_text();
        let name = asked.rsplit_once("question ").map(|(_, name)| name.trim())?;
        Some(Reply::text(answer(name)))
    });
    world
}

/// The answer to question `name`.
pub fn answer(name: &str) -> String {
    format!("answer {name}, as asked")
}

/// Asks, and waits until the model has been asked: what is asked next starts a turn of its own. Names are unique.
pub async fn ask(world: &World, seat: &Seat, name: &str) {
    let text = format!("question {name}");
    if seat.place().chat_id() < 0 { seat.mentions_bot(&text) } else { seat.says(&text) };
    let end = format!("question {name}");
    let asked = |request: &roundtable_fakes::ModelRequest| request.last_user_text().trim_end().ends_with(&end);
    world.model.wait_for_request(&end, asked).await.unwrap();
}

/// Waits for the answer to `name`.
pub async fn answered(place: &Place, name: &str) -> Message {
    let text = answer(name);
    place.expect_message(&text, |message| message.text == text).await.unwrap()
}

/// What the bot shows in a place, oldest first.
pub fn shown(seat: &Seat) -> Vec<Message> {
    let mut messages = seat.place().messages();
    messages.retain(|message| message.from != seat.id() && !message.is_service());
    messages
}

/// Takes everything the bot shows in a place as read.
pub async fn read_all(seat: &Seat) {
    for _ in shown(seat).iter().filter(|message| !message.read) {
        seat.next_message().await.unwrap();
    }
}
