//! Runs with a thread of their own: the child begins when it is there, speaks there, and its requester's
//! conversation gets a line.

use roundtable_fakes::{Hold, Reply};
use serde_json::json;

use super::{Seat, plays};
use crate::support::databases::on_each_database;
use crate::support::requests::{agent_of, facts_of};
use crate::support::world::{QUICK, QUICK_DISCORD, World};

pub(super) const TASK: &str = "Write the page.";
pub(super) const GIVEN: &str = "It has a thread of its own.";
const PAGE: &str = "Here is the page.";
const LATER: &str = "Now it is blue.";

/// A world where no call is given up while the test looks.
pub(super) async fn patient_world(database: &str) -> World {
    let patient = |lines: &str| lines.replace("700ms", "9s");
    let telegram = format!("dm = \"open\"\ngroups = [\"*\"]\n{}", patient(QUICK));
    let discord = format!("dm = \"open\"\n{}", patient(QUICK_DISCORD));
    connected(World::setting().on(database).telegram(&telegram).discord(&discord).without_node().await).await
}

/// A world that soon gives up a call without an answer.
async fn quick_world(database: &str) -> World {
    connected(
        World::setting()
            .on(database)
            .discord(&format!("dm = \"open\"\n{QUICK_DISCORD}"))
            .without_node()
            .await,
    )
    .await
}

/// The bot hears mentions, and private chats with it have topics, which it learns at its start.
async fn connected(mut world: World) -> World {
    world.telegram.set_privacy(false);
    world.telegram.set_private_topics(true);
    world.start_node().await;
    world.discord().connected().await.unwrap();
    world
}

/// The bot may open topics in this forum.
fn forum(world: &World) -> Seat {
    let ann = world.telegram.user("ann").in_topic("team", "plans");
    ann.place().promote_bot();
    Seat::Telegram(ann)
}

fn private_topic(world: &World) -> Seat {
    Seat::Telegram(world.telegram.user("ann").in_private_topic("plans"))
}

pub(super) fn channel(world: &World) -> Seat {
    Seat::Discord(world.discord().user("ann").in_channel("general"))
}

fn thread(world: &World) -> Seat {
    Seat::Discord(world.discord().user("ann").in_thread("general", "plans"))
}

/// A person asks, the manager spawns with a thread; gives the call that opens it.
pub(super) fn asks_for_a_thread(world: &World, ann: &Seat) -> Hold {
    let opening = match ann {
        Seat::Telegram(_) => world.telegram.hold("createForumTopic"),
        Seat::Discord(_) => world.discord().hold("create_thread_from_message"),
    };
    asks(world, ann);
    opening
}

/// The same when nothing is held.
pub(super) fn asks(world: &World, ann: &Seat) {
    let spawn = json!({"task": TASK, "agentId": "coder", "label": "page", "thread": true});
    plays(
        &world.model,
        [
            ("manager", Reply::calls([("sessions_spawn", spawn)])),
            ("manager", Reply::text(GIVEN)),
            ("manager", Reply::text("NO_REPLY")),
            ("coder", Reply::text(PAGE)),
            ("coder", Reply::text(LATER)),
        ],
    );
    ann.mentions_bot("Give the page a thread.");
}

