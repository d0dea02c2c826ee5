//! What two nodes learn of one delivery, when its account goes from one to the other; and whose an answer is while a
//! message is on its way.

use async_trait::async_trait;
use roundtable::inbound::Accept;
use roundtable::local;
use roundtable::outbox::Move;
use roundtable::store::conversations::{self, Place};
use roundtable::store::deliveries::{self, Author, Delivery, NEVER, NewAnswer, Shown, State};
use roundtable::store::{Read, StoreError, Transaction, Tx, chats};
use roundtable::time::Clock as _;
use roundtable_contract::{ChatId, MessageId, Part, Quote};

use super::steps::{accept, at_work, family, says};
use super::world::World;
use crate::support::databases::Database;

/// A delivery in the first conversation that is made and on its way.
pub struct Say {
    /// Of whom; `None`: of the program.
    pub author: Option<Author>,
    pub kind: &'static str,
    /// What stands for it first, in two steps.
    pub stub: Option<&'static str>,
    /// Whoever makes it does not call for it.
    pub later: bool,
}

impl Say {
    /// A word of the program.
    pub fn notice() -> Self {
        Self { author: None, kind: "notice", stub: None, later: false }
    }
}

#[async_trait]
impl Transaction for Say {
    type Output = Option<Delivery>;
    const NAME: &'static str = "say";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Delivery>, StoreError> {
        let parts = [Part { body: String::new(), text: "hello".into(), stub: self.stub.map(str::to_owned) }];
        let new = NewAnswer {
            conversation_id: 1,
            author: self.author,
            kind: self.kind,
            name: self.kind,
            parts: &parts,
            send_within: (!self.later).then_some(1_000),
        };
        deliveries::insert(tx, &new).await
    }
}

/// What a node learns of a delivery that it has seen; the next call for it, if it is to be sent again.
pub struct Learn(pub Delivery, pub Shown);

#[async_trait]
impl Transaction for Learn {
    type Output = Option<Delivery>;
    const NAME: &'static str = "learn";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Delivery>, StoreError> {
        let Self(seen, shown) = self;
        let there = conversations::get(tx, seen.called_in.unwrap_or(seen.conversation_id)).await?;
        deliveries::settle(tx, seen, &there, shown).await?;
        let open = deliveries::open(tx, seen.conversation_id, 1).await?.pop();
        match open {
            Some(open) if open.state == State::Pending => {
                deliveries::start_call(tx, &open, 1_000, i64::MIN).await.map(Some)
            }
            open => Ok(open),
        }
    }
}

/// A call for a delivery as it was seen.
struct Call(Delivery);

#[async_trait]
impl Transaction for Call {
    type Output = Delivery;
    const NAME: &'static str = "call";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Delivery, StoreError> {
        deliveries::start_call(tx, &self.0, 1_000, i64::MIN).await
    }
}

#[tokio::test]
async fn a_late_word_on_a_delivery_changes_nothing() {
    const CALLS: &str = "SELECT state || ', calls ' || attempts FROM deliveries";
    let later = || Shown::Later { due_at: 0, error: "unreachable".into() };
    for database in Database::all() {
        let (world, _) = at_work(database).await;
        let said = world.node(0).commit(Say::notice()).await.expect("no failure");
        let old = said.expect("the conversation is clear");
        // The next owner of the account finds it, looks for it, and sends it again.
        let lost = Learn(old.clone(), Shown::Unknown { due_at: 0, error: "no answer".into() });
        let lost = world.node(1).commit(lost).await.expect("no failure").expect("it is open");
        let sent = world.node(1).commit(Learn(lost, later())).await.expect("no failure");
        assert_eq!(world.ask(CALLS).await, "sending, calls 2", "{database:?}: {sent:?}");
        for word in [later(), Shown::Failed("blocked".into())] {
            world.node(0).commit(Learn(old.clone(), word)).await.expect("no failure");
            assert_eq!(world.ask(CALLS).await, "sending, calls 2", "{database:?}");
        }
        // What is visible is, whoever says so.
        world.node(0).commit(Learn(old, Shown::Sent(MessageId(7)))).await.expect("no failure");
        assert_eq!(world.ask(CALLS).await, "sent, calls 2", "{database:?}");
    }
}

