//! Plain text with styled stretches, the form between a document and a platform's messages.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::normalise;

/// Plain text with styled stretches. Made by [`Document::to_styled`](crate::Document::to_styled) and
/// [`split`](crate::split), read by adapters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Styled {
    /// The text as people see it.
    pub text: String,
    /// The stretches, sorted by start, the outer one first; any two are nested or apart. None is empty,
    /// and both ends lie between graphemes.
    pub spans: Vec<StyleSpan>,
}

/// One styled stretch of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StyleSpan {
    /// First byte.
    pub start: usize,
    /// First byte after it.
    pub end: usize,
    /// How it looks.
    pub style: Style,
}

/// How a stretch of text looks. No style lies within another of its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// Bold.
    Bold,
    /// Italic.
    Italic,
    /// Struck out.
    Strike,
    /// Inline code.
    Code,
    /// A block of code, or of anything else that is aligned by columns.
    Pre {
        /// The language, for highlighting; one word without backticks.
        language: Option<String>,
    },
    /// A text with an address behind it.
    Link {
        /// The address as the author wrote it, which may be a relative one.
        url: String,
    },
    /// A quotation.
    Quote,
}

impl Styled {
    /// The text under a bold name on a line of its own, for platforms where an agent can't speak under
    /// its own name. A blank text stays as it is, so that a name alone is never sent.
    pub fn with_prefix(self, bold: &str) -> Styled {
        let name = normalise(bold).replace('\n', " ");
        if name.is_empty() || self.text.is_empty() {
            return self;
        }
        let shift = name.len() + 1;
        let mut spans = vec![StyleSpan { start: 0, end: name.len(), style: Style::Bold }];
        spans.extend(self.spans.into_iter().map(|span| StyleSpan {
            start: span.start + shift,
            end: span.end + shift,
            style: span.style,
        }));
        Styled { text: format!("{name}\n{}", self.text), spans }
    }

    /// Writes the address behind a text after it, for links that `follows` says no to: a platform that does
    /// not follow an address would show only the text.
    pub fn write_out_links(&self, follows: impl Fn(&str) -> bool) -> Styled {
        let mut inserts = Vec::new();
        let mut spans = Vec::with_capacity(self.spans.len());
        for span in &self.spans {
            match &span.style {
                Style::Link { url } if !follows(url) => {
                    let url = normalise(url);
                    if url.trim_start_matches("mailto:") != &self.text[span.start..span.end] {
                        inserts.push((span.end, format!(" ({url})")));
                    }
                }
                _ => spans.push(span.clone()),
            }
        }
        inserts.sort_by_key(|(at, _)| *at);
        Styled { text: self.text.clone(), spans }.insert(inserts)
    }

    /// Puts texts in at the given places (bytes between graphemes, in order). What is put where a stretch
    /// ends stays outside of it.
    pub fn insert(&self, inserts: Vec<(usize, String)>) -> Styled {
        let mut text = String::with_capacity(self.text.len() + 3 * inserts.len());
        // for every insert: its place, and how much longer the text is from there on
        let mut grown = Vec::with_capacity(inserts.len());
        let (mut from, mut more) = (0, 0);
        for (at, piece) in inserts {
            text.push_str(&self.text[from..at]);
            text.push_str(&piece);
            more += piece.len();
            grown.push((at, more));
            from = at;
        }
        text.push_str(&self.text[from..]);
        let shift = |at: usize, inserts_before: usize| match inserts_before {
            0 => at,
            n => at + grown[n - 1].1,
        };
        let moved = |span: &StyleSpan| StyleSpan {
            start: shift(span.start, grown.partition_point(|(at, _)| *at <= span.start)),
            end: shift(span.end, grown.partition_point(|(at, _)| *at < span.end)),
            style: span.style.clone(),
        };
        Styled { text, spans: self.spans.iter().map(moved).collect() }
    }

    /// The stretches `ranges` (in order, apart, on char boundaries) as texts of their own. A style that
    /// reaches over a cut goes on in the next stretch.
    pub(crate) fn cut(&self, ranges: &[Range<usize>]) -> Vec<Styled> {
        let mut waiting = self.spans.iter().peekable();
        let mut open: Vec<&StyleSpan> = Vec::new();
        let mut parts = Vec::with_capacity(ranges.len());
        for range in ranges {
            while let Some(span) = waiting.next_if(|span| span.start < range.end) {
                open.push(span);
            }
            open.retain(|span| span.end > range.start);
            let spans = open.iter().filter_map(|span| span.clip(range)).collect();
            parts.push(Styled { text: self.text[range.clone()].to_owned(), spans });
        }
        parts
    }
}

impl StyleSpan {
    /// The stretch as it lies in `range`, counted from its start; `None` when no part of it does.
    fn clip(&self, range: &Range<usize>) -> Option<StyleSpan> {
        let start = self.start.max(range.start);
        let end = self.end.min(range.end);
        (start < end).then(|| StyleSpan {
            start: start - range.start,
            end: end - range.start,
            style: self.style.clone(),
        })
    }
}

#[cfg(test)]
impl Styled {
    /// The text with its styles written out, `{bold:…}`, for snapshots.
    pub(crate) fn marked(&self) -> String {
        let mut marked = String::new();
        for at in (0..=self.text.len()).filter(|at| self.text.is_char_boundary(*at)) {
            marked.extend(self.spans.iter().filter(|span| span.end == at).map(|_| '}'));
            for span in self.spans.iter().filter(|span| span.start == at) {
                let name = match &span.style {
                    Style::Pre { language } => format!("pre {}", language.as_deref().unwrap_or_default()),
                    Style::Link { url } => format!("link {url}"),
                    plain => format!("{plain:?}").to_lowercase(),
                };
                marked.push_str(&format!("{{{}:", name.trim()));
            }
            marked.extend(self.text[at..].chars().next());
        }
        marked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: usize, end: usize, style: Style) -> StyleSpan {
        StyleSpan { start, end, style }
    }

    #[test]
    fn a_name_goes_on_a_bold_line_of_its_own() {
        let styled = Styled { text: "hi you".into(), spans: vec![span(3, 6, Style::Italic)] };
        assert_eq!(
            styled.with_prefix(" Zoë\nB "),
            Styled {
                text: "Zoë B\nhi you".into(),
                spans: vec![span(0, 6, Style::Bold), span(10, 13, Style::Italic)]
            }
        );
    }

    #[test]
    fn a_blank_text_gets_no_name_and_a_blank_name_changes_nothing() {
        assert_eq!(Styled::default().with_prefix("Ann"), Styled::default());
        let styled = Styled { text: "hi".into(), spans: vec![] };
        assert_eq!(styled.clone().with_prefix(" \u{202e}"), styled);
    }

    #[test]
    fn styles_go_on_after_a_cut() {
        let styled = Styled {
            text: "abcdefgh".into(),
            spans: vec![span(0, 7, Style::Quote), span(1, 5, Style::Bold), span(6, 7, Style::Code)],
        };
        let parts = styled.cut(&[0..3, 3..5, 5..8]);
        assert_eq!(parts[0].spans, [span(0, 3, Style::Quote), span(1, 3, Style::Bold)]);
        assert_eq!(parts[1].spans, [span(0, 2, Style::Quote), span(0, 2, Style::Bold)]);
        assert_eq!(parts[2].spans, [span(0, 2, Style::Quote), span(1, 2, Style::Code)]);
    }
}
