//! From an answer to what people see.

use roundtable_contract::{Outgoing, Part, Speaker};

use super::subject::{Seen, Subject, answer, answer_of, deliver};

const TEXTS: &[&str] = &[
    "Yes.",
    "two\nlines",
    "# Title\n\n- one\n- **two**\n\n> said\n\n```rust\n    fn main() {}\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |",
    "漢字 👩\u{200d}🚀 e\u{301} שלום",
    "@ann /help https://example.org/@bob [site](https://example.org)",
    "**never closed, `nor this",
];

const BLANK: &[&str] = &["", " ", "\n", " \t\r\n ", "\u{a0}\u{3000}"];

fn speakers() -> [Speaker; 3] {
    [Speaker::Program, Speaker::Bound("Manager".into()), Speaker::Persona("Coder".into())]
}

/// All texts, by everybody.
fn answers() -> impl Iterator<Item = Outgoing> {
    TEXTS.iter().flat_map(|text| speakers().map(|speaker| Outgoing { speaker, ..answer(text) }))
}

fn stored(part: &Part) -> Part {
    let json = serde_json::to_string(part).expect("a part can be stored");
    serde_json::from_str(&json).expect("a stored part can be read")
}

fn texts(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(|seen| seen.text.as_str()).collect()
}

pub async fn an_answer_is_rendered_the_same_every_time(subject: &mut dyn Subject) {
    let channel = subject.channel();
    for outgoing in answers() {
        let parts = channel.render(&outgoing);
        assert!(!parts.is_empty(), "nothing is left of {outgoing:?}");
        assert_eq!(channel.render(&outgoing), parts);
        assert_eq!(subject.channel().render(&outgoing), parts, "another connection renders differently");
    }
}

pub async fn a_blank_text_has_no_parts(subject: &mut dyn Subject) {
    for (text, speaker) in BLANK.iter().flat_map(|text| speakers().map(|speaker| (text, speaker))) {
        let parts = subject.channel().render(&Outgoing { speaker, ..answer(text) });
        assert_eq!(parts, [], "{text:?}");
    }
}

pub async fn parts_survive_being_stored(subject: &mut dyn Subject) {
    for part in answers().flat_map(|outgoing| subject.channel().render(&outgoing)) {
        assert_eq!(stored(&part), part);
    }
}

pub async fn what_is_rendered_is_what_people_see(subject: &mut dyn Subject) {
    let (channel, places) = (subject.channel(), subject.places());
    for at in &places {
        let parts: Vec<_> = answers().flat_map(|outgoing| channel.render(&outgoing)).collect();
        for part in &parts {
            deliver(channel.as_ref(), at, &stored(part)).await;
        }
        let expected: Vec<_> = parts.iter().map(|part| part.text.as_str()).collect();
        assert_eq!(texts(&subject.visible(at).await), expected, "{at}");
    }
}

pub async fn a_persona_is_named_and_the_program_is_not(subject: &mut dyn Subject) {
    let (channel, at) = (subject.channel(), &subject.places()[0]);
    for outgoing in [answer_of("Coder", "It compiles."), answer("It compiles.")] {
        for part in channel.render(&outgoing) {
            deliver(channel.as_ref(), at, &part).await;
        }
    }
    let seen = subject.visible(at).await;
    assert_eq!(seen.len(), 2, "{seen:?}");
    let named = |seen: &Seen| seen.text.contains("Coder") || seen.name.as_deref() == Some("Coder");
    assert!(named(&seen[0]) && seen[0].text.ends_with("It compiles."), "{seen:?}");
    assert_eq!(seen[1].text, "It compiles.");
    assert!(!named(&seen[1]), "{seen:?}");
}

pub async fn a_long_text_comes_in_order_and_whole(subject: &mut dyn Subject) {
    let (channel, at) = (subject.channel(), &subject.places()[0]);
    let words: Vec<_> = (0..3_000).map(|number| format!("word{number}")).collect();
    let parts = channel.render(&answer(&words.join(" ")));
    for part in &parts {
        deliver(channel.as_ref(), at, part).await;
    }
    let seen = subject.visible(at).await;
    if let Some(longest) = subject.longest() {
        assert!(parts.len() > 1, "one message can't hold it");
        assert!(seen.iter().all(|seen| seen.text.encode_utf16().count() <= longest));
    }
    assert!(seen.is_sorted_by_key(|seen| seen.id), "{seen:?}");
    let read = texts(&seen).join(" ");
    assert_eq!(read.split_whitespace().collect::<Vec<_>>(), words);
}
