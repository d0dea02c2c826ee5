//! The `sessions_*` calls of a step, in list order and in one transaction with all their effects; and the results of
//! those that waited. With (turn, step, index) as their name they happen once however often the step is begun.

use async_trait::async_trait;
use roundtable_contract::Outgoing;
use serde_json::Value;

use super::commit::absorb;
use super::effects::Effects;
use super::patience::with_hint;
use super::stop::{self, Whose};
use super::team::Team;
use super::threads::{self, Wanted};
use crate::agents::{QueueMode, Visibility};
use crate::models::ToolCall;
use crate::store::deliveries::{self, NewAnswer};
use crate::store::entries::{self, CallResult};
use crate::store::sessions::{self, Session};
use crate::store::turns::{self, Turn, TurnStatus};
use crate::store::waits::{self, NewWait, Wait, WaitKind};
use crate::store::{StoreError, Transaction, Tx, conversations, inbox, trees};
use crate::tools::Policy;
use crate::tools::sessions::{Called, Caller, Effect, WaitFor};

/// Makes the session calls of a step. If one of them waits, the turn becomes a row.
pub struct CommitCalls {
    /// The turn.
    pub turn: Turn,
    /// The step.
    pub step: i64,
    /// Index within the step, and the call.
    pub calls: Vec<(i64, ToolCall)>,
    /// What restricts the turn's tools.
    pub policy: Policy,
    /// The team.
    pub team: Team,
}

/// What the calls of a step have led to.
pub struct Made {
    /// The turn waits.
    pub suspended: bool,
    /// Who has to be told.
    pub after: Effects,
}

#[async_trait]
impl Transaction for CommitCalls {
    type Output = Made;
    const NAME: &'static str = "calls";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Made, StoreError> {
        let mut after = Effects::default();
        trees::lock(tx, self.turn.tree_id).await?;
        if self.may_leave_tree() {
            trees::lock_between(tx).await?;
        }
        let session = sessions::lock(tx, self.turn.session_id).await?;
        turns::progress(tx, &self.turn, self.step).await?;
        let mut waiting = Vec::new();
        for (index, call) in &self.calls {
            match self.make(tx, &session, *index, call, &mut after).await? {
                Called::Done(result) => self.result(tx, *index, call, result).await?,
                Called::Waits(wait) => waiting.push(self.wait(tx, *index, wait).await?),
            }
        }
        // Looking changes nothing: two that wait for each other's changes would never rest.
        let yields = waiting.iter().any(|(_, kind)| *kind == WaitKind::Runs);
        if after.work || yields {
            waits::changed(tx, session.tree_id, session.id).await?;
        }
        if waiting.is_empty() {
            self.take_in(tx, &session).await?;
            return Ok(Made { suspended: false, after });
        }
        if inbox::has_user_item(tx, session.id, self.turn.conversation_id).await? {
            // What a person wrote while the model thought ends a wait like what is written during it.
            for (wait, _) in &waiting {
                waits::resolve(tx, *wait, waits::INTERRUPTED).await?;
            }
        }
        turns::leave(tx, &self.turn, TurnStatus::Waiting, Some(waiting[0].1.as_str())).await?;
        // The scheduler has to know when the first is due, or that none is open any more.
        after.work = true;
        Ok(Made { suspended: true, after })
    }
}

impl CommitCalls {
    async fn opens_threads(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        if !self.calls.iter().any(|(_, call)| call.name == "sessions_spawn") {
            return Ok(false);
        }
        let place = conversations::get(tx, self.turn.conversation_id).await?;
        Ok(self.team.outlet.opens_threads(&place))
    }

    /// Whether a wait may be added that closes a circle through several trees, which is decided alone. Where some
    /// agent's waits can leave its tree, those within one can be a part of such a circle.
    fn may_leave_tree(&self) -> bool {
        let mut agents = self.team.agents.iter();
        self.calls.iter().any(|(_, call)| call.name == "sessions_send")
            && agents.any(|agent| agent.visibility > Visibility::Tree)
    }

    async fn make(
        &self,
        tx: &mut Tx<'_>,
        session: &Session,
        index: i64,
        call: &ToolCall,
        after: &mut Effects,
    ) -> Result<Called, StoreError> {
        let Some(agent) = self.team.agents.get(&session.agent) else { return Err(StoreError::Stale) };
        let caller = Caller {
            turn: &self.turn,
            step: self.step,
            index,
            session,
            agent,
            agents: &self.team.agents,
            policy: &self.policy,
            secrets: self.team.tools.secrets(),
            opens_threads: self.opens_threads(tx).await?,
        };
        let mut effects = Vec::new();
        let called = self.team.tools.call_session(tx, &caller, call, &mut effects).await?;
        for effect in effects {
            self.carry_out(tx, session, index, effect, after).await?;
        }
        Ok(called)
    }

