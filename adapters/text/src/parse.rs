//! Markdown to the tree.

use std::collections::BTreeMap;
use std::ops::Range;

use pulldown_cmark::{Alignment, CodeBlockKind, Event, LinkType, Options, Parser, Tag, TagEnd};

use crate::normalise::{clean, is_invisible};
use crate::tree::plain;
use crate::{Align, Block, Document, Inline};

const OPTIONS: Options =
    Options::ENABLE_STRIKETHROUGH.union(Options::ENABLE_TABLES).union(Options::ENABLE_TASKLISTS);

/// How deep blocks and styles may nest. What nests deeper is kept as text of the level above, so that
/// no input can exhaust the stack of those who walk the tree.
const MAX_DEPTH: usize = 24;

/// Reads markdown as models write it: CommonMark with tables, strikethrough and task lists.
///
/// Any input gives a tree and no text is lost: what other renderers drop (link definitions that nothing
/// uses, surplus cells of a table row, the rest of a code block's info string, link titles) is kept as
/// text. The text is clean as [`normalise`](crate::normalise) leaves it, so offsets into it stay true.
pub fn parse(markdown: &str) -> Document {
    let source = without_used_definitions(markdown);
    let mut builder =
        Builder { source: &source, covered: 0, frames: vec![Frame::default()], kept: Vec::new() };
    for (event, range) in Parser::new_ext(markdown, OPTIONS).into_offset_iter() {
        builder.event(event, range);
    }
    builder.finish()
}

/// The source with blanks in place of the link definitions (`[1]: https://…`) that some link uses; the
/// address is shown by that link. No other byte moves.
fn without_used_definitions(markdown: &str) -> String {
    let parser = Parser::new_ext(markdown, OPTIONS);
    let definitions = parser.reference_definitions();
    if definitions.iter().next().is_none() {
        return markdown.to_owned();
    }
    let used: BTreeMap<usize, usize> = Parser::new_ext(markdown, OPTIONS)
        .filter_map(|event| match event {
            Event::Start(Tag::Link { id, .. } | Tag::Image { id, .. }) => {
                definitions.get(&id).map(|used| (used.span.start, used.span.end))
            }
            _ => None,
        })
        .collect();
    let mut source = String::with_capacity(markdown.len());
    for (start, end) in used {
        source.push_str(&markdown[source.len()..start]);
        source.extend(std::iter::repeat_n(' ', end - start));
    }
    source.push_str(&markdown[source.len()..]);
    source
}

/// An element whose end has not been seen yet.
#[derive(Default)]
struct Frame<'a> {
    /// What it is; `None` for the document.
    tag: Option<Tag<'a>>,
    blocks: Vec<Block>,
    inlines: Vec<Inline>,
    items: Vec<Vec<Block>>,
    cells: Vec<Vec<Inline>>,
    rows: Vec<Vec<Vec<Inline>>>,
    /// Where in the source the last of `cells` ends.
    cells_end: usize,
}

impl Frame<'_> {
    /// Adds a block. Inlines before it (the text of a tight list's item) become a paragraph.
    fn push(&mut self, block: Block) {
        self.end_paragraph();
        self.blocks.push(block);
    }

    fn end_paragraph(&mut self) {
        if !self.inlines.is_empty() {
            let inlines = std::mem::take(&mut self.inlines);
            self.blocks.push(Block::Paragraph(inlines));
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(Inline::Text(last)) = self.inlines.last_mut() {
            last.push_str(text);
        } else if !text.is_empty() {
            self.inlines.push(Inline::Text(text.to_owned()));
        }
    }
}

struct Builder<'a> {
    /// The markdown, without what needs no showing.
    source: &'a str,
    /// How far the events so far account for the source.
    covered: usize,
    /// The open elements, the document first.
    frames: Vec<Frame<'a>>,
    /// Of every open element, whether it has a frame; those nested too deep have none.
    kept: Vec<bool>,
}

impl<'a> Builder<'a> {
    fn event(&mut self, event: Event<'a>, range: Range<usize>) {
        if !matches!(event, Event::Start(_) | Event::End(_)) {
            self.cover(range.start, range.end);
        }
        match event {
            Event::Start(tag) => self.start(tag, range),
            Event::End(tag) => self.end(tag, range),
            Event::Code(code) => self.top().inlines.push(Inline::Code(clean(&code))),
            Event::TaskListMarker(done) => self.top().inlines.push(Inline::Task(done)),
            Event::SoftBreak | Event::HardBreak => self.top().text("\n"),
            Event::Rule => self.top().push(Block::Rule),
            Event::Text(text) if matches!(self.top().tag, Some(Tag::CodeBlock(_))) => {
                // One space, which is what Telegram makes of a tab, is no indentation.
                self.top().text(&clean(&text.replace('\t', "    ")));
            }
            // The last three are not among the options.
            Event::Text(text)
            | Event::Html(text)
            | Event::InlineHtml(text)
            | Event::InlineMath(text)
            | Event::DisplayMath(text)
            | Event::FootnoteReference(text) => self.top().text(&clean(&text)),
        }
    }