#[tokio::test]
async fn a_late_look_takes_up_nothing_that_was_given_up() {
    const KNOWN: &str = "SELECT state || CASE WHEN due_at = 9223372036854775807 THEN ', given up' ELSE '' END FROM deliveries";
    let unknown = |due_at| Shown::Unknown { due_at, error: "no answer".into() };
    for database in Database::all() {
        let (world, _) = at_work(database).await;
        let said = world.node(0).commit(Say::notice()).await.expect("no failure");
        let lost = Learn(said.expect("the conversation is clear"), unknown(0));
        let lost = world.node(0).commit(lost).await.expect("no failure").expect("it is open");
        // It is looked for; until that is stored the account is another node's, which has looked for it as well.
        world.node(1).commit(Learn(lost.clone(), unknown(NEVER))).await.expect("no failure");
        for word in [unknown(1), Shown::Later { due_at: 1, error: "it was lost on the way".into() }] {
            world.node(0).commit(Learn(lost.clone(), word)).await.expect("no failure");
            assert_eq!(world.ask(KNOWN).await, "unknown, given up", "{database:?}");
        }
        let again = world.node(0).commit(Call(lost)).await;
        assert!(matches!(again, Err(StoreError::Stale)), "{database:?}: {again:?}");
    }
}

#[tokio::test]
async fn a_stub_that_a_late_look_has_found_is_filled_in() {
    const KNOWN: &str = "SELECT state || ', message ' || COALESCE(CAST(message_id AS TEXT), 'none')
        || CASE WHEN due_at = 9223372036854775807 THEN ', given up' ELSE '' END FROM deliveries";
    let unknown = |due_at| Shown::Unknown { due_at, error: "no answer".into() };
    let absent = || Shown::Later { due_at: 0, error: "it was lost on the way".into() };
    for database in Database::all() {
        for (meanwhile, then) in [
            // The next to look has to look again, has found nothing and sends it again, or has given it up.
            (unknown(1 << 50), "sending, message 7"),
            (absent(), "sending, message 7"),
            (unknown(NEVER), "unknown, message 7, given up"),
        ] {
            let (world, _) = at_work(database).await;
            let said =
                world.node(0).commit(Say { stub: Some("hel…"), ..Say::notice() }).await.expect("no failure");
            let lost = Learn(said.expect("the conversation is clear"), unknown(0));
            let lost = world.node(0).commit(lost).await.expect("no failure").expect("it is open");
            world.node(1).commit(Learn(lost.clone(), meanwhile)).await.expect("no failure");
            world.node(0).commit(Learn(lost, Shown::Stubbed(MessageId(7)))).await.expect("no failure");
            assert_eq!(world.ask(KNOWN).await, then, "{database:?}");
        }
    }
}

/// What was seen of a delivery in the first conversation, as that was then.
struct SeenThere(Delivery, Place, Shown);

#[async_trait]
impl Transaction for SeenThere {
    type Output = ();
    const NAME: &'static str = "seen_there";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        deliveries::settle(tx, &self.0, &self.1, &self.2).await.map(drop)
    }
}

/// The first conversation.
struct Here;

#[async_trait]
impl Read for Here {
    type Output = Place;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Place, StoreError> {
        conversations::get(tx, 1).await
    }
}

/// What happens until a look is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    Moves,
    IsSentAgain,
}

/// The first chat becomes another.
fn moves() -> Move {
    let (account, [from, to]) = (local::account(), ["c", "d"].map(ChatId::new));
    Move { account, from, to, space: "d".into() }
}

/// Two sessions speak in one conversation, on two nodes.
#[tokio::test]
async fn of_two_that_speak_at_once_whoever_comes_second_waits_for_the_first() {
    const SAID: &str = "SELECT CAST(COUNT(*) AS TEXT) FROM deliveries WHERE state = 'sending'";
    for database in Database::all() {
        for (first_later, second_later) in [(true, false), (false, true), (false, false)] {
            let (world, _) = at_work(database).await;
            let say = |later| Say { later, ..Say::notice() };
            let (first, second) = world.meet(say(first_later), say(second_later)).await;
            let (first, second) = (first.expect("no failure"), second.expect("no failure"));
            let case = format!("{database:?}: {first_later}, {second_later}");
            assert_eq!((first.is_some(), second), (!first_later, None), "{case}");
            assert_eq!(world.ask(SAID).await, i64::from(!first_later).to_string(), "{case}");
        }
    }
}

#[tokio::test]
async fn a_chat_moves_while_somebody_speaks_in_the_new_one() {
    for database in Database::all() {
        let (world, _) = at_work(database).await;
        let (accepted, moved) = world.meet(accept(&world, "d", 1), moves()).await;
        assert!(accepted.is_ok() && moved.is_ok(), "{database:?}: {moved:?}");
    }
}