    async fn carry_out(
        &self,
        tx: &mut Tx<'_>,
        session: &Session,
        index: i64,
        effect: Effect,
        after: &mut Effects,
    ) -> Result<(), StoreError> {
        match effect {
            Effect::Work => after.work = true,
            Effect::OpenThread { run_id, session_id, name } => {
                let wanted = Wanted { run_id, session_id, name: &name };
                threads::ask(tx, &self.team, &self.turn, &wanted, after).await?;
            }
            Effect::Stop { session_id } => {
                let reason = format!("{} stopped it", session.name());
                stop::stop(tx, &self.team, session_id, Whose::Everybodys, &reason, after).await?;
            }
            Effect::Say { text } => {
                let place = conversations::get(tx, self.turn.conversation_id).await?;
                let speaker = self.team.speaker(&place, session);
                let parts = self.team.outlet.render(&place, &Outgoing { text, speaker, reply_to: None });
                let new = NewAnswer {
                    conversation_id: place.id,
                    author: Some((&self.turn).into()),
                    kind: "answer",
                    name: &format!("turn:{}:{}:{index}", self.turn.id, self.step),
                    parts: &parts,
                    send_within: None,
                };
                deliveries::insert(tx, &new).await?;
                after.said.push(place.id);
            }
        }
        Ok(())
    }

    async fn result(
        &self,
        tx: &mut Tx<'_>,
        index: i64,
        call: &ToolCall,
        result: Value,
    ) -> Result<(), StoreError> {
        let result = with_hint(tx, &self.turn, (self.step, index), call, result).await?;
        let result =
            CallResult { call_id: call.id.clone(), tool: call.name.clone(), content: result.to_string() };
        entries::append_result(tx, &self.turn, self.step, index, &result).await
    }

    /// Adds a wait, before the step's next call is made: what that one does may end it.
    async fn wait(&self, tx: &mut Tx<'_>, index: i64, wait: WaitFor) -> Result<(i64, WaitKind), StoreError> {
        let new = NewWait {
            turn: &self.turn,
            kind: wait.kind,
            step: self.step,
            call_index: Some(index),
            exchange_id: wait.exchange_id,
            target_id: wait.target_id,
            coverage: wait.coverage,
            due_at: wait.due_at,
        };
        Ok((waits::add(tx, &new).await?, wait.kind))
    }

    async fn take_in(&self, tx: &mut Tx<'_>, session: &Session) -> Result<(), StoreError> {
        let steers =
            self.team.agents.get(&session.agent).is_some_and(|agent| agent.queue == QueueMode::Steer);
        if steers { absorb(tx, &self.turn, self.step).await } else { Ok(()) }
    }
}

/// Writes the results of the calls that waited, as part of the transaction that resumes their turn.
pub async fn append_waited(
    tx: &mut Tx<'_>,
    team: &Team,
    turn: &Turn,
    session: &Session,
) -> Result<(), StoreError> {
    let Some(agent) = team.agents.get(&session.agent) else { return Ok(()) };
    let waited: Vec<Wait> = waits::unwritten(tx, turn.id).await?;
    for wait in &waited {
        let (Some(index), Some(answer)) = (wait.call_index, entries::answer_of(tx, turn, wait.step).await?)
        else {
            continue;
        };
        let Some(call) = usize::try_from(index).ok().and_then(|index| answer.calls.get(index)) else {
            continue;
        };
        let policy = Policy::of_turn(tx, turn).await?;
        let caller = Caller {
            turn,
            step: wait.step,
            index,
            session,
            agent,
            agents: &team.agents,
            policy: &policy,
            secrets: team.tools.secrets(),
            opens_threads: false,
        };
        let content = team.tools.waited(tx, &caller, call, wait).await?;
        let content = with_hint(tx, turn, (wait.step, index), call, content).await?.to_string();
        let result = CallResult { call_id: call.id.clone(), tool: call.name.clone(), content };
        entries::append_result(tx, turn, wait.step, index, &result).await?;
    }
    if let Some(last) = waited.last() {
        turns::progress(tx, turn, last.step).await?;
        // Whatever the mode: a wait that a person has ended has ended for what they said.
        let interrupted = waited.iter().any(|wait| wait.outcome.as_deref() == Some(waits::INTERRUPTED));
        if interrupted || agent.queue == QueueMode::Steer {
            absorb(tx, turn, last.step).await?;
        }
    }
    Ok(())
}