    fn start(&mut self, tag: Tag<'a>, range: Range<usize>) {
        let container = matches!(tag, Tag::List(_) | Tag::Item | Tag::BlockQuote(_));
        self.cover(range.start, if container { range.start } else { range.end });
        // A list that is kept keeps its items: it has no other place for what is in them.
        let in_list = matches!(self.top().tag, Some(Tag::List(_)));
        let keep = self.frames.len() < MAX_DEPTH || in_list || !(container || is_inline(&tag));
        self.kept.push(keep);
        if keep {
            self.frames.push(Frame { tag: Some(tag), ..Frame::default() });
        } else if container {
            self.top().end_paragraph();
        }
    }

    fn end(&mut self, tag: TagEnd, range: Range<usize>) {
        if matches!(tag, TagEnd::Item | TagEnd::BlockQuote(_)) {
            self.cover(range.end, range.end);
        }
        if self.kept.pop() == Some(true)
            && let Some(frame) = self.frames.pop()
        {
            let source = self.source;
            close(frame, self.top(), source, range);
        } else if matches!(tag, TagEnd::List(_) | TagEnd::Item | TagEnd::BlockQuote(_)) {
            self.top().end_paragraph();
        }
    }

    /// Accounts for the source up to `end`. What no event has accounted for before `start` is either
    /// the marks of containers or link definitions, which are kept as text.
    fn cover(&mut self, start: usize, end: usize) {
        if matches!(self.top().tag, Some(Tag::List(_))) {
            return; // A list has nothing but items; what stands before one is found inside it.
        }
        let gap = self.source.get(self.covered..start).unwrap_or_default();
        if gap.contains("]:")
            && let Some(start) = gap.find('[')
        {
            let text = clean(gap[start..].trim());
            self.top().push(Block::Paragraph(vec![Inline::Text(text)]));
        }
        self.covered = self.covered.max(end);
    }

    fn top(&mut self) -> &mut Frame<'a> {
        self.frames.last_mut().expect("the document's frame is never popped: starts and ends are balanced")
    }

    fn finish(mut self) -> Document {
        self.cover(self.source.len(), self.source.len());
        let document = self.top();
        document.end_paragraph();
        Document { blocks: std::mem::take(&mut document.blocks) }
    }
}

fn is_inline(tag: &Tag<'_>) -> bool {
    matches!(tag, Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Link { .. } | Tag::Image { .. })
}

/// Turns a finished element, found at `range` of the source, into a part of its parent.
fn close<'a>(mut frame: Frame<'a>, parent: &mut Frame<'a>, source: &str, range: Range<usize>) {
    let Some(tag) = frame.tag.take() else { return };
    match tag {
        Tag::Emphasis => parent.inlines.push(Inline::Italic(frame.inlines)),
        Tag::Strong => parent.inlines.push(Inline::Bold(frame.inlines)),
        Tag::Strikethrough => parent.inlines.push(Inline::Strike(frame.inlines)),
        Tag::Link { link_type, dest_url, title, .. } | Tag::Image { link_type, dest_url, title, .. } => {
            let scheme = if link_type == LinkType::Email { "mailto:" } else { "" };
            let url = format!("{scheme}{}", clean(&dest_url));
            link(url, &title, frame.inlines, &source[range], parent);
        }
        Tag::Heading { .. } if !frame.inlines.is_empty() => parent.push(Block::Heading(frame.inlines)),
        Tag::CodeBlock(kind) => {
            if let Some(code) = code(&kind, &plain(&frame.inlines)) {
                parent.push(code);
            }
        }
        Tag::BlockQuote(_) => {
            frame.end_paragraph();
            if !frame.blocks.is_empty() {
                parent.push(Block::Quote(frame.blocks));
            }
        }
        Tag::List(first) => parent.push(Block::List { first, items: frame.items }),
        Tag::Item => {
            frame.end_paragraph();
            parent.items.push(frame.blocks);
        }
        Tag::Table(alignments) => {
            let columns = alignments.into_iter().map(align).collect();
            parent.push(Block::Table { columns, rows: frame.rows });
        }
        Tag::TableHead | Tag::TableRow => {
            let surplus = source.get(frame.cells_end..range.end).unwrap_or_default();
            let surplus = surplus.split('|').map(|cell| clean(cell.trim())).filter(|cell| !cell.is_empty());
            frame.cells.extend(surplus.map(|cell| vec![Inline::Text(cell)]));
            parent.rows.push(frame.cells);
        }
        Tag::TableCell => {
            parent.cells.push(frame.inlines);
            parent.cells_end = range.end;
        }
        // Paragraphs and HTML blocks; nothing else is among the options.
        _ => {
            frame.end_paragraph();
            parent.end_paragraph();
            parent.blocks.append(&mut frame.blocks);
        }
    }
}

