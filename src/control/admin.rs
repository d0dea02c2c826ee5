//! What the operator reads and changes, through HTTP or, without a running node, by the command line itself.

use async_trait::async_trait;
use roundtable_contract::{Attachment, Conversation};
use serde::{Deserialize, Serialize};

use crate::models::ToolCall;
use crate::routing::pairing;
use crate::store::deliveries::{self, Listed, State};
use crate::store::entries::{self, Content, Entry, Role};
use crate::store::nodes::{self, Node};
use crate::store::session_lists::{self, Filter, Summary};
use crate::store::{Read, Store, StoreError, Transaction, Tx, people, sessions};

/// How long an owner's code can be used, in milliseconds.
const CODE_LIFE: i64 = 60 * 60 * 1000;

/// The most recently changed sessions; with `key`, that one.
pub struct Sessions {
    /// The stable key.
    pub key: Option<String>,
    /// How many.
    pub limit: i64,
}

#[async_trait]
impl Read for Sessions {
    type Output = Vec<Summary>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Summary>, StoreError> {
        let filter = Filter { key: self.key.as_deref(), archived: true, ..Filter::default() };
        session_lists::list(tx, &filter, self.limit).await
    }
}

/// Entries of one session behind `after`, oldest first; `None`: there is no such session.
pub struct Transcript {
    /// The session's stable key.
    pub key: String,
    /// The number of an entry; 0 for the beginning.
    pub after: i64,
    /// How many.
    pub limit: i64,
}

#[async_trait]
impl Read for Transcript {
    type Output = Option<Vec<TranscriptLine>>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, StoreError> {
        if sessions::find_key(tx, &self.key).await?.is_none() {
            return Ok(None);
        }
        let entries = entries::of_key(tx, &self.key, self.after, self.limit).await?;
        Ok(Some(entries.into_iter().map(TranscriptLine::from).collect()))
    }
}

/// An entry as the operator sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TranscriptLine {
    /// Its number in the session.
    pub seq: i64,
    /// The generation it belongs to; `/new` starts the next one.
    pub generation: i64,
    /// The turn that wrote it.
    pub turn: i64,
    /// The step of that turn.
    pub step: i64,
    /// Whose part it is.
    pub role: Role,
    /// Who said it, or the tool; `None`: the session's agent.
    pub author: Option<String>,
    /// The text, or the tool's result.
    pub text: String,
    /// What the agent asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<ToolCall>,
    /// What came with the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// When it was written, milliseconds since 1970.
    pub created_at: i64,
}

impl From<Entry> for TranscriptLine {
    fn from(entry: Entry) -> Self {
        let (role, author, text, calls, attachments) = match entry.content {
            Content::Input { author, body, .. } => {
                (Role::User, Some(author), body.text, Vec::new(), body.attachments)
            }
            Content::Answer(answer) => (Role::Assistant, None, answer.text, answer.calls, Vec::new()),
            Content::Result(result) => {
                (Role::Tool, Some(result.tool), result.content, Vec::new(), Vec::new())
            }
        };
        Self {
            seq: entry.seq,
            generation: entry.generation,
            turn: entry.turn_id,
            step: entry.step,
            role,
            author,
            text,
            calls,
            attachments,
            created_at: entry.created_at,
        }
    }
}

/// The newest deliveries; without `all`, those that are neither sent nor cancelled.
pub struct Deliveries {
    /// Also what is done with.
    pub all: bool,
    /// How many.
    pub limit: i64,
}

#[async_trait]
impl Read for Deliveries {
    type Output = Vec<Listed>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Listed>, StoreError> {
        deliveries::list(tx, self.all, self.limit).await
    }
}

/// The nodes that share the database.
pub struct Nodes;

#[async_trait]
impl Read for Nodes {
    type Output = Vec<Node>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Node>, StoreError> {
        nodes::list(tx).await
    }
}

/// Why something was not done, as the operator is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A number that names no delivery.
    #[error("There is no delivery {0}.")]
    NoDelivery(i64),
    /// The delivery's state does not allow it.
    #[error("Delivery {id} is {}, so there is nothing to do.", .state.as_str())]
    Settled {
        /// Its number.
        id: i64,
        /// Its state.
        state: State,
    },
    /// A new code would be good for nothing.
    #[error("Somebody owns the bot already. Whoever shall own it too belongs in `owners` of the account.")]
    Owned,
    /// Only what was let in at run time can be taken back at run time.
    #[error(
        "{0} was not let in by an owner. A group of the configuration is in `groups` of [channels.{channel}.{name}].",
        channel = .0.account.channel, name = .0.account.name
    )]
    NotLetIn(Conversation),
}

/// Sends a delivery again: now, whatever it was waiting for. Returns its conversation.
pub struct Retry(pub i64);

#[async_trait]
impl Transaction for Retry {
    type Output = Result<i64, Refusal>;
    const NAME: &'static str = "retry_delivery";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, StoreError> {
        match deliveries::retry(tx, self.0).await? {
            Some(conversation) => Ok(Ok(conversation)),
            None => refusal(tx, self.0).await.map(Err),
        }
    }
}

/// Gives a delivery up.
pub struct Discard(pub i64);

#[async_trait]
impl Transaction for Discard {
    type Output = Result<(), Refusal>;
    const NAME: &'static str = "discard_delivery";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, StoreError> {
        match deliveries::discard(tx, self.0).await? {
            true => Ok(Ok(())),
            false => refusal(tx, self.0).await.map(Err),
        }
    }
}

async fn refusal(tx: &mut Tx<'_>, id: i64) -> Result<Refusal, StoreError> {
    let state = deliveries::state(tx, id).await?;
    Ok(state.map_or(Refusal::NoDelivery(id), |state| Refusal::Settled { id, state }))
}

/// Takes back that a group was let in at run time.
pub struct Revoke(pub Conversation);

#[async_trait]
impl Transaction for Revoke {
    type Output = Result<(), Refusal>;
    const NAME: &'static str = "revoke_chat";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, StoreError> {
        let revoked = people::disallow_chat(tx, &self.0.account, &self.0.chat).await?;
        Ok(if revoked { Ok(()) } else { Err(Refusal::NotLetIn(self.0.clone())) })
    }
}

/// Stores a new owner's code, which voids the one before, and returns it as it is shown; `None`: somebody
/// owns the bot already.
pub async fn new_owner_code(store: &Store) -> Result<Option<String>, StoreError> {
    let random = uuid::Uuid::new_v4().into_bytes();
    let mut seed = [0; 8];
    seed.copy_from_slice(&random[8..]);
    let shown = pairing::make_code(seed);
    let code = people::NewCode { code: pairing::normalise_code(&shown), life: CODE_LIFE };
    Ok(store.commit(code).await?.then_some(shown))
}
