//! Marks in a text that somebody typed into a terminal: what is code or quoted addresses nobody.

use roundtable_contract::{Span, SpanKind};

/// The stretches between backticks (as many to close as to open) and the lines that begin with `>`.
pub(super) fn spans(text: &str) -> Vec<Span> {
    let mut spans = code(text);
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if line.starts_with('>') {
            spans.push(Span { start, end: start + line.len(), kind: SpanKind::Quote });
        }
        start += line.len();
    }
    spans
}

fn code(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut opened: Option<Run> = None;
    for run in runs(text) {
        match opened {
            Some(open) if open.length == run.length => {
                spans.push(Span { start: open.start, end: run.start + run.length, kind: SpanKind::Code });
                opened = None;
            }
            Some(_) => {}
            // One that nothing closes is a backtick and no code.
            None if closes(text, run) => opened = Some(run),
            None => {}
        }
    }
    spans
}

/// Backticks that follow one another.
#[derive(Clone, Copy)]
struct Run {
    start: usize,
    length: usize,
}

fn runs(text: &str) -> impl Iterator<Item = Run> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find('`')?;
        let length = text[start..].len() - text[start..].trim_start_matches('`').len();
        at = start + length;
        Some(Run { start, length })
    })
}

fn closes(text: &str, open: Run) -> bool {
    let end = open.start + open.length;
    runs(&text[end..]).any(|run| run.length == open.length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_quotes_are_marked() {
        let marked = |text: &'static str| -> Vec<&str> {
            spans(text).iter().map(|span| &text[span.start..span.end]).collect()
        };
        assert_eq!(marked("ask `@coder` or @qa"), ["`@coder`"]);
        assert_eq!(marked("```\n@a ` @b\n``` @c ``x`y``"), ["```\n@a ` @b\n```", "``x`y``"]);
        assert_eq!(marked("a ` lonely `` tick"), Vec::<&str>::new());
        assert_eq!(marked("> é said\nyes\n>no"), ["> é said\n", ">no"]);
    }
}
