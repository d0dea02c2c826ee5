//! The outbox's transactions: T6, T7, and what people may do to a delivery.

use async_trait::async_trait;
use roundtable_contract::{AccountId, ChatId, MessageId};

use crate::store::chats;
use crate::store::conversations::{self, Place};
use crate::store::deliveries::{self, Delivery, Shown};
use crate::store::{Read, StoreError, Transaction, Tx, messages, pauses};

/// Open deliveries of a conversation that are looked at together.
const LOOK_AHEAD: i64 = 20;

/// Numbers that are read behind a lost message. With more, it can't be told what is behind them.
pub const NUMBERS: usize = 2000;

/// Reads a conversation and what is open in it.
pub struct Open {
    /// The conversation.
    pub conversation_id: i64,
    /// When the delivery to call for was stored, if one is known; nothing else is asked for then, unless the chat has
    /// moved since, so that the call would be another one.
    pub handed: Option<i64>,
}

#[async_trait]
impl Read for Open {
    /// `None`: the delivery that is known is to be called for.
    type Output = (Place, Option<Vec<Delivery>>);

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, StoreError> {
        let place = conversations::get(tx, self.conversation_id).await?;
        if self.handed.is_some_and(|stored_at| place.moved_at < Some(stored_at)) {
            return Ok((place, None));
        }
        let open = deliveries::open(tx, self.conversation_id, LOOK_AHEAD).await?;
        Ok((place, Some(open)))
    }
}

/// Reads where a delivery was called for.
pub struct CalledIn(pub i64);

#[async_trait]
impl Read for CalledIn {
    type Output = Place;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Place, StoreError> {
        conversations::get(tx, self.0).await
    }
}

/// T6: a call is on its way.
pub struct StartCall {
    /// What is called for.
    pub delivery: Delivery,
    /// Milliseconds after which the request has arrived or never will.
    pub within: i64,
    /// Others pass what was made by then.
    pub stuck_until: i64,
}

#[async_trait]
impl Transaction for StartCall {
    type Output = Delivery;
    const NAME: &'static str = "sending";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Delivery, StoreError> {
        deliveries::start_call(tx, &self.delivery, self.within, self.stuck_until).await
    }
}

/// T7: what is known now.
pub struct Settle {
    /// The delivery.
    pub delivery: Delivery,
    /// Where it was called or looked for.
    pub there: Place,
    /// What is known.
    pub shown: Shown,
}

/// What may be next after that.
pub struct Settled {
    /// `false`: it was known before, or somebody else has the account and knows more.
    pub news: bool,
    /// What is open in the conversation.
    pub open: Vec<Delivery>,
    /// Another conversation of the chat whose message may go now.
    pub beside: Option<i64>,
}

#[async_trait]
impl Transaction for Settle {
    type Output = Settled;
    const NAME: &'static str = "settle";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Settled, StoreError> {
        let conversation_id = self.delivery.conversation_id;
        let news = deliveries::settle(tx, &self.delivery, &self.there, &self.shown).await?;
        let open = deliveries::open(tx, conversation_id, LOOK_AHEAD).await?;
        Ok(Settled { news, open, beside: chats::waiting_beside(tx, conversation_id).await? })
    }
}

/// A chat continues under another id.
pub struct Move {
    /// The account.
    pub account: AccountId,
    /// The id that is gone.
    pub from: ChatId,
    /// The id to use.
    pub to: ChatId,
    /// The id space of the new chat.
    pub space: String,
}

#[async_trait]
impl Transaction for Move {
    /// The row of the id space.
    type Output = i64;
    const NAME: &'static str = "move";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<i64, StoreError> {
        conversations::moved(tx, &self.account, &self.from, &self.to, &self.space).await
    }
}

/// The platform wants a pause.
pub struct Close {
    /// The account.
    pub account: AccountId,
    /// The chat; `None`: all of them.
    pub chat: Option<ChatId>,
    /// Nothing is sent before.
    pub until: i64,
}

#[async_trait]
impl Transaction for Close {
    type Output = ();
    const NAME: &'static str = "close";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        pauses::extend(tx, &self.account, self.chat.as_ref(), self.until).await
    }
}

/// The pauses that an account has to keep.
pub struct Closed<'a> {
    /// The account.
    pub account: &'a AccountId,
}

#[async_trait]
impl Read for Closed<'_> {
    type Output = Vec<(Option<ChatId>, i64)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, StoreError> {
        pauses::of_account(tx, self.account).await
    }
}

/// What is known around a lost delivery: the numbers behind `after`, and how many others of its chat may be
/// visible there under a number that nobody knows.
pub struct Around<'a> {
    /// Its conversation, where it was called for.
    pub place: &'a Place,
    /// The delivery.
    pub delivery: &'a Delivery,
    /// It is newer than this.
    pub after: MessageId,
}

#[async_trait]
impl Read for Around<'_> {
    type Output = (Vec<MessageId>, i64);

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, StoreError> {
        // In this order: whoever is lost no more by then has a number that is read after that.
        let others = chats::lost_behind(tx, self.place.id, self.delivery.id, self.after.0).await?;
        Ok((messages::behind(tx, self.place.space_id, self.after, NUMBERS as i64).await?, others))
    }
}

/// Conversations of an account that have something to deliver.
pub struct Due<'a> {
    /// The account.
    pub account: &'a AccountId,
}

#[async_trait]
impl Read for Due<'_> {
    type Output = Vec<i64>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<i64>, StoreError> {
        deliveries::due_conversations(tx, &self.account.channel, &self.account.name).await
    }
}
