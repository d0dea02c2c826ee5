//! From an answer to the parts that are stored and sent. Pure.
//!
//! Text plus entities, never a parse mode: a model's markup can't make a message unsendable, and
//! cutting is done on what people see.

use roundtable_contract::{MessageId, Outgoing, Part, Speaker};
use roundtable_text::{Style, StyleSpan, Styled, parse, split, utf16_len};
use serde::{Deserialize, Serialize};
use teloxide::types::{MessageEntity, MessageEntityKind};
use unicode_segmentation::UnicodeSegmentation;
use url::Url;

use crate::ExactlyOnce;
use crate::tame::tame;

/// The longest message, in UTF-16 code units: <https://core.telegram.org/bots/api#sendmessage> says
/// characters, and the server counts code points, which are never more.
const LIMIT: usize = 4096;
/// Entities past this number are ignored by the server (observed, not documented).
const MAX_ENTITIES: usize = 100;
/// The longest beginning that a stub shows, in graphemes.
const STUB: usize = 40;

/// What a part's body and stub hold, as JSON: all of a message but its address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Body {
    pub(crate) text: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) entities: Vec<MessageEntity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reply_to: Option<MessageId>,
}

impl Body {
    fn new(styled: &Styled, reply_to: Option<MessageId>) -> Self {
        let entities = styled.spans.iter().filter_map(|span| entity(&styled.text, span)).take(MAX_ENTITIES);
        Self { text: styled.text.clone(), entities: entities.collect(), reply_to }
    }

    fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts, numbers and addresses always have a JSON form")
    }
}

/// The messages of an answer.
pub(crate) fn render(outgoing: &Outgoing, exactly_once: ExactlyOnce) -> Vec<Part> {
    let speaker = match &outgoing.speaker {
        Speaker::Persona(name) => Some(name.as_str()),
        Speaker::Program | Speaker::Bound(_) => None,
    };
    let mut styled = parse(&outgoing.text).to_styled();
    if let Some(name) = speaker {
        styled = styled.with_prefix(name);
    }
    let mut parts = Vec::new();
    fit(&tame(&styled), LIMIT, &mut parts);
    let part = |(index, styled): (usize, &Styled)| {
        let first = index == 0;
        let reply_to = outgoing.reply_to.filter(|_| first);
        let stub = (exactly_once == ExactlyOnce::Edit)
            .then(|| Body::new(&stub(speaker.filter(|_| first), &styled.text), reply_to).to_json());
        Part { body: Body::new(styled, reply_to).to_json(), text: styled.text.clone(), stub }
    };
    parts.iter().enumerate().map(part).collect()
}

/// Cuts until every part keeps both limits: halves what has too many entities.
fn fit(styled: &Styled, limit: usize, parts: &mut Vec<Styled>) {
    for part in split(styled, limit, utf16_len) {
        let length = utf16_len(&part.text);
        if part.spans.len() > MAX_ENTITIES && length > 1 {
            fit(&part, length.div_ceil(2), parts);
        } else {
            parts.push(part);
        }
    }
}

/// What is shown for the moment between the two steps of a delivery: who speaks and how it begins.
/// Never the whole text: if a stub is left over or doubled, it can't be taken for the message.
fn stub(speaker: Option<&str>, text: &str) -> Styled {
    let mut lines = text.lines();
    if speaker.is_some() {
        lines.next();
    }
    let line = lines.find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    let shown = (line.graphemes(true).count() / 2).min(STUB);
    let start: String = line.graphemes(true).take(shown).collect();
    let plain = Styled { text: format!("{}…", start.trim_end()), spans: Vec::new() };
    tame(&match speaker {
        Some(name) => plain.with_prefix(name),
        None => plain,
    })
}

