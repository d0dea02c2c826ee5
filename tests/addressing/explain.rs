//! `roundtable route explain` knows what the program knows.

use tokio::process::Command;

use super::{helper, world};
use crate::support::requests::next_text;
use crate::support::world::World;

async fn explained(world: &World, conversation: &str, text: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roundtable"));
    command.args(["route", "explain", conversation, "--text", text]).arg("--config").arg(&world.file);
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