#[tokio::test]
async fn what_is_seen_as_its_chat_moves_is_where_the_chat_was() {
    const KNOWN: &str = "SELECT d.message_id || ' in ' || c.chat FROM deliveries d
        JOIN conversations c ON c.id = COALESCE(d.called_in, d.conversation_id)";
    let id = MessageId(7);
    for database in Database::all() {
        for (stub, shown) in [(false, Shown::Sent(id)), (true, Shown::Stubbed(id)), (true, Shown::Sent(id))] {
            let (world, _) = at_work(database).await;
            let node = world.node(0);
            let said = Say { stub: stub.then_some("hel…"), ..Say::notice() };
            let mut said = node.commit(said).await.expect("no failure").expect("the conversation is clear");
            let there = node.read(Here).await.expect("no failure");
            if stub && shown == Shown::Sent(id) {
                // The second step.
                let stubbed = Learn(said, Shown::Stubbed(id));
                said = node.commit(stubbed).await.expect("no failure").expect("it is filled in");
            }
            let (moved, seen) = world.meet(moves(), SeenThere(said, there, shown.clone())).await;
            assert!(moved.is_ok() && seen.is_ok(), "{database:?}");
            assert_eq!(world.ask(KNOWN).await, "7 in c", "{database:?}: {stub}, {shown:?}");
        }
    }
}

#[tokio::test]
async fn what_a_late_look_has_found_stays_where_it_is() {
    use Meanwhile::{IsSentAgain, Moves};
    const KNOWN: &str = "SELECT d.state || ', message ' || m.message_id || ' in ' || c.chat
            || CASE WHEN m.space_id = c.space_id THEN '' ELSE ', not of there' END
        FROM deliveries d JOIN conversations c ON c.id = COALESCE(d.called_in, d.conversation_id)
            JOIN messages m ON m.delivery_id = d.id AND m.message_id = d.message_id";
    let unknown = || Shown::Unknown { due_at: 0, error: "no answer".into() };
    let absent = || Shown::Later { due_at: 0, error: "it was lost on the way".into() };
    for (database, stub) in
        Database::all().into_iter().flat_map(|database| [(database, true), (database, false)])
    {
        for (has_moved, meanwhile) in [
            (false, &[Moves, IsSentAgain][..]),
            (false, &[IsSentAgain, Moves]),
            (false, &[IsSentAgain]),
            (false, &[Moves]),
            (true, &[IsSentAgain]),
            (true, &[]),
        ] {
            let (world, _) = at_work(database).await;
            let node = world.node(0);
            let learn = async |seen: &Delivery, shown| {
                let known = node.commit(Learn(seen.clone(), shown)).await.expect("no failure");
                known.expect("it is open")
            };
            let said = Say { stub: stub.then_some("hel…"), ..Say::notice() };
            let said = node.commit(said).await.expect("no failure");
            let there = node.read(Here).await.expect("no failure");
            let mut lost = learn(&said.expect("the conversation is clear"), unknown()).await;
            if has_moved {
                node.commit(moves()).await.expect("no failure");
                lost = learn(&lost, unknown()).await;
            }
            for what in meanwhile {
                match what {
                    Moves => drop(node.commit(moves()).await.expect("no failure")),
                    IsSentAgain => drop(learn(&lost, absent()).await),
                }
            }
            let id = MessageId(7);
            let shown = if stub { Shown::Stubbed(id) } else { Shown::Sent(id) };
            node.commit(SeenThere(lost, there, shown)).await.expect("no failure");
            let state = match stub {
                true if meanwhile.contains(&IsSentAgain) => "sending",
                true => "pending",
                false => "sent",
            };
            let known = world.ask(KNOWN).await;
            assert_eq!(known, format!("{state}, message 7 in c"), "{database:?}: {has_moved}, {meanwhile:?}");
        }
    }
}

/// How many others may be seen behind a number in a conversation, for one of its deliveries.
struct Others {
    conversation_id: i64,
    id: i64,
    after: i64,
}

#[async_trait]
impl Read for Others {
    type Output = i64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<i64, StoreError> {
        chats::lost_behind(tx, self.conversation_id, self.id, self.after).await
    }
}

