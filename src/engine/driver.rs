//! Driving a turn: read what is committed, do what follows from it, commit, again.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::{FutureExt, StreamExt};
use tokio_util::sync::CancellationToken;

use super::calling::run_calls;
use super::commit::{CommitAnswer, Suspend};
use super::desk::{Desk, More, open};
use super::ending::{End, ended, finish, stopped};
use super::turn::{self, Action, Runaway};
use super::{Engine, context};
use crate::agents::Agent;
use crate::crash::{self, Side};
use crate::models::{Completion, ModelError, ModelEvent, Request};
use crate::phrases;
use crate::store::entries::Entry;
use crate::store::turns::{self, Turn, TurnStatus};
use crate::store::waits::WaitKind;
use crate::store::{Read, StoreError, Tx, runs};
use crate::time::millis;
use crate::tools::sessions::only_looks;

/// What a turn did, as far as its driver must know.
enum Progress {
    /// It ended or was suspended; the session's next turn was claimed.
    Left(Option<Turn>),
    /// The process is draining: the turn stays as it is, to be taken up again.
    Paused,
}

/// Drives a turn to its end, and the turns of the session that follow from it. A panic in a tool or client
/// costs the claim of the turn it happened in and nothing else.
pub(super) async fn drive(engine: &Arc<Engine>, first: Turn) {
    let mut turn = Some(first);
    while let Some(current) = turn {
        let cancel = engine.driven.begin(current.id, current.token);
        let work = AssertUnwindSafe(persist(engine, &current, &cancel)).catch_unwind().await;
        engine.driven.end(current.id, current.token);
        turn = match work {
            Ok(next) => next,
            Err(_) => {
                tracing::error!(turn.id = current.id, "a turn panicked; it is tried again");
                engine.abandon(current.id).await;
                None
            }
        };
    }
}

/// Goes on from what is committed until the turn is left, however often the database fails meanwhile.
async fn persist(engine: &Arc<Engine>, turn: &Turn, cancel: &CancellationToken) -> Option<Turn> {
    let mut pause = Duration::from_millis(100);
    let mut taken_over = turn.token > 1;
    loop {
        match attempt(engine, turn, cancel, taken_over).await {
            Ok(Progress::Left(next)) => return next,
            Ok(Progress::Paused) | Err(StoreError::Stale | StoreError::Gone | StoreError::Closed) => {
                return None;
            }
            Err(error) => {
                tracing::error!(turn.id, %error, "a turn can't be stored, it is tried again");
                tokio::select! {
                    biased;
                    () = tokio::time::sleep(pause) => pause = (pause * 2).min(Duration::from_secs(30)),
                    () = engine.drain.cancelled() => return None,
                }
                taken_over = true;
            }
        }
    }
}

async fn attempt(
    engine: &Arc<Engine>,
    turn: &Turn,
    cancel: &CancellationToken,
    taken_over: bool,
) -> Result<Progress, StoreError> {
    let mut desk = open(engine, turn, engine.transcripts.take(turn)).await?;
    let Some(agent) = engine.team.agents.get(&turn.agent) else {
        let end = End::failed(0, "no_agent", phrases::agent_gone(&turn.agent));
        return finish(engine, turn, &desk, None, end).await.map(Progress::Left);
    };
    let agent = &match &desk.ties.model {
        Some(model) => Agent { model: engine.team.agents.model(agent, Some(model)), ..Agent::clone(agent) },
        None => Agent::clone(agent),
    };
    let entries = std::mem::take(&mut desk.entries);
    let work = steps(engine, turn, agent, &desk, entries, taken_over);
    tokio::select! {
        biased;
        // Whoever cancelled has ended the turn in the database already.
        () = cancel.cancelled() => Ok(Progress::Left(None)),
        progress = work => progress,
        over = over(engine, turn) => {
            over?;
            let end = End {
                completion: None,
                step: 0,
                status: TurnStatus::TimedOut,
                reason: Some("deadline".into()),
                text: Some(phrases::timed_out(&agent.name, Duration::from_millis(agent.turn_timeout.unsigned_abs()))),
            };
            finish(engine, turn, &desk, Some(agent), end).await.map(Progress::Left)
        }
        () = engine.team.outlet.typing(&desk.place) => unreachable!("typing goes on until it is dropped"),
    }
}

