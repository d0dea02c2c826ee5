//! Tests of the whole of routing: who gets which message.

mod admitting;
mod bound;
mod properties;
mod reading;
mod table;

use roundtable_contract::{
    ChatId, ChatKind, EventKey, Message, MessageId, MessageKind, Sender, Span, SpanKind, UserId,
};

use super::*;

/// A message of Ann (id 55): `at` is a conversation; a chat whose id starts with `-` or `8` is a group.
/// The text is marked up: see [`marked`].
pub(super) fn message(at: &str, text: &str) -> Message {
    let conversation: roundtable_contract::Conversation = at.parse().unwrap();
    let group = conversation.chat.as_str().starts_with(['-', '8']);
    let (text, spans) = marked(text);
    Message {
        key: EventKey::new("msg:1:1"),
        chat_kind: if group { ChatKind::Group } else { ChatKind::Direct },
        conversation,
        title: None,
        guild: None,
        parent: None,
        kind: MessageKind::New,
        sender: Sender {
            id: UserId::new("55"),
            name: "Ann".into(),
            username: None,
            is_bot: false,
            roles: Vec::new(),
        },
        id: MessageId(1),
        mentions_us: spans.iter().any(|span| span.kind == SpanKind::OurMention),
        text,
        spans,
        forwarded: false,
        reply_to: None,
        attachments: Vec::new(),
        album: None,
        at: 0,
    }
}

/// Reads `` `code` ``, `‹link›`, `«quote»`, `[mention]` and `{mention of us}` as marked stretches.
fn marked(text: &str) -> (String, Vec<Span>) {
    const MARKS: [(char, char, SpanKind); 5] = [
        ('`', '`', SpanKind::Code),
        ('‹', '›', SpanKind::Link),
        ('«', '»', SpanKind::Quote),
        ('[', ']', SpanKind::Mention),
        ('{', '}', SpanKind::OurMention),
    ];
    let (mut plain, mut spans, mut open) = (String::new(), Vec::new(), None);
    for char in text.chars() {
        match (open, MARKS.iter().find(|(from, to, _)| char == *from || char == *to)) {
            (None, Some(&(.., kind))) => open = Some((plain.len(), kind)),
            (Some((start, kind)), Some(_)) => {
                spans.push(Span { start, end: plain.len(), kind });
                open = None;
            }
            (_, None) => plain.push(char),
        }
    }
    assert!(open.is_none(), "{text} leaves a mark open");
    (plain, spans)
}

/// The three default agents, Manager the default one; no bindings.
pub(super) fn rules() -> Rules {
    let agent = |id: &str, name: &str, aliases: &[&str]| KnownAgent {
        id: id.into(),
        name: name.into(),
        aliases: aliases.iter().map(ToString::to_string).collect(),
    };
    Rules {
        bindings: Vec::new(),
        default_agent: "manager".into(),
        agents: vec![
            agent("manager", "Manager", &[]),
            agent("researcher", "Research", &[]),
            agent("coder", "Coder", &["dev"]),
        ],
    }
}

/// Everybody may speak everywhere.
pub(super) fn open() -> Policy {
    Policy { dm: DmPolicy::Open, groups: vec!["*".into()], ..Policy::default() }
}

/// Reads `channel=telegram chat=-1 mention=always agents=a,b`.
pub(super) fn binding(text: &str) -> Binding {
    let mut binding = Binding { agents: vec!["coder".into()], ..Binding::default() };
    for field in text.split_whitespace() {
        let (name, value) = field.split_once('=').expect("name=value");
        let value = value.to_owned();
        match name {
            "agents" => binding.agents = value.split(',').map(ToOwned::to_owned).collect(),
            "channel" => binding.channel = Some(value),
            "account" => binding.account = Some(value),
            "guild" => binding.guild = Some(value),
            "chat" => binding.chat = Some(value),
            "thread" => binding.thread = Some(value),
            "user" => binding.user = Some(value),
            "role" => binding.role = Some(value),
            "mention" => binding.mention = Mention::Always,
            other => panic!("no field {other}"),
        }
    }
    binding
}

/// A place by a short name, as a message written there.
pub(super) fn place(name: &str) -> Message {
    let discord = |at: &str, roles: &[&str]| {
        let mut message = message(at, "hi");
        message.guild = Some("g".into());
        message.sender.roles = roles.iter().map(ToString::to_string).collect();
        message
    };
    match name {
        "dm" => message("telegram:main:55", "hi"),
        "dm-topic" => message("telegram:main:55:7", "hi"),
        "work-dm" => message("telegram:work:55", "hi"),
        "group" => message("telegram:main:-1", "hi"),
        "topic" => message("telegram:main:-1:42", "hi"),
        "server" => discord("discord:main:810", &[]),
        "role" => discord("discord:main:810", &["q", "r"]),
        "thread" => {
            let mut message = discord("discord:main:811", &["r"]);
            message.parent = Some(ChatId::new("810"));
            message
        }
        "local" => message("local:main:55", "hi"),
        other => panic!("no place {other}"),
    }
}

const PLACES: [&str; 9] =
    ["dm", "dm-topic", "work-dm", "group", "topic", "server", "role", "thread", "local"];

/// The outcome in a word or two, for tables.
fn short(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Ignore => "nothing".into(),
        Outcome::Ambient => "ambient".into(),
        Outcome::Say(Notice::Unpaired { .. }) => "unpaired".into(),
        Outcome::Say(Notice::UnknownCommand { .. }) => "unknown".into(),
        Outcome::Say(Notice::Usage { .. }) => "usage".into(),
        Outcome::Say(Notice::NearMiss { suggestion, .. }) => format!("near:{suggestion}"),
        Outcome::Say(Notice::NobodyToAsk { suggestion: Some(suggestion), .. }) => {
            format!("nobody:{suggestion}")
        }
        Outcome::Say(Notice::NobodyToAsk { .. }) => "nobody".into(),
        Outcome::Say(Notice::SeveralCalled { .. }) => "several".into(),
        Outcome::Command(command) => {
            let name = format!("{command:?}").to_lowercase();
            format!("/{}", name.split(|char: char| !char.is_alphabetic()).next().unwrap())
        }
        Outcome::Deliver(targets) => {
            let name = |target: &Target| match target {
                Target::Session(id) => id.to_string(),
                Target::Agent { agent } => agent.clone(),
            };
            targets.iter().map(name).collect::<Vec<_>>().join("+")
        }
    }
}
