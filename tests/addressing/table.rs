//! Who is spoken to, as a table: the documentation of addressing. It knows no platform: see [`Seat`].

use super::{Seat, at_rest, helper, world};
use crate::support::world::World;

/// Where, what was before, what is written, and what happens.
///
/// Everybody is in a conversation of their own for each row; the manager is the agent that conversations belong to, and
/// speaks as the bot. Before a message there can be
///
/// - `helper`: a child of the coder with the label `helper`, which has done its first task;
/// - `focus NAME`, `focus NAME everyone`: the command, by the sender;
/// - `hint`: a mistyped label was asked about;
/// - `reply WORDS`: the message answers the newest one that ends so;
/// - `passed on`: somebody else wrote it.
///
/// What happens is who answers (`bot`, a persona, several), `nobody`, or what the program says itself, after `says`.
const TABLE: [[&str; 4]; 46] = [
    // Private chats: every message is for somebody.
    ["dm", "", "hello", "bot"],
    ["dm", "", "@coder hello", "Coder"],
    ["dm", "", "@CODER hello", "Coder"],
    ["dm", "", "could @coder look?", "Coder"],
    ["dm", "", "coder: hello", "Coder"],
    ["dm", "", "note: buy milk", "bot"],
    ["dm", "", "@coder @researcher hello", "Coder, Researcher"],
    ["dm", "", "what do @coder and @researcher think?", "Coder, Researcher"],
    ["dm", "", "@coder ask @researcher", "Coder"],
    ["dm", "", "`@coder` is a label", "bot"],
    ["dm", "", "write to ann@coder.dev", "bot"],
    ["dm", "", "@nobody hello", "bot"],
    ["dm", "", "@all hello", "bot"],
    ["dm", "", "@codr hello", "says Did you mean @coder?"],
    ["dm", "hint", "@codr hello", "bot"],
    ["dm", "passed on", "@coder hello", "bot"],
    // Children: by their labels, finished or not, and by answering them.
    ["dm", "helper", "@helper hello", "helper"],
    ["dm", "helper", "helper: hello", "helper"],
    ["dm", "helper", "hello", "bot"],
    ["dm", "helper", "@helper @coder hello", "Coder, helper"],
    ["dm", "helper", "@helper ask @coder", "helper"],
    ["dm", "helper", "@helpr hello", "says Did you mean @helper?"],
    ["dm", "helper; reply stand by", "go on", "helper"],
    ["dm", "helper; reply stand by", "@coder go on", "Coder"],
    // The same by commands.
    ["dm", "", "/ask coder hello", "Coder"],
    ["dm", "helper", "/ask @helper: hello", "helper"],
    ["dm", "", "/ask codr hello", "says Did you mean @coder?"],
    ["dm", "", "/ask zelda hello", "says There is no @zelda here"],
    ["dm", "", "/ask coder", "says Write it like this: /ask label text"],
    // Focus: until further notice.
    ["dm", "focus coder", "hello", "Coder"],
    ["dm", "focus coder", "@researcher hello", "Researcher"],
    ["dm", "helper; focus helper", "hello", "helper"],
    ["dm", "helper; focus coder; reply stand by", "go on", "helper"],
    // Groups: only what speaks to the bot.
    ["group", "", "hello", "nobody"],
    ["group", "", "{bot} hello", "bot"],
    ["group", "", "@coder hello", "Coder"],
    ["group", "", "could @coder and @researcher look?", "Coder, Researcher"],
    ["group", "", "coder: hello", "nobody"],
    ["group", "", "{bot} coder: hello", "Coder"],
    ["group", "", "@codr hello", "nobody"],
    ["group", "", "{bot} @codr hello", "says Did you mean @coder?"],
    ["group", "helper", "@helper hello", "helper"],
    ["group", "helper; reply stand by", "go on", "helper"],
    ["group", "focus coder", "hello", "Coder"],
    ["group", "", "/ask coder hello", "Coder"],
    ["group", "passed on", "@coder hello", "nobody"],
];

/// Drives the table through a platform: `seats` gives a person in a new private chat or group.
async fn drive<S: Seat>(world: &World, seats: impl Fn(&str, usize) -> S) {
    for (number, [place, before, message, expected]) in TABLE.into_iter().enumerate() {
        let seat = seats(place, number);
        let case = format!("{place} | {before} | {message}");
        let (mut reply, mut passed_on) = (None, false);
        for step in before.split("; ").filter(|step| !step.is_empty()) {
            match step.split_once(' ').unwrap_or((step, "")) {
                ("helper", _) => helper(world, &seat, "helper").await,
                ("reply", words) => reply = Some(words),
                ("passed", _) => passed_on = true,
                ("focus", whom) => {
                    seat.says(&format!("/focus {whom}"));
                    assert!(seat.next().await.text.starts_with("From now on"), "{case}");
                }
                ("hint", _) => {
                    seat.says("@reseacher hello");
                    assert!(seat.next().await.text.contains("Did you mean"), "{case}");
                }
                other => panic!("no step {other:?}"),
            }
        }
        let turns = world.rows().await.turns.len();
        match (reply, message.strip_prefix("{bot} ")) {
            (Some(words), _) => seat.replies_to(words, message),
            _ if passed_on => seat.forwards(message),
            (None, Some(text)) => seat.mentions_bot(text),
            (None, None) => seat.says(message),
        }
        check(world, &seat, &case, message, expected).await;
        seat.settled(world).await;
        at_rest(world).await;
        let answers = if expected.starts_with("says") || expected == "nobody" {
            0
        } else {
            expected.split(", ").count()
        };
        assert_eq!(world.rows().await.turns.len() - turns, answers, "turns of {case}");
    }
}

async fn check<S: Seat>(world: &World, seat: &S, case: &str, message: &str, expected: &str) {
    if expected == "nobody" {
        return;
    }
    if let Some(words) = expected.strip_prefix("says ") {
        let said = seat.next().await;
        assert!(said.who.is_empty() && said.text.contains(words), "{case}: {said:?}");
        return;
    }
    let mut who = Vec::new();
    for _ in expected.split(", ") {
        let said = seat.next().await;
        // What an agent reads is what was written, without the form of a command.
        let last = message.rsplit(' ').next().unwrap_or_default();
        let heard = said.text.contains(last.trim_matches('`'));
        assert!(said.text.starts_with("echo: ") && heard, "{case}: {said:?}");
        assert!(!said.text.contains("/ask"), "{case}: {said:?}");
        who.push(if said.who.is_empty() { "bot".to_owned() } else { said.who });
    }
    who.sort();
    assert_eq!(who.join(", "), expected, "{case}; {:#?}", world.rows().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_reaches_whom_it_should_on_telegram() {
    let world = world().await;
    drive(&world, |place, number| {
        let ann = world.telegram.user(&format!("ann {number}"));
        if place == "dm" { ann } else { ann.in_group(&format!("group {number}")) }
    })
    .await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_reaches_whom_it_should_on_discord() {
    let world = World::with_discord().await;
    super::quiet(&world);
    world.discord().connected().await.unwrap();
    drive(&world, |place, number| {
        let ann = world.discord().user(&format!("ann {number}"));
        if place == "dm" { ann } else { ann.in_channel(&format!("group-{number}")) }
    })
    .await;
    world.end().await;
}
