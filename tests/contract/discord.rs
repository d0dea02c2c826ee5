//! Discord: within the time in which it knows nonces, and after it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use roundtable_contract::{AccountId, AccountState, Channel, Conversation, MessageId};
use roundtable_fakes::discord::{Place, Seat};
use roundtable_fakes::{DiscordFake, Fault};
use serde_json::json;

use super::edge::{Edge, Told, Whim, listen};
use super::subject::{HasNowhere, Heard, Loses, Loss, Seen, Subject};
use crate::support::discord;

mod nonce {
    use super::*;
    suite!(Discord::start(Duration::from_secs(60)); rendering sending nowhere editing losing listening);
}

mod history {
    use super::*;
    suite!(Discord::start(Duration::ZERO); finding losing losing_and_finding);
}

/// A world with two private chats, a channel and a thread.
struct Discord {
    fake: DiscordFake,
    nonce_window: Duration,
    seats: Vec<Seat>,
    nowhere: Vec<Conversation>,
}

impl Discord {
    async fn start(nonce_window: Duration) -> Self {
        let fake = DiscordFake::start().await.unwrap();
        let (ann, bob) = (fake.user("ann"), fake.user("bob"));
        let channel = ann.in_channel("general");
        let thread = ann.in_thread("general", "plans");
        let gone = ann.in_channel("gone").place();
        gone.delete();
        let hidden = ann.in_channel("hidden").place();
        hidden.deny(roundtable_fakes::discord::rights::VIEW_CHANNEL);
        let account = AccountId::new("discord", "main");
        let nowhere = vec![
            address(&gone),
            address(&hidden),
            Conversation::chat(account.clone(), "12345"),
            Conversation::chat(account.clone(), "0"),
            Conversation::chat(account, "general"),
        ];
        Self { fake, nonce_window, seats: vec![ann, bob, channel, thread], nowhere }
    }

    /// The number of a message that is said now, and the position of one that was said a minute ago.
    fn a_minute_ago(&self) -> (u64, i64) {
        let now = self.seats[0].says("hello").id;
        (now, (now - (60_000 << 22)).cast_signed())
    }

    fn seat(&self, at: &Conversation) -> &Seat {
        self.seats.iter().find(|seat| address(&seat.place()) == *at).expect("a place of this world")
    }
}

fn address(place: &Place) -> Conversation {
    Conversation::chat(AccountId::new("discord", "main"), place.channel_id().to_string())
}

#[async_trait(?Send)]
impl Subject for Discord {
    fn channel(&self) -> Arc<dyn Channel> {
        Arc::new(discord::channel(&self.fake, self.nonce_window))
    }

    fn capabilities(&self) -> [bool; 3] {
        [true, true, true]
    }

    fn places(&self) -> Vec<Conversation> {
        self.seats.iter().map(|seat| address(&seat.place())).collect()
    }

    fn shares_counters(&self) -> bool {
        false
    }

    async fn says(&self, at: &Conversation, text: &str) -> MessageId {
        MessageId(self.seat(at).says(text).id.cast_signed())
    }

    async fn visible(&self, at: &Conversation) -> Vec<Seen> {
        let place = self.seat(at).place();
        let mut messages = place.messages();
        messages.retain(|message| message.from == self.fake.bot_id());
        place.read_everything();
        let seen = |message: roundtable_fakes::discord::Message| Seen {
            id: MessageId(message.id.cast_signed()),
            name: None,
            text: discord::shown(&message.text),
        };
        messages.into_iter().map(seen).collect()
    }

    fn longest(&self) -> Option<usize> {
        Some(2000)
    }

    async fn cut_off(&mut self) {
        self.fake.stop().await;
    }

    async fn restore(&mut self) {
        self.fake.restart().await.unwrap();
    }

    async fn end(self) {
        self.fake.assert_no_pings().unwrap();
        self.fake.finish().unwrap();
    }
}

impl HasNowhere for Discord {
    fn nowhere(&self) -> Vec<Conversation> {
        self.nowhere.clone()
    }
}

impl Loses for Discord {
    fn losses(&self) -> Vec<Loss> {
        let loss = |landed| move |fault| Loss { landed, fault };
        let landed = [Fault::DropAfter, Fault::Html502After, Fault::TruncatedJson].map(loss(true));
        let never = [Fault::DropBefore, Fault::Html502Before].map(loss(false));
        landed.into_iter().chain(never).collect()
    }

    fn lose_send(&self, loss: &Loss) {
        self.fake.fail_next("create_message", loss.fault.clone());
    }

    fn lose_answer_to_edit(&self) {
        self.fake.fail_next("edit_message", Fault::DropAfter);
    }
}

impl Heard for Discord {
    fn ruin(&self) {
        self.fake.revoke_token();
    }

