//! More than one bridge: a second program with the same token, and other bots in the same channel.

use std::sync::Arc;
use std::time::Duration;

use roundtable_fakes::discord::World as Platform;

use super::gateway::met;
use super::next;
use crate::contract::edge::{Edge, listen};
use crate::support::databases::on_each_database;
use crate::support::discord;
use crate::support::world::{QUICK_DISCORD, World};

/// Discord tells both of everything: each message is answered once, whichever session ends, and however.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_session_of_the_bot_takes_nothing_away_and_doubles_nothing() {
    on_each_database(async |url| {
        let world =
            World::setting().on(url).discord(&format!("dm = \"open\"\n{QUICK_DISCORD}")).start().await;
        let seats = met(&world).await;
        let channel = discord::channel(world.discord(), Duration::from_secs(60));
        let rival = listen(Arc::new(channel), Edge::default());
        let ends: [fn(&roundtable_fakes::DiscordFake); 4] = [
            |_| {},
            |discord| discord.drop_gateway(),
            |discord| discord.close_gateway(4009),
            |discord| discord.invalidate_sessions(true),
        ];
        for (number, end) in ends.into_iter().enumerate() {
            end(world.discord());
            let both = |world: &Platform| world.connected() == 2;
            world.discord().wait_until("both to be connected", both).await.unwrap();
            let text = format!("question {number}");
            for seat in &seats {
                seat.mentions_bot(&text);
                assert!(next(seat).await.ends_with(&text));
            }
            let heard = |told: &crate::contract::edge::Told| {
                told.accepted.iter().filter(|message| message.text.ends_with(&text)).count() == seats.len()
            };
            rival.edge.until("the rival hears it too", heard).await;
        }
        rival.stop().await.0.unwrap();
        for seat in &seats {
            seat.mentions_bot("alone again");
            assert!(next(seat).await.ends_with("alone again"));
        }
        // Each question once, and nothing else.
        assert_eq!(world.model.requests().len(), seats.len() * 6);
        world.end().await;
    })
    .await;
}

/// What one bot says in a channel is nothing to another, so that two of them cannot talk for ever.
#[tokio::test(flavor = "multi_thread")]
async fn other_bots_in_the_channel_are_not_answered() {
    let world = World::with_discord().await;
    let [_, here] = met(&world).await;
    let bot = world.discord().bot_id();
    here.place().bot_says("parrot", "hello");
    here.place().bot_says("parrot", &format!("<@{bot}> hello"));
    here.mentions_bot("who is there?");
    assert!(next(&here).await.ends_with("who is there?"));
    assert_eq!(world.model.requests().len(), 3, "nobody else was heard");
    world.end().await;
}
