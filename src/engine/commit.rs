//! The commits of a turn at work: T3, T4, T5, suspending, and giving back. Every one carries the fencing
//! token of its claim; with a stale one it changes nothing.

use async_trait::async_trait;
use roundtable_contract::Part;

use super::claim::claim_next;
use super::close::{Said, close, post_unspoken};
use super::effects::Effects;
use super::team::Team;
use crate::models::Completion;
use crate::store::deliveries::{self, Delivery, NewAnswer};
use crate::store::entries::{self, CallResult};
use crate::store::inbox::ItemKind;
use crate::store::turns::{self, Claimant, Ties, Turn, TurnStatus};
use crate::store::waits::{self, NewWait, WaitKind};
use crate::store::{StoreError, Transaction, Tx, inbox, sessions, trees};
use crate::tools::Policy;

/// T3: the model's answer with its calls, before any of them is made.
pub struct CommitAnswer {
    /// The turn.
    pub turn: Turn,
    /// The step the answer is of.
    pub step: i64,
    /// The answer and its cost.
    pub completion: Completion,
}

#[async_trait]
impl Transaction for CommitAnswer {
    type Output = ();
    const NAME: &'static str = "answer";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let Completion { answer, usage, model, .. } = &self.completion;
        let seq = entries::append_answer(tx, &self.turn, self.step, answer, model, usage).await?;
        turns::answered(tx, &self.turn, self.step, seq).await
    }
}

/// T4: the result of one call. With `absorb`, what was said meanwhile comes into the turn with it.
pub struct CommitResult {
    /// The turn.
    pub turn: Turn,
    /// The step the call is of.
    pub step: i64,
    /// Which call of the step.
    pub call_index: i64,
    /// The result.
    pub result: CallResult,
    /// It is the step's last result and the session steers.
    pub absorb: bool,
}

#[async_trait]
impl Transaction for CommitResult {
    type Output = ();
    const NAME: &'static str = "result";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        sessions::hold(tx, self.turn.session_id).await?;
        // First, because whoever took over may have written this very result.
        turns::progress(tx, &self.turn, self.step).await?;
        entries::append_result(tx, &self.turn, self.step, self.call_index, &self.result).await?;
        if self.absorb { absorb(tx, &self.turn, self.step).await } else { Ok(()) }
    }
}

/// Takes what was said meanwhile in the turn's conversation into the turn. What is a message of an exchange is not:
/// its answer is owed to somebody; nor is what would have other rights, unless a person says it.
pub(super) async fn absorb(tx: &mut Tx<'_>, turn: &Turn, step: i64) -> Result<(), StoreError> {
    // After `/new keep` the session's input belongs to its next generation, not to this turn.
    if sessions::lock(tx, turn.session_id).await?.generation != turn.generation {
        return Ok(());
    }
    let mut items = inbox::pending(tx, turn.session_id).await?;
    items.retain(|item| {
        item.conversation_id == turn.conversation_id
            && item.exchange_id.is_none()
            && item.not_before <= tx.now()
    });
    if items.is_empty() {
        return Ok(());
    }
    let policy = Policy::of_turn(tx, turn).await?;
    let own = Policy::of_session(tx, turn.session_id).await?;
    items.retain(|item| {
        let joins = item.kind == ItemKind::User || !item.wake;
        joins || own.with_carried(item.policy.as_deref()).same(&policy)
    });
    inbox::consume(tx, &items, turn.id).await?;
    entries::append_input(tx, turn, step, &items).await
}

