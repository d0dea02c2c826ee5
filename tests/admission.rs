//! Who may speak to the bot.

use crate::support::databases::on_each_database;
use crate::support::requests::{heard, next_text};
use crate::support::world::{QUICK, Setting, World};

/// A world whose bot hears everything, with these lines about who may speak to it.
fn policy(lines: &str) -> Setting {
    World::setting().telegram(&format!("{lines}\n{QUICK}"))
}

/// The same, where the lines name people and groups: `{ann}` is her number, `{team}` that of the group.
async fn policy_naming(lines: &str) -> World {
    let mut world = policy(lines).without_node().await;
    world.telegram.set_privacy(false);
    let (ann, team) = (world.telegram.user("ann").id(), world.telegram.group("team").chat_id());
    world.configure(|text| text.replace("{ann}", &ann.to_string()).replace("{team}", &team.to_string()));
    world.start_node().await;
    world
}

const NO_OWNER: &str = "I have no owner yet: if you run this bot, send me the pairing code from the terminal \
                        (roundtable pair owner makes a new one).";

#[tokio::test(flavor = "multi_thread")]
async fn the_code_makes_its_sender_the_owner_once() {
    let world = policy("dm = \"pairing\"").start().await;
    let code = world.owner_code().unwrap().to_owned();
    let (ann, bob) = (world.telegram.user("ann"), world.telegram.user("bob"));
    ann.says("hello");
    assert_eq!(next_text(&ann).await, NO_OWNER);
    // As people copy it: in lower case, with the blanks around it.
    ann.says(&format!(" {} ", code.to_lowercase()));
    let welcome = next_text(&ann).await;
    assert!(welcome.starts_with("Welcome, Ann: you own this bot now."), "{welcome}");
    ann.says("hello again");
    assert_eq!(next_text(&ann).await, "echo: hello again");
    ann.says("/whoami");
    assert!(next_text(&ann).await.contains("one of my owners"));
    bob.says(&format!("/pair {code}"));
    assert_eq!(next_text(&bob).await, "That code is not valid. You have 4 more tries.");
    bob.says("hello");
    let refusal = next_text(&bob).await;
    assert!(refusal.ends_with(&format!("send my owner your id, {}.", bob.id())), "{refusal}");
    assert_eq!(world.model.requests().len(), 1, "no stranger's word reaches an agent");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_with_the_code_works_too() {
    on_each_database(async |url| {
        let mut world = policy("dm = \"pairing\"").on(url).start().await;
        let code = world.owner_code().unwrap().to_owned();
        let ann = world.telegram.user("ann");
        ann.says("/start");
        assert_eq!(next_text(&ann).await, NO_OWNER);
        ann.says(&format!("/start {code}"));
        assert!(next_text(&ann).await.starts_with("Welcome, Ann"));
        world.stop_node().await;
        world.start_node().await;
        assert_eq!(world.owner_code(), None, "there is an owner");
        ann.says("hello");
        assert_eq!(next_text(&ann).await, "echo: hello");
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_has_five_tries() {
    on_each_database(async |url| {
        let world = policy("dm = \"pairing\"").on(url).start().await;
        let code = world.owner_code().unwrap().to_owned();
        let (eve, ann) = (world.telegram.user("eve"), world.telegram.user("ann"));
        let wrong = "AAAA-BBBB-CCCC";
        for left in ["4 more tries.", "3 more tries.", "2 more tries.", "1 more try."] {
            eve.says(wrong);
            let answer = next_text(&eve).await;
            assert_eq!(answer, format!("That code is not valid. You have {left}"));
        }
        for code in [wrong, &code] {
            eve.says(&format!("/pair {code}"));
            let answer = next_text(&eve).await;
            assert!(answer.starts_with("That code is not valid, and you have no tries left."), "{answer}");
        }
        ann.says(&code);
        assert!(next_text(&ann).await.starts_with("Welcome, Ann"), "others have their own tries");
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_was_shown_in_a_group_is_void() {
    on_each_database(async |url| {
        let mut world = policy("dm = \"pairing\"").on(url).without_node().await;
        world.telegram.set_privacy(false);
        world.start_node().await;
        let code = world.owner_code().unwrap().to_owned();
        let ann = world.telegram.user("ann");
        let group = ann.in_group("team");
        group.says("/pair@roundtable_bot AAAA-BBBB-CCCC");
        group.says(&code);
        let answer = next_text(&group).await;
        assert!(answer.starts_with("That code was visible to everyone here"), "{answer}");
        ann.says(&format!("/pair {code}"));
        assert!(next_text(&ann).await.starts_with("That code is not valid."));
        world.stop_node().await;
        world.start_node().await;
        let new = world.owner_code().unwrap().to_owned();
        assert_ne!(new, code);
        ann.says(&new);
        assert!(next_text(&ann).await.starts_with("Welcome, Ann"));
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_lets_people_in_and_tells_others_nothing() {
    let world = policy_naming("dm = \"allowlist\"\nusers = [\"{ann}\"]").await;
    let (ann, bob) = (world.telegram.user("ann"), world.telegram.user("bob"));
    bob.says("let me in");
    bob.says("/help");
    ann.says("hello");
    assert_eq!(next_text(&ann).await, "echo: hello");
    ann.says("/whoami");
    assert!(next_text(&ann).await.contains("someone I know"));
    world.settled().await;
    assert_eq!(world.model.requests().len(), 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn private_chats_can_be_off_for_everyone() {
    let world = policy_naming("dm = \"off\"\nowners = [\"{ann}\"]\ngroups = [\"{team}\"]").await;
    let ann = world.telegram.user("ann");
    ann.says("hello");
    world.telegram.user("bob").says("hello");
    ann.in_group("team").mentions_bot("hi");
    assert_eq!(next_text(&ann.in_group("team")).await, "echo: Ann: @roundtable_bot hi");
    world.settled().await;
    assert_eq!(world.model.requests().len(), 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn private_chats_can_be_open_while_groups_are_not() {
    let world = policy_naming("dm = \"open\"").await;
    let bob = world.telegram.user("bob");
    bob.in_group("team").mentions_bot("hello");
    bob.says("hello");
    assert_eq!(next_text(&bob).await, "echo: hello");
    world.settled().await;
    assert_eq!(world.model.requests().len(), 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_listed_groups_are_heard() {
    let world = policy_naming("groups = [\"{team}\"]").await;
    let bob = world.telegram.user("bob");
    let (listed, other) = (bob.in_group("team"), bob.in_group("others"));
    other.mentions_bot("hello");
    other.says("/help@roundtable_bot");
    listed.mentions_bot("hello");
    assert_eq!(next_text(&listed).await, "echo: Bob: @roundtable_bot hello");
    world.settled().await;
    assert_eq!(world.model.requests().len(), 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_brings_the_bot_into_a_group_by_speaking_to_it_there() {
    let mut world = policy_naming("owners = [\"{ann}\"]").await;
    let (ann, bob) =
        (world.telegram.user("ann").in_group("team"), world.telegram.user("bob").in_group("team"));
    bob.mentions_bot("hello?");
    ann.says("Bob, it does not know us yet");
    ann.mentions_bot("hello");
    let notice = next_text(&ann).await;
    let group = ann.place().chat_id();
    let undo = format!("remove me from the group or run roundtable pair revoke telegram:main:{group}.");
    assert!(notice.starts_with("Ann brought me in") && notice.ends_with(&undo), "{notice}");
    assert_eq!(next_text(&ann).await, "echo: Ann: @roundtable_bot hello");
    bob.mentions_bot("and me?");
    assert_eq!(next_text(&bob).await, "echo: Bob: @roundtable_bot and me?");
    world.stop_node().await;
    world.start_node().await;
    bob.mentions_bot("still?");
    assert_eq!(next_text(&bob).await, "echo: Bob: @roundtable_bot still?");
    bob.in_group("elsewhere").mentions_bot("and here?");
    world.settled().await;
    assert!(!heard(world.model.requests().last().unwrap()).contains("hello?"), "it was refused then");
    world.end().await;
}

/// Telegram's default: of what people write in a group, commands to the bot reach it and mentions do not.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_owner_is_told_to_do_lets_the_bot_in_with_privacy_on() {
    let world = policy("dm = \"pairing\"").start().await;
    let ann = world.telegram.user("ann");
    ann.says(world.owner_code().unwrap());
    let welcome = next_text(&ann).await;
    assert!(welcome.contains("write /help@ and my name, like /help@yourbot"), "{welcome}");
    let team = ann.in_group("team");
    team.mentions_bot("hello");
    world.settled().await;
    team.says("/help@roundtable_bot");
    let notice = next_text(&team).await;
    assert!(notice.starts_with("Ann brought me in"), "{notice}");
    assert!(next_text(&team).await.starts_with("Write to me and I answer."));
    assert!(world.model.requests().is_empty(), "the mention was not heard");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_bots_are_ignored() {
    let world = policy_naming("groups = [\"*\"]").await;
    let team = world.telegram.group("team");
    team.bot_says("parrot", "@roundtable_bot hello");
    team.bot_says("parrot", "/help");
    world.settled().await;
    assert!(world.model.requests().is_empty());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_bots_can_be_heard_when_they_mention_ours() {
    let world = policy_naming("groups = [\"*\"]\nbots = \"mentioned\"").await;
    let team = world.telegram.group("team");
    team.bot_says("parrot", "hello");
    team.bot_says("parrot", "/help");
    team.bot_says("parrot", "@roundtable_bot polly");
    assert_eq!(
        next_text(&world.telegram.user("ann").in_group("team")).await,
        "echo: parrot: @roundtable_bot polly"
    );
    assert_eq!(world.model.requests().len(), 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_never_stops_is_not_heard_for_a_while() {
    let world = policy_naming("groups = [\"*\"]\nbots = \"mentioned\"").await;
    let team = world.telegram.group("team");
    let ann = world.telegram.user("ann").in_group("team");
    for number in 0..25 {
        team.bot_says("parrot", &format!("@roundtable_bot {number:02}"));
    }
    world.settled().await;
    ann.mentions_bot("are you well?");
    let mut said = String::new();
    while !said.contains("are you well?") {
        said += &next_text(&ann).await;
    }
    let pause = "parrot and I have had 20 messages in a minute, so I don't listen to it for a while.";
    assert_eq!(said.matches(pause).count(), 1, "{said}");
    let requests = world.model.requests();
    let all = heard(requests.last().unwrap());
    assert!(all.contains("@roundtable_bot 19") && !all.contains("@roundtable_bot 20"), "{all}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_can_be_for_known_people() {
    let world = policy_naming("groups = [\"*\"]\nusers = [\"{ann}\"]\ngroup.\"*\".senders = \"known\"").await;
    let (ann, bob) =
        (world.telegram.user("ann").in_group("team"), world.telegram.user("bob").in_group("team"));
    bob.mentions_bot("hello");
    ann.mentions_bot("hello");
    assert_eq!(next_text(&ann).await, "echo: Ann: @roundtable_bot hello");
    assert_eq!(world.model.requests().len(), 1);
    world.end().await;
}