    /// Everything here has been read before anything is said: a channel is older than its messages.
    fn edge(&self) -> Edge {
        let read = |seat: &Seat| {
            let (channel, guild) = (seat.place().channel_id(), seat.place().guild_id());
            let name = guild.map_or_else(|| channel.to_string(), |guild| format!("{guild}/{channel}"));
            (name, channel.cast_signed())
        };
        Edge::knowing(self.seats.iter().map(read).collect::<HashMap<_, _>>())
    }
}

/// What is said in a channel that was never read before is heard if the account was there before, and a new
/// account begins with what is said next.
#[tokio::test]
async fn channels_never_read_before_begin_where_the_account_was_last_online() {
    let world = Discord::start(Duration::ZERO).await;
    let fresh = world.fake.user("ann").in_channel("fresh");
    let texts = |told: &Told| told.texts_of(&fresh.place().channel_id().to_string()).join(" ");
    fresh.says("before everything");
    let listener = listen(world.channel(), Edge::knowing(HashMap::new()));
    listener.edge.until("it is kept that we were there", |told| told.positions.contains_key("@online")).await;
    let (_, edge) = listener.stop().await;
    assert_eq!(texts(&edge.seen()), "");
    fresh.says("meanwhile");
    let listener = listen(world.channel(), edge.after());
    listener.edge.until("it is fetched", |told| texts(told).ends_with("meanwhile")).await;
    fresh.says("now");
    listener.edge.until("it is heard", |told| texts(told).ends_with("meanwhile now")).await;
    assert_eq!(listener.stop().await.0, Ok(()));
    world.end().await;
}

/// A message that waits to be stored is known to the next process by its channel's position, or by when the account
/// was last online.
#[tokio::test]
async fn the_account_was_not_online_where_a_position_was_not_kept() {
    let world = Discord::start(Duration::ZERO).await;
    world.fake.set(|settings| settings.heartbeat = Duration::from_millis(50));
    let (_, then) = world.a_minute_ago();
    let fresh = world.fake.user("ann").in_channel("fresh");
    fresh.says("hello");
    let edge = Edge::knowing(HashMap::from([("@online".to_owned(), then)])).but("hello", Whim::Block);
    edge.forgets(Some(format!("{}/{}", world.fake.guild_id(), fresh.place().channel_id())));
    let listener = listen(world.channel(), edge);
    listener.edge.until("the position is refused again and again", |told| told.unkept > 50).await;
    assert_eq!(listener.edge.seen().positions["@online"], then);
    listener.edge.forgets(None);
    listener.edge.until("it is online again", |told| told.positions["@online"] > then).await;
    assert_eq!(listener.stop().await.0, Ok(()));
    world.end().await;
}

/// Of a server that it joins during an outage the bot hears first that it has one.
#[tokio::test]
async fn what_was_said_on_a_server_before_the_bot_joined_it_during_an_outage_is_left_alone() {
    let world = Discord::start(Duration::ZERO).await;
    world.fake.set(|settings| settings.heartbeat = Duration::from_millis(50));
    world.fake.set_guild_available(false);
    let (newest, then) = world.a_minute_ago();
    let listener = listen(world.channel(), Edge::knowing(HashMap::from([("@online".to_owned(), then)])));
    listener.edge.until("the account is ready", |told| told.states.contains(&AccountState::Ready)).await;
    let channels = json!([{"id": "2", "type": 0, "last_message_id": newest.to_string()}]);
    let joined = json!({"id": "1", "joined_at": "2080-01-01T00:00:00.000000+00:00", "channels": channels});
    for guild in [json!({"id": "1", "unavailable": true}), joined] {
        world.fake.inject("GUILD_CREATE", &guild);
    }
    world.fake.set_guild_available(true);
    let is_online = |told: &Told| told.positions["@online"] > then;
    listener.edge.until("nothing is missing any more", is_online).await;
    let looks = world.fake.calls_of("get_messages");
    assert!(looks.iter().all(|call| call.params["channel_id"] != "2"), "{looks:?}");
    assert_eq!(listener.stop().await.0, Ok(()));
    world.end().await;
}

/// Messages of a channel that were missed come before those that are said now, page by page.
#[tokio::test]
async fn what_was_missed_comes_first_and_in_order() {
    let world = Discord::start(Duration::ZERO).await;
    let (at, seat) = (&world.places()[2], &world.seats[2]);
    for number in 0..250 {
        seat.says(&number.to_string());
    }
    let hold = world.fake.hold("get_messages");
    let listener = listen(world.channel(), world.edge());
    hold.arrived().await.unwrap();
    seat.says("250");
    hold.release();
    listener.edge.until("all is heard", |told| told.accepted.len() == 251).await;
    let (_, edge) = listener.stop().await;
    let told = edge.seen();
    let numbers: Vec<usize> =
        told.texts_of(at.chat.as_str()).iter().map(|text| text.parse().unwrap()).collect();
    assert!(numbers.into_iter().eq(0..251));
    assert_eq!(told.offered.len(), 251, "something came twice");
    world.end().await;
}
