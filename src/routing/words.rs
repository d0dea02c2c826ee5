//! What the text of a message says by itself, before anybody asks who wrote it where.

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
        let (text, spans) = (message.text.as_str(), &message.spans[..]);
        if message.forwarded || message.kind == MessageKind::Edit {
            return Self { command: Parsed::Text, labels: Labels::default() };
        }
        let start = labels::body_start(text, spans);
        let marked = |kind| matches!(kind, SpanKind::Code | SpanKind::Link | SpanKind::Quote);
        let quoted = spans.iter().any(|span| marked(span.kind) && (span.start..span.end).contains(&start));
        let command = if message.sender.is_bot || quoted {
            Parsed::Text
        } else if facts.code_open
            && let Some(code) = pairing::bare_code(&text[start..])
        {
            Parsed::Ours(Command::Pair { code })
        } else {
            commands::parse(&text[start..])
        };
        let labels = match command {
            Parsed::Ours(_) | Parsed::Misused { .. } => Labels::default(),
            Parsed::Text | Parsed::Unknown { .. } | Parsed::OtherBot => labels::parse(text, spans, start),
        };
        Self { command, labels }
    }
}

/// Who is called by a label: a live session of the conversation's trees or else an agent.
pub(super) fn find(label: &str, rules: &Rules, facts: &Facts<'_>) -> Option<Target> {
    let live = facts.live_labels.iter().find(|live| live.label.eq_ignore_ascii_case(label));
    let session = live.map(|live| Target::Session(live.session));
    session.or_else(|| rules.agent(label).map(|agent| Target::Agent { agent: agent.id.clone() }))
}

/// The label that was probably meant by one that calls nobody.
pub(super) fn suggest<'a>(label: &str, rules: &'a Rules, facts: &Facts<'a>) -> Option<&'a str> {
    let live = facts.live_labels.iter().map(|live| live.label.as_str());
    let agents = rules.agents.iter().flat_map(KnownAgent::names);
    names::closest(label, live.chain(agents).filter(|name| names::is_valid(name)))
}
