//! Cutting a styled text into parts that each fit into one message.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::normalise::is_invisible;
use crate::{Style, StyleSpan, Styled};

/// The length of a text in UTF-16 code units, in which Telegram counts offsets. Its limit of 4,096 is
/// safe in this measure (the server itself counts code points).
pub fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Cuts a text into parts, each with `measure(part.text) <= limit`, in time linear in its length.
///
/// Cuts are made, by preference, between paragraphs, lines, sentences, words, graphemes; the better ones
/// only where the part is at least half full. A style that reaches over a cut goes on in the next part, a
/// code block with its language. A link or inline code that fits into a part is never cut. No part is
/// blank, and a text with nothing visible in it gives none. What is lost at a cut is the whitespace
/// there, except the indentation of a line of code; the same holds at both ends of the text.
///
/// `measure` must be additive at best: a text may measure at most what its pieces do, as it is with
/// bytes, chars, UTF-16 units and graphemes. A grapheme that is longer than `limit` is cut between its
/// chars, and a single char that is longer is a part of its own.
pub fn split(styled: &Styled, limit: usize, measure: impl Fn(&str) -> usize) -> Vec<Styled> {
    let pieces = Pieces::new(styled, limit, measure);
    styled.cut(&pieces.parts(limit))
}

/// How good a place is for a cut, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    Grapheme,
    Word,
    Sentence,
    Line,
    Paragraph,
}

/// What is never cut: a grapheme, or a char of one that is too long.
struct Piece {
    /// First byte.
    start: usize,
    /// The measure of everything before it.
    before: usize,
    kind: Kind,
    /// Bytes of a space at its start. It is visible all the same when a mark combines with it.
    space: usize,
}

#[derive(PartialEq, Eq)]
enum Kind {
    Visible,
    Space,
    Newline,
}

/// A text in pieces. The last one is an end mark of no length.
struct Pieces {
    list: Vec<Piece>,
    /// Which pieces lie in a code block.
    in_pre: Vec<bool>,
    /// How good it is to end a part right after a piece; `None` where it must not end.
    cuts: Vec<Option<Cut>>,
}

impl Pieces {
    fn new(styled: &Styled, limit: usize, measure: impl Fn(&str) -> usize) -> Self {
        let list = pieces(&styled.text, limit, measure);
        let index = |byte: usize| list.partition_point(|piece| piece.start < byte);
        let covered = |inner: usize, wanted: &dyn Fn(&StyleSpan) -> bool| {
            let spans = styled.spans.iter().filter(|span| wanted(span));
            covered(list.len(), spans.map(|span| index(span.start) + inner..index(span.end)))
        };
        let fits = |span: &StyleSpan| list[index(span.end)].before - list[index(span.start)].before <= limit;
        let in_pre = covered(0, &|span| matches!(span.style, Style::Pre { .. }));
        let in_block = covered(1, &|span| matches!(span.style, Style::Pre { .. } | Style::Quote));
        let locked = covered(1, &|span| matches!(span.style, Style::Link { .. } | Style::Code) && fits(span));
        let cuts = cuts(&styled.text, &list, &in_block, &locked);
        Self { list, in_pre, cuts }
    }

    /// The parts as byte ranges of the text.
    fn parts(&self, limit: usize) -> Vec<Range<usize>> {
        let mut parts = Vec::new();
        let mut from = 0;
        while let Some(first) = (from..self.end()).find(|&at| self.list[at].kind == Kind::Visible) {
            let mut start = self.indentation(from, first);
            if self.cost(start, first + 1) > limit {
                start = first;
            }
            let end = self.part_end(start, first, limit);
            let lost = if self.in_pre[start] { 0 } else { self.list[start].space };
            parts.push(self.list[start].start + lost..self.list[end].start);
            from = end;
        }
        parts
    }

    fn end(&self) -> usize {
        self.list.len() - 1
    }

    fn cost(&self, start: usize, end: usize) -> usize {
        self.list[end].before - self.list[start].before
    }

