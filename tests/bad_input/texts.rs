//! What people may write, and be called.

use serde_json::json;

use crate::support::databases::Database;
use crate::support::requests::{heard, next_text, today};
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn strange_texts_reach_the_agent_and_come_back() {
    for database in Database::all() {
        let fresh = database.fresh().await;
        let world = World::setting().on(&fresh.url).start().await;
        let ann = world.telegram.user("ann");
        for text in ["שלום world مرحبا", "a\u{301}\u{302}\u{303} zalgo", "👩‍👩‍👧‍👦🏳️‍🌈", "'; DROP TABLE inbox; --"]
        {
            ann.says(text);
            assert_eq!(next_text(&ann).await, format!("echo: {text}"), "{database:?}");
            assert!(heard(world.model.requests().last().unwrap()).ends_with(text), "{database:?}");
        }
        // As many as Telegram allows; our own limit is in UTF-16 units, of which each has two.
        let ducks = "🦆".repeat(4096);
        ann.says(&ducks);
        let mut echo = String::new();
        while echo.chars().count() < "echo:".len() + 4096 {
            let part = next_text(&ann).await;
            assert!(part.encode_utf16().count() <= 4096);
            echo += &part;
        }
        assert_eq!(echo.replace(' ', ""), format!("echo:{ducks}"), "{database:?}");
        assert!(heard(world.model.requests().last().unwrap()).ends_with(&ducks), "{database:?}");
        world.end().await;
    }
}

/// Servers other than Telegram's own may leave in what Telegram takes out.
#[tokio::test(flavor = "multi_thread")]
async fn control_characters_harm_neither_database() {
    for database in Database::all() {
        let fresh = database.fresh().await;
        let world = World::setting().on(&fresh.url).start().await;
        let (ann, bob) = (world.telegram.user("ann"), world.telegram.user("bob"));
        ann.says("hello");
        assert_eq!(next_text(&ann).await, "echo: hello");
        let inject = |number: i64, name: &str, text: &str| {
            world.telegram.inject(json!({"message": {"message_id": 900_000 + number, "date": today(),
                "chat": {"id": ann.id(), "type": "private", "title": name}, "text": text,
                "from": {"id": ann.id(), "is_bot": false, "first_name": name, "username": name}}}));
        };
        inject(1, "Ann", "\u{0}\u{1}\u{7}\u{1b}");
        inject(2, "A\u{0}nn\u{202e}\u{1b}[31m", "the\u{0} name\u{2028} is\u{202e} odd");
        world.settled().await;
        bob.says("am I heard?");
        assert_eq!(next_text(&bob).await, "echo: am I heard?", "{database:?}");
        let wanted = |request: &roundtable_fakes::ModelRequest| heard(request).contains("is");
        let request = world.model.wait_for_request("the odd message", wanted).await.unwrap();
        assert!(heard(&request).contains("name"), "{database:?}");
        ann.says("last");
        ann.place().expect_message("the last answer", |message| message.text == "echo: last").await.unwrap();
        for message in ann.place().messages() {
            let plain = |c: char| !c.is_control() || c == '\n';
            assert!(message.text.chars().all(plain), "{database:?}: {message:?}");
        }
        let unread = ann.place().messages().into_iter().filter(|message| !message.read).count();
        for _ in 0..unread {
            ann.next_message().await.unwrap();
        }
        world.end().await;
    }
}
