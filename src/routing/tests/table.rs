//! The decision table: texts down, circumstances across.

use roundtable_contract::Quote;

use super::*;

/// The circumstances: the columns of [`TABLE`]. All senders are admitted.
///
/// - `dm`: a private chat
/// - `group`: a group
/// - `mention`: a group, the bot is mentioned by the platform
/// - `always`: a group with a binding to researcher that asks for no mention
/// - `reply`: a group, in reply to a message of session 7
/// - `focus`: a group where the sender's focus is session 9
/// - `thread`: a topic that the bot opened, bound to coder
/// - `passed`: a private chat, passed on from elsewhere
const COLUMNS: [&str; 8] = ["dm", "group", "mention", "always", "reply", "focus", "thread", "passed"];

const TABLE: &str = "
hi                       | manager  ambient  manager  researcher 7        9        coder    manager
                         | manager  ambient  manager  researcher 7        9        coder    manager
/help                    | /help    /help    /help    /help      /help    /help    /help    manager
/stop all                | /stop    /stop    /stop    /stop      /stop    /stop    /stop    manager
/new keep                | /new     /new     /new     /new       /new     /new     /new     manager
/ask coder hi            | coder    coder    coder    coder      coder    coder    coder    manager
/ask @Dev hi             | coder    coder    coder    coder      coder    coder    coder    manager
/ask helper: hi          | 3        3        3        3          3        3        3        manager
/ask codr hi             | nobody:coder nobody:coder nobody:coder nobody:coder nobody:coder nobody:coder nobody:coder manager
/ask me a riddle         | nobody   nobody   nobody   nobody     nobody   nobody   nobody   manager
/ask coder               | usage    usage    usage    usage      usage    usage    usage    manager
/agents                  | /agents  /agents  /agents  /agents    /agents  /agents  /agents  manager
/spawn coder do it       | /spawn   /spawn   /spawn   /spawn     /spawn   /spawn   /spawn   manager
/steer helper stop it    | /steer   /steer   /steer   /steer     /steer   /steer   /steer   manager
/kill nobody             | /kill    /kill    /kill    /kill      /kill    /kill    /kill    manager
/focus coder             | /focus   /focus   /focus   /focus     /focus   /focus   /focus   manager
/history coder 3         | /history /history /history /history   /history /history /history manager
/new house               | usage    usage    usage    usage      usage    usage    usage    manager
/whoami                  | /whoami  /whoami  /whoami  /whoami    /whoami  /whoami  /whoami  manager
{@us} /help              | /help    /help    /help    /help      /help    /help    /help    manager
`/help`                  | manager  ambient  manager  researcher 7        9        coder    manager
«/help»                  | manager  ambient  manager  researcher 7        9        coder    manager
/help@other_bot          | manager  ambient  ambient  ambient    ambient  ambient  ambient  manager
@coder /help             | coder    coder    coder    coder      coder    coder    coder    manager
/hepl                    | unknown  ambient  unknown  unknown    unknown  unknown  unknown  manager
/hepl @coder             | unknown  unknown  unknown  unknown    unknown  unknown  unknown  manager
/usr/bin                 | manager  ambient  manager  researcher 7        9        coder    manager
@coder hi                | coder    coder    coder    coder      coder    coder    coder    manager
@CODER hi                | coder    coder    coder    coder      coder    coder    coder    manager
@dev hi                  | coder    coder    coder    coder      coder    coder    coder    manager
@research hi             | researcher researcher researcher researcher researcher researcher researcher manager
hi @coder                | coder    coder    coder    coder      coder    coder    coder    manager
hi @coder and @manager   | coder+manager coder+manager coder+manager coder+manager coder+manager coder+manager coder+manager manager
@coder @manager hi       | coder+manager coder+manager coder+manager coder+manager coder+manager coder+manager coder+manager manager
@coder @dev hi           | coder    coder    coder    coder      coder    coder    coder    manager
@coder ask @manager      | coder    coder    coder    coder      coder    coder    coder    manager
@nobody hi               | manager  ambient  manager  researcher 7        9        coder    manager
@nobody @coder hi        | coder    coder    coder    coder      coder    coder    coder    manager
@nobody ask @coder       | manager  ambient  manager  researcher 7        9        coder    manager
@codr hi                 | near:coder ambient near:coder near:coder near:coder near:coder near:coder manager
@codr @manager hi        | near:coder near:coder near:coder near:coder near:coder near:coder near:coder manager
@coder ask @codr         | coder    coder    coder    coder      coder    coder    coder    manager
coder: hi                | coder    ambient  coder    coder      coder    coder    coder    manager
coder: ask @manager      | coder    coder    coder    coder      coder    coder    coder    manager
note: buy milk           | manager  ambient  manager  researcher 7        9        coder    manager
note: @coder look        | coder    coder    coder    coder      coder    coder    coder    manager
`@coder` hi              | manager  ambient  manager  researcher 7        9        coder    manager
«@coder said» hi         | manager  ambient  manager  researcher 7        9        coder    manager
‹x.org/@coder› hi        | manager  ambient  manager  researcher 7        9        coder    manager
[@coder] hi              | manager  ambient  manager  researcher 7        9        coder    manager
{@coder} hi              | manager  manager  manager  researcher 7        9        coder    manager
ann@coder.dev            | manager  ambient  manager  researcher 7        9        coder    manager
@all hi                  | manager  ambient  manager  researcher 7        9        coder    manager
@helper hi               | 3        3        3        3          3        3        3        manager
@helpr hi                | near:Helper ambient near:Helper near:Helper near:Helper near:Helper near:Helper manager
{@us} @helper hi         | 3        3        3        3          3        3        3        manager
7K3M-01Q0-ZZ9A           | manager  ambient  manager  researcher 7        9        coder    manager
";