    /// Where the part begins whose first visible piece is `first`, after a cut at `from`: there, or
    /// before the spaces that indent it when it is a line of code.
    fn indentation(&self, from: usize, first: usize) -> usize {
        let is_indent = |at: &usize| self.in_pre[*at] && self.list[*at].kind == Kind::Space;
        let start = (from..first).rev().take_while(is_indent).last().unwrap_or(first);
        // Spaces that reach back to a cut lie between two words.
        if start == from && from > 0 { first } else { start }
    }

    /// Where the part ends that begins at `start`: after a visible piece, `first` or a later one.
    fn part_end(&self, start: usize, first: usize, limit: usize) -> usize {
        let mut last = [None; Cut::Paragraph as usize + 1];
        let mut forced = first + 1;
        for at in first..self.end() {
            if self.cost(start, at + 1) > limit {
                break;
            }
            if self.list[at].kind == Kind::Visible {
                forced = at + 1;
                if let Some(cut) = self.cuts[at] {
                    last[cut as usize] = Some(at + 1);
                }
            }
        }
        let good = last[Cut::Word as usize..].iter().rev().flatten();
        let half_full = good.clone().find(|end| self.cost(start, **end) >= limit / 2);
        half_full.or(good.max()).copied().or(last[Cut::Grapheme as usize]).unwrap_or(forced)
    }
}

fn pieces(text: &str, limit: usize, measure: impl Fn(&str) -> usize) -> Vec<Piece> {
    let mut list = Vec::new();
    let mut before = 0;
    let mut push = |start, text: &str, cost| {
        let kind = match text {
            "\n" => Kind::Newline,
            _ if text.chars().all(is_invisible) => Kind::Space,
            _ => Kind::Visible,
        };
        let space = text.len() - text.trim_start().len();
        list.push(Piece { start, before, kind, space });
        before += cost;
    };
    for (start, grapheme) in text.grapheme_indices(true) {
        let cost = measure(grapheme);
        if cost <= limit {
            push(start, grapheme, cost);
            continue;
        }
        for (offset, c) in grapheme.char_indices() {
            let piece = &grapheme[offset..offset + c.len_utf8()];
            push(start + offset, piece, measure(piece));
        }
    }
    push(text.len(), "", 0);
    list
}

/// Which of `len` places lie in at least one of the ranges.
fn covered(len: usize, ranges: impl Iterator<Item = Range<usize>>) -> Vec<bool> {
    let mut change = vec![0_i32; len + 1];
    for range in ranges.filter(|range| range.start < range.end) {
        change[range.start] += 1;
        change[range.end] -= 1;
    }
    let depths = change.iter().scan(0, |depth, change| {
        *depth += change;
        Some(*depth > 0)
    });
    depths.take(len).collect()
}

