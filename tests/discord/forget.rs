//! `/forget`: what was said in a chat of Discord is erased, and nothing else.

use super::next;
use crate::support::databases::on_each_database;
use crate::support::look::Rows;
use crate::support::requests::heard;
use crate::support::world::{QUICK_DISCORD, World};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_in_private_in_a_channel_and_in_a_thread_is_erased_and_nothing_else() {
    on_each_database(async |url| {
        let lines = format!("dm = \"open\"\nowners = [\"{{ann}}\"]\n{QUICK_DISCORD}");
        let mut world = World::setting().on(url).discord(&lines).without_node().await;
        let (ann, bob) = (world.discord().user("ann"), world.discord().user("bob"));
        world.configure(|text| text.replace("{ann}", &ann.id().to_string()));
        world.start_node().await;
        world.discord().connected().await.unwrap();
        bob.says("hello");
        assert_eq!(next(&bob).await, "echo: hello");
        let seats = [ann.clone(), ann.in_channel("general"), ann.in_thread("general", "plans")];
        for seat in &seats {
            seat.mentions_bot("remember PLUM");
            assert!(next(seat).await.ends_with("remember PLUM"));
        }
        let here = bob.in_channel("general");
        here.mentions_bot("/forget");
        assert!(next(&here).await.starts_with("Only one of my owners can erase"));
        for seat in &seats {
            seat.mentions_bot("/forget");
            assert!(next(seat).await.starts_with("What was said here, and what we did for it, is erased"));
        }
        let of_bob =
            |rows: &Rows| rows.sessions == ["manager idle"] && rows.turns.len() == 1 && rows.entries == 2;
        world.until("only what Bob said in private is left", of_bob).await;
        for seat in &seats {
            seat.mentions_bot("what was it?");
            assert!(next(seat).await.ends_with("what was it?"));
            let asked = heard(world.model.requests().last().unwrap());
            assert!(!asked.contains("PLUM"), "{asked}");
        }
        bob.says("and me?");
        assert_eq!(next(&bob).await, "echo: and me?");
        assert_eq!(heard(world.model.requests().last().unwrap()), "hello\nand me?");
        world.end().await;
    })
    .await;
}
