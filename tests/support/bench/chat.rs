//! What the people on a bench do and see: one private chat, written to and read in the store itself.

use std::sync::Arc;

use async_trait::async_trait;
use roundtable::agents::Agents;
use roundtable::engine::{self, Effects, Outlet, Team, Whose, claim_next};
use roundtable::store::conversations::{self, About, Place};
use roundtable::store::deliveries::{self, Delivery};
use roundtable::store::inbox::{self, Author, Body, ItemKind, NewItem};
use roundtable::store::sessions::{self, Kind, NewSession};
use roundtable::store::turns::{Claimant, Turn};
use roundtable::store::{Read, StoreError, Transaction, Tx};
use roundtable_contract::{AccountId, ChatKind, Conversation, Outgoing, Part};

/// Everything is left in the table of deliveries, where the bench reads it.
pub struct Notes;

#[async_trait]
impl Outlet for Notes {
    fn render(&self, _place: &Place, outgoing: &Outgoing) -> Vec<Part> {
        vec![Part { body: outgoing.text.clone(), text: outgoing.text.clone(), stub: None }]
    }

    fn bound_agent(&self, _place: &Place) -> Option<String> {
        Some("manager".into())
    }

    fn opens_threads(&self, _place: &Place) -> bool {
        false
    }

    fn thread_home(&self, place: &Place) -> Conversation {
        place.address.clone()
    }

    fn opening(&self, _place: &Place, _name: &str, _outgoing: &Outgoing) -> Option<Part> {
        None
    }

    fn space(&self, _conversation: &Conversation) -> String {
        "bench".into()
    }

    fn send_now(&self, _place: &Place) -> Option<i64> {
        None
    }

    fn dispatch(&self, _delivery: Delivery) {}

    fn hint(&self, _conversation_id: i64) {}

    async fn typing(&self, _place: &Place) {
        std::future::pending().await
    }
}

fn address() -> Conversation {
    Conversation::chat(AccountId::new("bench", "main"), "1")
}

async fn session(tx: &mut Tx<'_>) -> Result<(Place, i64), StoreError> {
    let about = About { kind: ChatKind::Direct, title: None, guild: None, parent: None, space: "bench" };
    let place = conversations::find_or_create(tx, &address(), &about).await?;
    if let Some(id) = sessions::find(tx, place.id, "manager").await? {
        return Ok((place, id));
    }
    let key = "agent:manager:bench:main:dm:1";
    let new = NewSession {
        key,
        kind: Kind::Direct,
        agent: "manager",
        label: None,
        conversation_id: Some(place.id),
        parent: None,
        task: None,
        fork: None,
        model: None,
    };
    let id = sessions::create(tx, &new).await?;
    Ok((place, id))
}

/// A person writes.
pub(super) struct Says(pub(super) String);

#[async_trait]
impl Transaction for Says {
    type Output = ();
    const NAME: &'static str = "bench_says";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let (place, session_id) = session(tx).await?;
        let session = sessions::lock(tx, session_id).await?;
        let (ann, body) = (Author { id: "1", name: "Ann" }, Body { text: self.0.clone(), ..Body::default() });
        inbox::push(tx, &NewItem::new(ItemKind::User, ann, &session, place.id, &body)).await.map(drop)
    }
}

/// The session's next turn is claimed.
pub(super) struct Claim {
    pub(super) agents: Arc<Agents>,
    pub(super) by: Claimant,
}

#[async_trait]
impl Transaction for Claim {
    type Output = Option<Turn>;
    const NAME: &'static str = "bench_claim";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, StoreError> {
        let (_, session_id) = session(tx).await?;
        let session = sessions::lock(tx, session_id).await?;
        claim_next(tx, &session, &self.agents, &self.by).await
    }
}

/// Somebody says `/stop`.
pub(super) struct Stop(pub(super) Team);

#[async_trait]
impl Transaction for Stop {
    type Output = Effects;
    const NAME: &'static str = "bench_stop";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, StoreError> {
        let (_, session_id) = session(tx).await?;
        let mut after = Effects::default();
        engine::stop(tx, &self.0, session_id, Whose::Everybodys, "stopped", &mut after).await?;
        Ok(after)
    }
}

/// All that people were told.
pub(super) struct Said;

#[async_trait]
impl Read for Said {
    type Output = Vec<String>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<String>, StoreError> {
        let Some(place) = conversations::find(tx, &address()).await? else { return Ok(Vec::new()) };
        let open = deliveries::open(tx, place.id, 1_000).await?;
        Ok(open.into_iter().map(|delivery| delivery.part.text).collect())
    }
}
