//! Deliveries that are handed over to be sent at once, while the poll finds them too.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use roundtable::engine::Outlet;
use roundtable::outbox::{Move, Outbox, Way};
use roundtable::routing::Rules;
use roundtable::store::conversations::{self, About, Place};
use roundtable::store::deliveries::{self, Delivery, NewAnswer, State};
use roundtable::store::{Read, Store, StoreError, Transaction, Tx, pauses};
use roundtable::time::{Clock, SystemClock};
use roundtable_contract::{
    AccountId, Channel, ChatId, ChatKind, Conversation, Edge, Found, Limits, Lost, MessageId, Outgoing, Part,
    Receipt, Reconcile, RunError, SendError,
};
use roundtable_fakes::PATIENCE;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::store::world::TestClock;
use crate::support::databases::{Database, open};

/// A channel that notes what it is asked for, and in which chat; what it looks for is there.
struct Recorder {
    account: AccountId,
    /// Whether it answers; if not, it is waited for for an hour.
    answers: bool,
    calls: Mutex<Vec<String>>,
    called: Notify,
    /// A call that it does not answer is over.
    over: CancellationToken,
    /// Looks are answered when this is free.
    looks: tokio::sync::Mutex<()>,
}

impl Recorder {
    fn note(&self, call: &str, to: &Conversation) -> Receipt {
        let mut calls = self.calls.lock().unwrap();
        calls.push(format!("{call} in {}", to.chat));
        self.called.notify_one();
        Receipt { id: MessageId(i64::try_from(calls.len()).unwrap()) }
    }
}

#[async_trait]
impl Channel for Recorder {
    fn account(&self) -> &AccountId {
        &self.account
    }

    fn limits(&self) -> Limits {
        Limits {
            chat_per_second: 0.0,
            chat_burst: 0,
            group_per_minute: 0,
            total_per_second: 0.0,
            send_timeout: Duration::from_secs(if self.answers { 2 } else { 3_600 }),
            typing_lasts: Duration::from_secs(5),
            repeat_unknown: true,
        }
    }

    fn render(&self, outgoing: &Outgoing) -> Vec<Part> {
        vec![Part { body: String::new(), text: outgoing.text.clone(), stub: None }]
    }

    fn id_space(&self, _: &Conversation) -> String {
        "all".into()
    }

    async fn run(&self, _: u32, _: &dyn Edge, _: CancellationToken) -> Result<(), RunError> {
        unreachable!("nothing connects this channel")
    }

    async fn send(&self, to: &Conversation, _: &Part, _: &str) -> Result<Receipt, SendError> {
        let receipt = self.note("send", to);
        if !self.answers {
            let _over = self.over.clone().drop_guard();
            return std::future::pending().await;
        }
        Ok(receipt)
    }

    fn reconcile(&self) -> Option<&dyn Reconcile> {
        Some(self)
    }
}

#[async_trait]
impl Reconcile for Recorder {
    async fn find(&self, lost: &Lost<'_>) -> Result<Found, SendError> {
        let old = lost.age > Duration::from_secs(3_600);
        let found = self.note(if old { "find something old" } else { "find" }, lost.conversation);
        let _free = self.looks.lock().await;
        self.note("found", lost.conversation);
        Ok(Found::Visible(found))
    }
}

/// Stores a delivery as the end of a turn does: marked as on its way, for `within` milliseconds, or to be sent.
struct Born {
    address: Conversation,
    within: Option<i64>,
}

#[async_trait]
impl Transaction for Born {
    /// Its conversation, and the delivery if it is on its way.
    type Output = (i64, Option<Delivery>);
    const NAME: &'static str = "born";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, StoreError> {
        let about = About { kind: ChatKind::Direct, title: None, guild: None, parent: None, space: "all" };
        let place = conversations::find_or_create(tx, &self.address, &about).await?;
        let part = Part { body: String::new(), text: "hi".into(), stub: None };
        let new = NewAnswer {
            conversation_id: place.id,
            author: None,
            kind: "answer",
            name: "turn:1",
            parts: &[part],
            send_within: self.within,
        };
        Ok((place.id, deliveries::insert(tx, &new).await?))
    }
}

/// The platform wants nothing for an hour.
struct Paused(AccountId);

