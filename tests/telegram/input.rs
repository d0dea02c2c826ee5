//! Messages that change, and messages that come in pieces.

use std::time::Duration;

use roundtable_fakes::{Message, Reply};

use crate::support::databases::on_each_database;
use crate::support::requests::{heard, next_text};
use crate::support::world::{QUICK, World};

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_a_message_that_waits_replaces_it() {
    on_each_database(async |url| {
        let world = World::setting().on(url).start().await;
        let call = world.model.hold("first");
        let ann = world.telegram.user("ann");
        ann.says("first");
        call.arrived().await.unwrap();
        let second = ann.says("teh second");
        world.settled().await;
        ann.edits(&second, "the second");
        world.settled().await;
        call.release();
        assert_eq!(next_text(&ann).await, "echo: first");
        assert_eq!(next_text(&ann).await, "echo: the second");
        assert_eq!(heard(&world.model.requests()[1]), "first\nthe second");
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_a_message_that_was_read_wakes_nobody_and_is_known_next_time() {
    let world = World::start().await;
    let ann = world.telegram.user("ann");
    let first = ann.says("we meet at five");
    ann.next_message().await.unwrap();
    ann.edits(&first, "we meet at six");
    world.settled().await;
    ann.says("when do we meet?");
    ann.next_message().await.unwrap();
    let requests = world.model.requests();
    assert_eq!(requests.len(), 2, "an edit asks for no answer");
    let last = requests[1].last_user_text();
    assert_eq!(last, "[a new version of an earlier message]\nwe meet at six\n\nwhen do we meet?");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_edits_the_last_one_counts() {
    on_each_database(async |url| {
        let world = World::setting().on(url).start().await;
        let ann = world.telegram.user("ann");
        let first = ann.says("we meet at five");
        ann.next_message().await.unwrap();
        for time in ["six", "seven"] {
            // Telegram tells versions apart by the second.
            world.telegram.advance(Duration::from_secs(1));
            ann.edits(&first, &format!("we meet at {time}"));
            world.settled().await;
        }
        ann.says("when?");
        ann.next_message().await.unwrap();
        let last = world.model.requests()[1].last_user_text().to_owned();
        assert_eq!(last, "[a new version of an earlier message]\nwe meet at seven\n\nwhen?");
        world.end().await;
    })
    .await;
}

/// Nobody tells a bot of it: what it says about the message is said in its chat all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_deleted_meanwhile_is_answered_all_the_same() {
    for mode in ["probe", "edit", "send"] {
        let lines = format!("dm = \"open\"\ngroups = [\"*\"]\n{QUICK}\nexactly_once = {mode:?}");
        on_each_database(async |url| {
            let world = World::setting().on(url).telegram(&lines).start().await;
            world.telegram.set_privacy(false);
            let ann = world.telegram.user("ann");
            for seat in [ann.clone(), ann.in_group("team"), ann.in_topic("club", "plans")] {
                let call = world.model.hold("gone");
                let asked = seat.mentions_bot("gone");
                call.arrived().await.unwrap();
                seat.deletes(&asked);
                call.release();
                let answer = |said: &Message| said.text.starts_with("echo: ") && said.text.ends_with("gone");
                seat.place().expect_message("the answer", answer).await.unwrap();
            }
            world.end().await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_edited_meanwhile_is_answered_once_and_the_edit_is_known_next_time() {
    on_each_database(async |url| {
        let world = World::setting().on(url).start().await;
        world.telegram.set_privacy(false);
        let ann = world.telegram.user("ann");
        for seat in [ann.clone(), ann.in_group("team"), ann.in_topic("club", "plans")] {
            let call = world.model.hold("at five");
            let asked = seat.mentions_bot("at five");
            call.arrived().await.unwrap();
            seat.edits(&asked, "@roundtable_bot at six");
            world.settled().await;
            call.release();
            assert!(next_text(&seat).await.ends_with("at five"));
            seat.mentions_bot("when?");
            assert!(next_text(&seat).await.ends_with("when?"));
            let heard = heard(world.model.requests().last().unwrap());
            assert_eq!(heard.matches("at six").count(), 1, "{heard}");
        }
        assert_eq!(world.model.requests().len(), 6, "an edit asks for no answer");
        world.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_album_is_one_message() {
    let world = World::start().await;
    let ann = world.telegram.user("ann");
    ann.sends_album(["one.jpg", "two.jpg", "three.jpg"], "which is best?");
    ann.next_message().await.unwrap();
    let requests = world.model.requests();
    assert_eq!(requests.len(), 1);
    let said = heard(&requests[0]);
    assert_eq!(said.matches("\"photo\"").count(), 3, "{said}");
    assert!(said.ends_with("which is best?"), "{said}");
    world.end().await;
}

/// Only the first picture carries the caption, and with it the mention.
#[tokio::test(flavor = "multi_thread")]
async fn an_album_in_a_group_is_one_message_too() {
    let world = World::start().await;
    world.telegram.set_privacy(false);
    let ann = world.telegram.user("ann").in_group("team");
    ann.sends_album(["one.jpg", "two.jpg", "three.jpg"], "@roundtable_bot which is best?");
    ann.next_message().await.unwrap();
    let requests = world.model.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(heard(&requests[0]).matches("\"photo\"").count(), 3, "{}", heard(&requests[0]));
    world.end().await;
}

/// A text as an app cuts it up, and how long its pieces are.
fn pasted() -> Vec<String> {
    [4096, 3000, 3500, 12]
        .iter()
        .zip('a'..)
        .map(|(length, letter)| letter.to_string().repeat(*length))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_text_in_pieces_is_one_message() {
    let mut world = World::setting().without_node().await;
    let ann = world.telegram.user("ann");
    let pieces = pasted();
    for piece in &pieces {
        ann.says(piece);
    }
    world.start_node().await;
    let mut answer = String::new();
    while !answer.ends_with(&pieces[3]) {
        answer += &next_text(&ann).await;
    }
    assert_eq!(world.model.requests().len(), 1);
    assert_eq!(heard(&world.model.requests()[0]), pieces.join("\n"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_text_in_a_group_mentions_the_bot_once() {
    on_each_database(async |url| {
        let mut world = World::setting().on(url).without_node().await;
        world.telegram.set_privacy(false);
        world.model.on(|_| Some(Reply::text("read")));
        let (ann, bob) =
            (world.telegram.user("ann").in_group("team"), world.telegram.user("bob").in_group("team"));
        let mut pieces = pasted();
        pieces[0] = format!("@roundtable_bot {}", &pieces[0][..4000]);
        ann.says(&pieces[0]);
        bob.says("that is long");
        for piece in &pieces[1..] {
            ann.says(piece);
        }
        world.start_node().await;
        assert_eq!(next_text(&ann).await, "read");
        assert_eq!(world.model.requests().len(), 1);
        assert_eq!(heard(&world.model.requests()[0]), format!("Ann: {}", pieces.join("\n")));
        world.end().await;
    })
    .await;
}

/// Only the first piece carries the label.
#[tokio::test(flavor = "multi_thread")]
async fn all_pieces_of_a_long_text_go_to_the_agent_that_the_first_one_names() {
    let mut world = World::setting().without_node().await;
    world.model.on(|_| Some(Reply::text("read")));
    let ann = world.telegram.user("ann");
    let mut pieces = pasted();
    pieces[0] = format!("@coder {}", &pieces[0][..4000]);
    for piece in &pieces {
        ann.says(piece);
    }
    world.start_node().await;
    assert_eq!(next_text(&ann).await, "Coder\nread");
    assert_eq!(world.model.requests().len(), 1);
    assert_eq!(heard(&world.model.requests()[0]), pieces.join("\n"));
    world.end().await;
}
