//! Telegram, as people see it.

mod bindings;
mod commands;
mod connection;
mod input;
mod output;
mod places;
mod trouble;

use roundtable_fakes::Reply;

use crate::support::requests::{heard, next_text};
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_private_chat_is_answered() {
    let world = World::start().await;
    world.model.when("capital of France", Reply::text("**Paris**, of course."));
    let ann = world.telegram.user("ann");
    ann.says("What is the capital of France?");
    let answer = ann.next_message().await.unwrap();
    assert_eq!(answer.text, "Paris, of course.");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_person_says_in_private_is_never_seen_in_the_chat_of_another() {
    let world = World::start().await;
    let (ann, bob) = (world.telegram.user("ann"), world.telegram.user("bob"));
    ann.says("my secret is CANARY");
    assert_eq!(next_text(&ann).await, "echo: my secret is CANARY");
    bob.says("what do you know?");
    assert_eq!(next_text(&bob).await, "echo: what do you know?");
    let of_bob = world.model.requests().pop().unwrap();
    assert!(!of_bob.raw.to_string().contains("CANARY"), "{:#}", of_bob.raw);
    ann.says("and you?");
    ann.next_message().await.unwrap();
    assert!(heard(&world.model.requests()[2]).contains("CANARY"), "her own history goes on");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_in_a_group_share_one_session_and_have_names_in_it() {
    let world = World::start().await;
    world.telegram.set_privacy(false);
    let (ann, bob) =
        (world.telegram.user("ann").in_group("team"), world.telegram.user("bob").in_group("team"));
    ann.mentions_bot("I like plums");
    ann.next_message().await.unwrap();
    bob.mentions_bot("what does Ann like?");
    bob.next_message().await.unwrap();
    let said = heard(&world.model.requests()[1]);
    assert_eq!(said, "Ann: @roundtable_bot I like plums\nBob: @roundtable_bot what does Ann like?");
    world.end().await;
}
