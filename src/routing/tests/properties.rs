//! What holds for every message.

use proptest::prelude::*;
use proptest::sample::select;
use roundtable_contract::{Quote, Span, SpanKind};

use super::*;

const KINDS: [SpanKind; 6] = [
    SpanKind::Code,
    SpanKind::Link,
    SpanKind::Quote,
    SpanKind::OurMention,
    SpanKind::Mention,
    SpanKind::Command,
];

/// Texts that are dense with what routing looks at.
fn text() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "@",
        "coder",
        "Coder",
        "codr",
        "@coder",
        "@researcher",
        ":",
        ": ",
        " ",
        "\n",
        "/",
        "/help",
        "/stop",
        "/new@x",
        "/ask ",
        "/steer coder ",
        ".",
        "_",
        "-",
        ",",
        "é",
        "💥",
        "\u{301}",
        "请",
        "7K3M-01Q0-ZZ9A",
        "x",
        "0",
    ]);
    prop_oneof![
        3 => prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat()),
        1 => any::<String>(),
    ]
}

/// A text and spans on its char boundaries.
fn spanned() -> impl Strategy<Value = (String, Vec<Span>)> {
    (
        text(),
        prop::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>(), select(&KINDS)),
            0..4,
        ),
    )
        .prop_map(|(text, spans)| {
            let boundaries: Vec<_> = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect();
            let spans = spans.into_iter().map(|(a, b, kind)| {
                let (a, b) = (boundaries[a.index(boundaries.len())], boundaries[b.index(boundaries.len())]);
                Span { start: a.min(b), end: a.max(b), kind }
            });
            let spans = spans.collect();
            (text, spans)
        })
}

fn any_message() -> impl Strategy<Value = Message> {
    (select(&PLACES), spanned(), any::<[bool; 5]>()).prop_map(
        |(at, (text, spans), [mention, forwarded, reply, bot, edit])| {
            let mut message = place(at);
            (message.text, message.spans) = (text, spans);
            (message.mentions_us, message.forwarded) = (mention, forwarded);
            message.sender.is_bot = bot;
            message.kind = if edit { MessageKind::Edit } else { MessageKind::New };
            message.reply_to =
                reply.then_some(Quote { id: None, ours: true, author: None, text: None, thread: None });
            message
        },
    )
}

fn any_binding() -> impl Strategy<Value = Binding> {
    let field = |values: &'static [&'static str]| prop::option::weighted(0.4, select(values));
    (
        field(&["telegram", "discord"]),
        field(&["main", "work"]),
        field(&["g"]),
        field(&["-1", "55", "810", "811"]),
        field(&["42", "7", "811"]),
        field(&["55", "56"]),
        field(&["r", "q"]),
    )
        .prop_map(|(channel, account, guild, chat, thread, user, role)| {
            let own = |field: Option<&str>| field.map(ToOwned::to_owned);
            Binding {
                agents: vec!["coder".into()],
                channel: own(channel),
                account: own(account),
                guild: own(guild),
                chat: own(chat),
                thread: own(thread),
                user: own(user),
                role: own(role),
                mention: Mention::Required,
            }
        })
}

proptest! {
    #[test]
    fn no_text_is_too_strange(message in any_message(), code_open: bool, known: bool, focus: Option<(i64, bool)>) {
        let live = [LiveLabel { label: "x".into(), tree: 1, session: 3 }];
        let focus = focus.map(|(session, own)| Focus { session, own });
        let facts = Facts { code_open, known, focus, live_labels: &live, ..Facts::default() };
        for policy in [open(), Policy::default()] {
            let decision = decide(&rules(), &policy, &facts, &message, Trace::Off);
            let traced = decide(&rules(), &policy, &facts, &message, Trace::On);
            prop_assert_eq!(&decision.outcome, &traced.outcome);
            prop_assert_eq!(traced.trace.iter().filter(|step| step.verdict == Verdict::Wins).count(), 1);
            prop_assert!(explain(&traced).contains("stored as: "));
            if let Outcome::Deliver(targets) = &decision.outcome {
                prop_assert!(decision.admission.is_admitted());
                prop_assert!(!targets.is_empty());
                for (at, target) in targets.iter().enumerate() {
                    prop_assert!(!targets[..at].contains(target));
                }
            }
        }
    }

    #[test]
    fn who_is_called_was_looked_up(message in any_message()) {
        let live = [LiveLabel { label: "x".into(), tree: 1, session: 3 }];
        let facts = Facts { live_labels: &live, ..Facts::default() };
        let decision = decide(&rules(), &open(), &facts, &message, Trace::Off);
        if decision.outcome == Outcome::Deliver(vec![Target::Session(3)]) {
            prop_assert!(words::may_call(&message));
        }
        // To its readers a message is what was written, but for the form of one command.
        let told = words::told(&message);
        prop_assert!(told == message.text || message.text.contains("/ask") && told.starts_with('@'));
    }

    #[test]
    fn no_label_lies_in_a_marked_stretch((text, spans) in spanned()) {
        let labels = labels::parse(&text, &spans, labels::body_start(&text, &spans));
        for label in labels.addressees.iter().chain(&labels.references).chain(&labels.prefix) {
            let start = label.as_ptr() as usize - text.as_ptr() as usize;
            let end = start + label.len();
            let marks = spans.iter().filter(|span| span.kind != SpanKind::Command);
            for span in marks {
                prop_assert!(end <= span.start || span.end <= start, "@{} in {:?}", label, span);
            }
            prop_assert!(names::is_valid(label) && !names::is_reserved(label));
        }
    }

    #[test]
    fn what_was_passed_on_or_edited_commands_nothing(mut message in any_message()) {
        message.forwarded = true;
        let facts = Facts { code_open: true, ..Facts::default() };
        let decision = decide(&rules(), &open(), &facts, &message, Trace::Off);
        prop_assert!(!matches!(decision.outcome, Outcome::Command(_) | Outcome::Say(_)));
        message.forwarded = false;
        message.kind = MessageKind::Edit;
        let decision = decide(&rules(), &open(), &facts, &message, Trace::Off);
        prop_assert!(matches!(decision.outcome, Outcome::Ambient | Outcome::Ignore));
    }

    #[test]
    fn one_more_binding_changes_only_what_it_matches(
        old in prop::collection::vec(any_binding(), 0..6),
        mut new in any_binding(),
        at in any::<prop::sample::Index>(),
    ) {
        new.agents = vec!["researcher".into()];
        let before = Rules { bindings: old, ..rules() };
        let mut after = before.clone();
        after.bindings.insert(at.index(before.bindings.len() + 1), new.clone());
        for name in PLACES {
            let message = place(name);
            let (was, is) = (before.resolve(&Place::of(&message)), after.resolve(&Place::of(&message)));
            let alone = Rules { bindings: vec![new.clone()], ..rules() };
            let own = alone.resolve(&Place::of(&message)).rule;
            if own < was.rule {
                prop_assert_eq!(is.agents, &new.agents, "more specific, at {}", name);
            } else if own > was.rule || own == RuleName::Default {
                prop_assert_eq!(is.agents, was.agents, "less specific or no match, at {}", name);
            }
        }
    }

    #[test]
    fn a_shadowed_binding_never_wins(bindings in prop::collection::vec(any_binding(), 0..10)) {
        let shadowed = shadowed(&bindings);
        let rules = Rules { bindings, ..rules() };
        for name in PLACES {
            let message = place(name);
            let winner = rules.resolve(&Place::of(&message)).binding;
            prop_assert!(shadowed.iter().all(|shadowed| Some(shadowed.binding) != winner), "at {}", name);
        }
    }
}
