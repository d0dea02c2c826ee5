//! What a markdown text says, without how it was written.

/// A markdown text as a tree. Made by [`parse`](crate::parse); its depth is bounded, so that walking it
/// needs no care for the stack.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document {
    /// The blocks from top to bottom.
    pub blocks: Vec<Block>,
}

/// A piece of a document that stands on lines of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Running text; raw HTML blocks are paragraphs of their source.
    Paragraph(Vec<Inline>),
    /// A heading of any level.
    Heading(Vec<Inline>),
    /// A fenced or indented code block.
    Code {
        /// The first word after the fence, without a backtick in it.
        language: Option<String>,
        /// The code, without a newline at its end; tabs are expanded.
        text: String,
    },
    /// A quotation.
    Quote(Vec<Block>),
    /// A list.
    List {
        /// The first number of a numbered list.
        first: Option<u64>,
        /// What stands in each item. A task's first inline is [`Inline::Task`].
        items: Vec<Vec<Block>>,
    },
    /// A table; its rows may differ in length.
    Table {
        /// The alignment of each column that the markdown declared.
        columns: Vec<Align>,
        /// The header, then the body: rows of cells of inlines.
        rows: Vec<Vec<Vec<Inline>>>,
    },
    /// A horizontal rule.
    Rule,
}

/// Where the text of a table's column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// At the left, also when nothing was declared.
    Left,
    /// In the middle.
    Center,
    /// At the right.
    Right,
}

/// A piece of running text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inline {
    /// Plain text; a newline in it is a line break.
    Text(String),
    /// Inline code.
    Code(String),
    /// The box of a task, ticked or not.
    Task(bool),
    /// Strong emphasis.
    Bold(Vec<Inline>),
    /// Emphasis.
    Italic(Vec<Inline>),
    /// Struck out.
    Strike(Vec<Inline>),
    /// A link, or an image as a link around its alternative text.
    Link {
        /// Where it leads, as written: not necessarily an absolute address.
        url: String,
        /// What is shown; never blank.
        content: Vec<Inline>,
    },
}

/// The text of inlines without styles. An address that the text doesn't show follows it in brackets.
pub(crate) fn plain(inlines: &[Inline]) -> String {
    let mut text = String::new();
    push_plain(inlines, &mut text);
    text
}

fn push_plain(inlines: &[Inline], text: &mut String) {
    for inline in inlines {
        match inline {
            Inline::Text(piece) | Inline::Code(piece) => text.push_str(piece),
            Inline::Task(done) => text.push_str(task_box(*done)),
            Inline::Bold(content) | Inline::Italic(content) | Inline::Strike(content) => {
                push_plain(content, text);
            }
            Inline::Link { url, content } => {
                let start = text.len();
                push_plain(content, text);
                let shown = &text[start..];
                if url != shown && url.strip_prefix("mailto:") != Some(shown) {
                    text.push_str(&format!(" ({url})"));
                }
            }
        }
    }
}

/// What a task's box looks like, with the space that follows it.
pub(crate) fn task_box(done: bool) -> &'static str {
    if done { "☑ " } else { "☐ " }
}
