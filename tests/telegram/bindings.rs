//! Which agent answers where: bindings, and labels in a message.

use crate::support::requests::{agent_of, heard, next_text};
use crate::support::world::World;

/// A world whose bot hears everything, with bindings made from the numbers of group "team" and its topic "bugs".
async fn bound(bindings: impl FnOnce(i64, i64) -> String) -> World {
    let mut world = World::setting().without_node().await;
    world.telegram.set_privacy(false);
    let bugs = world.telegram.user("ann").in_topic("team", "bugs").place();
    let bindings = bindings(bugs.chat_id(), bugs.thread_id().unwrap());
    world.configure(|text| format!("{text}\n{bindings}"));
    world.start_node().await;
    world
}

fn asked(world: &World) -> Vec<String> {
    world.model.requests().iter().map(agent_of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_may_belong_to_another_agent() {
    let world = bound(|chat, thread| {
        format!("[[bindings]]\nagent = \"coder\"\nchat = \"{chat}\"\nthread = \"{thread}\"")
    })
    .await;
    let ann = world.telegram.user("ann");
    for seat in [ann.in_topic("team", "bugs"), ann.in_topic("team", "ideas"), ann.in_group("team")] {
        seat.mentions_bot("hi");
        // The agent that a place belongs to speaks as the bot itself.
        assert_eq!(next_text(&seat).await, "echo: Ann: @roundtable_bot hi");
    }
    assert_eq!(asked(&world), ["coder", "manager", "manager"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_binding_of_a_group_holds_in_its_topics() {
    let world = bound(|chat, thread| {
        format!(
            "[[bindings]]\nagent = \"researcher\"\nchat = \"{chat}\"\n\
             [[bindings]]\nagent = \"coder\"\nchat = \"{chat}\"\nthread = \"{thread}\""
        )
    })
    .await;
    let ann = world.telegram.user("ann");
    for seat in
        [ann.in_topic("team", "ideas"), ann.in_topic("team", "bugs"), ann.in_group("team"), ann.in_group("b")]
    {
        seat.mentions_bot("hi");
        assert_eq!(next_text(&seat).await, "echo: Ann: @roundtable_bot hi");
    }
    assert_eq!(asked(&world), ["researcher", "coder", "researcher", "manager"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_can_do_without_mentions() {
    let world = bound(|chat, thread| {
        format!(
            "[[bindings]]\nagent = \"coder\"\nchat = \"{chat}\"\nthread = \"{thread}\"\nmention = \"always\""
        )
    })
    .await;
    let ann = world.telegram.user("ann");
    let bugs = ann.in_topic("team", "bugs");
    ann.in_group("team").says("nobody is asked here");
    bugs.says("it crashes");
    assert_eq!(next_text(&bugs).await, "echo: Ann: it crashes");
    world.settled().await;
    assert_eq!(asked(&world), ["coder"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_agents_of_one_binding_answer_each_under_its_name() {
    let world =
        bound(|chat, _| format!("[[bindings]]\nagents = [\"researcher\", \"coder\"]\nchat = \"{chat}\""))
            .await;
    let ann = world.telegram.user("ann").in_topic("team", "bugs");
    for text in ["why?", "how?"] {
        ann.mentions_bot(text);
        let mut answers = [next_text(&ann).await, next_text(&ann).await];
        answers.sort();
        let expected =
            ["Coder", "Researcher"].map(|name| format!("{name}\necho: Ann: @roundtable_bot {text}"));
        assert_eq!(answers, expected);
    }
    for request in &world.model.requests()[2..] {
        assert_eq!(heard(request), "Ann: @roundtable_bot why?\nAnn: @roundtable_bot how?");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_speaks_to_one_agent() {
    let world = World::start().await;
    let ann = world.telegram.user("ann");
    for (text, shown) in [
        ("@coder fix it", "Coder\necho: @coder fix it"),
        ("coder: and test it", "Coder\necho: coder: and test it"),
        ("could @Researcher look?", "Researcher\necho: could @Researcher look?"),
        ("`@coder` is a label", "echo: @coder is a label"),
        ("thanks", "echo: thanks"),
    ] {
        ann.says(text);
        let answer = next_text(&ann).await;
        assert_eq!(answer, shown);
    }
    assert_eq!(asked(&world), ["coder", "coder", "researcher", "manager", "manager"]);
    assert_eq!(heard(&world.model.requests()[1]), "@coder fix it\ncoder: and test it");
    assert_eq!(heard(&world.model.requests()[4]), "@coder is a label\nthanks");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_speak_to_several_agents_in_a_group_without_a_mention() {
    let world = World::start().await;
    world.telegram.set_privacy(false);
    let ann = world.telegram.user("ann").in_group("team");
    ann.says("@coder @researcher what about @manager?");
    let mut answers = [next_text(&ann).await, next_text(&ann).await];
    answers.sort();
    assert!(answers[0].starts_with("Coder\n") && answers[1].starts_with("Researcher\n"), "{answers:?}");
    ann.says("coder: is not a label where nobody is addressed");
    world.settled().await;
    assert_eq!(world.model.requests().len(), 2);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistyped_label_is_asked_about() {
    let world = World::start().await;
    let ann = world.telegram.user("ann");
    ann.says("@codr fix it");
    let answer = next_text(&ann).await;
    assert_eq!(
        answer,
        "There is no @codr here. Did you mean @coder? Nobody has read your message yet: please send it again."
    );
    assert!(world.model.requests().is_empty());
    world.end().await;
}