#[async_trait]
impl Transaction for Paused {
    type Output = ();
    const NAME: &'static str = "paused";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        pauses::extend(tx, &self.0, None, tx.now() + 3_600_000).await
    }
}

/// The conversation with this number.
struct PlaceOf(i64);

#[async_trait]
impl Read for PlaceOf {
    type Output = Place;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Place, StoreError> {
        conversations::get(tx, self.0).await
    }
}

struct StateOf(i64);

#[async_trait]
impl Read for StateOf {
    type Output = Option<State>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<State>, StoreError> {
        deliveries::state(tx, self.0).await
    }
}

struct Bench {
    channel: Arc<Recorder>,
    store: Store,
    outbox: Arc<Outbox>,
    _database: crate::support::databases::Fresh,
}

impl Bench {
    async fn new() -> Self {
        Self::on(Database::Sqlite).await
    }

    async fn on(database: Database) -> Self {
        Self::with(database, true).await
    }

    async fn with(database: Database, answers: bool) -> Self {
        Self::at(database, answers, Arc::new(SystemClock::new())).await
    }

    async fn at(database: Database, answers: bool, clock: Arc<dyn Clock>) -> Self {
        let database = database.fresh().await;
        let store = open(&database.url, clock).await;
        let account = AccountId::new("recorder", "main");
        let channel = Arc::new(Recorder {
            account: account.clone(),
            answers,
            calls: Mutex::default(),
            called: Notify::new(),
            over: CancellationToken::new(),
            looks: tokio::sync::Mutex::default(),
        });
        let rules = Arc::new(Rules { bindings: vec![], default_agent: "a".into(), agents: vec![] });
        let outbox = Outbox::new(
            store.clone(),
            rules,
            [channel.clone() as Arc<dyn Channel>],
            Arc::default(),
            Arc::default(),
        );
        outbox.hold(&account, store.now() + 60_000);
        Self { channel, store, outbox, _database: database }
    }

    async fn born(&self, within: i64) -> Delivery {
        let address = Conversation::chat(self.channel.account.clone(), "1");
        let (_, delivery) = self.store.commit(Born { address, within: Some(within) }).await.unwrap();
        delivery.expect("the conversation is clear")
    }

    /// The chat of `born` becomes another, as a group does that becomes a supergroup.
    async fn moves_to(&self, chat: &str) {
        let account = self.channel.account.clone();
        let (from, to) = (ChatId::new("1"), ChatId::new(chat));
        self.store.commit(Move { account, from, to, space: "moved".into() }).await.unwrap();
    }

    /// What the channel was asked for until the conversation had nothing left to deliver.
    async fn calls(self) -> Vec<String> {
        self.outbox.drained(Duration::from_secs(10)).await;
        self.channel.calls.lock().unwrap().clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_that_comes_first_does_not_keep_an_answer_from_being_sent() {
    let bench = Bench::new().await;
    let way = Way(bench.outbox.clone());
    let delivery = bench.born(2_500).await;
    way.hint(delivery.conversation_id);
    way.dispatch(delivery);
    assert_eq!(bench.calls().await, ["send in 1"]);
}

/// As when this process stood still between the commit and the call: nobody has called for it, so nothing is looked for.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_handed_over_too_late_is_sent_all_the_same() {
    let bench = Bench::new().await;
    let delivery = bench.born(0).await;
    Way(bench.outbox.clone()).dispatch(delivery);
    assert_eq!(bench.calls().await, ["send in 1"]);
}

/// As when this process stood still between the commit and the call, and another has the account now.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_handed_over_after_the_account_is_lost_is_left_to_be_sent() {
    let bench = Bench::new().await;
    let delivery = bench.born(2_500).await;
    let (store, id) = (bench.store.clone(), delivery.id);
    bench.outbox.hold(&bench.channel.account, bench.store.now());
    Way(bench.outbox.clone()).dispatch(delivery);
    assert!(bench.calls().await.is_empty());
    assert_eq!(store.read(StateOf(id)).await.unwrap(), Some(State::Pending));
}

