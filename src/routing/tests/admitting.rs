//! Who may speak.

use roundtable_contract::Quote;

use super::*;

fn verdict(policy: &Policy, facts: &Facts<'_>, message: &Message) -> &'static str {
    match decide(&rules(), policy, facts, message, Trace::Off).admission {
        Admission::Admitted { .. } => "yes",
        Admission::AllowGroup => "allow",
        Admission::Refused { say: None, .. } => "no",
        Admission::Refused { say: Some(_), .. } => "say",
    }
}

/// How somebody becomes an owner or known: by stored facts or by the configuration.
fn standing(name: &str, policy: &mut Policy) -> Facts<'static> {
    let mut facts = Facts { owners_exist: true, ..Facts::default() };
    match name {
        "stranger" => {}
        "known" => facts.known = true,
        "listed" => policy.users.push("55".into()),
        "owner" => facts.owner = true,
        "configured owner" => policy.owners.push("55".into()),
        other => panic!("no standing {other}"),
    }
    facts
}

#[test]
fn private_chats_follow_the_dm_policy() {
    let table = [
        // policy, then: stranger, known, owner, another bot that mentions us
        (DmPolicy::Pairing, ["say", "yes", "yes", "no"]),
        (DmPolicy::Allowlist, ["no", "yes", "yes", "no"]),
        (DmPolicy::Open, ["yes", "yes", "yes", "yes"]),
        (DmPolicy::Off, ["no", "no", "no", "no"]),
    ];
    for (dm, [stranger, known, owner, bot]) in table {
        let people = [
            ("stranger", stranger),
            ("known", known),
            ("listed", known),
            ("owner", owner),
            ("configured owner", owner),
        ];
        for (name, expected) in people {
            let mut policy = Policy { dm, ..Policy::default() };
            let facts = standing(name, &mut policy);
            assert_eq!(verdict(&policy, &facts, &place("dm")), expected, "{name}, dm = {dm:?}");
        }
        let policy = Policy { dm, bots: Bots::Mentioned, ..Policy::default() };
        let mut message = message("telegram:main:55", "{@us} hi");
        message.sender.is_bot = true;
        assert_eq!(verdict(&policy, &Facts::default(), &message), bot, "a bot, dm = {dm:?}");
    }
}

#[test]
fn strangers_are_told_whom_to_ask() {
    let say = |policy: &Policy, owners_exist| {
        let facts = Facts { owners_exist, ..Facts::default() };
        decide(&rules(), policy, &facts, &place("dm"), Trace::Off).outcome
    };
    let unpaired = |owners_exist| Outcome::Say(Notice::Unpaired { user: "55".into(), owners_exist });
    let owned = Policy { owners: vec!["1".into()], ..Policy::default() };
    assert_eq!(say(&Policy::default(), false), unpaired(false));
    assert_eq!(say(&Policy::default(), true), unpaired(true));
    assert_eq!(say(&owned, false), unpaired(true));
}

#[test]
fn groups_follow_the_allow_list_and_its_senders() {
    let known = || Senders::Known;
    let roles = || Senders::Roles(vec!["r".into(), "s".into()]);
    // allow-list, whose senders are restricted and how, place, then: stranger, known, owner
    type Row = (&'static str, Option<(&'static str, Senders)>, &'static str, [&'static str; 3]);
    let table: [Row; 17] = [
        ("", None, "group", ["no", "no", "no"]),
        ("-2", None, "group", ["no", "no", "no"]),
        ("-1", None, "group", ["yes", "yes", "yes"]),
        ("-1", None, "topic", ["yes", "yes", "yes"]),
        ("*", None, "group", ["yes", "yes", "yes"]),
        ("-1", Some(("-1", known())), "group", ["no", "yes", "yes"]),
        ("*", Some(("-1", known())), "group", ["no", "yes", "yes"]),
        ("*", Some(("*", known())), "group", ["no", "yes", "yes"]),
        ("*", Some(("-2", known())), "group", ["yes", "yes", "yes"]),
        ("g", None, "server", ["yes", "yes", "yes"]),
        ("810", None, "server", ["yes", "yes", "yes"]),
        ("810", None, "thread", ["yes", "yes", "yes"]),
        ("811", None, "server", ["no", "no", "no"]),
        ("g", Some(("810", known())), "thread", ["no", "yes", "yes"]),
        ("g", Some(("g", roles())), "server", ["no", "no", "yes"]),
        ("g", Some(("g", roles())), "role", ["yes", "yes", "yes"]),
        ("g", Some(("g", Senders::Roles(vec![]))), "role", ["no", "no", "yes"]),
    ];
    for (groups, senders, at, expected) in table {
        for (name, expected) in ["stranger", "known", "owner"].into_iter().zip(expected) {
            let mut policy = Policy {
                groups: groups.split_whitespace().map(ToOwned::to_owned).collect(),
                senders: senders.iter().map(|(group, who)| (group.to_string(), who.clone())).collect(),
                ..Policy::default()
            };
            let facts = standing(name, &mut policy);
            assert_eq!(verdict(&policy, &facts, &place(at)), expected, "{name} at {at}: {policy:?}");
            let facts = Facts { group_allowed: true, ..facts };
            if policy.senders.is_empty() {
                assert_eq!(
                    verdict(&policy, &facts, &place(at)),
                    "yes",
                    "{name} at {at}, allowed at run time"
                );
            }
        }
    }
}

