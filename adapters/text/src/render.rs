//! A document as a chat shows it: text with styled stretches.

use unicode_segmentation::UnicodeSegmentation;

use crate::table::table;
use crate::tree::task_box;
use crate::{Block, Document, Inline, Style, StyleSpan, Styled, split};

impl Document {
    /// The document as a chat shows it: headings bold, lists with bullets, tables as aligned
    /// preformatted text, a blank line between blocks. [`normalise`](crate::normalise) changes nothing
    /// about the text, except that indentation before a line of code at its very start is kept: Telegram
    /// trims the start of a text only up to its first entity.
    pub fn to_styled(&self) -> Styled {
        let mut writer = Writer::default();
        writer.blocks(&self.blocks, 2);
        // One part of any length is the text without the whitespace around it.
        split(&writer.finish(), usize::MAX, str::len).pop().unwrap_or_default()
    }
}

/// The text so far. Newlines and indentation wait until something visible follows them.
#[derive(Default)]
struct Writer {
    text: String,
    spans: Vec<StyleSpan>,
    /// The styles around the place of writing.
    open: Vec<Style>,
    /// Newlines to write before the next visible thing.
    newlines: usize,
    /// Spaces at the start of a line.
    indent: usize,
}

impl Writer {
    fn blocks(&mut self, blocks: &[Block], newlines_between: usize) {
        for (index, block) in blocks.iter().enumerate() {
            // Two paragraphs need a blank line even in a list, where other blocks stand close.
            let after_text = index > 0 && matches!(block, Block::Paragraph(_) | Block::Heading(_));
            self.break_line(match index {
                0 => 0,
                _ if after_text => 2,
                _ => newlines_between,
            });
            self.block(block);
        }
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Paragraph(content) => self.inlines(content),
            Block::Heading(content) => self.styled(Style::Bold, |writer| writer.inlines(content)),
            Block::Rule => self.write("———"),
            Block::List { first, items } => self.list(*first, items),
            Block::Code { language, text } => {
                self.boxed(Style::Pre { language: language.clone() }, |writer| writer.write(text));
            }
            Block::Table { columns, rows } => {
                self.boxed(Style::Pre { language: None }, |writer| writer.write(&table(columns, rows)));
            }
            Block::Quote(blocks) => self.boxed(Style::Quote, |writer| writer.blocks(blocks, 2)),
        }
    }

    fn list(&mut self, first: Option<u64>, items: &[Vec<Block>]) {
        for (index, item) in (0..).zip(items) {
            self.break_line(usize::from(index > 0));
            let is_task = matches!(item.first(), Some(Block::Paragraph(text)) if matches!(text[..], [Inline::Task(_), ..]));
            let marker = match first {
                Some(first) => format!("{}. ", first.saturating_add(index)),
                None if is_task => String::new(),
                None => "• ".to_owned(),
            };
            self.start_line();
            self.text.push_str(&marker);
            let width = if marker.is_empty() { 2 } else { marker.chars().count() };
            self.indent += width;
            self.blocks(item, 1);
            self.indent -= width;
        }
    }

    fn inlines(&mut self, inlines: &[Inline]) {
        for inline in inlines {
            match inline {
                Inline::Text(text) => self.write(text),
                Inline::Task(done) => self.write(task_box(*done)),
                Inline::Code(code) => self.styled(Style::Code, |writer| writer.write(code)),
                Inline::Bold(content) => self.styled(Style::Bold, |writer| writer.inlines(content)),
                Inline::Italic(content) => self.styled(Style::Italic, |writer| writer.inlines(content)),
                Inline::Strike(content) => self.styled(Style::Strike, |writer| writer.inlines(content)),
                Inline::Link { url, content } => {
                    self.styled(Style::Link { url: url.clone() }, |writer| writer.inlines(content));
                }
            }
        }
    }

    /// A block that chats set apart: it starts on a line of its own and is not indented.
    fn boxed(&mut self, style: Style, content: impl FnOnce(&mut Self)) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.break_line(1);
        }
        let indent = std::mem::take(&mut self.indent);
        self.styled(style, content);
        self.indent = indent;
    }

    /// Writes `content` in a style, unless one of its kind is open already: none has a meaning twice.
    fn styled(&mut self, style: Style, content: impl FnOnce(&mut Self)) {
        let kind = std::mem::discriminant(&style);
        if self.open.iter().any(|open| std::mem::discriminant(open) == kind) {
            return content(self);
        }
        self.start_line();
        let start = self.text.len();
        let slot = self.spans.len();
        self.spans.push(StyleSpan { start, end: start, style: style.clone() });
        self.open.push(style);
        content(self);
        self.open.pop();
        self.spans[slot].end = self.text.len();
    }

    /// Sees to it that at least `newlines` come before what is written next.
    fn break_line(&mut self, newlines: usize) {
        self.newlines = self.newlines.max(newlines);
    }

    fn write(&mut self, text: &str) {
        for (index, line) in text.split('\n').enumerate() {
            self.newlines += usize::from(index > 0);
            if !line.is_empty() {
                self.start_line();
                self.text.push_str(line);
            }
        }
    }

    /// Writes the newlines that waited, and the indentation after them.
    fn start_line(&mut self) {
        let newlines = std::mem::take(&mut self.newlines);
        if newlines > 0 && !self.text.is_empty() {
            self.text.extend(std::iter::repeat_n('\n', newlines));
            self.text.extend(std::iter::repeat_n(' ', self.indent));
        }
    }

    /// Moves the ends of the spans that fell into a grapheme (a combining mark may follow a closing
    /// `**`) behind it, all the same way so that nothing starts to overlap, and drops empty spans.
    fn finish(self) -> Styled {
        let Self { text, mut spans, .. } = self;
        let ends: Vec<usize> =
            text.grapheme_indices(true).map(|(start, _)| start).chain([text.len()]).collect();
        let snap = |byte: usize| ends[ends.partition_point(|end| *end < byte)];
        for span in &mut spans {
            (span.start, span.end) = (snap(span.start), snap(span.end));
        }
        spans.retain(|span| span.start < span.end);
        Styled { text, spans }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use crate::parse;

    fn shown(markdown: &str) -> String {
        parse(markdown).to_styled().marked()
    }

    #[test]
    fn headings_are_bold_lines_of_their_own() {
        assert_snapshot!(shown("# One **two**\n## `x`\ntext\n\nSetext\n===\n#\nend"), @r"
        {bold:One two}

        {bold:{code:x}}

        text

        {bold:Setext}

        end
        ");
    }

    #[test]
    fn styles_nest() {
        assert_snapshot!(shown("**bold _both_** ~~gone~~ `code` plain"), @r"{bold:bold {italic:both}} {strike:gone} {code:code} plain");
    }

    #[test]
    fn line_breaks_are_kept() {
        assert_snapshot!(shown("soft\nhard  \nlast\\\nend\n\n\n\nnew block"), @r"
        soft
        hard
        last
        end

        new block
        ");
    }

    #[test]
    fn lists_are_indented_under_their_markers() {
        assert_snapshot!(shown("- one\n- two\n  - deep\n    more\n    1. first\n    2. second\n\nafter"), @r"
        • one
        • two
          • deep
            more
            1. first
            2. second

        after
        ");
        assert_snapshot!(shown("9. nine\n10. ten\n\n    second paragraph\n\n    ```\n    code\n    ```\n11. eleven"), @r"
        9. nine
        10. ten

            second paragraph
        {pre:code}
        11. eleven
        ");
    }

    #[test]
    fn tasks_show_a_box_instead_of_a_bullet() {
        assert_snapshot!(shown("- [ ] open\n- [x] done\n  more\n1. [x] numbered"), @r"
        ☐ open
        ☑ done
          more

        1. ☑ numbered
        ");
    }

    #[test]
    fn tables_are_aligned() {
        assert_snapshot!(shown("before\n\n| Name | Qty | Note |\n|:--|--:|:-:|\n| Äpfel | 3 | **red** |\n| 👩\u{200d}👩\u{200d}👧 [docs](https://x.org) | 12 |\n| a | 1 | c | surplus | `x` |\n\nafter"), @r"
        before

        {pre:Name                   | Qty | Note
        -----------------------+-----+------+---------+----
        Äpfel                  |   3 | red
        👩‍👩‍👧 docs (https://x.org) |  12
        a                      |   1 |  c   | surplus | `x`}

        after
        ");
    }

    #[test]
    fn quotes_are_one_stretch() {
        assert_snapshot!(shown("> a **b**\n>\n> > inner\n\nend"), @r"
        {quote:a {bold:b}

        inner}

        end
        ");
        assert_snapshot!(shown("- item\n  > quoted"), @r"
        • item
        {quote:quoted}
        ");
    }

    #[test]
    fn code_keeps_its_language_and_lines() {
        assert_snapshot!(shown("```rust\nfn a() {\n\n\u{9}b();\n}\n```\n\n    indented\n      more"), @r"
        {pre rust:fn a() {

            b();
        }}

        {pre:indented
          more}
        ");
        assert_snapshot!(shown("``` python title=\"a.py\"\nx\n```"), @r#"
        {pre python:title="a.py"
        x}
        "#);
        assert_snapshot!(shown("```hello world"), @r"{pre:hello world}");
        assert_snapshot!(shown("~~~a`b\nx\n~~~"), @r"
        {pre:a`b
        x}
        ");
    }

    #[test]
    fn rules_are_a_line() {
        assert_snapshot!(shown("a\n\n---\n\nb"), @r"
        a

        ———

        b
        ");
    }

    #[test]
    fn links_and_images_show_their_text() {
        assert_snapshot!(shown("[text](https://a.b \"title\") ![alt](i.png) [](https://c.d) ![](e.png) <https://f.g> <h@i.j> [no]() []()"), @r"{link https://a.b:text} (title) {link i.png:alt} {link https://c.d:https://c.d} {link e.png:e.png} {link https://f.g:https://f.g} {link mailto:h@i.j:h@i.j} no []()");
        assert_snapshot!(shown("[![badge](b.svg)](https://ci)"), @r"{link https://ci:badge}");
    }

    #[test]
    fn link_definitions_are_shown_unless_used() {
        assert_snapshot!(shown("see [the docs][1] and [2]\n\n[1]: https://a.b\n[3]: https://c.d 'unused'\n\n> x\n>\n> [4]: https://e.f\n\n- y\n\n  [5]: https://g.h\n- z"), @r"
        see {link https://a.b:the docs} and [2]

        [3]: https://c.d 'unused'

        {quote:x

        [4]: https://e.f}

        • y

          [5]: https://g.h
        • z
        ");
    }

    #[test]
    fn html_stays_visible() {
        assert_snapshot!(shown("<div class=\"x\">\n<b>hi</b>\n</div>\n\na <br> b &amp; c &lt;d&gt;"), @r#"
        <div class="x">
        <b>hi</b>
        </div>

        a <br> b & c <d>
        "#);
    }

    #[test]
    fn unbalanced_markup_stays_visible() {
        assert_snapshot!(shown("**bold _x `y\n\n[a](b\n\n~~z"), @r"
        **bold _x `y

        [a](b

        ~~z
        ");
    }

    #[test]
    fn spans_end_between_graphemes() {
        assert_eq!(shown("**a**\u{301}b x**\u{301}c**"), "{bold:a\u{301}}b x\u{301}{bold:c}");
    }

    #[test]
    fn blank_text_gives_nothing() {
        assert_eq!(shown(""), "");
        assert_eq!(shown(" \n\u{200b}\n"), "");
        assert_eq!(shown("```\n```"), "");
        assert_eq!(shown("\u{202e}"), "");
        assert_eq!(shown("&nbsp;"), "");
    }

    #[test]
    fn code_at_the_start_keeps_its_indentation() {
        assert_snapshot!(shown("```\n  /\\_/\\\n ( o.o )\n```"), @r"
        {pre:  /\_/\
         ( o.o )}
        ");
    }
}
