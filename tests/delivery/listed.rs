//! What `roundtable deliveries` says to an operator.

use roundtable::store::deliveries::{Listed, State};

use crate::support::world::World;

/// What is said of a delivery that stays unknown.
pub const ADVICE: &str = "its outcome is unknown; `roundtable deliveries retry` sends it again";

/// `roundtable deliveries list` shows this delivery as unknown, where it was to appear, and what to do.
pub async fn lists_unknown(world: &World, one: &Listed) {
    let listed: Vec<Listed> =
        serde_json::from_value(world.runs("deliveries list --json").await.json()).unwrap();
    assert_eq!(listed.iter().find(|listed| listed.id == one.id), Some(one), "{listed:#?}");
    let ran = world.runs("deliveries list").await;
    let id = one.id.to_string();
    let row = ran.stdout.lines().find(|line| line.split_whitespace().next() == Some(&id));
    let row = row.unwrap_or_else(|| panic!("{id} is not listed: {ran:#?}"));
    assert_eq!(
        (ran.code, row.split_whitespace().nth(1)),
        (Some(0), Some(State::Unknown.as_str())),
        "{ran:#?}"
    );
    assert!(row.contains(&one.conversation) && row.ends_with(ADVICE), "{ran:#?}");
}

/// `roundtable deliveries retry` or `discard` of this delivery.
pub async fn decides(world: &World, what: &str, one: &Listed) {
    let done = world.runs(&format!("deliveries {what} {} --json", one.id)).await.json();
    assert_eq!(done["id"], one.id);
}
