//! How many turns are at work at once.

use super::on_each;
use crate::support::world::World;

/// The whole numbers say it: with a cap that doesn't hold, more than `cap` sessions run at once.
async fn works_off_ten_chats(world: &World, cap: usize) {
    let people: Vec<_> = (0..10).map(|number| world.telegram.user(&format!("person{number}"))).collect();
    let holds: Vec<_> = (0..10).map(|_| world.model.hold("question")).collect();
    for person in &people {
        person.says("question");
    }
    for (released, hold) in holds.into_iter().enumerate() {
        let at_work = cap.min(10 - released);
        let rows = world
            .until("a full house", |rows| {
                rows.sessions.len() == 10
                    && rows.sessions_that_are("running") >= at_work
                    && rows.sessions_that_are("idle") == released
            })
            .await;
        assert_eq!(rows.sessions_that_are("running"), at_work, "{rows:?}");
        hold.arrived().await.unwrap();
        assert!(world.model.in_flight() <= cap);
        hold.release();
    }
    for person in &people {
        assert_eq!(person.next_message().await.unwrap().text, "echo: question");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_works_at_no_more_turns_than_it_may() {
    on_each(async |setting| {
        let mut world = setting.without_node().await;
        world.env.insert("ROUNDTABLE_NODE__MAX_TURNS".into(), "2".into());
        world.start_node().await;
        works_off_ten_chats(&world, 2).await;
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_works_at_no_more_turns_than_it_may() {
    on_each(async |setting| {
        let world = setting.config("[agents.manager]\ndefault = true\nmax_turns = 3\n").start().await;
        works_off_ten_chats(&world, 3).await;
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_at_its_cap_does_not_hold_up_another() {
    let team = "[agents.manager]\nmax_turns = 1\ndefault = true\n[agents.coder]\n";
    let world = World::setting().config(team).start().await;
    let hold = world.model.hold("question");
    let (ann, ben) = (world.telegram.user("ann"), world.telegram.user("ben"));
    ann.says("question");
    hold.arrived().await.unwrap();
    ben.says("another");
    world.until("a queue", |rows| rows.sessions == ["manager queued", "manager running"]).await;
    ben.says("@coder are you there?");
    let answer = ben.next_message().await.unwrap().text;
    assert!(answer.contains("echo: ") && answer.contains("are you there?"), "{answer}");
    hold.release();
    assert_eq!(ann.next_message().await.unwrap().text, "echo: question");
    assert_eq!(ben.next_message().await.unwrap().text, "echo: another");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_has_one_turn_at_a_time() {
    let world = World::start().await;
    let ann = world.telegram.user("ann");
    let (first, second) = (world.model.hold("one"), world.model.hold("two"));
    ann.says("one");
    first.arrived().await.unwrap();
    ann.says("two");
    world.until("the second message in the inbox", |rows| rows.pending == 1).await;
    assert_eq!((world.rows().await.turns.len(), world.model.in_flight()), (1, 1));
    first.release();
    second.arrived().await.unwrap();
    let rows = world.rows().await;
    assert_eq!(rows.turns, ["done", "running"]);
    second.release();
    assert_eq!(ann.next_message().await.unwrap().text, "echo: one");
    assert_eq!(ann.next_message().await.unwrap().text, "echo: two");
    world.end().await;
}
