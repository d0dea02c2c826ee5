//! What the text of a message says by itself, before anybody asks who wrote it where.

use std::borrow::Cow;

use roundtable_contract::{Message, MessageKind, SpanKind};

use super::commands::{self, Command, Parsed};
use super::labels::{self, Labels};
use super::{Facts, KnownAgent, Rules, Target, names, pairing};

/// A message's command and labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words<'a> {
    /// The command that the message is.
    pub command: Parsed,
    /// None when it is one of our commands.
    pub labels: Labels<'a>,
}

impl<'a> Words<'a> {
    /// Reads a message. What was passed on and what was edited commands and addresses nobody; bots give no
    /// commands.
    pub fn read(message: &'a Message, facts: &Facts<'_>) -> Self {
        if message.forwarded || message.kind == MessageKind::Edit {
            return Self { command: Parsed::Text, labels: Labels::default() };
        }
        let command = match pairing::bare_code(body(message)).filter(|_| facts.code_open) {
            Some(code) if takes_commands(message) => Parsed::Ours(Command::Pair { code }),
            _ => given(message),
        };
        let labels = match command {
            Parsed::Ours(_) | Parsed::Misused { .. } => Labels::default(),
            Parsed::Text | Parsed::Unknown { .. } | Parsed::OtherBot => {
                labels::parse(&message.text, &message.spans, start(message))
            }
        };
        Self { command, labels }
    }
}

fn start(message: &Message) -> usize {
    labels::body_start(&message.text, &message.spans)
}

fn body(message: &Message) -> &str {
    &message.text[start(message)..]
}

/// What bots write, and what begins as code, a link or a quote, is no command.
fn takes_commands(message: &Message) -> bool {
    let start = start(message);
    let marked = |kind| matches!(kind, SpanKind::Code | SpanKind::Link | SpanKind::Quote);
    let mut spans = message.spans.iter();
    !message.sender.is_bot && !spans.any(|span| marked(span.kind) && (span.start..span.end).contains(&start))
}

fn given(message: &Message) -> Parsed {
    if takes_commands(message) { commands::parse(body(message)) } else { Parsed::Text }
}

/// What the readers of a message read: `/ask coder hi` is `@coder hi` to them, in its later versions too.
pub fn told(message: &Message) -> Cow<'_, str> {
    match given(message) {
        Parsed::Ours(Command::Ask { label, text }) if !message.forwarded => {
            Cow::Owned(format!("@{label} {text}"))
        }
        _ => Cow::Borrowed(&message.text),
    }
}

/// Whether a message may call somebody by a label, so that it matters which labels there are.
pub fn may_call(message: &Message) -> bool {
    let Words { command, labels } = Words::read(message, &Facts::default());
    match command {
        Parsed::Ours(command) => command.label().is_some(),
        _ => !labels.addressees.is_empty() || labels.prefix.is_some(),
    }
}

/// Whether a label calls sessions of several trees: the first of them is meant.
pub fn calls_several(label: &str, facts: &Facts<'_>) -> bool {
    let mut trees = facts.live_labels.iter().filter(|live| live.label.eq_ignore_ascii_case(label));
    trees.next().is_some_and(|first| trees.any(|other| other.tree != first.tree))
}

/// Who is called by a label: a live session of the conversation's trees or else an agent.
pub fn find(label: &str, rules: &Rules, facts: &Facts<'_>) -> Option<Target> {
    let live = facts.live_labels.iter().find(|live| live.label.eq_ignore_ascii_case(label));
    let session = live.map(|live| Target::Session(live.session));
    session.or_else(|| rules.agent(label).map(|agent| Target::Agent { agent: agent.id.clone() }))
}

/// The label that was probably meant by one that calls nobody.
pub fn suggest<'a>(label: &str, rules: &'a Rules, facts: &Facts<'a>) -> Option<&'a str> {
    let live = facts.live_labels.iter().map(|live| live.label.as_str());
    let agents = rules.agents.iter().flat_map(KnownAgent::names);
    names::closest(label, live.chain(agents).filter(|name| names::is_valid(name)))
}