/// The entity of a stretch, in UTF-16 code units; none for one of spaces, which the server drops.
fn entity(text: &str, span: &StyleSpan) -> Option<MessageEntity> {
    if text[span.start..span.end].trim().is_empty() {
        return None;
    }
    let kind = match &span.style {
        Style::Bold => MessageEntityKind::Bold,
        Style::Italic => MessageEntityKind::Italic,
        Style::Strike => MessageEntityKind::Strikethrough,
        Style::Code => MessageEntityKind::Code,
        Style::Pre { language } => MessageEntityKind::Pre { language: language.clone() },
        Style::Link { url } => MessageEntityKind::TextLink { url: Url::parse(url).ok()? },
        Style::Quote => MessageEntityKind::Blockquote,
    };
    let (offset, length) = (utf16_len(&text[..span.start]), utf16_len(&text[span.start..span.end]));
    Some(MessageEntity::new(kind, offset, length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use roundtable_text::normalise;
    use serde_json::{Value, json};

    use super::*;

    fn answer(text: &str) -> Outgoing {
        Outgoing::of_program(text)
    }

    fn json_of(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    fn body(part: &Part) -> Body {
        serde_json::from_str(&part.body).unwrap()
    }

    #[test]
    fn markdown_becomes_text_and_entities() {
        let parts = render(
            &answer(
                "**Hi** 👩‍🚀 *you* ~~no~~ `x` [site](https://a.example/p)\n\n> said\n\n\
                 ```rust\nfn main() {}\n```\n\n```\nplain\n```",
            ),
            ExactlyOnce::Probe,
        );
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].text, "Hi 👩‍🚀 you no x site\n\nsaid\n\nfn main() {}\n\nplain");
        assert_eq!(parts[0].stub, None);
        assert_eq!(
            json_of(&parts[0].body),
            json!({"text": parts[0].text, "entities": [
                {"type": "bold", "offset": 0, "length": 2},
                {"type": "italic", "offset": 9, "length": 3},
                {"type": "strikethrough", "offset": 13, "length": 2},
                {"type": "code", "offset": 16, "length": 1},
                {"type": "text_link", "url": "https://a.example/p", "offset": 18, "length": 4},
                {"type": "blockquote", "offset": 24, "length": 4},
                {"type": "pre", "language": "rust", "offset": 30, "length": 12},
                {"type": "pre", "offset": 44, "length": 5}]})
        );
    }

    fn spoken_by(name: Option<&str>) -> Speaker {
        name.map_or(Speaker::Program, |name| Speaker::Persona(name.to_owned()))
    }

    #[test]
    fn a_speaker_is_named_and_only_the_first_part_replies() {
        let long = "word ".repeat(2000);
        let outgoing = Outgoing {
            speaker: Speaker::Persona("Coder".into()),
            reply_to: Some(MessageId(7)),
            ..answer(&long)
        };
        let parts = render(&outgoing, ExactlyOnce::Probe);
        assert_eq!(parts.len(), 3);
        let bodies: Vec<_> = parts.iter().map(body).collect();
        assert!(bodies[0].text.starts_with("Coder\nword"));
        assert_eq!(bodies[0].entities, [MessageEntity::bold(0, 5)]);
        assert_eq!(
            bodies.iter().map(|body| body.reply_to).collect::<Vec<_>>(),
            [Some(MessageId(7)), None, None]
        );
        assert!(bodies[1].text.starts_with("word") && bodies[1].entities.is_empty());
    }

    #[test]
    fn a_stub_shows_a_beginning_and_never_all() {
        let stubs = |speaker: Option<&str>, text: &str| {
            let outgoing =
                Outgoing { speaker: spoken_by(speaker), reply_to: Some(MessageId(7)), ..answer(text) };
            let parts = render(&outgoing, ExactlyOnce::Edit);
            parts.iter().map(|part| json_of(part.stub.as_ref().unwrap())).collect::<Vec<_>>()
        };
        assert_eq!(stubs(None, "Yes"), [json!({"text": "Y…", "reply_to": 7})]);
        assert_eq!(stubs(None, "👩‍🚀"), [json!({"text": "…", "reply_to": 7})]);
        assert_eq!(
            stubs(Some("Coder"), "**Done**: it builds\nand more"),
            [json!({"text": "Coder\nDone: i…", "reply_to": 7,
                "entities": [{"type": "bold", "offset": 0, "length": 5}]})]
        );
        let long = stubs(Some("Coder"), &"word ".repeat(1000));
        assert_eq!(long[0]["text"], format!("Coder\n{}…", "word ".repeat(8).trim_end()));
        assert_eq!(long[1]["text"], format!("{}…", "word ".repeat(8).trim_end()));
        // code pings nobody, and its beginning shown as plain text must not either
        assert_eq!(stubs(None, "`@ann @bob @cid`")[0]["text"], "@\u{200b}ann @\u{200b}b…");
    }

    #[test]
    fn nothing_visible_gives_no_parts() {
        assert_eq!(render(&answer("\u{200b}\n \u{feff}"), ExactlyOnce::Edit), []);
        let outgoing = Outgoing { speaker: Speaker::Persona("Coder".into()), ..answer(" \n") };
        assert_eq!(render(&outgoing, ExactlyOnce::Edit), []);
    }

    #[test]
    fn parts_with_too_many_entities_are_cut() {
        let parts = render(&answer(&"`a` ".repeat(250)), ExactlyOnce::Probe);
        let counts: Vec<_> = parts.iter().map(|part| body(part).entities.len()).collect();
        assert_eq!(counts.iter().sum::<usize>(), 250);
        assert!(counts.iter().all(|count| *count <= MAX_ENTITIES), "{counts:?}");
    }

    /// Markdown-like text of everything that is hard.
    fn markdown() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[a-zA-Z@_/.:]{1,12}",
            "[ \n]{1,3}",
            "(\\*\\*|\\*|`|```|~~|> |- |# )",
            "(\\[x\\]\\(http://a.b/c\\)|\\[x\\]\\(tg://user\\?id=5\\)|\\|a\\|b\\|\n)",
            "(👩‍🚀|😀|e\u{301}|漢字|\u{202e}|\u{1}|\t|\u{200b})",
            "\\PC{1,8}",
        ];
        proptest::collection::vec(piece, 1..400)
            .prop_map(|pieces| pieces.concat())
            .prop_flat_map(|text| (Just(text), 1_usize..8).prop_map(|(text, times)| text.repeat(times)))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn every_part_can_be_sent(text in markdown(), speaker in proptest::option::of("\\PC{1,20}")) {
            let speaker = spoken_by(speaker.as_deref());
            let parts = render(&Outgoing { speaker, ..answer(&text) }, ExactlyOnce::Edit);
            for part in &parts {
                let stub: Body = serde_json::from_str(part.stub.as_ref().unwrap()).unwrap();
                for body in [body(part), stub] {
                    let units: Vec<u16> = body.text.encode_utf16().collect();
                    prop_assert!(!units.is_empty() && units.len() <= LIMIT);
                    prop_assert!(body.entities.len() <= MAX_ENTITIES);
                    for entity in &body.entities {
                        let stretch = units.get(entity.offset..entity.offset + entity.length);
                        prop_assert!(entity.length > 0 && stretch.is_some(), "{entity:?} lies outside");
                        prop_assert!(String::from_utf16(stretch.unwrap()).is_ok(), "{entity:?} cuts a pair");
                    }
                }
                prop_assert_eq!(normalise(&part.text), part.text.trim(), "the server changes the text");
            }
        }
    }
}