/// T5: the end of a turn, with all that follows from it.
pub struct Finish {
    /// The turn.
    pub turn: Turn,
    /// The last step's number.
    pub step: i64,
    /// The final answer, if the model gave one.
    pub completion: Option<Completion>,
    /// How it ended.
    pub status: TurnStatus,
    /// Why, when it is not `Done`.
    pub reason: Option<String>,
    /// What becomes visible.
    pub parts: Vec<Part>,
    /// What is said, for the other side of an exchange or the requester of a run.
    pub text: String,
    /// Whom the turn's end concerns beside its conversation; `None`: nobody.
    pub ties: Option<Ties>,
    /// Its session was the only one of its tree when the turn was last begun or resumed.
    pub alone: bool,
    /// `answer` or `notice`.
    pub kind: &'static str,
    /// This process sends the first part at once if the conversation is clear, within so many milliseconds.
    pub send_within: Option<i64>,
    /// The team.
    pub team: Team,
    /// Who goes on with the session's next turn; `None`: nobody here.
    pub by: Option<Claimant>,
}

/// What the end of a turn leaves to do.
pub struct Finished {
    /// To be sent at once: it is marked so already.
    pub delivery: Option<Delivery>,
    /// The session's next turn, claimed.
    pub next: Option<Turn>,
    /// Who else has to be told.
    pub after: Effects,
}

#[async_trait]
impl Transaction for Finish {
    type Output = Finished;
    const NAME: &'static str = "finish";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Finished, StoreError> {
        if self.ties.is_some() {
            trees::lock(tx, self.turn.tree_id).await?;
        }
        match &self.completion {
            Some(Completion { answer, usage, model, .. }) => {
                entries::append_answer(tx, &self.turn, self.step, answer, model, usage).await?;
            }
            // Takes the session's lock, which comes before the turn's.
            None => drop(sessions::lock(tx, self.turn.session_id).await?),
        }
        turns::leave(tx, &self.turn, self.status, self.reason.as_deref()).await?;
        let mut after = Effects::default();
        let shown = match &self.ties {
            Some(ties) => close(tx, &self.team, &self.turn, ties, &self.said(), &mut after).await?,
            None => true,
        };
        post_unspoken(tx, &self.team, &self.turn, self.alone, &self.said(), &mut after).await?;
        let delivery = deliveries::insert(
            tx,
            &NewAnswer {
                conversation_id: self.turn.conversation_id,
                author: Some((&self.turn).into()),
                kind: self.kind,
                name: &format!("turn:{}", self.turn.id),
                parts: if shown { &self.parts } else { &[] },
                send_within: self.send_within,
            },
        )
        .await?;
        let next = match &self.by {
            // Others may have waited for longer for the room that it leaves: the scheduler knows.
            Some(_) if self.team.agents.get(&self.turn.agent).is_some_and(|agent| agent.max_turns > 0) => {
                None
            }
            Some(by) if inbox::count_pending(tx, self.turn.session_id).await? > 0 => {
                let session = sessions::lock(tx, self.turn.session_id).await?;
                claim_next(tx, &session, &self.team.agents, by).await?
            }
            _ => None,
        };
        Ok(Finished { delivery, next, after })
    }
}

impl Finish {
    fn said(&self) -> Said<'_> {
        let (text, failure) = match self.status {
            TurnStatus::Done => (self.text.as_str(), None),
            _ => ("", Some(self.text.as_str())),
        };
        Said { status: self.status, text, failure }
    }
}

/// The turn becomes a row that waits for a time, which is taken from its own: a model that always asks for a pause must
/// not keep it for ever.
pub struct Suspend {
    /// The turn.
    pub turn: Turn,
    /// The step that is waited in.
    pub step: i64,
    /// What for.
    pub kind: WaitKind,
    /// Until when.
    pub due_at: i64,
}

#[async_trait]
impl Transaction for Suspend {
    type Output = ();
    const NAME: &'static str = "suspend";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        sessions::lock(tx, self.turn.session_id).await?;
        turns::leave(tx, &self.turn, TurnStatus::Waiting, Some(self.kind.as_str())).await?;
        turns::pay(tx, &self.turn, self.due_at).await?;
        let new = NewWait {
            turn: &self.turn,
            kind: self.kind,
            step: self.step,
            call_index: None,
            exchange_id: None,
            target_id: None,
            coverage: None,
            due_at: Some(self.due_at),
        };
        waits::add(tx, &new).await.map(drop)
    }
}
