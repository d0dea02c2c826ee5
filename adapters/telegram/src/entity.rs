//! Marked stretches of incoming text: UTF-16 offsets to bytes, mentions, commands.

use roundtable_contract::{Span, SpanKind};

use crate::update::Us;
use crate::wire::Entity;

/// A text whose marks are in bytes.
#[derive(Debug, PartialEq, Eq, Default)]
pub(crate) struct Marked {
    pub(crate) text: String,
    pub(crate) spans: Vec<Span>,
    /// An entity speaks to our bot.
    pub(crate) mentions_us: bool,
}

/// Translates the entities of `text`. `/cmd@our_bot` becomes `/cmd`, since it says no more; entities
/// that mean nothing to us or lie outside the text are left out.
pub(crate) fn mark(us: &Us, text: &str, entities: &[Entity]) -> Marked {
    let mut spans = Vec::new();
    let mut cuts = Vec::new();
    let mut mentions_us = false;
    for entity in entities {
        let Some((start, end)) = bytes(text, entity) else { continue };
        let Some(kind) = kind(us, entity, &text[start..end]) else { continue };
        if kind == SpanKind::Command
            && let Some((command, bot)) = text[start..end].split_once('@')
            && us.is_called(bot)
        {
            mentions_us = true;
            cuts.push((start + command.len(), end));
        }
        mentions_us |= kind == SpanKind::OurMention;
        spans.push(Span { start, end, kind });
    }
    spans.sort_by_key(|span| (span.start, span.end));
    cuts.sort_unstable();
    // commands may overlap or come twice, and so does our name in them
    cuts.dedup();
    let (text, spans) = cut(text, spans, &cuts);
    Marked { text, spans, mentions_us }
}

/// The entity's bytes in `text`, if it lies within it.
fn bytes(text: &str, entity: &Entity) -> Option<(usize, usize)> {
    let start = byte_at(text, entity.offset)?;
    let end = start + byte_at(&text[start..], entity.length)?;
    (start < end).then_some((start, end))
}

/// The byte at which `units` UTF-16 code units end; none inside a pair or past the end.
fn byte_at(text: &str, units: usize) -> Option<usize> {
    let mut left = units;
    for (at, c) in text.char_indices() {
        if left == 0 {
            return Some(at);
        }
        left = left.checked_sub(c.len_utf16())?;
    }
    (left == 0).then_some(text.len())
}

/// What a stretch is to us.
fn kind(us: &Us, entity: &Entity, text: &str) -> Option<SpanKind> {
    let ours = |ours: bool, otherwise| if ours { Some(SpanKind::OurMention) } else { otherwise };
    Some(match entity.kind.as_str() {
        "code" | "pre" => SpanKind::Code,
        "url" | "text_link" | "email" => SpanKind::Link,
        "blockquote" | "expandable_blockquote" => SpanKind::Quote,
        "bot_command" => SpanKind::Command,
        // Telegram marks every word that could be a user's name, whether or not there is such a user, so
        // that a label looks like one: only our own name is sure to be a mention.
        "mention" => ours(us.is_called(text.trim_start_matches('@')), None)?,
        "text_mention" => {
            ours(entity.user.as_ref().is_some_and(|user| user.id == us.id), Some(SpanKind::Mention))?
        }
        _ => return None,
    })
}

