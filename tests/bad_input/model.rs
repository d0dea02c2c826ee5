//! What a model may answer: broken, cut off, refused, too much, nothing.

use roundtable_fakes::Reply;

use crate::support::requests::{heard, next_text};
use crate::support::world::World;

/// Ann meets `reply` once and reads `told`; Bob is served at the same time, and Ann afterwards.
async fn meets(world: &World, name: &str, reply: Reply, told: &str) {
    let (ann, bob) = (world.telegram.user("ann"), world.telegram.user("bob"));
    world.model.once(&format!("meet {name}"), reply);
    let held = world.model.hold(&format!("meet {name}"));
    ann.says(&format!("meet {name}"));
    held.arrived().await.unwrap();
    bob.says(&format!("during {name}"));
    assert_eq!(next_text(&bob).await, format!("echo: during {name}"));
    held.release();
    assert_eq!(next_text(&ann).await, told, "{name}");
    ann.says(&format!("after {name}"));
    let after = next_text(&ann).await;
    assert!(after.starts_with("echo: ") && after.ends_with(&format!("after {name}")), "{after}");
}

fn unavailable(reason: &str) -> String {
    format!(
        "Manager can't answer now: openai/fake is not available ({reason}). Please ask again in a few minutes."
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_had_is_explained_and_the_next_one_is_given() {
    let world = World::start().await;
    let begun = || Reply::text("I was about to say");
    for (name, reply, reason) in [
        ("no JSON", begun().malformed_json(), "it sent something that is not its protocol"),
        ("a cut stream", begun().truncated(), "its answer broke off"),
        ("a broken line", begun().broken(), "the connection to it broke"),
        ("an overload in the stream", begun().then_overloaded(), "it failed (500)"),
        ("an overload", Reply::status(529), "it is overloaded (529)"),
        ("a failure", Reply::status(500), "it failed (500)"),
    ] {
        meets(&world, name, reply, &unavailable(reason)).await;
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_after_some_text_is_asked_for_again_and_shown_once() {
    let mut world = World::setting().without_node().await;
    world.configure(|text| text.replace("retries = 0", "retries = 1"));
    world.start_node().await;
    let begun = || Reply::text("I was about to say");
    for (name, reply) in [
        ("a cut stream", begun().truncated()),
        ("a broken line", begun().broken()),
        ("an overload in the stream", begun().then_overloaded()),
    ] {
        meets(&world, name, reply, &format!("echo: meet {name}")).await;
        let asked = world.model.requests();
        assert_eq!(asked.iter().filter(|request| request.asks(&format!("meet {name}"))).count(), 2, "{name}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_is_told_with_who_can_change_it() {
    let world = World::start().await;
    let told = "Manager can't answer: openai/fake refused the request (the key in models.main.api_key was refused). \
                The same again won't help: please ask for something else, or whoever runs me to check the model's key \
                and settings.";
    meets(&world, "a wrong key", Reply::status(401), told).await;
    assert!(!world.telegram.transcript().contains("sk-test"), "the key is shown nowhere");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_answer_is_said_to_be_one() {
    let world = World::start().await;
    let told = "Manager had nothing to say. Please ask again in other words.";
    meets(&world, "nothing", Reply::empty(), told).await;
    meets(&world, "wrong types", Reply::empty().wrong_types(), told).await;
    meets(&world, "blanks", Reply::text(" \n\t\u{a0}\n"), told).await;
    meets(&world, "invisible things", Reply::text("\u{0}\u{1b}\u{200b}\u{202e}\u{2028}\u{feff}"), told).await;
    world.end().await;
}

/// A test in a world for each protocol of the models.
pub async fn in_each_protocol(test: impl AsyncFn(&World)) {
    for provider in ["openai", "anthropic"] {
        let mut world = World::setting().without_node().await;
        world.configure(|text| text.replace("\"openai\"", &format!("{provider:?}")));
        world.start_node().await;
        test(&world).await;
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_cut_at_the_limit_is_said_to_be_and_goes_on_when_asked() {
    in_each_protocol(async |world| {
        let ann = world.telegram.user("ann");
        world.model.once("count", Reply::chunks(["one, two, ", "thr"]).at_limit());
        ann.says("count");
        assert_eq!(next_text(&ann).await, "one, two, thr");
        assert_eq!(next_text(&ann).await, "(This answer was cut at the model's limit. Ask me to go on.)");
        ann.says("go on");
        assert_eq!(next_text(&ann).await, "echo: go on");
        let asked = world.model.requests().pop().unwrap().raw.to_string();
        assert!(asked.contains("one, two, thr") && !asked.contains("was cut"), "{asked}");
        meets(
            world,
            "no room",
            Reply::empty().at_limit(),
            "Manager came to its model's limit before the first word. Please ask for a smaller piece.",
        )
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_never_shown_however_it_is_written() {
    let world = World::start().await;
    let ann = world.telegram.user("ann");
    let spellings = [
        "NO_REPLY",
        "no_reply",
        "  No_Reply\n",
        "\n\nNO_REPLY",
        "ANNOUNCE_SKIP",
        "reply_skip ",
        "REPLY_SKIP",
    ];
    for (number, silent) in spellings.into_iter().enumerate() {
        // In small pieces, as it is streamed.
        let pieces = silent.chars().map(String::from);
        world.model.once(&format!("hush {number}"), Reply::chunks(pieces));
        ann.says(&format!("hush {number}"));
        let asked = format!("hush {number}");
        world.model.wait_for_request(&asked, |request| request.asks(&asked)).await.unwrap();
        ann.says(&format!("speak {number}"));
        assert_eq!(next_text(&ann).await, format!("echo: speak {number}"));
    }
    world.model.when("say it", Reply::text("NO_REPLY is what I say to be silent"));
    ann.says("say it");
    assert_eq!(next_text(&ann).await, "NO_REPLY is what I say to be silent");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn control_characters_do_no_harm() {
    let world = World::start().await;
    let ann = world.telegram.user("ann");
    world.model.once("controls", Reply::control_characters());
    ann.says("controls");
    let shown = ann.next_message().await.unwrap().text;
    assert!(shown.starts_with("ab") || shown.starts_with("a b"), "{shown:?}");
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
    assert!(shown.contains('f') && shown.contains('h'), "{shown:?}");
    ann.says("and then?");
    assert_eq!(next_text(&ann).await, "echo: and then?");
    assert!(heard(world.model.requests().last().unwrap()).contains("controls"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_kilobytes_are_shown_whole_and_in_order() {
    let world = World::start().await;
    let (ann, bob) = (world.telegram.user("ann"), world.telegram.user("bob"));
    world.model.when("everything", Reply::huge());
    ann.says("everything");
    let mut lines = Vec::new();
    while lines.len() < 6_500 {
        let message = ann.next_message().await.unwrap();
        assert!(message.text.encode_utf16().count() <= 4096);
        lines.extend(message.text.lines().map(str::to_owned));
        if lines.len() < 200 {
            bob.says("am I heard?");
            assert_eq!(next_text(&bob).await, "echo: am I heard?");
        }
    }
    let expected: Vec<_> =
        (0..6_500).map(|line| format!("line {line:05} of a very long answer, which goes on.")).collect();
    let wrong = lines.iter().zip(&expected).find(|(line, expected)| line != expected);
    assert_eq!((wrong, lines.len()), (None, expected.len()), "{:?}", lines.get(6_499..));
    world.end().await;
}
