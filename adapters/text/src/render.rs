//! A document as a chat shows it: text with styled stretches.

use unicode_segmentation::UnicodeSegmentation;

use crate::table::table;
use crate::tree::task_box;
use crate::{Block, Document, Inline, Style, StyleSpan, Styled, split};

impl Document {
    /// The document as a chat shows it: headings bold, lists with bullets, tables as aligned
    /// preformatted text, a blank line between blocks. [`normalise`](crate::normalise) changes nothing
    /// about the text, except that indentation before a line of code at its very start is kept (as
    /// Telegram keeps what a style covers).
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
}
