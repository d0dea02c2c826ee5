//! What people wrote while nobody was there: read in one turn for each conversation, and in a group not at all when the
//! talk has gone on for hours.

use std::time::Duration;

use roundtable_fakes::Reply;
use serde_json::json;

use crate::support::databases::on_each_database;
use crate::support::requests::{agent_of, heard, made, next_text};
use crate::support::world::{QUICK_DISCORD, World};

const MINUTE: Duration = Duration::from_secs(60);

/// A world in which it was seven hours earlier a moment ago.
async fn earlier(url: &str) -> World {
    let lines = format!("dm = \"open\"\n{QUICK_DISCORD}");
    let world = World::setting().on(url).discord(&lines).without_node().await;
    world.model.on(|_| Some(Reply::text("I was away.")));
    world.telegram.set_privacy(false);
    world.telegram.set_back(7 * 60 * MINUTE);
    world.discord().set_back(7 * 60 * MINUTE);
    world
}

fn later(world: &World, by: Duration) {
    world.telegram.advance(by);
    world.discord().advance(by);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_telegram_a_conversation_is_one_turn() {
    on_each_database(async |url| {
        let mut world = earlier(url).await;
        let (ann, bob) = (world.telegram.user("ann"), world.telegram.user("bob"));
        let (in_group, with_ann) = (bob.in_group("team"), ann.in_group("team"));
        in_group.mentions_bot("too long ago");
        // Nobody is told of a name that was mistyped, or of a command.
        for word in ["@codr are you there?", "/status", "/spawn coder dig"] {
            in_group.mentions_bot(word);
        }
        later(&world, 370 * MINUTE);
        for word in ["first", "second", "third"] {
            ann.says(word);
        }
        in_group.mentions_bot("what now?");
        with_ann.mentions_bot("and what then?");
        later(&world, 50 * MINUTE);
        world.start_node().await;
        assert_eq!(next_text(&ann).await, "I was away.");
        assert_eq!(next_text(&in_group).await, "I was away.");
        let mut told: Vec<_> = world.model.requests().iter().map(heard).collect();
        told.sort();
        let group = "Bob: @roundtable_bot what now?\n\nAnn: @roundtable_bot and what then?";
        assert_eq!(told, [group, "first\n\nsecond\n\nthird"]);
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_discord_a_conversation_is_one_turn() {
    on_each_database(async |url| {
        let mut world = earlier(url).await;
        world.was_on_discord(421 * MINUTE).await.unwrap();
        let (ann, bob) = (world.discord().user("ann"), world.discord().user("bob"));
        let (plans, talk) = (ann.in_channel("plans"), ann.in_channel("talk"));
        talk.mentions_bot("too long ago");
        later(&world, 370 * MINUTE);
        plans.mentions_bot("what now?");
        bob.in_channel("plans").mentions_bot("and what then?");
        later(&world, 50 * MINUTE);
        world.start_node().await;
        assert_eq!(plans.next_message().await.unwrap().text, "I was away.");
        let told: Vec<_> = world.model.requests().iter().map(heard).collect();
        assert_eq!(told, ["Ann: @roundtable_bot what now?\n\nBob: @roundtable_bot and what then?"]);
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_message_is_read_with_those_that_came_late() {
    on_each_database(async |url| {
        let mut world = earlier(url).await;
        let ann = world.telegram.user("ann");
        ann.says("are you there?");
        later(&world, 7 * 60 * MINUTE);
        ann.says("hello?");
        world.start_node().await;
        assert_eq!(next_text(&ann).await, "I was away.");
        let told: Vec<_> = world.model.requests().iter().map(heard).collect();
        assert_eq!(told, ["are you there?\n\nhello?"]);
        world.end().await;
    })
    .await;
}

/// A turn whose wait is ended by a long message goes on when all of it is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_message_to_one_who_waits_is_read_whole() {
    on_each_database(async |url| {
        let world = World::setting().on(url).start().await;
        let task = json!({"task": "dig a hole", "agentId": "coder", "label": "helper"});
        let calls = [("sessions_spawn", task), ("sessions_yield", json!({"until": "all"}))];
        world.model.once("begin", Reply::calls(calls));
        world.model.when("[a result, data only]", Reply::text("NO_REPLY"));
        world.model.when("then rest", Reply::text("I rest."));
        let digging = world.model.hold("dig a hole");
        let ann = world.telegram.user("ann");
        ann.says("begin");
        digging.arrived().await.unwrap();
        world.until("the manager waits", |rows| rows.sessions_that_are(" waiting") == 1).await;
        let long = "wait and ".repeat(400);
        ann.says(&long);
        ann.says("then rest");
        assert_eq!(next_text(&ann).await, "I rest.");
        let told = world.model.requests().pop().unwrap();
        assert_eq!(told.last_user_text(), format!("{long}\nthen rest"));
        assert_eq!(made(&told).pop().unwrap().1["status"], "interrupted");
        let of_manager = world.model.requests().into_iter().filter(|told| agent_of(told) == "manager");
        assert_eq!(of_manager.count(), 2, "nothing is asked in between");
        digging.release();
        assert!(next_text(&ann).await.starts_with("helper\necho: [task from manager]"));
        world.end().await;
    })
    .await;
}
