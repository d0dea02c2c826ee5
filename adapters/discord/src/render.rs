//! From an answer to the parts that are stored and sent. Pure.

use roundtable_contract::{MessageId, Outgoing, Part, Speaker};
use roundtable_text::{Styled, parse, split, utf16_len};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::markup::markup;

/// The longest message, in UTF-16 code units: Discord counts characters, which are never more
/// (<https://discord.com/developers/docs/resources/message#create-message>).
pub(crate) const LIMIT: usize = 2000;
/// The longest address that is put behind a text; a longer one is written out, so that it can be cut.
const LONGEST_ADDRESS: usize = 500;
/// Lengths that are tried for the parts of one answer.
const TRIES: usize = 4;

/// What a part's body holds, as JSON: all of a message but its address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Body {
    pub(crate) content: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reply_to: Option<MessageId>,
}

/// The messages of an answer.
pub(crate) fn render(outgoing: &Outgoing) -> Vec<Part> {
    let mut styled = parse(&outgoing.text).to_styled();
    if let Speaker::Persona(name) = &outgoing.speaker {
        styled = styled.with_prefix(name);
    }
    let mut parts = Vec::new();
    fit(&styled.write_out_links(is_followed), &mut parts);
    let part = |(index, (text, content)): (usize, (String, String))| {
        let body = Body { content, reply_to: outgoing.reply_to.filter(|_| index == 0) };
        let body = serde_json::to_string(&body).expect("texts and numbers always have a JSON form");
        Part { body, text, stub: None }
    };
    parts.into_iter().enumerate().map(part).collect()
}

/// The parts, each as it is seen and as it is written. A few tries find a length at which all fit with their
/// markup; what is all markup is cut further by itself.
fn fit(styled: &Styled, parts: &mut Vec<(String, String)>) {
    let mut limit = LIMIT;
    for _ in 0..TRIES {
        let cut = written(styled, limit);
        let over = cut.iter().map(|(part, content)| (utf16_len(&part.text), utf16_len(content)));
        let over = over.filter(|(_, written)| *written > LIMIT).map(|(seen, written)| seen * LIMIT / written);
        let Some(smaller) = over.min() else {
            return parts.extend(cut.into_iter().map(|(part, content)| (part.text, content)));
        };
        limit = smaller.clamp(LIMIT / 2, limit - 1);
        if limit == LIMIT / 2 {
            break;
        }
    }
    halve(styled, limit, parts);
}

/// Cuts where it must, and what does not fit then in halves.
fn halve(styled: &Styled, limit: usize, parts: &mut Vec<(String, String)>) {
    for (part, content) in written(styled, limit) {
        let (seen, written) = (utf16_len(&part.text), utf16_len(&content));
        if written > LIMIT && seen > 1 {
            halve(&part, seen.div_ceil(2), parts);
        } else {
            parts.push((part.text, content));
        }
    }
}

fn written(styled: &Styled, limit: usize) -> Vec<(Styled, String)> {
    let with_markup = |part: Styled| {
        let content = markup(&part);
        (part, content)
    };
    split(styled, limit, utf16_len).into_iter().map(with_markup).collect()
}

/// Whether Discord makes a link of the address.
fn is_followed(url: &str) -> bool {
    let is_web = Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    let is_plain = !url.contains(|c: char| c.is_whitespace() || c.is_control() || "<>`".contains(c));
    is_web && is_plain && utf16_len(url) <= LONGEST_ADDRESS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(text: &str) -> Outgoing {
        Outgoing::of_program(text)
    }

    fn body(part: &Part) -> Body {
        serde_json::from_str(&part.body).unwrap()
    }

    #[test]
    fn a_part_says_what_is_seen_and_what_is_written() {
        let parts = render(&answer("**Hi** *you* `x`"));
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].text, "Hi you x");
        assert_eq!(parts[0].body, r#"{"content":"**Hi** *you* `x`"}"#);
    }

    #[test]
    fn a_speaker_is_named_and_only_the_first_part_replies() {
        let outgoing = Outgoing {
            speaker: Speaker::Persona("Coder".into()),
            reply_to: Some(MessageId(7)),
            ..answer(&"word ".repeat(900))
        };
        let bodies: Vec<_> = render(&outgoing).iter().map(body).collect();
        assert_eq!(bodies.len(), 3);
        assert!(bodies[0].content.starts_with("**Coder**\nword"));
        let replies: Vec<_> = bodies.iter().map(|body| body.reply_to).collect();
        assert_eq!(replies, [Some(MessageId(7)), None, None]);
    }

    #[test]
    fn a_code_block_is_closed_and_opened_again_at_a_cut() {
        let parts = render(&answer(&format!("```rust\n{}```", "let a = 1;\n".repeat(300))));
        assert_eq!(parts.len(), 2);
        for part in &parts {
            let content = body(part).content;
            assert!(content.starts_with("```rust\nlet") && content.ends_with(";\n```"), "{content}");
        }
    }

    #[test]
    fn addresses_that_lead_nowhere_or_are_long_are_written_out() {
        let parts = render(&answer("[doc](docs/a.md) [js](javascript:alert)"));
        assert_eq!(parts[0].text, "doc (docs/a.md) js (javascript:alert)");
        let long = format!("https://a.example/{}", "x".repeat(3000));
        let parts = render(&answer(&format!("[a]({long})")));
        let seen: String = parts.iter().map(|part| part.text.as_str()).collect();
        assert_eq!(seen.replace([' ', '\n'], ""), format!("a({long})"));
    }

    #[test]
    fn nothing_visible_gives_no_parts() {
        assert_eq!(render(&answer("\u{200b}\n \u{feff}")), []);
        let outgoing = Outgoing { speaker: Speaker::Persona("Coder".into()), ..answer(" \n") };
        assert_eq!(render(&outgoing), []);
    }

    /// Markdown-like text of everything that is hard.
    fn markdown() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[a-zA-Z@_/.:]{1,12}",
            "[ \n]{1,3}",
            "(\\*\\*|\\*|`|```|~~|> |- |# )",
            "(\\[x\\]\\(http://a.b/c\\)|<@55>|@everyone|\\|a\\|b\\|\n)",
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
            let speaker = speaker.map_or(Speaker::Program, Speaker::Persona);
            let parts = render(&Outgoing { speaker, ..answer(&text) });
            for part in &parts {
                let content = body(part).content;
                prop_assert!(!content.trim().is_empty() && utf16_len(&content) <= LIMIT);
                prop_assert!(!part.text.trim().is_empty() && part.stub.is_none());
            }
        }
    }
}
