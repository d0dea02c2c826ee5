//! Marked stretches of incoming text, and the numbers in it replaced by names.
//!
//! Discord sends what people typed: markup, and `<@id>` for a mention. The markup stays, the numbers do not.

use roundtable_contract::{Span, SpanKind};

/// A text as people read it, with what it is made of.
#[derive(Debug, PartialEq, Eq, Default)]
pub(crate) struct Marked {
    pub(crate) text: String,
    pub(crate) spans: Vec<Span>,
    /// A mention in the text speaks to our bot.
    pub(crate) mentions_us: bool,
}

/// What a number in a text stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    /// It is our bot, or the role that belongs to it.
    pub(crate) ours: bool,
}

/// Who and what the numbers in a text are.
pub(crate) trait Names {
    /// The person `<@id>`.
    fn user(&self, id: u64) -> Option<Named>;
    /// The role `<@&id>`.
    fn role(&self, id: u64) -> Option<Named>;
    /// The channel `<#id>`.
    fn channel(&self, id: u64) -> Option<String>;
}

/// Reads a message's content.
pub(crate) fn mark(content: &str, names: &dyn Names) -> Marked {
    let mut reader = Reader { rest: content, names, marked: Marked::default(), quote: None };
    let mut at_line_start = true;
    while let Some(c) = reader.rest.chars().next() {
        if at_line_start {
            reader.end_quote(false);
            reader.begin_quote();
        }
        at_line_start = c == '\n';
        if !reader.special(c) {
            reader.copy(c.len_utf8());
        }
    }
    reader.end_quote(true);
    reader.marked.spans.sort_by_key(|span| (span.start, span.end));
    reader.marked
}

struct Reader<'a> {
    /// What is still to be read.
    rest: &'a str,
    names: &'a dyn Names,
    marked: Marked,
    /// Where a quotation began, and whether it goes on to the end of the message.
    quote: Option<(usize, bool)>,
}

impl Reader<'_> {
    /// Takes over so many bytes as they are.
    fn copy(&mut self, bytes: usize) {
        let (taken, rest) = self.rest.split_at(bytes);
        self.marked.text.push_str(taken);
        self.rest = rest;
    }

    /// Takes over so many bytes as one marked stretch.
    fn copy_as(&mut self, kind: SpanKind, bytes: usize) {
        let start = self.marked.text.len();
        self.copy(bytes);
        self.marked.spans.push(Span { start, end: self.marked.text.len(), kind });
    }

    /// Puts `text` in place of so many bytes.
    fn replace(&mut self, bytes: usize, text: &str, kind: Option<SpanKind>) {
        let start = self.marked.text.len();
        self.marked.text.push_str(text);
        self.rest = &self.rest[bytes..];
        if let Some(kind) = kind {
            self.marked.spans.push(Span { start, end: self.marked.text.len(), kind });
        }
    }

    fn begin_quote(&mut self) {
        let to_the_end = self.rest.starts_with(">>> ");
        if self.quote.is_none() && (to_the_end || self.rest.starts_with("> ")) {
            self.quote = Some((self.marked.text.len(), to_the_end));
        }
    }

    /// A line is over, or all is.
    fn end_quote(&mut self, all: bool) {
        if let Some((start, to_the_end)) = self.quote
            && (all || !to_the_end)
        {
            let end = self.marked.text.trim_end_matches('\n').len();
            self.marked.spans.push(Span { start, end, kind: SpanKind::Quote });
            self.quote = None;
        }
    }

    /// Takes over what begins with `c` and is more than text; `false` when it is text.
    fn special(&mut self, c: char) -> bool {
        match c {
            '\\' if self.rest[1..].starts_with(|c: char| c.is_ascii_punctuation()) => self.copy(2),
            '`' => match code(self.rest) {
                Some(bytes) => self.copy_as(SpanKind::Code, bytes),
                None => return false,
            },
            '[' => match masked_link(self.rest) {
                Some(bytes) => self.copy_as(SpanKind::Link, bytes),
                None => return false,
            },
            'h' => match address(self.rest) {
                Some(bytes) => self.copy_as(SpanKind::Link, bytes),
                None => return false,
            },
            '<' => return self.bracket(),
            _ => return false,
        }
        true
    }

    /// `<…>`: a mention, an emoji, an address.
    fn bracket(&mut self) -> bool {
        let Some(end) = self.rest.find('>') else { return false };
        let (inner, bytes) = (&self.rest[1..end], end + 1);
        let number = |text: &str| text.parse::<u64>().ok();
        if let Some(id) = inner.strip_prefix("@&").and_then(number) {
            let named = self.names.role(id);
            return self.mention(bytes, named);
        }
        if let Some(id) = inner.strip_prefix("@!").or(inner.strip_prefix('@')).and_then(number) {
            let named = self.names.user(id);
            return self.mention(bytes, named);
        }
        if let Some(id) = inner.strip_prefix('#').and_then(number) {
            let Some(name) = self.names.channel(id) else { return false };
            self.replace(bytes, &format!("#{name}"), None);
            return true;
        }
        if address(inner).is_some() && !inner.contains(char::is_whitespace) {
            self.copy_as(SpanKind::Link, bytes);
            return true;
        }
        let emoji = inner.strip_prefix("a:").or(inner.strip_prefix(':'));
        let emoji = emoji.and_then(|emoji| emoji.split_once(':')).filter(|(_, id)| number(id).is_some());
        let Some((name, _)) = emoji else { return false };
        self.replace(bytes, &format!(":{name}:"), None);
        true
    }

    fn mention(&mut self, bytes: usize, named: Option<Named>) -> bool {
        match named {
            Some(Named { name, ours }) => {
                self.marked.mentions_us |= ours;
                let kind = if ours { SpanKind::OurMention } else { SpanKind::Mention };
                self.replace(bytes, &format!("@{name}"), Some(kind));
            }
            None => self.copy_as(SpanKind::Mention, bytes),
        }
        true
    }
}