/// Rates the place after each piece. `in_block` and `locked` say of each place *before* a piece whether
/// it lies within a block of code or a quotation, and within something that must stay whole.
fn cuts(text: &str, list: &[Piece], in_block: &[bool], locked: &[bool]) -> Vec<Option<Cut>> {
    let mut cuts = vec![None; list.len()];
    let visible = (0..list.len()).filter(|&at| list[at].kind == Kind::Visible || at + 1 == list.len());
    let mut previous = None;
    for next in visible {
        if let Some(at) = previous.replace(next) {
            let gap = at + 1..next;
            if (at + 1..=next).any(|place| !locked[place]) {
                let newlines = list[gap.clone()].iter().filter(|piece| piece.kind == Kind::Newline).count();
                let last = text[..list[at + 1].start].chars().next_back();
                cuts[at] = Some(match newlines {
                    _ if next + 1 == list.len() => Cut::Paragraph,
                    0 if gap.is_empty() && matches!(last, Some('。' | '！' | '？')) => Cut::Sentence,
                    0 if gap.is_empty() => Cut::Grapheme,
                    0 if matches!(last, Some('.' | '!' | '?' | '…' | '。' | '！' | '？')) => {
                        Cut::Sentence
                    }
                    0 => Cut::Word,
                    1 => Cut::Line,
                    _ if in_block[at + 1] => Cut::Line,
                    _ => Cut::Paragraph,
                });
            }
        }
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    fn parts(markdown: &str, limit: usize) -> Vec<String> {
        split(&parse(markdown).to_styled(), limit, utf16_len).iter().map(Styled::marked).collect()
    }

    fn plain(text: &str, limit: usize) -> Vec<String> {
        let styled = Styled { text: text.into(), spans: vec![] };
        split(&styled, limit, utf16_len).into_iter().map(|part| part.text).collect()
    }

    #[test]
    fn utf16_counts_surrogates() {
        assert_eq!(utf16_len("aé漢👩"), 5);
    }

    #[test]
    fn what_fits_is_one_part_without_the_whitespace_around_it() {
        assert_eq!(plain(" \n a b \n", 3), ["a b"]);
        assert_eq!(plain(" \n\u{200b} ", 9), [""; 0]);
    }

    #[test]
    fn a_part_does_not_begin_with_a_space_that_a_mark_combines_with() {
        assert_eq!(plain(" \u{301} b", 9), ["\u{301} b"]);
        assert_eq!(plain("one  \u{301}two", 5), ["one", "\u{301}two"]);
        assert_eq!(parts("```\n \u{301} b\n```", 9), ["{pre: \u{301} b}"]);
    }

    #[test]
    fn better_places_are_preferred() {
        assert_eq!(plain("one two\n\nthree\nfour five", 18), ["one two\n\nthree", "four five"]);
        assert_eq!(plain("one two six\n\nthree\nfour", 18), ["one two six", "three\nfour"]);
        assert_eq!(plain("one. two\nsix. seven", 14), ["one. two", "six. seven"]);
        assert_eq!(plain("Is it? It is so.", 12), ["Is it?", "It is so."]);
        assert_eq!(plain("one two three", 8), ["one two", "three"]);
        assert_eq!(plain("一二三。四五六七", 6), ["一二三。", "四五六七"]);
    }

    #[test]
    fn a_better_place_is_not_worth_a_part_less_than_half_full() {
        assert_eq!(plain("a\n\nb c d e f g h i", 12), ["a\n\nb c d e f", "g h i"]);
    }

    #[test]
    fn a_long_word_goes_to_the_next_part_whole_if_it_fits() {
        assert_eq!(plain("see https://example.org/a now", 23), ["see", "https://example.org/a", "now"]);
        assert_eq!(plain("see https://example.org/abc", 12), ["see", "https://exam", "ple.org/abc"]);
    }

    #[test]
    fn graphemes_are_cut_only_if_they_are_too_long() {
        let family = "👩\u{200d}👩\u{200d}👧";
        assert_eq!(plain(&family.repeat(3), 17), [family.repeat(2), family.into()]);
        assert_eq!(plain("e\u{301}\u{302}\u{303}f", 3), ["e\u{301}\u{302}", "\u{303}f"]);
        assert_eq!(plain("👩b", 1), ["👩", "b"]);
        assert_eq!(plain("ab", 0), ["a", "b"]);
    }

    #[test]
    fn a_code_block_goes_on_with_its_language_and_indentation() {
        let code = "# Title\n\n```py\ndef a():\n    b()\n\n    c()\n```\nend";
        assert_eq!(
            parts(code, 18),
            ["{bold:Title}\n\n{pre py:def a():}", "{pre py:    b()\n\n    c()}", "end"]
        );
    }

    #[test]
    fn indentation_that_fills_a_part_is_dropped() {
        assert_eq!(parts("```\na\n          b\n```", 5), ["{pre:a}", "{pre:b}"]);
    }

    #[test]
    fn short_links_and_code_stay_whole() {
        assert_eq!(parts("one [two three](u) four", 12), ["one", "{link u:two three}", "four"]);
        assert_eq!(parts("one `two three`", 12), ["one", "{code:two three}"]);
        assert_eq!(parts("ab`cd ef`gh", 6), ["ab", "{code:cd ef}g", "h"]);
        assert_eq!(parts("`one two three`", 8), ["{code:one two}", "{code:three}"]);
        assert_eq!(parts("one` two`six", 6), ["one", "{code:two}six"]);
    }

    #[test]
    fn styles_reach_over_cuts() {
        assert_eq!(
            parts("> **one *two***\n> six", 4),
            ["{quote:{bold:one}}", "{quote:{bold:{italic:two}}}", "{quote:six}"]
        );
    }
}