/// A link or image. Without a text it shows its address, without an address it is text, and without
/// either it is its own source.
fn link(url: String, title: &str, mut content: Vec<Inline>, source: &str, parent: &mut Frame<'_>) {
    if plain(&content).chars().all(is_invisible) {
        content = vec![Inline::Text(if url.is_empty() { clean(source) } else { url.clone() })];
    }
    if url.is_empty() {
        parent.inlines.append(&mut content);
    } else {
        parent.inlines.push(Inline::Link { url, content });
    }
    if !title.is_empty() {
        parent.text(&format!(" ({})", clean(title)));
    }
}

/// A code block. The first word of its info string is the language; what follows is kept as the first
/// line, and so is everything in a block without code (a fence that a model opened by mistake).
fn code(kind: &CodeBlockKind<'_>, text: &str) -> Option<Block> {
    let info = match kind {
        CodeBlockKind::Fenced(info) => clean(info.trim()),
        CodeBlockKind::Indented => String::new(),
    };
    let text = text.trim_end();
    let (word, rest) = info.split_once(' ').unwrap_or((&info, ""));
    let (language, head) = if text.is_empty() || word.contains('`') { ("", &*info) } else { (word, rest) };
    let lines: Vec<&str> = [head.trim(), text].into_iter().filter(|line| !line.is_empty()).collect();
    let language = (!language.is_empty()).then(|| language.to_owned());
    (!lines.is_empty()).then(|| Block::Code { language, text: lines.join("\n") })
}

fn align(alignment: Alignment) -> Align {
    match alignment {
        Alignment::None | Alignment::Left => Align::Left,
        Alignment::Center => Align::Center,
        Alignment::Right => Align::Right,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Inline {
        Inline::Text(text.into())
    }

    #[test]
    fn a_tree_says_what_was_written() {
        let document = parse("# a\n- [x] *b*\n- c\n\n  d\n\n> `e`");
        assert_eq!(
            document.blocks,
            [
                Block::Heading(vec![text("a")]),
                Block::List {
                    first: None,
                    items: vec![
                        vec![Block::Paragraph(vec![Inline::Task(true), Inline::Italic(vec![text("b")])])],
                        vec![Block::Paragraph(vec![text("c")]), Block::Paragraph(vec![text("d")])],
                    ],
                },
                Block::Quote(vec![Block::Paragraph(vec![Inline::Code("e".into())])]),
            ]
        );
    }

    #[test]
    fn text_is_clean_also_where_it_came_from_entities() {
        assert_eq!(parse("a\tb&#9;c&#x202e;d\u{7}").blocks, [Block::Paragraph(vec![text("a b cd ")])]);
        assert_eq!(
            parse("\ta\tb").blocks,
            [Block::Code { language: None, text: "a    b".into() }],
            "tabs indent code"
        );
    }

    #[test]
    fn a_definition_is_dropped_only_where_a_link_shows_it() {
        let used = parse("[a] [A][a]\n\n[a]: u\n[a]: second");
        let link = |content| Inline::Link { url: "u".into(), content: vec![text(content)] };
        assert_eq!(
            used.blocks,
            [
                Block::Paragraph(vec![link("a"), text(" "), link("A")]),
                Block::Paragraph(vec![text("[a]: second")]),
            ]
        );
        assert_eq!(parse("[a]: u").blocks, [Block::Paragraph(vec![text("[a]: u")])]);
    }

    #[test]
    fn too_deep_nesting_is_flattened_and_keeps_its_text() {
        let deep = 20_000;
        let lists: String = (0..100).map(|depth| format!("{}- item{depth}\n", "  ".repeat(depth))).collect();
        for markdown in [
            format!("{}end", ">".repeat(deep)),
            format!("{}end", "- ".repeat(deep)),
            format!("{}end{}", "*a **b ".repeat(deep), "** *".repeat(deep)),
            format!("{}end{}", "![".repeat(deep), "](u)".repeat(deep)),
            format!("{lists}\nend"),
        ] {
            let text = parse(&markdown).to_styled().text;
            assert!(text.contains("end"), "{text:.99}");
        }
        let text = parse(&lists).to_styled().text;
        for depth in 0..100 {
            assert!(text.lines().any(|line| line.ends_with(&format!("item{depth}"))), "{text}");
        }
    }
}