/// Where the child is, by what it was told.
async fn of_child(world: &World, ann: &Seat) -> Seat {
    let child = world.model.wait_for_request("the child", |request| agent_of(request) == "coder");
    let told = facts_of(&child.await.unwrap());
    let place = told["conversation"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    match ann {
        Seat::Discord(seat) => Seat::Discord(seat.at(place.parse().unwrap())),
        Seat::Telegram(seat) => {
            let topic = match seat.place().chat_id() == seat.id() {
                true => seat.in_private_topic("page"),
                false => seat.in_topic("team", "page"),
            };
            assert_eq!(topic.place().thread_id().unwrap().to_string(), place);
            Seat::Telegram(topic)
        }
    }
}

/// Reads the message out of which a thread grows, where it does.
async fn reads_opening(ann: &Seat) {
    if let Seat::Discord(seat) = ann {
        assert_eq!(Seat::Discord(seat.in_channel("general")).next().await, format!("page\n{TASK}"));
    }
}

/// `/new` in a child's thread is about the child.
async fn begins_afresh(sit: impl Fn(&World) -> Seat) {
    on_each_database(async |url| {
        let world = patient_world(url).await;
        let ann = sit(&world);
        gets_its_thread(&world, &ann).await;
        let there = of_child(&world, &ann).await;
        there.says("/new");
        assert!(there.next().await.starts_with("We start afresh"));
        world.model.when("And now?", Reply::text("What do you mean?"));
        there.says("And now?");
        assert_eq!(there.next().await, "page\nWhat do you mean?");
        let told = world.model.requests().pop().unwrap();
        assert!(told.asks("And now?") && !told.raw.to_string().contains("In blue"), "{:#}", told.raw);
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_at_work_for_somebody_else_is_not_begun_afresh() {
    on_each_database(async |url| {
        let world = patient_world(url).await;
        let ann = channel(&world);
        let opening = asks_for_a_thread(&world, &ann);
        let coding = world.model.hold(TASK);
        opening.release();
        reads_opening(&ann).await;
        assert_eq!(ann.next().await, GIVEN);
        coding.arrived().await.unwrap();
        let Seat::Discord(there) = of_child(&world, &ann).await else { panic!("a thread is on Discord") };
        let bob = world.discord().user("bob").at(there.place().channel_id());
        for command in ["/new", "/new keep"] {
            bob.says(command);
            let said = bob.next_message().await.unwrap().text;
            assert!(said.starts_with("Somebody else asked for what is running here"), "{command}: {said}");
        }
        coding.release();
        assert_eq!(Seat::Discord(there).next().await, format!("page\n{PAGE}"));
        assert!(ann.next().await.starts_with("page finished · "));
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_is_begun_afresh_in_its_topic() {
    begins_afresh(forum).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_is_begun_afresh_in_its_thread() {
    begins_afresh(channel).await;
}

async fn has_its_thread(sit: impl Fn(&World) -> Seat) {
    on_each_database(async |url| {
        let world = patient_world(url).await;
        let ann = sit(&world);
        gets_its_thread(&world, &ann).await;
        world.end().await;
    })
    .await;
}

async fn gets_its_thread(world: &World, ann: &Seat) {
    let opening = asks_for_a_thread(world, ann);
    let coding = world.model.hold(TASK);
    opening.arrived().await.unwrap();
    world.until("the end of the manager's turn", |rows| rows.turns == ["done"]).await;
    assert!(world.model.requests().iter().all(|request| agent_of(request) == "manager"));
    opening.release();
    reads_opening(ann).await;
    assert_eq!(ann.next().await, GIVEN);
    coding.arrived().await.unwrap();
    let there = of_child(world, ann).await;
    coding.release();
    assert_eq!(there.next().await, format!("page\n{PAGE}"));
    let line = ann.next().await;
    assert!(line.starts_with("page finished · "), "{line}");
    there.says("In blue, please.");
    assert_eq!(there.next().await, format!("page\n{LATER}"));
    world.until("the end of all turns", |rows| rows.turns == ["done"; 4] && rows.pending == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_has_its_topic_in_a_forum() {
    has_its_thread(forum).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_has_its_topic_in_a_private_chat() {
    has_its_thread(private_topic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_has_its_thread_in_a_channel() {
    has_its_thread(channel).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_asked_for_in_a_thread_has_one_beside_it() {
    has_its_thread(thread).await;
}

/// The opening call was carried out, and its answer never came.
async fn opens_one(sit: impl Fn(&World) -> Seat) {
    on_each_database(async |url| {
        let world = quick_world(url).await;
        let ann = sit(&world);
        gets_one(&world, &ann).await;
        world.end().await;
    })
    .await;
}

async fn gets_one(world: &World, ann: &Seat) {
    let opening = asks_for_a_thread(world, ann);
    opening.process().await.unwrap();
    opening.cut();
    reads_opening(ann).await;
    let there = of_child(world, ann).await;
    assert_eq!(there.next().await, format!("page\n{PAGE}"));
    let mut told = [ann.next().await, ann.next().await];
    told.sort();
    assert!(told[0] == GIVEN && told[1].starts_with("page finished · "), "{told:?}");
    let topics = world.telegram.transcript().matches("\"page\"").count();
    let threads = world.discord().transcript().matches("page (").count();
    assert_eq!(topics + threads, 1, "{}{}", world.telegram.transcript(), world.discord().transcript());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_opens_one_topic_in_a_forum() {
    opens_one(forum).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_opens_one_topic_in_a_private_chat() {
    opens_one(private_topic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_opens_one_thread() {
    opens_one(channel).await;
}

/// Whatever is posted in a thread brings it back from the archive (Discord docs, Threads).
#[tokio::test(flavor = "multi_thread")]
async fn a_run_asked_for_in_an_archived_thread_has_one_beside_it() {
    on_each_database(async |url| {
        let world = patient_world(url).await;
        let ann = world.discord().user("ann").in_thread("general", "plans");
        let place = ann.place();
        let ann = Seat::Discord(ann);
        let opening = asks_for_a_thread(&world, &ann);
        let coding = world.model.hold(TASK);
        opening.arrived().await.unwrap();
        assert_eq!(ann.next().await, GIVEN);
        place.archive();
        opening.release();
        reads_opening(&ann).await;
        coding.arrived().await.unwrap();
        let there = of_child(&world, &ann).await;
        coding.release();
        assert_eq!(there.next().await, format!("page\n{PAGE}"));
        let line = ann.next().await;
        assert!(line.starts_with("page finished · "), "{line}");
        assert!(!place.is_archived());
        world.until("the end of all turns", |rows| rows.turns == ["done"; 3] && rows.pending == 0).await;
        world.end().await;
    })
    .await;
}