/// Takes the sorted stretches `cuts` out of the text and moves the spans along.
fn cut(text: &str, mut spans: Vec<Span>, cuts: &[(usize, usize)]) -> (String, Vec<Span>) {
    let moved = |at: usize| at - cuts.iter().map(|&(start, end)| at.clamp(start, end) - start).sum::<usize>();
    for span in &mut spans {
        (span.start, span.end) = (moved(span.start), moved(span.end));
    }
    let mut left = String::with_capacity(text.len());
    let mut from = 0;
    for &(start, end) in cuts {
        left.push_str(&text[from..start]);
        from = end;
    }
    left.push_str(&text[from..]);
    (left, spans)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn marked(text: &str, entities: Value) -> Marked {
        let entities: Vec<Entity> = serde_json::from_value(entities).unwrap();
        mark(&Us::example(), text, &entities)
    }

    /// The marked stretches, as text.
    fn stretches(marked: &Marked) -> Vec<(&str, SpanKind)> {
        marked.spans.iter().map(|span| (&marked.text[span.start..span.end], span.kind)).collect()
    }

    #[test]
    fn offsets_count_utf16_units() {
        // 👩‍🚀 is five units, ä one, € one
        let got = marked(
            "👩‍🚀 ä€ code @bob",
            json!([
                {"type": "code", "offset": 9, "length": 4}, {"type": "mention", "offset": 14, "length": 4}]),
        );
        assert_eq!(stretches(&got), [("code", SpanKind::Code)]);
        assert!(!got.mentions_us);
    }

    #[test]
    fn entities_outside_the_text_are_left_out() {
        for (offset, length) in [(1, 1), (0, 1), (0, 9), (7, 1), (2, 0), (usize::MAX, 1), (0, usize::MAX)] {
            let got = marked("😀ab", json!([{"type": "code", "offset": offset, "length": length}]));
            assert_eq!(got, Marked { text: "😀ab".into(), ..Marked::default() }, "{offset} {length}");
        }
    }

    #[test]
    fn every_kind_we_use_and_none_other() {
        for (kind, expected) in [
            ("pre", Some(SpanKind::Code)),
            ("url", Some(SpanKind::Link)),
            ("text_link", Some(SpanKind::Link)),
            ("email", Some(SpanKind::Link)),
            ("blockquote", Some(SpanKind::Quote)),
            ("expandable_blockquote", Some(SpanKind::Quote)),
            ("bot_command", Some(SpanKind::Command)),
            ("bold", None),
            ("hashtag", None),
            ("date_time", None),
        ] {
            let got = marked("abc", json!([{"type": kind, "offset": 0, "length": 3}]));
            assert_eq!(got.spans.first().map(|span| span.kind), expected, "{kind}");
            assert_eq!(got.text, "abc");
        }
    }

    #[test]
    fn our_bot_is_spoken_to_by_name_or_id() {
        let by_name = json!([{"type": "mention", "offset": 0, "length": 11}]);
        assert_eq!(stretches(&marked("@Bridge_Bot hi", by_name)), [("@Bridge_Bot", SpanKind::OurMention)]);
        let by_id = |id: i64| json!([{"type": "text_mention", "offset": 0, "length": 2, "user": {"id": id}}]);
        assert!(marked("Us", by_id(Us::example().id)).mentions_us);
        assert!(!marked("Me", by_id(55)).mentions_us);
    }

    #[test]
    fn a_command_to_us_loses_our_name_and_later_marks_follow() {
        let got = marked(
            "/ask@BRIDGE_bot é `x` /y@bridge_bot @bob",
            json!([
                {"type": "bot_command", "offset": 0, "length": 15}, {"type": "code", "offset": 19, "length": 1},
                {"type": "bot_command", "offset": 22, "length": 13},
                {"type": "mention", "offset": 36, "length": 4}]),
        );
        assert_eq!(got.text, "/ask é `x` /y @bob");
        assert_eq!(
            stretches(&got),
            [("/ask", SpanKind::Command), ("x", SpanKind::Code), ("/y", SpanKind::Command)]
        );
        assert!(got.mentions_us);
    }

    #[test]
    fn commands_that_overlap_lose_our_name_once() {
        let command = |offset: usize| json!({"type": "bot_command", "offset": offset, "length": 15 - offset});
        for entities in [json!([command(0), command(0)]), json!([command(1), command(0)])] {
            let got = marked("/ask@bridge_bot hi", entities.clone());
            assert_eq!(got.text, "/ask hi", "{entities}");
            assert!(got.mentions_us);
        }
    }

    #[test]
    fn a_command_to_another_bot_stays() {
        let got = marked("/ask@other_bot hi", json!([{"type": "bot_command", "offset": 0, "length": 14}]));
        assert_eq!(stretches(&got), [("/ask@other_bot", SpanKind::Command)]);
        assert!(!got.mentions_us);
    }
}
