//! Which binding wins where, and which never does.

use super::*;

/// The tier in which each binding matches each place of [`PLACES`]; `.` is no match.
const MATCHES: &str = "
                                   | dm      dm-topic work-dm  group    topic    server   role     thread   local
                                   | any     any      any      any      any      any      any      any      any
channel=telegram                   | channel channel  channel  channel  channel  .        .        .        .
channel=discord                    | .       .        .        .        .        channel  channel  channel  .
account=main                       | account account  .        account  account  account  account  account  account
channel=telegram account=main      | account account  .        account  account  .        .        .        .
channel=telegram account=work      | .       .        account  .        .        .        .        .        .
guild=g                            | .       .        .        .        .        guild    guild    guild    .
guild=g role=r                     | .       .        .        .        .        .        g+role   g+role   .
guild=g role=none                  | .       .        .        .        .        .        .        .        .
guild=other                        | .       .        .        .        .        .        .        .        .
role=r                             | .       .        .        .        .        .        any      any      .
role=q account=main                | .       .        .        .        .        .        account  .        .
chat=-1                            | .       .        .        chat     parent   .        .        .        .
chat=810                           | .       .        .        .        .        chat     chat     parent   .
chat=810 role=r                    | .       .        .        .        .        .        chat     parent   .
chat=811                           | .       .        .        .        .        .        .        chat     .
chat=55                            | chat    parent   chat     .        .        .        .        .        chat
user=55                            | chat    parent   chat     any      any      any      any      any      chat
user=56                            | .       .        .        .        .        .        .        .        .
channel=telegram user=55           | chat    parent   chat     channel  channel  .        .        .        .
guild=g user=55                    | .       .        .        .        .        guild    guild    guild    .
thread=42                          | .       .        .        .        thread   .        .        .        .
chat=-1 thread=42                  | .       .        .        .        thread   .        .        .        .
chat=-2 thread=42                  | .       .        .        .        .        .        .        .        .
chat=810 thread=811                | .       .        .        .        .        .        .        thread   .
thread=7 user=55                   | .       thread   .        .        .        .        .        .        .
chat=-1 guild=g                    | .       .        .        .        .        .        .        .        .
";

fn tier(rule: RuleName) -> &'static str {
    match rule {
        RuleName::Thread => "thread",
        RuleName::Chat => "chat",
        RuleName::ParentChat => "parent",
        RuleName::GuildRole => "g+role",
        RuleName::Guild => "guild",
        RuleName::Account => "account",
        RuleName::Channel => "channel",
        RuleName::Anywhere => "any",
        RuleName::Default => ".",
    }
}

#[test]
fn every_binding_matches_where_it_should() {
    let mut cells = 0;
    for line in MATCHES.lines().skip(2) {
        let (fields, tiers) = line.split_once('|').unwrap();
        let rules = Rules { bindings: vec![binding(fields)], ..rules() };
        for (name, expected) in PLACES.iter().zip(tiers.split_whitespace()) {
            let message = place(name);
            let resolution = rules.resolve(&Place::of(&message));
            assert_eq!(tier(resolution.rule), expected, "`{}` at {name}", fields.trim());
            let agent = if expected == "." { "manager" } else { "coder" };
            assert_eq!(resolution.agents, [agent], "`{}` at {name}", fields.trim());
            cells += 1;
        }
    }
    assert_eq!(cells, 27 * PLACES.len());
}

#[test]
fn the_most_specific_wins_and_then_the_first() {
    let fields = [
        "agents=any",
        "agents=any2",
        "channel=telegram agents=channel",
        "channel=discord agents=channel",
        "account=main agents=account",
        "guild=g agents=guild",
        "guild=g role=r agents=role",
        "guild=g role=q agents=role2",
        "chat=-1 agents=chat",
        "chat=-1 user=55 agents=chat2",
        "chat=810 agents=chat",
        "user=55 channel=telegram agents=person",
        "thread=42 agents=thread",
        "thread=811 agents=thread",
    ];
    // The winners in order, each removed before the next is asked for.
    let table = [
        ("dm", "person account channel any any2 manager"),
        ("work-dm", "person channel any any2 manager"),
        ("group", "chat chat2 account channel person any any2 manager"),
        ("topic", "thread chat chat2 account channel person any any2 manager"),
        ("server", "chat guild account channel any any2 manager"),
        ("role", "chat role role2 guild account channel any any2 manager"),
        ("thread", "thread chat role guild account channel any any2 manager"),
        ("local", "account any any2 manager"),
    ];
    for (name, winners) in table {
        let message = place(name);
        let mut rules = Rules { bindings: fields.map(binding).into(), ..rules() };
        for winner in winners.split(' ') {
            let resolution = rules.resolve(&Place::of(&message));
            assert_eq!(resolution.agents, [winner], "at {name}");
            if let Some(index) = resolution.binding {
                rules.bindings.remove(index);
            }
        }
    }
}

#[test]
fn bindings_that_never_win_are_found() {
    // The rows of one case; what shadows what, `=` for duplicates.
    let table: [(&[&str], &[&str]); 14] = [
        (&["chat=-1", "chat=-2", "channel=telegram", ""], &[]),
        (&["channel=telegram", "channel=telegram"], &["1=0"]),
        (&["channel=telegram mention=always", "channel=telegram agents=b"], &["1=0"]),
        (&["", "channel=telegram", ""], &["2=0"]),
        (&["chat=-1", "chat=-1 user=55"], &["1<0"]),
        (&["chat=-1 user=55", "chat=-1"], &[]),
        (&["account=main", "channel=telegram account=main"], &["1<0"]),
        // In a private chat the person is more specific than the account, so it wins there.
        (&["account=main", "account=main user=55"], &[]),
        (&["account=main", "user=55", "account=main user=55"], &["2<0"]),
        // Nobody has a private chat on a server.
        (&["guild=g", "guild=g user=55"], &["1<0"]),
        (&["guild=g", "guild=g role=r"], &[]),
        (&["thread=42", "chat=-1 thread=42"], &["1<0"]),
        (&["chat=-1", "chat=-1 thread=42"], &[]),
        (&["", "role=r"], &["1<0"]),
    ];
    for (bindings, expected) in table {
        let bindings: Vec<_> = bindings.iter().map(|fields| binding(fields)).collect();
        let found: Vec<_> = shadowed(&bindings)
            .into_iter()
            .map(|Shadowed { binding, by, duplicate }| {
                format!("{binding}{}{by}", if duplicate { '=' } else { '<' })
            })
            .collect();
        assert_eq!(found, expected, "{bindings:#?}");
    }
}