#[test]
fn an_owner_who_speaks_to_the_bot_brings_it_into_a_group() {
    let mut always = rules();
    always.bindings.push(binding("mention=always"));
    let table = [
        ("hi", "no"),
        ("{@us} hi", "allow"),
        ("/help", "allow"),
        ("/help@other_bot", "no"),
        ("/nonsense", "no"),
        ("@coder hi", "allow"),
        ("@nobody hi", "no"),
    ];
    for (text, expected) in table {
        let message = message("telegram:main:-1", text);
        for owner in [true, false] {
            // Neither an answer without mention nor a focus is a word to the bot.
            let facts = Facts {
                owner,
                focus: Some(Focus { session: 9, own: true }),
                our_thread: true,
                ..Facts::default()
            };
            let admission = decide(&always, &Policy::default(), &facts, &message, Trace::Off).admission;
            let found = if admission == Admission::AllowGroup { "allow" } else { "no" };
            assert_eq!(found, if owner { expected } else { "no" }, "{text}, owner: {owner}");
            assert_eq!(admission.is_admitted(), admission == Admission::AllowGroup);
        }
    }
}

#[test]
fn the_message_that_brings_the_bot_in_is_answered() {
    let facts = Facts { owner: true, ..Facts::default() };
    let message = message("telegram:main:-1", "{@us} hi");
    let decision = decide(&rules(), &Policy::default(), &facts, &message, Trace::Off);
    assert_eq!((decision.admission, short(&decision.outcome).as_str()), (Admission::AllowGroup, "manager"));
}

#[test]
fn other_bots_are_heard_only_when_they_mention_us() {
    let quote = Quote { id: Some(MessageId(7)), ours: true, author: None, text: None, thread: None };
    // text, a reply to us, then: bots = ignore, bots = mentioned
    let table = [
        ("hi", false, "nothing", "nothing"),
        ("hi", true, "nothing", "nothing"),
        ("@coder hi", false, "nothing", "nothing"),
        ("{@us} hi", false, "nothing", "manager"),
        ("{@us} @coder hi", true, "nothing", "coder"),
        ("{@us} /new", false, "nothing", "manager"),
        ("7K3M-01Q0-ZZ9A", false, "nothing", "nothing"),
    ];
    for (text, reply, ignored, mentioned) in table {
        let mut message = message("telegram:main:-1", text);
        message.sender.is_bot = true;
        message.reply_to = reply.then(|| quote.clone());
        for (bots, expected) in [(Bots::Ignore, ignored), (Bots::Mentioned, mentioned)] {
            let facts = Facts { code_open: true, ..Facts::default() };
            let decision = decide(&rules(), &Policy { bots, ..open() }, &facts, &message, Trace::Off);
            assert_eq!(short(&decision.outcome), expected, "{text}, bots = {bots:?}");
        }
    }
}

#[test]
fn a_code_is_taken_from_strangers() {
    const CODE: &str = "7K3M-01Q0-ZZ9A";
    let pair = Outcome::Command(Command::Pair { code: CODE.into() });
    // text, a code is open, then whether it is taken for one
    let table = [
        ("/pair 7k3mo1q0zz9a", false, true),
        ("/pair@other_bot 7K3M-01Q0-ZZ9A", true, false),
        ("/start 7K3M-01Q0-ZZ9A", false, true),
        ("/start organization", false, false),
        (" 7k3m-o1qo-zz9a ", true, true),
        ("{@us} 7K3M-01Q0-ZZ9A", true, true),
        ("7K3M-01Q0-ZZ9A", false, false),
        ("organization", true, false),
        ("`7K3M-01Q0-ZZ9A`", true, false),
    ];
    let policies = [Policy::default(), Policy { dm: DmPolicy::Off, ..Policy::default() }, open()];
    for (text, code_open, taken) in table {
        // In a group too: there the core makes the code void.
        for (at, policy) in ["telegram:main:55", "telegram:main:-1"].iter().zip(&policies) {
            let facts = Facts { code_open, ..Facts::default() };
            let decision = decide(&rules(), policy, &facts, &message(at, text), Trace::Off);
            assert_eq!(decision.outcome == pair, taken, "{text} at {at}: {:?}", decision.outcome);
        }
    }
}