fn outcome(text: &str, column: &str) -> String {
    let at = match column {
        "dm" | "passed" => "telegram:main:55",
        "thread" => "telegram:main:-1:42",
        _ => "telegram:main:-1",
    };
    let mut rules = rules();
    let mut message = message(at, text);
    let live = [LiveLabel { label: "Helper".into(), tree: 1, session: 3 }];
    let mut facts = Facts { live_labels: &live, ..Facts::default() };
    match column {
        "mention" => message.mentions_us = true,
        "always" => rules.bindings.push(binding("chat=-1 agents=researcher mention=always")),
        "reply" => {
            message.reply_to =
                Some(Quote { id: Some(MessageId(70)), ours: true, author: None, text: None, thread: None });
            facts.reply_session = Some(7);
        }
        "focus" => facts.focus = Some(Focus { session: 9, own: true }),
        "thread" => {
            rules.bindings.push(binding("thread=42 agents=coder"));
            facts.our_thread = true;
        }
        "passed" => message.forwarded = true,
        _ => {}
    }
    short(&decide(&rules, &open(), &facts, &message, Trace::Off).outcome)
}

#[test]
fn every_text_reaches_whom_it_should() {
    let mut rows = 0;
    for line in TABLE.lines().skip(1) {
        let (text, expected) = line.split_once('|').unwrap();
        let text = text.trim_end();
        let expected: Vec<_> = expected.split_whitespace().collect();
        assert_eq!(expected.len(), COLUMNS.len(), "{line}");
        for (column, expected) in COLUMNS.iter().zip(expected) {
            assert_eq!(outcome(text, column), expected, "`{text}` in {column}");
            rows += 1;
        }
    }
    assert!(rows >= 200, "{rows} rows");
}

#[test]
fn in_a_thread_bound_to_one_agent_others_can_be_asked_and_the_next_message_goes_back() {
    for (text, expected) in [
        ("hi", "coder"),
        ("@manager hi", "manager"),
        ("hi again", "coder"),
        ("manager: hi", "manager"),
        ("hi @manager and @researcher", "manager+researcher"),
        ("@nobody hi", "coder"),
        ("`@manager` hi", "coder"),
        ("hi once more", "coder"),
    ] {
        assert_eq!(outcome(text, "thread"), expected, "{text}");
    }
}

