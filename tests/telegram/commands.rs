//! Commands, in private as people type them and in groups as apps write them.

use roundtable_fakes::Reply;

use crate::support::databases::on_each_database;
use crate::support::requests::{heard, next_text};
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_answered_in_private() {
    let world = World::start().await;
    let ann = world.telegram.user("ann");
    for (command, said) in [
        ("/start", "Write to me and I answer."),
        ("/help", "@coder"),
        ("/HELP", "/new [keep]: start afresh"),
        ("/whoami", "You are Ann (id"),
        ("/stop", "Nothing is running here."),
        ("/stop nobody", "There is no @nobody here, so nothing was done. /agents shows who there is."),
        ("/stop codr", "so nothing was done. Did you mean @coder?"),
        ("/new", "We start afresh"),
        ("/new keep", "We start afresh"),
        ("/new later", "Write it like this: /new [keep]"),
        ("/halp", "I don't know /halp. Did you mean /help?"),
        ("/frobnicate now", "I don't know /frobnicate. /help lists what I can do."),
    ] {
        ann.says(command);
        let answer = next_text(&ann).await;
        assert!(answer.contains(said), "{command}: {answer}");
    }
    assert!(world.model.requests().is_empty(), "no agent reads commands");
    ann.says("/etc/passwd is a file");
    assert_eq!(next_text(&ann).await, "echo: /etc/passwd is a file");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_in_an_open_chat_is_a_guest() {
    let world = World::start().await;
    let ann = world.telegram.user("ann");
    ann.says("/whoami");
    let answer = next_text(&ann).await;
    let id = ann.id();
    assert_eq!(answer, format!("You are Ann (id {id}), a guest. This conversation is telegram:main:{id}."));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_to_this_bot_are_answered_in_groups_and_those_to_others_are_not() {
    let world = World::start().await;
    world.telegram.set_privacy(false);
    let ann = world.telegram.user("ann").in_topic("team", "bugs");
    ann.says("/help@other_bot");
    ann.says("/halp");
    ann.says("/help@Roundtable_Bot");
    assert!(next_text(&ann).await.contains("Commands:"));
    ann.says("/whoami@roundtable_bot");
    let (chat, thread) = (ann.place().chat_id(), ann.place().thread_id().unwrap());
    let whoami = next_text(&ann).await;
    assert!(whoami.ends_with(&format!("This conversation is telegram:main:{chat}:{thread}.")), "{whoami}");
    ann.says("/start@roundtable_bot");
    assert!(next_text(&ann).await.contains("Write to me"));
    ann.says("/new@roundtable_bot keep");
    assert!(next_text(&ann).await.starts_with("We start afresh"));
    ann.says("/stop@roundtable_bot");
    assert_eq!(next_text(&ann).await, "Nothing is running here.");
    ann.says("/halp@roundtable_bot");
    let unknown = next_text(&ann).await;
    assert_eq!(unknown, "I don't know /halp. Did you mean /help?");
    assert!(world.model.requests().is_empty());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_answered_while_the_model_works() {
    let world = World::start().await;
    let call = world.model.hold("a hard question");
    let ann = world.telegram.user("ann");
    ann.says("a hard question");
    call.arrived().await.unwrap();
    ann.says("/help");
    assert!(next_text(&ann).await.contains("Commands:"));
    call.release();
    assert_eq!(next_text(&ann).await, "echo: a hard question");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_ends_the_work_of_this_chat_and_of_no_other() {
    on_each_database(async |url| {
        let world = World::setting().on(url).start().await;
        let (ann, bob) = (world.telegram.user("ann"), world.telegram.user("bob"));
        let (of_ann, of_bob) = (world.model.hold("from Ann"), world.model.hold("from Bob"));
        ann.says("a task from Ann");
        bob.says("a task from Bob");
        of_ann.arrived().await.unwrap();
        of_bob.arrived().await.unwrap();
        ann.says("/stop");
        assert_eq!(next_text(&ann).await, "Stopped: manager.");
        world.model.wait_for_abandoned("the call for Ann", |request| request.asks("from Ann")).await.unwrap();
        of_bob.release();
        assert_eq!(next_text(&bob).await, "echo: a task from Bob");
        ann.says("another one");
        let answer = next_text(&ann).await;
        assert!(answer.ends_with("another one"), "{answer}");
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_group_others_work_is_not_stopped() {
    let world = World::start().await;
    world.telegram.set_privacy(false);
    let ann = world.telegram.user("ann").in_group("team");
    let bob = world.telegram.user("bob").in_group("team");
    let call = world.model.hold("from Ann");
    ann.mentions_bot("a task from Ann");
    call.arrived().await.unwrap();
    bob.says("/stop@roundtable_bot");
    assert_eq!(
        next_text(&bob).await,
        "Somebody else asked for what is running here: they or one of my owners can stop it."
    );
    bob.mentions_bot("a task from Bob");
    ann.says("/stop@roundtable_bot");
    assert_eq!(next_text(&ann).await, "Stopped: manager.");
    // What Bob asked for meanwhile is not Ann's to stop.
    assert!(next_text(&bob).await.contains("a task from Bob"));
    drop(call);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_forgets_what_was_said_here_and_only_here() {
    let world = World::start().await;
    let (ann, bob) = (world.telegram.user("ann"), world.telegram.user("bob"));
    for seat in [&ann, &bob] {
        seat.says("remember PLUM");
        seat.next_message().await.unwrap();
    }
    ann.says("/new");
    ann.next_message().await.unwrap();
    for seat in [&ann, &bob] {
        seat.says("what was it?");
        seat.next_message().await.unwrap();
    }
    let requests = world.model.requests();
    assert_eq!(heard(&requests[2]), "what was it?");
    assert_eq!(heard(&requests[3]), "remember PLUM\nwhat was it?");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_stops_what_runs() {
    let world = World::start().await;
    let call = world.model.hold("slow");
    let ann = world.telegram.user("ann");
    ann.says("slow PLUM");
    call.arrived().await.unwrap();
    ann.says("/new");
    let said = next_text(&ann).await;
    assert_eq!(said, "We start afresh: I no longer think of what was said above. Stopped: manager.");
    ann.says("next");
    assert_eq!(next_text(&ann).await, "echo: next");
    assert_eq!(heard(world.model.requests().last().unwrap()), "next");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_keep_lets_what_runs_go_on() {
    on_each_database(async |url| {
        let world = World::setting().on(url).start().await;
        world.model.when("slow PLUM", Reply::text("it was slow"));
        let call = world.model.hold("slow");
        let ann = world.telegram.user("ann");
        ann.says("slow PLUM");
        call.arrived().await.unwrap();
        ann.says("/new keep");
        let said = next_text(&ann).await;
        assert_eq!(said, "We start afresh: I no longer think of what was said above.");
        ann.says("next");
        world.settled().await;
        call.release();
        assert_eq!(next_text(&ann).await, "it was slow");
        assert_eq!(next_text(&ann).await, "echo: next");
        assert_eq!(heard(world.model.requests().last().unwrap()), "next");
        world.end().await;
    })
    .await;
}
