//! What people see of an answer.

use std::fmt::Write as _;

use roundtable_fakes::{Message, Reply};
use serde_json::Value;

use crate::support::world::World;

/// 50,000 characters of prose, emoji and code, every line numbered.
fn essay() -> (String, usize) {
    let (mut text, mut line) = (String::new(), 0);
    while text.chars().count() < 50_000 {
        for _ in 0..12 {
            write!(text, "Line {line:05} is **prose** about 👩‍🚀 and 🇩🇪, with a `span` in it. ").unwrap();
            line += 1;
        }
        text.push_str("\n\n```rust\n");
        for _ in 0..60 {
            writeln!(text, "let line_{line:05} = \"🦀\"; // code").unwrap();
            line += 1;
        }
        text.push_str("```\n\n");
    }
    text.push_str("The end.");
    (text, line)
}

/// The numbers of the lines in a text, in order.
fn numbers(text: &str) -> Vec<usize> {
    let after = |mark| text.match_indices(mark).map(move |(at, _)| (at, &text[at + 5..at + 10]));
    let mut found: Vec<_> = after("Line ").chain(after("line_")).collect();
    found.sort_unstable();
    found.into_iter().map(|(_, number)| number.parse().unwrap()).collect()
}

/// The stretches of a message that are marked as `kind`.
fn marked(message: &Message, kind: &str) -> Vec<String> {
    let units: Vec<u16> = message.text.encode_utf16().collect();
    let place = |entity: &Value, field: &str| usize::try_from(entity[field].as_u64().unwrap()).unwrap();
    let of_kind = message.entities.iter().filter(|entity| entity["type"] == kind);
    of_kind
        .map(|entity| {
            let start = place(entity, "offset");
            String::from_utf16(&units[start..start + place(entity, "length")]).unwrap()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_arrives_whole_and_in_order() {
    let world = World::start().await;
    let (text, lines) = essay();
    world.model.when("essay", Reply::text(text.as_str()));
    let ann = world.telegram.user("ann");
    ann.says("write an essay");
    let mut parts = Vec::new();
    while parts.last().is_none_or(|part: &Message| !part.text.ends_with("The end.")) {
        parts.push(ann.next_message().await.unwrap());
    }
    let shown: String = parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join("\n");
    assert_eq!(numbers(&shown), (0..lines).collect::<Vec<_>>());
    for emoji in ["👩‍🚀", "🇩🇪", "🦀"] {
        assert_eq!(shown.matches(emoji).count(), text.matches(emoji).count(), "{emoji}");
    }
    let code: String = parts.iter().flat_map(|part| marked(part, "pre")).collect::<Vec<_>>().join("\n");
    assert_eq!(code.matches("// code").count(), text.matches("// code").count(), "all code is still code");
    assert!(!code.contains("prose") && !shown.contains("```") && !shown.contains("**"));
    let spans = parts.iter().flat_map(|part| marked(part, "code"));
    assert_eq!(spans.filter(|span| span == "span").count(), text.matches("`span`").count());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_is_shown_in_the_right_place_while_the_model_works() {
    let world = World::start().await;
    world.telegram.set_privacy(false);
    let ann = world.telegram.user("ann");
    let topic = ann.in_topic("team", "bugs");
    for (seat, question) in
        [(ann.clone(), "think"), (topic, "think hard"), (ann.in_group("team"), "think harder")]
    {
        let call = world.model.hold(question);
        seat.mentions_bot(question);
        call.arrived().await.unwrap();
        let place = seat.place();
        let here = |call: &roundtable_fakes::Call| {
            let number = |name: &str| call.params[name].as_i64();
            call.method == "sendchataction"
                && call.params["action"] == "typing"
                && number("chat_id") == Some(place.chat_id())
                && number("message_thread_id") == place.thread_id()
        };
        world.telegram.wait_until("typing", |world| world.calls().any(here)).await.unwrap();
        call.release();
        seat.next_message().await.unwrap();
    }
    world.end().await;
}
