//! What the model is told to answer, in order and out of order.

use std::time::Duration;

use serde_json::Value;

use crate::hold::{Gate, Hold, gate};

/// One answer of the model.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The text, as it is streamed.
    pub(super) chunks: Vec<String>,
    /// Calls as (tool, arguments as written).
    pub(super) calls: Vec<(String, String)>,
    /// The id of every call, instead of one of its own.
    pub(super) call_id: Option<String>,
    pub(super) shape: Shape,
    /// It ends because it is as long as it may be.
    pub(super) at_limit: bool,
    /// Before anything is answered.
    pub(super) delay: Duration,
    /// Before each chunk of text but the first.
    pub(super) pace: Duration,
    /// Waits at this gate after that many chunks.
    pub(super) pause: Option<(usize, Gate)>,
}

/// How an answer goes wrong, or not.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    Whole,
    /// An HTTP error with these headers.
    Status(u16, Vec<(String, String)>),
    /// The provider's overload error inside a stream that began well.
    Overloaded,
    /// The body ends without its end marks, and cleanly.
    Truncated,
    /// The connection breaks.
    Broken,
    /// Something that is no JSON where JSON belongs.
    MalformedJson,
    /// JSON of other types than the protocol has.
    WrongTypes,
}

impl Reply {
    fn new(chunks: Vec<String>) -> Self {
        let (delay, pace) = (Duration::ZERO, Duration::ZERO);
        Self {
            chunks,
            calls: Vec::new(),
            call_id: None,
            shape: Shape::Whole,
            at_limit: false,
            delay,
            pace,
            pause: None,
        }
    }

    fn shaped(self, shape: Shape) -> Self {
        Self { shape, ..self }
    }

    /// A text in one piece.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(vec![text.into()])
    }

    /// A text in these pieces.
    pub fn chunks<S: Into<String>>(chunks: impl IntoIterator<Item = S>) -> Self {
        Self::new(chunks.into_iter().map(Into::into).collect())
    }

    /// Neither text nor calls.
    pub fn empty() -> Self {
        Self::new(Vec::new())
    }

    /// About 300 KB of numbered lines.
    pub fn huge() -> Self {
        Self::chunks((0..6_500).map(|line| format!("line {line:05} of a very long answer, which goes on.\n")))
    }

    /// A text with control characters, direction marks and a lone combining mark.
    pub fn control_characters() -> Self {
        Self::text("a\u{0}b\u{7}c\u{1b}[31md\u{202e}e\u{2028}f\u{feff}g\r\n\u{30a}h")
    }

    /// Calls of tools.
    pub fn calls<S: Into<String>>(calls: impl IntoIterator<Item = (S, Value)>) -> Self {
        Self::empty().and_calls(calls)
    }

    /// Adds calls after the text.
    pub fn and_calls<S: Into<String>>(mut self, calls: impl IntoIterator<Item = (S, Value)>) -> Self {
        self.calls.extend(calls.into_iter().map(|(name, arguments)| (name.into(), arguments.to_string())));
        self
    }

    /// Gives all its calls this id, as careless servers do.
    pub fn with_call_id(self, id: &str) -> Self {
        Self { call_id: Some(id.to_owned()), ..self }
    }

    /// A call whose arguments are this text, perhaps no JSON.
    pub fn broken_call(name: &str, arguments: &str) -> Self {
        Self::empty().and_broken_call(name, arguments)
    }

    /// Adds a call whose arguments are this text, perhaps no JSON.
    pub fn and_broken_call(mut self, name: &str, arguments: &str) -> Self {
        self.calls.push((name.to_owned(), arguments.to_owned()));
        self
    }

    /// An HTTP error in the provider's form: 401, 429, 500, 529, ….
    pub fn status(status: u16) -> Self {
        Self::empty().shaped(Shape::Status(status, Vec::new()))
    }

    /// Adds a header to an HTTP error.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Shape::Status(_, headers) = &mut self.shape {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// 429 with `Retry-After` in seconds.
    pub fn rate_limited(retry_after: u32) -> Self {
        Self::status(429).header("retry-after", &retry_after.to_string())
    }

    /// After the text, the stream says that the provider is overloaded. (Not streamed: 529.)
    pub fn then_overloaded(self) -> Self {
        self.shaped(Shape::Overloaded)
    }

    /// Ends where it does because it is as long as it may be.
    pub fn at_limit(self) -> Self {
        Self { at_limit: true, ..self }
    }

    /// After the text the body ends, cleanly but without the protocol's end.
    pub fn truncated(self) -> Self {
        self.shaped(Shape::Truncated)
    }

    /// After the text the connection breaks.
    pub fn broken(self) -> Self {
        self.shaped(Shape::Broken)
    }

    /// After the text comes something that is no JSON.
    pub fn malformed_json(self) -> Self {
        self.shaped(Shape::MalformedJson)
    }

    /// After the text comes JSON of the wrong types.
    pub fn wrong_types(self) -> Self {
        self.shaped(Shape::WrongTypes)
    }

    /// Begins that much later.
    pub fn delayed(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Leaves that much time between chunks.
    pub fn paced(self, pace: Duration) -> Self {
        Self { pace, ..self }
    }

    /// Streams so many chunks and waits for the test then.
    pub fn pausing_after(self, chunks: usize) -> (Self, Hold) {
        let (gate, hold) = gate(format!("chunk {chunks} of the reply"));
        (Self { pause: Some((chunks, gate)), ..self }, hold)
    }

    /// The id of the call at this place in the answer to the request of this number.
    pub(super) fn call_id(&self, prefix: &str, request: usize, index: usize) -> String {
        self.call_id.clone().unwrap_or_else(|| format!("{prefix}_{request}_{index}"))
    }

    /// Tokens written, as usage reports them.
    pub(super) fn tokens(&self) -> usize {
        let text: usize = self.chunks.iter().map(|chunk| chunk.chars().count()).sum();
        let calls: usize =
            self.calls.iter().map(|(name, arguments)| name.len() + arguments.chars().count()).sum();
        super::request::tokens(text + calls)
    }
}
