//! `roundtable route explain` knows what the program knows.

use tokio::process::Command;

use super::{helper, world};
use crate::support::requests::next_text;
use crate::support::world::{QUICK_DISCORD, World};

async fn explained(world: &World, conversation: &str, text: &str) -> String {
    explained_with(world, conversation, &["--text", text]).await
}

async fn explained_with(world: &World, conversation: &str, more: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roundtable"));
    command.args(["route", "explain", conversation]).args(more).arg("--config").arg(&world.file);
    let output = command.env_clear().envs(&world.env).output().await.expect("the program can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it prints text")
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_and_focus_are_explained_as_they_are_followed() {
    let world = world().await;
    let ann = world.telegram.user("ann");
    helper(&world, &ann, "helper").await;
    let here = format!("telegram:main:{}", ann.id());
    for (text, outcome, rule) in [
        ("@helper hi", "goes to session ", "label @helper"),
        ("/ask helper hi", "goes to session ", "/ask helper"),
        ("@helpr hi", "Did you mean `@helper`?", "near miss @helpr"),
        ("hi", "goes to manager's session", "default agent"),
    ] {
        let printed = explained(&world, &here, text).await;
        assert!(printed.contains(outcome) && printed.contains(&format!("stored as: {rule}")), "{printed}");
    }
    ann.says("/focus helper");
    next_text(&ann).await;
    let printed = explained(&world, &here, "hi").await;
    assert!(printed.contains("stored as: focus"), "{printed}");
    world.end().await;
}

/// A thread on a server: listed by its server, bound by its parent.
#[tokio::test(flavor = "multi_thread")]
async fn servers_and_parents_count_in_the_explanation() {
    let lines = format!("dm = \"off\"\nguilds = [\"{{guild}}\"]\n{QUICK_DISCORD}");
    let mut world = World::setting().discord(&lines).without_node().await;
    let ann = world.discord().user("ann");
    let (channel, thread) = (ann.in_channel("general"), ann.in_thread("general", "plans"));
    let (guild, parent) = (world.discord().guild_id().to_string(), channel.place().channel_id().to_string());
    world.configure(|text| {
        let text = text.replace("{guild}", &guild);
        format!("{text}\n[[bindings]]\nagent = \"coder\"\nchannel = \"discord\"\nchat = \"{parent}\"\n")
    });
    world.start_node().await;
    world.discord().connected().await.unwrap();
    thread.mentions_bot("hi");
    thread.next_message().await.unwrap();
    let by = ann.id().to_string();
    let seen = format!("discord:main:{}", thread.place().channel_id());
    let printed = explained_with(&world, &seen, &["--user", &by, "--mention"]).await;
    assert!(printed.contains("goes to coder's session"), "{printed}");
    let unseen = ["--user", &by, "--mention", "--kind", "group", "--guild", &guild, "--parent", &parent];
    let printed = explained_with(&world, "discord:main:4711", &unseen).await;
    assert!(printed.contains("goes to coder's session"), "{printed}");
    let printed = explained_with(&world, "discord:main:4711", &unseen[..5]).await;
    assert!(!printed.contains("goes to"), "{printed}");
    world.end().await;
}
