//! Telegram, in each of its ways to deliver a message once.

use std::sync::Arc;

use async_trait::async_trait;
use roundtable_contract::{AccountId, Channel, Conversation, MessageId};
use roundtable_fakes::{Fault, GroupKind, Place, Seat, TelegramFake};
use roundtable_telegram::ExactlyOnce;

use super::subject::{HasNowhere, Heard, Loses, Loss, Seen, Subject};
use crate::support::telegram;

mod probe {
    use super::*;
    suite!(Telegram::start(ExactlyOnce::Probe);
        rendering sending nowhere editing finding losing losing_and_finding listening);
}

mod edit {
    use super::*;
    suite!(Telegram::start(ExactlyOnce::Edit);
        rendering sending nowhere editing losing listening);
}

mod send {
    use super::*;
    suite!(Telegram::start(ExactlyOnce::Send);
        rendering sending nowhere editing losing listening);
}

/// A world with two private chats, a basic group, a supergroup and a topic.
struct Telegram {
    fake: TelegramFake,
    exactly_once: ExactlyOnce,
    seats: Vec<Seat>,
    nowhere: Vec<Conversation>,
}

impl Telegram {
    async fn start(exactly_once: ExactlyOnce) -> Self {
        let fake = TelegramFake::start().await.unwrap();
        // Where the bot hears everything.
        fake.set_privacy(false);
        let (ann, bob) = (fake.user("ann"), fake.user("bob"));
        fake.new_group("basic", GroupKind::Basic);
        let topic = ann.in_topic("forum", "plans");
        let seats = vec![
            ann.clone(),
            bob,
            ann.in_group("basic"),
            ann.in_group("super"),
            ann.in_group("forum"),
            topic,
        ];
        let left = fake.new_group("left", GroupKind::Supergroup);
        left.kick_bot();
        let account = AccountId::new("telegram", "main");
        let nowhere = vec![
            address(&left),
            Conversation::chat(account.clone(), "12345"),
            Conversation::chat(account, "@somebody"),
        ];
        Self { fake, exactly_once, seats, nowhere }
    }

    fn seat(&self, at: &Conversation) -> &Seat {
        let mut seats = self.seats.iter();
        seats.find(|seat| address(&seat.place()) == *at).expect("a place of this world")
    }
}

fn address(place: &Place) -> Conversation {
    let chat = Conversation::chat(AccountId::new("telegram", "main"), place.chat_id().to_string());
    match place.thread_id() {
        Some(thread) => chat.with_thread(thread.to_string()),
        None => chat,
    }
}

#[async_trait(?Send)]
impl Subject for Telegram {
    fn channel(&self) -> Arc<dyn Channel> {
        Arc::new(telegram::channel(&self.fake, self.exactly_once))
    }

    fn capabilities(&self) -> [bool; 3] {
        [true, true, self.exactly_once == ExactlyOnce::Probe]
    }

    fn places(&self) -> Vec<Conversation> {
        self.seats.iter().map(|seat| address(&seat.place())).collect()
    }

    async fn says(&self, at: &Conversation, text: &str) -> MessageId {
        MessageId(self.seat(at).says(text).id)
    }

    async fn visible(&self, at: &Conversation) -> Vec<Seen> {
        let (seat, place) = (self.seat(at), self.seat(at).place());
        let mut messages = place.messages();
        messages.retain(|message| message.from != seat.id() && !message.is_service());
        for message in messages.iter().filter(|message| !message.read) {
            assert_eq!(place.next_message().await.unwrap().id, message.id);
        }
        let seen = |message: roundtable_fakes::Message| Seen {
            id: MessageId(message.id),
            name: None,
            text: message.text,
        };
        messages.into_iter().map(seen).collect()
    }

    fn longest(&self) -> Option<usize> {
        Some(4096)
    }

    async fn cut_off(&mut self) {
        self.fake.stop().await;
    }

    async fn restore(&mut self) {
        self.fake.restart().await.unwrap();
    }

    async fn end(self) {
        self.fake.finish().unwrap();
    }
}

impl HasNowhere for Telegram {
    fn nowhere(&self) -> Vec<Conversation> {
        self.nowhere.clone()
    }
}

impl Loses for Telegram {
    fn losses(&self) -> Vec<Loss> {
        let loss = |landed| move |fault| Loss { landed, fault };
        let landed = [Fault::DropAfter, Fault::Html502After, Fault::TruncatedJson].map(loss(true));
        let never = [Fault::DropBefore, Fault::Html502Before].map(loss(false));
        landed.into_iter().chain(never).collect()
    }

    fn lose_send(&self, loss: &Loss) {
        self.fake.fail_next("sendMessage", loss.fault.clone());
    }

    fn lose_answer_to_edit(&self) {
        self.fake.fail_next("editMessageText", Fault::DropAfter);
    }
}

impl Heard for Telegram {
    fn ruin(&self) {
        self.fake.revoke_token();
    }
}

/// Chats of one counter share an id space, and others do not.
#[tokio::test]
async fn counters_are_told_apart() {
    let world = Telegram::start(ExactlyOnce::Probe).await;
    let channel = world.channel();
    let spaces: Vec<_> = world.places().iter().map(|at| channel.id_space(at)).collect();
    let [ann, bob, basic, supergroup, forum, topic] = &spaces[..] else { panic!("{spaces:?}") };
    assert!(ann == bob && bob == basic && forum == topic, "{spaces:?}");
    assert!(basic != supergroup && supergroup != forum && basic != forum, "{spaces:?}");
    world.end().await;
}
