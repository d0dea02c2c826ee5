//! What holds for every document: nothing is lost, spans are sound, parts fit and keep their styles.

use std::cell::Cell;
use std::ops::Range;

use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation;

use crate::normalise::is_invisible;
use crate::{Style, StyleSpan, Styled, normalise, parse, split, utf16_len};

/// Pieces that models write, whole and broken. Their words have two letters or more; link labels, which
/// are names and not text, have none.
const FRAGMENTS: &[&str] = &[
    "words and words",
    "End. Next one! ",
    "\n",
    "\n\n",
    "  \n",
    "\r\n\t",
    " ",
    "# Heading ",
    "\n```rust\nfn main() {\n    body();\n\n\tend();\n}\n```\n",
    "\n```python title\n",
    "\n~~~~ lang`uage\n",
    "```",
    "`inline code`",
    "`` tick ` tick ``",
    "`",
    "**",
    "*",
    "_under_",
    "__",
    "~~",
    "\n- item ",
    "\n  - nested ",
    "\n      - deep ",
    "\n1. first ",
    "\n- [x] done ",
    "\n- [ ] ",
    "\n> quote ",
    "\n> > twice ",
    "\n| head | two |\n|---|:-:|\n| cell | **bold** | surplus |\n| 漢字 |\n",
    " | ",
    "[text](https://example.org/path \"title\")",
    "[](https://empty.org)",
    "[open](",
    "![image](pic.png)",
    "[label][1]",
    "\n[1]: https://definition.org 'named'\n",
    "<https://auto.link>",
    "<mail@example.org>",
    "<b class=\"html\">",
    "\n<div>\nblock\n",
    "<!-- comment -->",
    "---\n",
    "\\* ",
    "漢字仮名。漢字",
    "👩\u{200d}👩\u{200d}👧\u{200d}👦",
    "🇩🇪🇫",
    "e\u{301}\u{302}",
    "\u{301}",
    "\u{200d}",
    "\u{200b}",
    "\u{a0}",
    "a\u{30a}\u{202e}\u{2028}",
    "\u{0}\u{7}\u{1b}",
    "averyveryveryverylongwordwithoutanyplacetobreakitasmodelsseldomwrite",
];

fn document() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        9 => proptest::sample::select(FRAGMENTS).prop_map(str::to_owned),
        1 => "[ -~]{0,12}",
        1 => "\\PC{0,6}",
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// A document of the fragments alone, in which every word is text, an address or a language.
fn words() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(FRAGMENTS), 0..40).prop_map(|pieces| pieces.concat())
}

fn assert_sound(styled: &Styled) {
    let boundaries: Vec<usize> =
        styled.text.grapheme_indices(true).map(|(start, _)| start).chain([styled.text.len()]).collect();
    let mut open: Vec<&StyleSpan> = Vec::new();
    for span in &styled.spans {
        assert!(span.start < span.end, "empty: {span:?}");
        assert!(boundaries.binary_search(&span.start).is_ok(), "cuts a grapheme: {span:?}");
        assert!(boundaries.binary_search(&span.end).is_ok(), "cuts a grapheme: {span:?}");
        open.retain(|outer| outer.end > span.start);
        assert!(open.iter().all(|outer| outer.start <= span.start && span.end <= outer.end), "{span:?}");
        open.push(span);
    }
    assert!(styled.spans.is_sorted_by_key(|span| span.start));
}

/// Where the parts lie in the text. Fails if anything but invisible characters is missing between them.
fn locate(text: &str, parts: &[Styled]) -> Vec<Range<usize>> {
    let mut end = 0;
    let mut ranges = Vec::new();
    for part in parts {
        let skipped = text[end..].find(&part.text).expect("a part is not in the rest of the text");
        assert!(text[end..end + skipped].chars().all(is_invisible), "lost before {:?}", part.text);
        let start = end + skipped;
        end = start + part.text.len();
        ranges.push(start..end);
    }
    assert!(text[end..].chars().all(is_invisible), "lost at the end: {:?}", &text[end..]);
    ranges
}

fn styles_at(styled: &Styled, byte: usize) -> Vec<&Style> {
    styled
        .spans
        .iter()
        .filter(|span| (span.start..span.end).contains(&byte))
        .map(|span| &span.style)
        .collect()
}