async fn steps(
    engine: &Arc<Engine>,
    turn: &Turn,
    agent: &Agent,
    desk: &Desk,
    mut entries: Vec<Entry>,
    taken_over: bool,
) -> Result<Progress, StoreError> {
    let mut interrupted = taken_over;
    loop {
        let own: Vec<_> = entries.iter().filter(|entry| entry.turn_id == turn.id).cloned().collect();
        let end = match next(engine, turn, &own).await? {
            Action::RunCalls { step, calls } => {
                if run_calls(engine, turn, agent, desk, step, calls, interrupted).await? {
                    return Ok(Progress::Left(None));
                }
                None
            }
            // A step that is begun ends with its calls: only a new one is left to the next node.
            Action::CallModel { .. } if engine.drain.is_cancelled() => return Ok(Progress::Paused),
            Action::CallModel { step } => match ask(agent, request(engine, agent, desk, &entries)).await {
                Ok(completion) if completion.answer.calls.is_empty() => Some(ended(agent, step, completion)),
                Ok(completion) => {
                    engine.store.commit(CommitAnswer { turn: turn.clone(), step, completion }).await?;
                    None
                }
                Err(error) => match turn::pause_after(&error, left(engine, turn.deadline)) {
                    Some(pause) => return suspend(engine, turn, step, pause).await,
                    None => Some(End::failed(step, "model", phrases::model_failed(&agent.name, &error))),
                },
            },
            Action::Stop(why) => Some(stopped(agent, &why)),
        };
        if let Some(end) = end {
            // A helper that nobody speaks with is seldom heard of again.
            if desk.ties.is_spoken_with() {
                engine.transcripts.keep(turn, entries);
            }
            return finish(engine, turn, desk, Some(agent), end).await.map(Progress::Left);
        }
        interrupted = false;
        let after = entries.last().map(|entry| entry.seq);
        let more = engine.store.read(More { transcripts: &engine.transcripts, turn, after }).await?;
        entries = engine.transcripts.join(entries, more, turn);
    }
}

/// Waits until a turn's time is over, of which none passes while its node is not there.
async fn over(engine: &Engine, turn: &Turn) -> Result<(), StoreError> {
    let mut deadline = turn.deadline;
    while deadline > engine.store.now() {
        tokio::time::sleep(left(engine, deadline)).await;
        engine.attend().await?;
        deadline = engine.store.read(Deadline { turn }).await?;
    }
    Ok(())
}

/// How long a turn with this deadline may still be at work.
fn left(engine: &Engine, deadline: i64) -> Duration {
    Duration::from_millis(u64::try_from(deadline - engine.store.now()).unwrap_or(0))
}

/// When a turn's time is over, as it is stored.
struct Deadline<'a> {
    turn: &'a Turn,
}

#[async_trait]
impl Read for Deadline<'_> {
    type Output = i64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<i64, StoreError> {
        Ok(turns::get(tx, self.turn.id).await?.deadline)
    }
}

/// What a turn does next. A loop of looks at children at work is patience.
async fn next(engine: &Engine, turn: &Turn, own: &[Entry]) -> Result<Action, StoreError> {
    let action = turn::next(own);
    if let Action::Stop(Runaway::Loop { tool }) = &action
        && only_looks(tool)
        && engine.store.read(Children { turn }).await? > 0
    {
        return Ok(turn::patiently(own));
    }
    Ok(action)
}

/// How many children of a turn's session are at work.
struct Children<'a> {
    turn: &'a Turn,
}

#[async_trait]
impl Read for Children<'_> {
    type Output = i64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<i64, StoreError> {
        runs::count_live(tx, self.turn.session_id, self.turn.generation).await
    }
}

fn request(engine: &Engine, agent: &Agent, desk: &Desk, entries: &[Entry]) -> Request {
    let tools = engine.team.tools.specs(agent, &desk.policy);
    let around = context::Around {
        agents: &engine.team.agents,
        place: &desk.place,
        ties: &desk.ties,
        roster: &desk.roster,
    };
    context::request(agent, &around, entries, tools)
}

/// One call of the model, to its end.
async fn ask(agent: &Agent, request: Request) -> Result<Completion, ModelError> {
    crash::point("call", "model", Side::Before);
    let mut events = agent.model.stream(request);
    while let Some(event) = events.next().await {
        if let ModelEvent::End(completion) = event? {
            crash::point("call", "model", Side::After);
            return Ok(completion);
        }
    }
    let model = agent.model.name().to_owned();
    Err(ModelError::Unavailable { model, reason: "the answer broke off".into() })
}

async fn suspend(engine: &Engine, turn: &Turn, step: i64, pause: Duration) -> Result<Progress, StoreError> {
    let due_at = engine.store.now() + millis(pause);
    engine.store.commit(Suspend { turn: turn.clone(), step, kind: WaitKind::Model, due_at }).await?;
    engine.wake();
    Ok(Progress::Left(None))
}
