//! Telegram, as people see it.

use roundtable_fakes::Reply;

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
