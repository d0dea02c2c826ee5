//! The commands about the team, one by one.

use super::{at_rest, helper, world};
use crate::support::requests::{heard, next_text};
use crate::support::world::World;

const ONE_CHILD: &str = "[agents.manager]\ndefault = true\n[agents.manager.subagents]\nmax_children = 1\n\
                         [agents.coder]\n[agents.researcher]\n";

/// A child with the label `helper` that is at work on its first task until the hold is released.
async fn helper_at_work(world: &World, seat: &roundtable_fakes::Seat) -> roundtable_fakes::Hold {
    let call = world.model.hold("dig a hole");
    seat.says("/spawn coder @helper dig a hole");
    assert!(next_text(seat).await.starts_with("@helper (coder) is at work"));
    call.arrived().await.unwrap();
    call
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_shows_the_table_as_a_tree() {
    let world = world().await;
    let ann = world.telegram.user("ann");
    ann.says("/agents");
    assert_eq!(
        next_text(&ann).await,
        "Not here yet, and called by their names: @coder, @manager, @researcher."
    );
    let call = helper_at_work(&world, &ann).await;
    ann.says("@researcher hello");
    next_text(&ann).await;
    ann.says("/agents");
    let lines = next_text(&ann).await;
    for line in [
        "@manager, idle",
        "@helper (coder), at work: dig a hole",
        "@researcher, idle",
        "their names: @coder.",
    ] {
        assert!(lines.contains(line), "{line}: {lines}");
    }
    call.release();
    assert_eq!(next_text(&ann).await, "helper\necho: dig a hole");
    at_rest(&world).await;
    ann.says("/agents");
    let lines = next_text(&ann).await;
    assert!(lines.contains("@helper (coder), finished: dig a hole"), "{lines}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spawn_starts_a_child_that_answers_here_and_says_why_it_does_not() {
    let world = world().await;
    let ann = world.telegram.user("ann");
    ann.says("/spawn coder count to three");
    assert_eq!(
        next_text(&ann).await,
        "@coder is at work and answers here. /steer coder … corrects it, /kill coder stops it."
    );
    // Its label says no more than its agent's name.
    assert_eq!(next_text(&ann).await, "Coder\necho: count to three");
    at_rest(&world).await;
    // The one whose child it is learns of the result, and that it was seen.
    let told = world.model.requests().pop().unwrap();
    assert!(heard(&told).contains("\"shown\":true"), "{}", heard(&told));
    let call = helper_at_work(&world, &ann).await;
    for (command, answer) in [
        ("/spawn coder helper: more", "@helper is at work already, so nothing was started"),
        ("/spawn coder researcher: more", "researcher is the name of another agent"),
        ("/spawn coder all: more", "all can't be a label, so nothing was started"),
        ("/spawn codr more", "There is no agent codr. Did you mean coder?"),
        ("/spawn zelda more", "There is no agent zelda. /agents shows who there is."),
        ("/spawn coder", "Write it like this: /spawn agent [label:] task"),
    ] {
        ann.says(command);
        let said = next_text(&ann).await;
        assert!(said.contains(answer), "{command}: {said}");
    }
    call.release();
    next_text(&ann).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_or_a_word_longer_than_a_message_is_one() {
    let world = world().await;
    let ann = world.telegram.user("ann");
    let long = "dig and ".repeat(490);
    let whole = format!("{}\nthen rest", long.trim_end());
    let commands = [("/spawn coder helper:", 2), ("/ask helper", 1), ("/steer helper", 2)];
    for (number, (command, answers)) in commands.into_iter().enumerate() {
        ann.says(&format!("{command} {long}"));
        ann.says("then rest");
        for _ in 0..answers {
            next_text(&ann).await;
        }
        at_rest(&world).await;
        let read = world.model.requests();
        let read = read.iter().filter(|request| request.last_user_text().ends_with(&whole)).count();
        assert_eq!(read, number + 1, "{command}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spawn_keeps_the_limits_of_the_team() {
    let world = World::setting().config(ONE_CHILD).start().await;
    super::quiet(&world);
    let ann = world.telegram.user("ann");
    let call = helper_at_work(&world, &ann).await;
    ann.says("/spawn researcher look around");
    assert!(next_text(&ann).await.starts_with("As many are at work here as may be"));
    call.release();
    next_text(&ann).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn steer_reaches_a_turn_at_work_and_wakes_who_is_idle() {
    let world = world().await;
    let ann = world.telegram.user("ann");
    let call = helper_at_work(&world, &ann).await;
    ann.says("/steer helper a deeper one");
    assert_eq!(next_text(&ann).await, "@helper reads it before its next step.");
    call.release();
    assert_eq!(next_text(&ann).await, "helper\necho: dig a hole");
    assert_eq!(next_text(&ann).await, "helper\necho: a deeper one");
    at_rest(&world).await;
    ann.says("/steer @helper and fill it");
    let mut said = [next_text(&ann).await, next_text(&ann).await];
    said.sort();
    assert_eq!(
        said,
        ["@helper was not at work: it reads it now and answers here.", "helper\necho: and fill it"]
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_and_stop_end_the_work_of_one() {
    let world = world().await;
    let ann = world.telegram.user("ann");
    for command in ["/kill helper", "/stop @helper"] {
        let _call = helper_at_work(&world, &ann).await;
        ann.says(command);
        assert_eq!(next_text(&ann).await, "Stopped: helper.");
        at_rest(&world).await;
        ann.says(command);
        assert_eq!(next_text(&ann).await, "@helper is not at work, so there was nothing to stop.");
    }
    ann.says("/kill researcher");
    assert_eq!(next_text(&ann).await, "@researcher is not at work, so there was nothing to stop.");
    ann.says("/kill helpr");
    assert_eq!(next_text(&ann).await, "There is no @helpr here, so nothing was done. Did you mean @helper?");
    // What was stopped can be woken.
    ann.says("@helper again");
    let again = next_text(&ann).await;
    assert!(again.starts_with("helper\n") && again.ends_with("@helper again"), "{again}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn status_shows_what_is_at_work_and_what_it_has_cost() {
    let world = world().await;
    let ann = world.telegram.user("ann");
    ann.says("/status");
    assert_eq!(next_text(&ann).await, "Nothing is running here.\nTogether so far: 0 tokens read, 0 written.");
    helper(&world, &ann, "first").await;
    let call = helper_at_work(&world, &ann).await;
    ann.says("/status");
    let said = next_text(&ann).await;
    assert!(said.contains("@helper, at work: 0 tokens read, 0 written"), "{said}");
    assert!(!said.contains("@first") && !said.contains("far: 0 tokens"), "{said}");
    call.release();
    next_text(&ann).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_shows_the_newest_entries() {
    let world = world().await;
    let ann = world.telegram.user("ann");
    ann.says("/history coder");
    assert_eq!(next_text(&ann).await, "@coder has read and said nothing here yet. @coder … speaks to it.");
    helper(&world, &ann, "helper").await;
    ann.says("@helper go on");
    next_text(&ann).await;
    at_rest(&world).await;
    ann.says("/history helper 3");
    let lines = next_text(&ann).await;
    for line in ["helper: echo: stand by", "Ann: @helper go on", "helper: echo: @helper go on"] {
        assert!(lines.contains(line), "{line}: {lines}");
    }
    assert!(!lines.contains("Ann: stand by"), "{lines}");
    ann.says("/history helpr");
    assert!(next_text(&ann).await.ends_with("Did you mean @helper?"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_ask_is_read_as_a_message_too() {
    let world = world().await;
    let ann = world.telegram.user("ann");
    let call = world.model.hold("wait");
    ann.says("@coder wait");
    call.arrived().await.unwrap();
    let asked = ann.says("/ask coder what is one and one?");
    world.settled().await;
    ann.edits(&asked, "/ask coder what is one and two?");
    world.settled().await;
    call.release();
    assert_eq!(next_text(&ann).await, "Coder\necho: @coder wait");
    assert_eq!(next_text(&ann).await, "Coder\necho: @coder what is one and two?");
    world.end().await;
}