#[test]
fn a_binding_may_name_several_agents() {
    let mut rules = rules();
    rules.bindings.push(binding("chat=55 agents=coder,researcher"));
    let decision = decide(&rules, &open(), &Facts::default(), &place("dm"), Trace::Off);
    assert_eq!(short(&decision.outcome), "coder+researcher");
    assert_eq!(decision.rule, "binding 1 (exact chat)");
}

#[test]
fn the_most_recently_active_of_two_labels_is_meant_and_a_session_before_an_agent() {
    let live = [("helper", 2, 5), ("helper", 1, 4), ("coder", 1, 6)]
        .map(|(label, tree, session)| LiveLabel { label: label.into(), tree, session });
    let facts = Facts { live_labels: &live, ..Facts::default() };
    let several = |label: &str| Some(Notice::SeveralCalled { label: label.into() });
    for (text, expected, aside) in [
        ("@Helper hi", "5", several("Helper")),
        ("helper: hi", "5", several("helper")),
        ("/ask helper hi", "5", several("helper")),
        ("@coder @helper hi", "6+5", several("helper")),
        ("@coder hi", "6", None),
        ("@coder ask @helper", "6", None),
        ("@dev hi", "coder", None),
    ] {
        let decision = decide(&rules(), &open(), &facts, &message("telegram:main:55", text), Trace::Off);
        assert_eq!((short(&decision.outcome).as_str(), decision.aside), (expected, aside), "{text}");
    }
}

#[test]
fn after_a_hint_the_message_goes_where_it_would_without_the_label() {
    let facts = Facts { hinted: true, ..Facts::default() };
    for (text, expected) in [("@codr hi", "manager"), ("@codr @researcher hi", "researcher")] {
        let decision = decide(&rules(), &open(), &facts, &message("telegram:main:55", text), Trace::Off);
        assert_eq!(short(&decision.outcome), expected, "{text}");
    }
}

#[test]
fn a_reply_to_a_notice_of_the_program_goes_on_to_the_focus_and_the_bindings() {
    let mut message = message("telegram:main:-1", "why?");
    message.reply_to = Some(Quote { id: None, ours: true, author: None, text: None, thread: None });
    for (focus, expected) in [(Some(Focus { session: 9, own: true }), "9"), (None, "manager")] {
        let facts = Facts { focus, ..Facts::default() };
        let decision = decide(&rules(), &open(), &facts, &message, Trace::Off);
        assert_eq!((decision.addressed, short(&decision.outcome).as_str()), (Addressed::Reply, expected));
    }
}

#[test]
fn the_focus_of_everyone_addresses_nobody_and_takes_what_is_addressed() {
    let focus = Some(Focus { session: 9, own: false });
    let facts = Facts { focus, ..Facts::default() };
    for (at, text, expected) in [
        ("telegram:main:-1", "hi", "ambient"),
        ("telegram:main:-1", "{@us} hi", "9"),
        ("telegram:main:-1", "@coder hi", "coder"),
        ("telegram:main:55", "hi", "9"),
    ] {
        let decision = decide(&rules(), &open(), &facts, &message(at, text), Trace::Off);
        assert_eq!(short(&decision.outcome), expected, "{text}");
    }
}

#[test]
fn an_edit_wakes_nobody() {
    for at in ["telegram:main:55", "telegram:main:-1"] {
        let mut message = message(at, "{@us} @coder /help");
        message.kind = MessageKind::Edit;
        let facts = Facts { owner: true, ..Facts::default() };
        let decision = decide(&rules(), &open(), &facts, &message, Trace::Off);
        assert_eq!((decision.addressed, decision.outcome), (Addressed::No, Outcome::Ambient));
    }
}
