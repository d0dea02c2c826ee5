//! Labels and commands in a text.

use super::commands::{COMMANDS, Parsed, parse};
use super::*;

#[test]
fn labels_are_read() {
    // text (see `marked`), addressees, references, prefix
    let table = [
        ("", "", "", ""),
        ("hi", "", "", ""),
        ("@coder hi", "coder", "", ""),
        ("hi @coder", "coder", "", ""),
        ("hi @B and @C", "B C", "", ""),
        ("@B @C hi", "B C", "", ""),
        ("@B, @C: hi", "B C", "", ""),
        ("@B+@C & @D; hi", "B C D", "", ""),
        ("@B hi, ask @C", "B", "C", ""),
        ("@B @b @B hi @b", "B", "b", ""),
        ("\n @B hi", "B", "", ""),
        ("@B", "B", "", ""),
        ("@coder-2 @Research_Lead hi", "coder-2 Research_Lead", "", ""),
        ("(@B) hi", "B", "", ""),
        ("@B.", "B", "", ""),
        ("@B's work", "B", "", ""),
        ("@coder请看一下", "coder", "", ""),
        // Not after a letter, digit, `.`, `_` or `/`.
        ("ann@coder.dev", "", "", ""),
        ("9@coder", "", "", ""),
        ("é@coder", "", "", ""),
        ("a.@coder", "", "", ""),
        ("_@coder", "", "", ""),
        ("npm/@coder", "", "", ""),
        ("-@coder", "coder", "", ""),
        // Of the right form.
        ("@", "", "", ""),
        ("@ coder", "", "", ""),
        ("@-coder @_coder", "", "", ""),
        ("@xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "", ""),
        ("@xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "", "", ""),
        // Reserved in any case.
        ("@all @Here @everyone @channel @admin @bot @TEAM", "", "", ""),
        ("@all @B hi", "B", "", ""),
        // Outside code, links, quotes and platform mentions.
        ("`@B` hi", "", "", ""),
        ("run `x @B y`, @C", "C", "", ""),
        ("‹https://x.org/ @B›", "", "", ""),
        ("«@B said» @C hi", "C", "", ""),
        ("[@B] hi", "", "", ""),
        ("[@B] @C hi", "C", "", ""),
        ("@`B` hi", "", "", ""),
        // Our own mention is passed over at the start.
        ("{@us} @B hi @C", "B", "C", ""),
        ("@B {@us} @C hi @D", "B C", "D", ""),
        ("{@us} hi @B", "B", "", ""),
        ("{@coder} hi", "", "", ""),
        // The form with a colon.
        ("coder: hi", "", "", "coder"),
        ("coder:\nhi", "", "", "coder"),
        ("{@us} coder: hi", "", "", "coder"),
        ("coder: ask @B", "B", "", "coder"),
        ("coder:hi", "", "", ""),
        ("coder :hi", "", "", ""),
        ("coder:", "", "", ""),
        ("http://x", "", "", ""),
        ("`coder`: hi", "", "", ""),
        ("all: hi", "", "", ""),
        ("dear coder: hi", "", "", ""),
    ];
    for (text, addressees, references, prefix) in table {
        let (plain, spans) = marked(text);
        let labels = labels::parse(&plain, &spans, labels::body_start(&plain, &spans));
        let found = (labels.addressees.join(" "), labels.references.join(" "), labels.prefix.unwrap_or(""));
        assert_eq!(found, (addressees.into(), references.into(), prefix), "{text}");
    }
}

#[test]
fn commands_are_read() {
    let new = |keep| Parsed::Ours(Command::New { keep });
    let stop = |label: &str| Parsed::Ours(Command::Stop(Stop::Label(label.into())));
    let ask = |label: &str, text: &str| Parsed::Ours(Command::Ask { label: label.into(), text: text.into() });
    let steer =
        |label: &str, text: &str| Parsed::Ours(Command::Steer { label: label.into(), text: text.into() });
    let spawn = |agent: &str, label: Option<&str>, task: &str| {
        Parsed::Ours(Command::Spawn { agent: agent.into(), label: label.map(Into::into), task: task.into() })
    };
    let focus = |label: &str, everyone| Parsed::Ours(Command::Focus { label: label.into(), everyone });
    let history = |label: &str, count| Parsed::Ours(Command::History { label: label.into(), count });
    let pair = || Parsed::Ours(Command::Pair { code: "7K3M-01Q0-ZZ9A".into() });
    let usage = |usage: &str| Parsed::Misused { usage: usage.into() };
    let unknown = |name: &str, suggestion| Parsed::Unknown { name: name.into(), suggestion };
    let table = [
        ("/help", Parsed::Ours(Command::Help)),
        ("/HELP me", Parsed::Ours(Command::Help)),
        ("/whoami", Parsed::Ours(Command::Whoami)),
        ("/new", new(false)),
        ("/new  KEEP\n", new(true)),
        ("/new house", usage("/new [keep]")),
        ("/stop", Parsed::Ours(Command::Stop(Stop::Here))),
        ("/stop All", Parsed::Ours(Command::Stop(Stop::All))),
        ("/stop Coder-2", stop("Coder-2")),
        ("/stop\n@coder", stop("coder")),
        ("/stop @all", stop("all")),
        ("/stop the work", usage("/stop [label|all]")),
        ("/kill @coder", Parsed::Ours(Command::Kill { label: "coder".into() })),
        ("/kill", usage("/kill label")),
        ("/ask coder: fix\n it ", ask("coder", "fix\n it")),
        ("/ask coder", usage("/ask label text")),
        ("/ask é hi", usage("/ask label text")),
        ("/steer @coder  be quick", steer("coder", "be quick")),
        ("/steer", usage("/steer label text")),
        ("/spawn coder fix it", spawn("coder", None, "fix it")),
        ("/spawn coder fixer: mend it", spawn("coder", Some("fixer"), "mend it")),
        ("/spawn coder @fixer mend it", spawn("coder", Some("fixer"), "mend it")),
        ("/spawn coder it's: odd", spawn("coder", None, "it's: odd")),
        ("/spawn coder fixer:", usage("/spawn agent [label:] task")),
        ("/spawn coder", usage("/spawn agent [label:] task")),
        ("/focus coder", focus("coder", false)),
        ("/focus @coder Everyone", focus("coder", true)),
        ("/focus coder now", usage("/focus label [everyone]")),
        ("/unfocus", Parsed::Ours(Command::Unfocus { everyone: false })),
        ("/unfocus everyone", Parsed::Ours(Command::Unfocus { everyone: true })),
        ("/unfocus coder", usage("/unfocus [everyone]")),
        ("/history coder", history("coder", 5)),
        ("/history coder 99", history("coder", 20)),
        ("/history coder 0", usage("/history label [n]")),
        ("/history coder some", usage("/history label [n]")),
        ("/agents", Parsed::Ours(Command::Agents)),
        ("/status", Parsed::Ours(Command::Status)),
        ("/start", Parsed::Ours(Command::Start)),
        ("/start organization", Parsed::Ours(Command::Start)),
        ("/start 7K3M-01Q0-ZZ9A", pair()),
        ("/pair 7k3m o1qo zz9a", pair()),
        ("/pair", usage("/pair CODE")),
        ("/pair ---", usage("/pair CODE")),
        ("/help@other_bot", Parsed::OtherBot),
        ("/anything@other_bot now", Parsed::OtherBot),
        ("/hlep", unknown("hlep", Some("help"))),
        ("/whomai", unknown("whomai", Some("whoami"))),
        ("/frobnicate", unknown("frobnicate", None)),
        ("/tmp is full", unknown("tmp", None)),
        ("/usr/bin", Parsed::Text),
        ("/a.b", Parsed::Text),
        ("/", Parsed::Text),
        ("/ help", Parsed::Text),
        ("//help", Parsed::Text),
        ("/@bot", Parsed::Text),
        ("/help@", Parsed::Text),
        ("/über", Parsed::Text),
        ("please /help", Parsed::Text),
        ("help", Parsed::Text),
        ("", Parsed::Text),
    ];
    for (text, expected) in table {
        assert_eq!(parse(text), expected, "{text}");
    }
    let long = format!("/{}", "x".repeat(100_000));
    assert_eq!(parse(&long), Parsed::Text);
}

#[test]
fn command_names_are_different_and_typed_with_ease() {
    for (at, entry) in COMMANDS.iter().enumerate() {
        assert!(COMMANDS[..at].iter().all(|earlier| earlier.name != entry.name), "{} twice", entry.name);
        assert!(entry.name.bytes().all(|byte| byte.is_ascii_lowercase()), "{}", entry.name);
    }
}