proptest! {
    #[test]
    fn styled_text_is_sound_and_normal(markdown in document()) {
        let styled = parse(&markdown).to_styled();
        assert_sound(&styled);
        let text = styled.text.trim_start();
        prop_assert_eq!(normalise(&styled.text), text);
        if text.len() < styled.text.len() {
            let code = styles_at(&styled, 0).iter().any(|style| matches!(style, Style::Pre { .. }));
            prop_assert!(code, "starts with whitespace: {:?}", styled.text);
        }
        assert_sound(&styled.with_prefix("Ann"));
    }

    #[test]
    fn no_word_is_lost(markdown in words()) {
        let styled = parse(&markdown).to_styled();
        let mut kept = styled.text.clone();
        for span in &styled.spans {
            match &span.style {
                Style::Link { url: word } | Style::Pre { language: Some(word) } => kept.push_str(word),
                _ => {}
            }
        }
        for word in markdown.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| word.len() > 1) {
            prop_assert!(kept.contains(word), "{} is missing in {:?}", word, kept);
        }
    }

    #[test]
    fn parts_fit_and_join_to_the_text(markdown in document(), limit in 2_usize..80) {
        let styled = parse(&markdown).to_styled();
        let parts = split(&styled, limit, utf16_len);
        let ranges = locate(&styled.text, &parts);
        for (part, range) in parts.iter().zip(&ranges) {
            prop_assert!(utf16_len(&part.text) <= limit);
            prop_assert!(!part.text.chars().all(is_invisible));
            for (at, _) in part.text.char_indices() {
                prop_assert_eq!(styles_at(part, at), styles_at(&styled, range.start + at));
            }
        }
        if styled.text.graphemes(true).all(|grapheme| utf16_len(grapheme) <= limit) {
            parts.iter().for_each(assert_sound);
            for range in &ranges {
                let is_boundary = |at: usize| styled.text.grapheme_indices(true).any(|(start, _)| start == at);
                // A mark on a space is left without it.
                let after_space = styled.text[..range.start].ends_with(char::is_whitespace);
                prop_assert!(is_boundary(range.start) || after_space);
                prop_assert!(range.end == styled.text.len() || is_boundary(range.end));
            }
        }
    }

    #[test]
    fn links_and_code_that_fit_stay_whole(markdown in document(), limit in 2_usize..80) {
        let styled = parse(&markdown).to_styled();
        let ranges = locate(&styled.text, &split(&styled, limit, utf16_len));
        for span in &styled.spans {
            let text = &styled.text[span.start..span.end];
            if matches!(span.style, Style::Link { .. } | Style::Code) && utf16_len(text) <= limit {
                let visible = text.trim_matches(is_invisible);
                let start = span.start + text.find(visible).unwrap_or_default();
                let whole = ranges.iter().any(|part| part.start <= start && start + visible.len() <= part.end);
                prop_assert!(whole || visible.is_empty(), "{:?} was cut", text);
            }
        }
    }
}

/// What `measure` was given: the number of calls and of bytes.
fn work(styled: &Styled, limit: usize) -> (usize, usize, Vec<Styled>) {
    let (calls, bytes) = (Cell::new(0), Cell::new(0));
    let parts = split(styled, limit, |text| {
        calls.set(calls.get() + 1);
        bytes.set(bytes.get() + text.len());
        utf16_len(text)
    });
    (calls.get(), bytes.get(), parts)
}

#[test]
fn the_work_is_linear_in_text_and_spans() {
    let markdown = "**bold** and `code` in a line of text\n".repeat(10_000);
    let styled = parse(&markdown).to_styled();
    assert_eq!(styled.spans.len(), 20_000);
    assert!(styled.text.len() > 300_000);
    for limit in [100, 4096] {
        let (calls, bytes, parts) = work(&styled, limit);
        assert_eq!((calls, bytes), (styled.text.len(), styled.text.len()), "each grapheme is measured once");
        assert!(parts.len() <= 2 * styled.text.len() / limit + 1);
        assert_eq!(parts.iter().map(|part| part.spans.len()).sum::<usize>(), 20_000);
    }
}

#[test]
fn one_word_of_300_kb_fills_its_parts() {
    let styled = parse(&"x".repeat(300_000)).to_styled();
    let (_, bytes, parts) = work(&styled, 4096);
    assert_eq!((bytes, parts.len()), (300_000, 300_000_usize.div_ceil(4096)));
}