/// The length of the code that begins here: up to as many backticks as it begins with.
fn code(text: &str) -> Option<usize> {
    let ticks = text.len() - text.trim_start_matches('`').len();
    // a block may hold fewer and more of them, so that it ends with the first three
    let fence = &text[..ticks.min(3)];
    let mut from = fence.len();
    loop {
        let at = from + text[from..].find(fence)?;
        let run = text[at..].len() - text[at..].trim_start_matches('`').len();
        if fence.len() == 3 || run == fence.len() {
            return Some(at + fence.len()).filter(|_| at > fence.len());
        }
        from = at + run;
    }
}

/// The length of the `[text](address)` that begins here.
fn masked_link(text: &str) -> Option<usize> {
    let line = text.lines().next()?;
    let middle = line.find("](")?;
    let inner = line[middle + 2..].trim_start_matches('<');
    address(inner)?;
    Some(middle + 2 + line[middle + 2..].find(')')? + 1)
}

/// The length of the web address that begins here; what ends a sentence is no part of it.
fn address(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("https://").or(text.strip_prefix("http://"))?;
    let word = rest.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>')).next()?;
    let word = word.trim_end_matches(['.', ',', ':', ';', '"', '\'', ')', ']', '!', '?', '*']);
    (!word.is_empty()).then(|| text.len() - rest.len() + word.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Known;

    impl Names for Known {
        fn user(&self, id: u64) -> Option<Named> {
            let name = match id {
                900 => "bridge",
                55 => "Ann Ö",
                _ => return None,
            };
            Some(Named { name: name.into(), ours: id == 900 })
        }

        fn role(&self, id: u64) -> Option<Named> {
            (id == 7).then(|| Named { name: "devs".into(), ours: false })
        }

        fn channel(&self, id: u64) -> Option<String> {
            (id == 20).then(|| "general".into())
        }
    }

    fn marked(content: &str) -> Marked {
        mark(content, &Known)
    }

    fn stretches(marked: &Marked) -> Vec<(&str, SpanKind)> {
        marked.spans.iter().map(|span| (&marked.text[span.start..span.end], span.kind)).collect()
    }

    #[test]
    fn numbers_become_names() {
        let got = marked("<@900> and <@!55>: <@&7> in <#20> <:wave:12> <a:dance:13> <@1> <#2> <t:1:R> a < b");
        assert_eq!(got.text, "@bridge and @Ann Ö: @devs in #general :wave: :dance: <@1> <#2> <t:1:R> a < b");
        assert_eq!(
            stretches(&got),
            [
                ("@bridge", SpanKind::OurMention),
                ("@Ann Ö", SpanKind::Mention),
                ("@devs", SpanKind::Mention),
                ("<@1>", SpanKind::Mention)
            ]
        );
        assert!(got.mentions_us && !marked("<@55>").mentions_us);
    }

    #[test]
    fn code_is_found_and_left_alone() {
        for (content, code) in [
            ("a `<@900>` b", "`<@900>`"),
            ("``x ` y`` z", "``x ` y``"),
            ("```rust\nlet `a`;\n``` b", "```rust\nlet `a`;\n```"),
            ("> `q` \n", "`q`"),
        ] {
            let got = marked(content);
            assert!(stretches(&got).contains(&(code, SpanKind::Code)), "{content}: {got:?}");
            assert_eq!((got.text.as_str(), got.mentions_us), (content, false));
        }
        for content in ["a ` b", "```open", "\\`no\\`", "``", "``````"] {
            assert_eq!(marked(content), Marked { text: content.into(), ..Marked::default() });
        }
        assert!(marked("\\` <@900> `").mentions_us);
    }

    #[test]
    fn quotes_and_links_are_marked() {
        let got = marked("> said <@55>\nme\n>>> all\nthe rest");
        assert_eq!(
            stretches(&got),
            [
                ("> said @Ann Ö", SpanKind::Quote),
                ("@Ann Ö", SpanKind::Mention),
                (">>> all\nthe rest", SpanKind::Quote)
            ]
        );
        let got =
            marked("see https://a.example/x_y, <http://b.example> or [this @x](https://c.example) hhttp");
        assert_eq!(
            stretches(&got),
            [
                ("https://a.example/x_y", SpanKind::Link),
                ("<http://b.example>", SpanKind::Link),
                ("[this @x](https://c.example)", SpanKind::Link)
            ]
        );
    }

    proptest! {
        #[test]
        fn anything_can_be_read(content in "([<>@#!&:0-9`\\\\\n \\[\\]()a漢😀]|https://|```|>>> ){0,60}") {
            let got = marked(&content);
            for span in &got.spans {
                prop_assert!(span.start < span.end && got.text.get(span.start..span.end).is_some());
            }
        }
    }
}
