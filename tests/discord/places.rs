//! Channels, threads, posts: who is heard where, and where answers go.

use serde_json::json;

use super::next;
use crate::support::requests::heard;
use crate::support::world::{QUICK_DISCORD, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_mention_is_answered_in_its_channel_and_nothing_else_is() {
    let world = World::with_discord().await;
    world.discord().connected().await.unwrap();
    let ann = world.discord().user("ann").in_channel("general");
    ann.says("lunch?");
    ann.mentions_bot("what is for lunch?");
    let answer = ann.next_message().await.unwrap();
    assert_eq!(answer.text, "echo: Ann: @roundtable_bot what is for lunch?");
    ann.replies_silently_to(&answer, "and for dinner?");
    assert_eq!(next(&ann).await, "echo: Ann: and for dinner?");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_and_posts_are_sessions_of_their_own() {
    let world = World::with_discord().await;
    world.discord().connected().await.unwrap();
    let ann = world.discord().user("ann");
    let seats = [
        ann.in_channel("general"),
        ann.in_thread("general", "plans"),
        ann.in_forum_post("forum", "question"),
    ];
    for (number, seat) in seats.iter().enumerate() {
        seat.mentions_bot(&format!("secret {number}"));
        assert!(next(seat).await.ends_with(&format!("secret {number}")));
    }
    let requests = world.model.requests();
    for (number, request) in requests.iter().enumerate() {
        assert!(heard(request).ends_with(&format!("secret {number}")), "{}", heard(request));
        assert_eq!(heard(request).matches("secret").count(), 1, "sessions are mixed up");
    }
    assert_eq!(requests.len(), 3);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_is_bound_by_its_parent_and_a_role_by_its_guild() {
    let mut world = World::setting().discord(&format!("dm = \"open\"\n{QUICK_DISCORD}")).without_node().await;
    let ann = world.discord().user("ann");
    let (channel, thread) = (ann.in_channel("general"), ann.in_thread("general", "plans"));
    let other = ann.in_channel("other");
    let role = world.discord().role("devs");
    let (guild, parent) = (world.discord().guild_id(), channel.place().channel_id());
    world.configure(|text| {
        format!(
            "{text}\n[[bindings]]\nagent = \"coder\"\nchannel = \"discord\"\nchat = \"{parent}\"\n\
             [[bindings]]\nagent = \"researcher\"\nchannel = \"discord\"\nguild = \"{guild}\"\nrole = \"{role}\"\n"
        )
    });
    world.start_node().await;
    world.discord().connected().await.unwrap();
    thread.mentions_bot("one");
    next(&thread).await;
    other.mentions_bot("two");
    next(&other).await;
    let bob = world.discord().user("bob");
    world.discord().give_role(&bob, role);
    let bob = bob.in_channel("other");
    bob.mentions_bot("three");
    next(&bob).await;
    let agents: Vec<_> = world.model.requests().iter().map(crate::support::requests::agent_of).collect();
    assert_eq!(agents, ["coder", "manager", "researcher"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_allowed_guilds_and_roles_are_heard() {
    let mut world = World::setting().discord("dm = \"off\"\nguilds = []").without_node().await;
    let role = world.discord().role("devs");
    let guild = world.discord().guild_id();
    world.configure(|text| {
        let listed = format!("guilds = [\"{guild}\"]\n{QUICK_DISCORD}\n");
        let group =
            format!("[channels.discord.main.group.\"{guild}\"]\nsenders = \"roles\"\nroles = [\"{role}\"]\n");
        format!("{}{group}", text.replace("guilds = []\n", &listed))
    });
    world.start_node().await;
    world.discord().connected().await.unwrap();
    let (ann, bob) = (world.discord().user("ann"), world.discord().user("bob"));
    world.discord().give_role(&bob, role);
    let (elsewhere, here) = (bob.in_guild("elsewhere").in_channel("lobby"), bob.in_channel("general"));
    ann.in_channel("general").mentions_bot("I have no role");
    elsewhere.mentions_bot("this guild is not listed");
    bob.says("private chats are off");
    here.mentions_bot("I have one");
    assert!(next(&here).await.ends_with("I have one"));
    assert_eq!(world.model.requests().len(), 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_things_lose_no_text() {
    let world = World::with_discord().await;
    world.discord().connected().await.unwrap();
    let ann = world.discord().user("ann");
    world.discord().inject("BRAND_NEW", &json!({"x": [1, {"y": null}]}));
    world.discord().inject("MESSAGE_CREATE", &json!({"id": [], "content": 7}));
    let odd = json!({"type": 987, "components": [{"type": 99, "x": {}}], "embeds": "?", "flags": "many",
        "sticker_items": [{}], "member": [], "attachments": [{"id": 5}]});
    ann.says_with("hello there", odd.as_object().unwrap().clone());
    assert!(next(&ann).await.contains("hello there"));
    world.end().await;
}