/// As when another call was told to wait between the commit and this one.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_handed_over_in_a_pause_waits_for_its_end() {
    let bench = Bench::new().await;
    let delivery = bench.born(2_500).await;
    let (store, account, id) = (bench.store.clone(), bench.channel.account.clone(), delivery.id);
    store.commit(Paused(account.clone())).await.unwrap();
    bench.outbox.keep_pauses(&account).await.unwrap();
    Way(bench.outbox.clone()).dispatch(delivery);
    assert!(bench.calls().await.is_empty());
    assert_eq!(store.read(StateOf(id)).await.unwrap(), Some(State::Pending));
}

/// As when the chat moved between the commit and the call: what was stored is a call at the old address, which nobody
/// has made.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_handed_over_as_its_chat_moves_is_sent_where_the_chat_is() {
    for database in Database::all() {
        let bench = Bench::on(database).await;
        let delivery = bench.born(1_000).await;
        bench.moves_to("2").await;
        Way(bench.outbox.clone()).dispatch(delivery);
        let called = tokio::time::timeout(PATIENCE, bench.channel.called.notified());
        called.await.expect("the channel is called");
        assert_eq!(bench.calls().await, ["send in 2"], "{database:?}");
    }
}

/// Whoever has the account next must not look for a message that can still arrive: a request may be on its way for
/// the whole time-out, however little is left of the lease of the one that made it; and it begins a little later.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_lease_does_not_shorten_how_long_a_request_is_on_its_way() {
    let bench = Bench::new().await;
    let delivery = bench.born(2_500).await;
    let place = bench.store.read(PlaceOf(delivery.conversation_id)).await.unwrap();
    bench.outbox.hold(&bench.channel.account, bench.store.now() + 1_000);
    assert_eq!(Way(bench.outbox.clone()).send_now(&place), Some(2_300));
}

/// Whoever has the account next must not meet a call of this process, however long that would wait for an answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_not_answered_ends_with_the_lease() {
    let bench = Bench::with(Database::Sqlite, false).await;
    let (store, over) = (bench.store.clone(), bench.channel.over.clone());
    let delivery = bench.born(7_200_000).await;
    let id = delivery.id;
    bench.outbox.hold(&bench.channel.account, store.now() + 1_000);
    Way(bench.outbox.clone()).dispatch(delivery);
    tokio::time::timeout(PATIENCE, over.cancelled()).await.expect("the call ends with the lease");
    assert_eq!(bench.calls().await, ["send in 1"]);
    assert_eq!(store.read(StateOf(id)).await.unwrap(), Some(State::Unknown));
}

/// Of a chat with topics. What is lost in one of them no longer holds up the others after five minutes; but what is shown
/// while it is looked for would be taken for it.
#[tokio::test]
async fn nothing_new_is_shown_in_a_chat_while_a_lost_message_is_looked_for_there() {
    let clock = Arc::new(TestClock::default());
    let bench = Bench::at(Database::Sqlite, true, clock.clone()).await;
    let way = Way(bench.outbox.clone());
    bench.outbox.hold(&bench.channel.account, bench.store.now() + 3_600_000);
    let lost = bench.born(1_000).await;
    clock.advance(6 * 60_000);
    let looks = bench.channel.looks.lock().await;
    way.hint(lost.conversation_id);
    bench.channel.called.notified().await;
    let topic = Conversation::chat(bench.channel.account.clone(), "1").with_thread("a");
    let elsewhere = Conversation::chat(bench.channel.account.clone(), "2");
    for address in [topic, elsewhere] {
        let (conversation_id, _) = bench.store.commit(Born { address, within: None }).await.unwrap();
        way.hint(conversation_id);
    }
    bench.channel.called.notified().await;
    drop(looks);
    while bench.channel.calls.lock().unwrap().len() < 4 {
        bench.channel.called.notified().await;
    }
    assert_eq!(bench.calls().await, ["find in 1", "send in 2", "found in 1", "send in 1"]);
}

/// What is due moves with a clock that is set back, and the moment at which it was made does not.
#[tokio::test]
async fn a_message_of_a_time_that_is_still_to_come_is_not_taken_for_a_new_one() {
    let clock = Arc::new(TestClock::default());
    let bench = Bench::at(Database::Sqlite, true, clock.clone()).await;
    let lost = bench.born(-60_000).await;
    clock.advance(-30_000);
    Way(bench.outbox.clone()).hint(lost.conversation_id);
    assert_eq!(bench.calls().await, ["find something old in 1", "found in 1"]);
}
