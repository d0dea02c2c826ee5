//! Markdown to the tree.

use std::ops::Range;

use pulldown_cmark::{Alignment, CodeBlockKind, Event, LinkType, Options, Parser, Tag};

use crate::normalise::clean;
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
    let mut builder = Builder { source: &source, covered: 0, frames: vec![Frame::default()], kept: Vec::new() };
    for (event, range) in Parser::new_ext(markdown, OPTIONS).into_offset_iter() {
        builder.event(event, range);
    }
    builder.finish()
}

/// The source with blanks in place of the link definitions (`[1]: https://…`) that some link uses; the
/// address is shown by that link. No other byte moves.
fn without_used_definitions(markdown: &str) -> String {
    let mut source = markdown.to_owned();
    let definitions = Parser::new_ext(markdown, OPTIONS);
    let definitions = definitions.reference_definitions();
    if definitions.iter().next().is_none() {
        return source;
    }
    for event in Parser::new_ext(markdown, OPTIONS) {
        if let Event::Start(Tag::Link { id, .. } | Tag::Image { id, .. }) = event
            && let Some(used) = definitions.get(&id)
        {
            source.replace_range(used.span.clone(), &" ".repeat(used.span.len()));
        }
    }
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
        match event {
            Event::Start(tag) => self.start(tag, range),
            Event::End(_) => self.end(range),
            leaf => {
                self.cover(range.start, range.end);
                self.leaf(leaf);
            }
        }
    }

    fn leaf(&mut self, event: Event<'a>) {
        let frame = self.top();
        match event {
            Event::Code(code) => frame.inlines.push(Inline::Code(clean(&code))),
            Event::TaskListMarker(done) => frame.inlines.push(Inline::Task(done)),
            Event::SoftBreak | Event::HardBreak => frame.text("\n"),
            Event::Rule => frame.push(Block::Rule),
            Event::Text(text) if matches!(frame.tag, Some(Tag::CodeBlock(_))) => {
                // One space, which is what Telegram makes of a tab, is no indentation.
                frame.text(&clean(&text.replace('\t', "    ")));
            }
            Event::Text(text)
            | Event::Html(text)
            | Event::InlineHtml(text)
            | Event::InlineMath(text)
            | Event::DisplayMath(text)
            | Event::FootnoteReference(text) => frame.text(&clean(&text)),
            Event::Start(_) | Event::End(_) => unreachable!("only called for leaves"),
        }
    }

    fn start(&mut self, tag: Tag<'a>, range: Range<usize>) {
        match tag {
            Tag::List(_) | Tag::Item | Tag::BlockQuote(_) => self.cover(range.start, range.start),
            _ => self.cover(range.start, range.end),
        }
        let may_nest = matches!(
            tag,
            Tag::List(_)
                | Tag::Item
                | Tag::BlockQuote(_)
                | Tag::Emphasis
                | Tag::Strong
                | Tag::Strikethrough
                | Tag::Link { .. }
                | Tag::Image { .. }
        );
        let keep = self.frames.len() < MAX_DEPTH || !may_nest;
        self.kept.push(keep);
        if keep {
            self.frames.push(Frame { tag: Some(tag), ..Frame::default() });
        }
    }
}
