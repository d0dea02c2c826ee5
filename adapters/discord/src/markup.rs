//! Styled text in Discord's markdown. Pure.
//!
//! The dialect is the client's own: `__` underlines, there are no tables and no nested quotes, and what
//! looks like markup in plain text has to be escaped to be seen.

use roundtable_text::{Style, StyleSpan, Styled};

/// Looks like nothing and parts what would have a meaning together.
const BREAK: char = '\u{200b}';

/// The text as Discord shows it styled, with nothing in it that pings: mass mentions are broken, and
/// mentions by number are shown as they are written.
pub(crate) fn markup(styled: &Styled) -> String {
    let mut out = String::with_capacity(styled.text.len() * 5 / 4);
    write(&mut out, &styled.text, (0, styled.text.len()), &styled.spans);
    out
}

/// Writes `start..end` of the text, in which `spans` lie, each one inside or after the one before.
fn write(out: &mut String, text: &str, (start, end): (usize, usize), mut spans: &[StyleSpan]) {
    let mut at = start;
    while let Some((span, rest)) = spans.split_first() {
        let inner = rest.partition_point(|other| other.start < span.end);
        escape(out, &text[at..span.start]);
        styled(out, text, span, &rest[..inner]);
        at = span.end;
        spans = &rest[inner..];
    }
    escape(out, &text[at..end]);
}

/// Writes one stretch with the stretches inside it.
fn styled(out: &mut String, text: &str, span: &StyleSpan, inside: &[StyleSpan]) {
    let plain = &text[span.start..span.end];
    let mut inner = String::new();
    match &span.style {
        Style::Code => return code(out, plain),
        Style::Pre { language } => return block(out, plain, language.as_deref()),
        _ => write(&mut inner, text, (span.start, span.end), inside),
    }
    match &span.style {
        Style::Quote => quote(out, &inner),
        // between brackets nothing in an address has a meaning
        Style::Link { url } if url == plain && bare_address(plain) != Some(plain.len()) => {
            out.extend(["<", plain, ">"]);
        }
        Style::Link { url } if url == plain => out.push_str(plain),
        Style::Link { url } => around(out, &inner, "[", &format!("]({})", address(url))),
        Style::Bold => around(out, &inner, "**", "**"),
        Style::Italic => around(out, &inner, "*", "*"),
        Style::Strike => around(out, &inner, "~~", "~~"),
        Style::Code | Style::Pre { .. } => {}
    }
}

/// Marks have a meaning only next to something visible.
fn around(out: &mut String, inner: &str, before: &str, after: &str) {
    let visible = inner.trim();
    if visible.is_empty() {
        return out.push_str(inner);
    }
    let lead = inner.len() - inner.trim_start().len();
    out.push_str(&inner[..lead]);
    if out.ends_with('*') && before.starts_with('*') {
        out.push(BREAK);
    }
    out.push_str(before);
    out.push_str(visible);
    out.push_str(after);
    out.push_str(&inner[lead + visible.len()..]);
}

fn code(out: &mut String, plain: &str) {
    if plain.trim().is_empty() {
        return out.push_str(plain);
    }
    if out.ends_with('`') {
        out.push(BREAK);
    }
    if plain.contains('`') {
        // two ticks around, and never two inside
        out.push_str("`` ");
        out.push_str(&apart(plain, "``", &format!("`{BREAK}`")));
        out.push_str(" ``");
    } else {
        out.push('`');
        out.push_str(plain);
        out.push('`');
    }
}

fn block(out: &mut String, plain: &str, language: Option<&str>) {
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    out.push_str("```");
    // another word would be shown as the first line
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_+-.#".contains(c);
    if let Some(language) = language.filter(|language| language.chars().all(is_name)) {
        out.push_str(language);
    }
    out.push('\n');
    out.push_str(&apart(plain, "```", &format!("``{BREAK}`")));
    out.push_str("\n```");
}

/// The text with every `run` of ticks in it parted, however long it goes on.
fn apart(text: &str, run: &str, parted: &str) -> String {
    let mut text = text.to_owned();
    while text.contains(run) {
        text = text.replace(run, parted);
    }
    text
}

fn quote(out: &mut String, inner: &str) {
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    for (index, line) in inner.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        out.push_str("> ");
        out.push_str(line);
    }
}

/// An address between parentheses.
fn address(url: &str) -> String {
    url.replace('(', "%28").replace(')', "%29")
}