#[tokio::test]
async fn whatever_a_clock_says_that_was_set_back_a_stray_is_not_older_than_what_was_there_before_it() {
    let unknown = || Shown::Unknown { due_at: 0, error: "no answer".into() };
    for database in Database::all() {
        let (world, _) = at_work(database).await;
        let learn = async |seen: &Delivery, shown| {
            world.node(0).commit(Learn(seen.clone(), shown)).await.expect("no failure")
        };
        let say =
            async || world.node(0).commit(Say::notice()).await.expect("no failure").expect("it is clear");
        let first = learn(&say().await, unknown()).await.expect("it is open");
        world.clock.advance(-60_000);
        // Of the first message, sent twice, one is found, and nobody knows where the other is.
        let again = Shown::Repeated { due_at: 0, error: "sent once more".into() };
        let again = learn(&first, again).await.expect("it is open");
        let again = learn(&again, unknown()).await.expect("it is open");
        assert_eq!(learn(&again, Shown::Sent(MessageId(6))).await, None, "{database:?}");
        let second = say().await;
        let others = async |id, after| {
            world.node(0).read(Others { conversation_id: 1, id, after }).await.expect("no failure")
        };
        assert_eq!(others(second.id, 6).await, 1, "{database:?}");
        learn(&second, Shown::Sent(MessageId(9))).await;
        world.clock.advance(2_000);
        let third = say().await;
        learn(&third, Shown::Sent(MessageId(10))).await;
        let fourth = say().await;
        assert_eq!(others(fourth.id, 9).await, 1, "{database:?}: its calls may not have been over");
        assert_eq!(others(fourth.id, 10).await, 0, "{database:?}: the third is behind it");
    }
}

/// A person has a delivery sent again.
struct Retry(i64);

#[async_trait]
impl Transaction for Retry {
    type Output = Option<i64>;
    const NAME: &'static str = "retry";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<i64>, StoreError> {
        deliveries::retry(tx, self.0).await
    }
}

#[tokio::test]
async fn what_may_be_seen_twice_is_one_of_the_others_where_it_was_called_for() {
    let unknown = |due_at| Shown::Unknown { due_at, error: "no answer".into() };
    for database in Database::all() {
        let (world, _) = at_work(database).await;
        let node = world.node(0);
        let learn =
            async |seen: &Delivery, shown| node.commit(Learn(seen.clone(), shown)).await.expect("no failure");
        let say = async || node.commit(Say::notice()).await.expect("no failure").expect("it is clear");
        // Somebody does not wait until it is looked for.
        let first = learn(&say().await, unknown(0)).await.expect("it is open");
        node.commit(Retry(first.id)).await.expect("no failure");
        let first = Delivery { state: State::Pending, due_at: world.clock.now(), ..first };
        let first = node.commit(Call(first)).await.expect("it is sent again");
        learn(&first, Shown::Sent(MessageId(6))).await;
        let second = learn(&say().await, unknown(0)).await.expect("it is open");
        let others = async |conversation_id, after| {
            let others = Others { conversation_id, id: second.id, after };
            node.read(others).await.expect("no failure")
        };
        assert_eq!((others(1, 5).await, others(1, 6).await), (1, 0), "{database:?}");
        node.commit(moves()).await.expect("no failure");
        let lost = learn(&second, unknown(0)).await.expect("it is open");
        let there = lost.called_in.expect("it is looked for where it was called for");
        assert_eq!((others(there, 5).await, others(1, 5).await), (1, 0), "{database:?}: the chat has moved");
    }
}

/// Ann answers the message of ours with this number.
fn answers(world: &World, number: i64, answered: i64) -> Accept {
    let mut accept = says(world, "c", number, "and now?");
    let id = Some(MessageId(answered));
    accept.message.reply_to = Some(Quote { id, ours: true, author: None, text: None, thread: None });
    accept
}

/// Who reads the newest message.
const READER: &str =
    "SELECT CAST(session_id AS TEXT) FROM inbox WHERE message_id = (SELECT MAX(message_id) FROM inbox)";

#[tokio::test]
async fn an_answer_is_for_whose_message_is_on_its_way_if_it_can_be_one_to_it() {
    for database in Database::all() {
        let (world, ..) = family(database, ["a"]).await;
        let notice = world.node(0).commit(Say::notice()).await.expect("no failure");
        let seen = Learn(notice.expect("the chat is clear"), Shown::Sent(MessageId(7)));
        world.node(0).commit(seen).await.expect("no failure");
        let author = Author { tree_id: 1, session_id: 2, turn_id: None, run_id: None };
        let of_child = Say { author: Some(author), kind: "answer", ..Say::notice() };
        let said = world.node(0).commit(of_child).await.expect("no failure").expect("the chat is clear");
        let reader = async |number, answered| {
            assert!(world.node(0).commit(answers(&world, number, answered)).await.is_ok(), "{database:?}");
            world.ask(READER).await
        };
        assert_eq!(reader(10, 8).await, "2", "{database:?}");
        assert_eq!(reader(11, 7).await, "1", "{database:?}: the notice is another message");
        let given_up = Learn(said, Shown::Unknown { due_at: NEVER, error: "no answer".into() });
        world.node(0).commit(given_up).await.expect("no failure");
        assert_eq!(reader(12, 8).await, "1", "{database:?}: nothing is on its way");
    }
}
