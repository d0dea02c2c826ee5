//! What Telegram may send: broken, unknown, twice, out of order.

use roundtable::store::deliveries::State;
use roundtable_fakes::Update;
use serde_json::{Value, json};

use crate::support::requests::{heard, next_text, today};
use crate::support::world::World;

fn of_ann(fields: &Value) -> Value {
    let mut message = json!({"message_id": 1_000_000, "date": today(), "chat": {"id": 55, "type": "private"},
        "from": {"id": 55, "is_bot": false, "first_name": "Eve"}});
    message.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    message
}

/// Updates that nothing can be made of.
fn useless() -> Vec<Value> {
    vec![
        json!({"message": {}}),
        json!({"message": 7}),
        json!({"message": "text"}),
        json!({"message": []}),
        json!({"message": null}),
        json!({"message": of_ann(&json!({"text": "no number", "message_id": "x"}))}),
        json!({"message": of_ann(&json!({"text": "no chat", "chat": null}))}),
        json!({"message": of_ann(&json!({"text": "a chat without a number", "chat": {"type": "private"}}))}),
        json!({"message": of_ann(&json!({"text": "nobody wrote this", "from": null}))}),
        json!({"message": of_ann(&json!({"text": {"not": "a text"}}))}),
        json!({"message": of_ann(&json!({"text": ""}))}),
        json!({"message": of_ann(&json!({"text": "ephemeral", "message_id": 0}))}),
        json!({"edited_message": of_ann(&json!({"text": "an edit of what was never said", "edit_date": 1}))}),
        json!({"channel_post": of_ann(&json!({"text": "a channel", "from": null}))}),
        json!({"guest_message": of_ann(&json!({"text": "hi", "guest_query_id": "99"}))}),
        json!({"managed_bot": {"user": {"id": 55}, "bot": {"id": 77}}}),
        json!({"subscription": []}),
        json!({"of_the_future": of_ann(&json!({"text": "hi"}))}),
        json!({"callback_query": {}}),
        json!({"callback_query": {"id": "4", "from": {"id": 55, "first_name": "Eve"}, "chat_instance": "1", "data": "a:1",
            "message": {"message_id": 16, "chat": {"id": 55, "type": "private"}, "date": 0}}}),
        json!({"message_reaction": {"chat": 5, "new_reaction": "none"}}),
        json!({"my_chat_member": {"chat": {"id": -5}, "new_chat_member": 8}}),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_that_make_no_sense_are_passed_over_and_hide_no_other() {
    let mut world = World::setting().without_node().await;
    let (ann, bob) = (world.telegram.user("ann"), world.telegram.user("bob"));
    let all = useless();
    let (first, second) = all.split_at(all.len() / 2);
    first.iter().for_each(|update| world.telegram.inject(update.clone()));
    ann.says("in between");
    second.iter().for_each(|update| world.telegram.inject(update.clone()));
    bob.says("behind");
    world.start_node().await;
    assert_eq!(next_text(&ann).await, "echo: in between");
    assert_eq!(next_text(&bob).await, "echo: behind");
    world.settled().await;
    // While it runs they come one by one.
    for update in useless() {
        world.telegram.inject(update);
    }
    ann.says("and now?");
    assert_eq!(next_text(&ann).await, "echo: and now?");
    world.settled().await;
    assert_eq!(world.model.requests().len(), 3, "nobody else was heard");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unknown_in_a_message_costs_none_of_its_text() {
    let world = World::start().await;
    let ann = world.telegram.user("ann");
    let entity = |kind: &str| json!({"type": kind, "offset": 0, "length": 8, "unix_time": 1_795_000_000});
    for entities in [
        vec![entity("date_time")],
        vec![entity("of_the_future"), json!({"type": 7}), json!("junk")],
        vec![
            json!({"type": "bold", "offset": 900, "length": 900}),
            json!({"type": "mention", "offset": 3, "length": 0}),
        ],
    ] {
        ann.says_with("tomorrow at 5", entities);
        assert_eq!(next_text(&ann).await, "echo: tomorrow at 5");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_content_is_named_to_the_agent() {
    let world = World::start().await;
    let ann = world.telegram.user("ann");
    let chat = json!({"id": ann.id(), "type": "private", "first_name": "Ann"});
    ann.says("hello");
    assert_eq!(next_text(&ann).await, "echo: hello");
    for (number, content) in ["live_photo", "rich_message", "hologram"].into_iter().enumerate() {
        world
            .telegram
            .inject(json!({"message": {"message_id": 900_000 + number, "date": today(), "chat": chat,
            "from": {"id": ann.id(), "is_bot": false, "first_name": "Ann"}, content: {"blocks": []}}}));
        assert!(next_text(&ann).await.contains(content), "{content}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_of_52_bits_are_kept_exactly() {
    const LARGEST: i64 = (1 << 52) - 1;
    let world = World::start().await;
    for id in [LARGEST, -LARGEST] {
        let kind = if id > 0 { "private" } else { "supergroup" };
        world.telegram.inject(json!({"message": {"message_id": 2_147_483_647, "date": today(),
            "chat": {"id": id, "type": kind, "title": "far away"}, "text": "/whoami@roundtable_bot",
            "entities": [{"type": "bot_command", "offset": 0, "length": 22}],
            "from": {"id": LARGEST, "is_bot": false, "first_name": "Far"}}}));
    }
    // This Telegram knows no such chats, so the answers fail, and say where they should have gone.
    let stored = world.stored().await;
    let failed = stored
        .until("both answers have failed", |all| {
            all.iter().filter(|one| one.state == State::Failed).count() == 2
        })
        .await;
    let mut places: Vec<&str> = failed.iter().map(|one| one.conversation.as_str()).collect();
    places.sort_unstable();
    assert_eq!(places, [format!("telegram:main:-{LARGEST}"), format!("telegram:main:{LARGEST}")]);
    let asked = world.telegram.calls_of("sendMessage");
    assert!(asked.iter().all(|call| call.params["chat_id"].as_i64().unwrap().abs() == LARGEST), "{asked:#?}");
    assert!(asked[0].params["text"].as_str().unwrap().contains(&LARGEST.to_string()));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_comes_twice_is_answered_once() {
    let mut world = World::start().await;
    let ann = world.telegram.user("ann");
    ann.says("twice");
    world.telegram.repeat_last_update();
    assert_eq!(next_text(&ann).await, "echo: twice");
    // The next poll, which would confirm, gets nowhere: the message stays with Telegram and comes again, twice, after the
    // node has started anew.
    let poll = world.telegram.hold("getUpdates");
    poll.arrived().await.unwrap();
    ann.says("again");
    world.telegram.repeat_last_update();
    poll.release();
    assert_eq!(next_text(&ann).await, "echo: again");
    let poll = world.telegram.hold("getUpdates");
    poll.arrived().await.unwrap();
    world.telegram.repeat_last_update();
    world.stop_node().await;
    drop(poll);
    world.start_node().await;
    ann.says("last");
    assert_eq!(next_text(&ann).await, "echo: last");
    world.settled().await;
    assert_eq!(world.model.requests().len(), 3);
    assert_eq!(heard(&world.model.requests()[2]), "twice\nagain\nlast");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_out_of_order_are_answered_once_each() {
    let mut world = World::setting().without_node().await;
    let people = ["ann", "bob", "carl"].map(|name| world.telegram.user(name));
    let said = |round: usize, who: usize| format!("word {round}{who}");
    for round in 0..3 {
        for (who, seat) in people.iter().enumerate() {
            seat.says(&said(round, who));
        }
    }
    world.telegram.reorder_updates(|updates: &mut Vec<Update>| {
        updates.reverse();
        let doubled = updates.clone();
        updates.extend(doubled);
    });
    world.start_node().await;
    world.settled().await;
    for (who, seat) in people.iter().enumerate() {
        // What comes while the agent is at work is answered together; every word is heard once, none is lost.
        let done = |request: &roundtable_fakes::ModelRequest| {
            let heard = heard(request);
            (0..3).all(|round| heard.matches(&said(round, who)).count() == 1)
        };
        world.model.wait_for_request("all words of one person", done).await.unwrap();
        let answered: Vec<String> = seat.place().messages().into_iter().map(|message| message.text).collect();
        let echoes = answered.iter().filter(|text| text.starts_with("echo: ")).count();
        for _ in 0..echoes.max(1) {
            seat.next_message().await.unwrap();
        }
    }
    world.stop_node().await;
    for seat in &people {
        let unread = seat.place().messages().into_iter().filter(|message| !message.read).count();
        for _ in 0..unread {
            seat.next_message().await.unwrap();
        }
    }
    world.end().await;
}