/// Writes text that is to be seen as it is.
fn escape(out: &mut String, text: &str) {
    let mut rest = text;
    let mut before = None;
    while let Some(c) = rest.chars().next() {
        if c == 'h'
            && !before.is_some_and(char::is_alphanumeric)
            && let Some(length) = bare_address(rest)
        {
            out.push_str(&rest[..length]);
            before = rest[..length].chars().next_back();
            rest = &rest[length..];
            continue;
        }
        let after = &rest[c.len_utf8()..];
        let at_line_start = out.is_empty() || out.ends_with('\n');
        if is_markup(c, before, after, at_line_start) {
            out.push('\\');
        }
        out.push(c);
        if c == '@' && (after.starts_with("everyone") || after.starts_with("here")) {
            out.push(BREAK);
        }
        before = Some(c);
        rest = after;
    }
}

/// Whether a character would have a meaning here.
fn is_markup(c: char, before: Option<char>, after: &str, at_line_start: bool) -> bool {
    let next = after.chars().next();
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    match c {
        '\\' | '*' | '`' | '[' => true,
        '_' => !(is_word(before) && is_word(next)),
        '~' | '|' => before == Some(c) || next == Some(c),
        ']' => next == Some('('),
        '<' => next.is_some_and(|c| "@#:/".contains(c) || c.is_ascii_alphabetic()),
        '>' | '#' => at_line_start,
        '-' | '+' => at_line_start && matches!(next, Some(' ' | '#')),
        _ => false,
    }
}

/// The length of the web address that begins here, up to what could be taken for markup: escaped, it would
/// lead elsewhere.
fn bare_address(text: &str) -> Option<usize> {
    let scheme = ["https://", "http://"].into_iter().find(|scheme| text.starts_with(scheme))?;
    let ends = |c: char| c.is_whitespace() || "<>`*~|\\[]".contains(c);
    let end = text.find(ends).unwrap_or(text.len());
    (end > scheme.len()).then_some(end)
}

#[cfg(test)]
mod tests {
    use roundtable_text::parse;

    use super::*;

    fn marked_up(markdown: &str) -> String {
        markup(&parse(markdown).to_styled())
    }

    #[test]
    fn styles_are_written_in_the_dialect() {
        for (markdown, expected) in [
            ("# One **two**", "**One two**"),
            ("__bold__ _it_ ~~no~~ `x`", "**bold** *it* ~~no~~ `x`"),
            ("**a *b***", "**a *b***"),
            ("**a**_b_", "**a**\u{200b}*b*"),
            ("> said\n> more\n\nme", "> said\n> more\n\nme"),
            ("```rust\nlet a = 1;\n```\nend", "```rust\nlet a = 1;\n```\n\nend"),
            ("- one\n- two", "• one\n• two"),
            ("[site](https://a.example/x_(y)) <https://b.example/_z_>", {
                "[site](https://a.example/x_%28y%29) https://b.example/_z_"
            }),
            ("<https://b.example/*x*>", "<https://b.example/*x*>"),
            ("``a`b``", "`` a`b ``"),
            ("`````\n```\n````\n`````", "```\n``\u{200b}`\n``\u{200b}``\n```"),
        ] {
            assert_eq!(marked_up(markdown), expected, "{markdown}");
        }
        let table = marked_up("|a|b|\n|-|-|\n|1|2|");
        assert!(table.starts_with("```\na | b\n") && table.ends_with("1 | 2\n```"), "{table}");
    }

    #[test]
    fn text_that_looks_like_markup_is_escaped() {
        for (text, expected) in [
            ("a*b snake_case _x_ \\ ` [x](y)", "a\\*b snake_case \\_x\\_ \\\\ \\` \\[x\\](y)"),
            ("~ ~~a~~ | ||b||", "~ \\~\\~a\\~\\~ | \\|\\|b\\|\\|"),
            ("# no\n> no\n- no\n-# no\n1. one", "\\# no\n\\> no\n\\- no\n\\-# no\n1. one"),
            ("a # b > c - d 1 < 2", "a # b > c - d 1 < 2"),
            ("see https://a.example/_x_y_ and *", "see https://a.example/_x_y_ and \\*"),
        ] {
            assert_eq!(markup(&Styled { text: text.into(), spans: vec![] }), expected, "{text}");
        }
    }

    #[test]
    fn nothing_pings() {
        let got = marked_up("@everyone @here <@55> <@&7> <#20> **@everyone**");
        assert_eq!(got, "@\u{200b}everyone @\u{200b}here \\<@55> \\<@&7> \\<#20> **@\u{200b}everyone**");
    }
}
