//! Labels in a message: `@coder` and `coder: text`.

use roundtable_contract::{Span, SpanKind};

use super::names;

/// The labels of one message, as they were written, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Labels<'a> {
    /// Who is spoken to: the labels the message starts with or, if it starts with none, all of them.
    pub addressees: Vec<&'a str>,
    /// Who is only spoken about.
    pub references: Vec<&'a str>,
    /// The first word, if it has the form of `label: text`. Whether it is a label depends on who is here.
    pub prefix: Option<&'a str>,
}

/// Reads the labels of a text. `start` is where its own words begin: see [`body_start`].
///
/// A label stands outside code, links, quotes and platform mentions and not after a letter, a digit, `.`,
/// `_` or `/`, so that addresses, paths and packages are none.
pub fn parse<'a>(text: &'a str, spans: &[Span], start: usize) -> Labels<'a> {
    let found: Vec<_> = text.match_indices('@').filter_map(|(at, _)| label_at(text, spans, at)).collect();
    let leading = leading(text, spans, start, &found);
    let names = |labels: &[Found<'a>]| {
        let mut names: Vec<&str> = Vec::new();
        for label in labels {
            if !names.iter().any(|name| name.eq_ignore_ascii_case(label.name)) {
                names.push(label.name);
            }
        }
        names
    };
    let (addressees, references) = if leading == 0 { (&found[..], &[][..]) } else { found.split_at(leading) };
    Labels {
        addressees: names(addressees),
        references: names(references),
        prefix: prefix_at(text, spans, start),
    }
}

/// Where a message's own words begin: after white space and mentions of our own bot.
pub fn body_start(text: &str, spans: &[Span]) -> usize {
    skip(text, spans, 0, char::is_whitespace)
}

struct Found<'a> {
    name: &'a str,
    start: usize,
    end: usize,
}

fn label_at<'a>(text: &'a str, spans: &[Span], at: usize) -> Option<Found<'a>> {
    let glued = |before: char| before.is_alphanumeric() || matches!(before, '.' | '_' | '/');
    if text[..at].ends_with(glued) {
        return None;
    }
    let (name, end) = name_at(text, spans, at + 1)?;
    Some(Found { name, start: at, end })
}

fn prefix_at<'a>(text: &'a str, spans: &[Span], start: usize) -> Option<&'a str> {
    let (name, end) = name_at(text, spans, start)?;
    let rest = text[end..].strip_prefix(':')?;
    rest.starts_with(char::is_whitespace).then_some(name)
}

/// The name that begins at `start` and where it ends, if it may be a label and nothing marks it otherwise.
fn name_at<'a>(text: &'a str, spans: &[Span], start: usize) -> Option<(&'a str, usize)> {
    let rest = &text[start..];
    let length = rest.find(|char| !names::is_label_char(char)).unwrap_or(rest.len());
    let (name, end) = (&rest[..length], start + length);
    let marked =
        spans.iter().any(|span| span.kind != SpanKind::Command && span.start < end && start < span.end);
    (names::is_valid(name) && !names::is_reserved(name) && !marked).then_some((name, end))
}

/// How many of the labels stand at the start, with nothing but punctuation between them.
fn leading(text: &str, spans: &[Span], start: usize, found: &[Found<'_>]) -> usize {
    let between = |char: char| char.is_whitespace() || matches!(char, ',' | ';' | ':' | '&' | '+');
    let mut at = start;
    found
        .iter()
        .take_while(|label| {
            let stands_here = label.start == skip(text, spans, at, between);
            at = label.end;
            stands_here
        })
        .count()
}

/// The first place from `at` on that is neither such a character nor a mention of our own bot.
fn skip(text: &str, spans: &[Span], mut at: usize, passed: fn(char) -> bool) -> usize {
    loop {
        at += text[at..].len() - text[at..].trim_start_matches(passed).len();
        let ours = |span: &&Span| {
            span.kind == SpanKind::OurMention
                && span.start == at
                && span.end > at
                && text.is_char_boundary(span.end)
        };
        match spans.iter().find(ours) {
            Some(mention) => at = mention.end,
            None => return at,
        }
    }
}
