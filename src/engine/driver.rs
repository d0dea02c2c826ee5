//! Driving a turn: read what is committed, do what follows from it, commit, again.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use roundtable_contract::{Outgoing, Part, Speaker};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::calls::CommitCalls;
use super::commit::{CommitAnswer, CommitResult, Finish, Suspend};
use super::roster::Seat;
use super::turn::{self, Action, Ending, Runaway};
use super::{Engine, context, seats, transcripts};
use crate::agents::{Agent, QueueMode};
use crate::crash::{self, Side};
use crate::models::{Completion, ModelError, ModelEvent, Request, ToolCall};
use crate::phrases;
use crate::store::conversations::Place;
use crate::store::entries::{CallResult, Entry};
use crate::store::inbox::ItemKind;
use crate::store::turns::{self, Ties, Turn, TurnStatus};
use crate::store::waits::WaitKind;
use crate::store::{Read, StoreError, Tx, runs};
use crate::tools::sessions::only_looks;
use crate::tools::{CallContext, Policy};

/// What a turn did, as far as its driver must know.
enum Progress {
    /// It ended or was suspended; the session's next turn was claimed.
    Left(Option<Turn>),
    /// The process is draining: the turn stays as it is, to be taken up again.
    Paused,
}

/// How a turn ends.
struct End {
    completion: Option<Completion>,
    step: i64,
    status: TurnStatus,
    reason: Option<String>,
    text: Option<String>,
}

impl End {
    fn failed(step: i64, reason: &str, text: String) -> Self {
        Self {
            completion: None,
            step,
            status: TurnStatus::Failed,
            reason: Some(reason.into()),
            text: Some(text),
        }
    }
}

/// Drives a turn to its end, and the turns of the session that follow from it. A panic in a tool or client
/// costs the claim of the turn it happened in and nothing else.
pub(super) async fn drive(engine: &Arc<Engine>, first: Turn) {
    let mut turn = Some(first);
    while let Some(current) = turn {
        let cancel = engine.register(current.id);
        let work = AssertUnwindSafe(persist(engine, &current, &cancel)).catch_unwind().await;
        engine.forget(current.id);
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
            Ok(Progress::Paused) | Err(StoreError::Stale | StoreError::Closed) => return None,
            Err(error) => {
                tracing::error!(turn.id, %error, "a turn can't be stored, it is tried again");
                tokio::select! {
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
        return finish(engine, turn, &desk, None, end).await;
    };
    let agent = &match &desk.ties.model {
        Some(model) => Agent { model: engine.team.agents.model(agent, Some(model)), ..Agent::clone(agent) },
        None => Agent::clone(agent),
    };
    let left = u64::try_from(turn.deadline - engine.store.now()).unwrap_or(0);
    let entries = std::mem::take(&mut desk.entries);
    let work = steps(engine, turn, agent, &desk, entries, taken_over);
    tokio::select! {
        biased;
        // Whoever cancelled has ended the turn in the database already.
        () = cancel.cancelled() => Ok(Progress::Left(None)),
        progress = work => progress,
        () = tokio::time::sleep(Duration::from_millis(left)) => {
            let end = End {
                completion: None,
                step: 0,
                status: TurnStatus::TimedOut,
                reason: Some("deadline".into()),
                text: Some(phrases::timed_out(&agent.name, Duration::from_millis(agent.turn_timeout.unsigned_abs()))),
            };
            finish(engine, turn, &desk, Some(agent), end).await
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
                Err(error) => match turn::pause_after(&error) {
                    Some(pause) => return suspend(engine, turn, step, pause).await,
                    None => Some(End::failed(step, "model", phrases::model_failed(&agent.name, &error))),
                },
            },
            Action::Stop(why) => Some(stopped(agent, &why)),
        };
        if let Some(end) = end {
            engine.transcripts.keep(turn, entries);
            return finish(engine, turn, desk, Some(agent), end).await;
        }
        interrupted = false;
        let after = entries.last().map(|entry| entry.seq);
        let more = engine.store.read(More { turn, after }).await?;
        entries = transcripts::join(entries, more, turn);
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

fn ended(agent: &Agent, step: i64, completion: Completion) -> End {
    let text = match turn::ending(&completion.answer) {
        Ending::Say => Some(completion.answer.text.clone()),
        Ending::Silent => None,
        Ending::Empty => {
            let text = Some(phrases::empty_answer(&agent.name));
            let reason = Some("empty_answer".into());
            return End { completion: Some(completion), step, status: TurnStatus::Failed, reason, text };
        }
    };
    End { completion: Some(completion), step, status: TurnStatus::Done, reason: None, text }
}

fn stopped(agent: &Agent, why: &Runaway) -> End {
    match why {
        Runaway::Loop { tool } => End::failed(0, "loop", phrases::looping(&agent.name, tool)),
        Runaway::Steps => End::failed(0, "steps", phrases::too_many_steps(&agent.name, turn::MAX_STEPS)),
    }
}

/// Makes the calls of a step: those that work outside the database at the same time, each result committed as it
/// comes; then those on sessions, in one transaction. `true`: the turn waits now.
async fn run_calls(
    engine: &Arc<Engine>,
    turn: &Turn,
    agent: &Agent,
    desk: &Desk,
    step: i64,
    calls: Vec<(i64, ToolCall)>,
    interrupted: bool,
) -> Result<bool, StoreError> {
    let (sessions, calls): (Vec<_>, Vec<_>) =
        calls.into_iter().partition(|(_, call)| engine.team.tools.is_of_sessions(&call.name));
    let context = CallContext { agent, agents: &engine.team.agents, policy: &desk.policy };
    let mut left = calls.len();
    let mut results: FuturesUnordered<_> = calls
        .iter()
        .map(|(index, call)| async move {
            let content = if interrupted && !engine.team.tools.repeatable(&call.name) {
                interrupted_result()
            } else {
                crash::point("call", "tool", Side::Before);
                let content = engine.team.tools.call(&context, call).await.to_string();
                crash::point("call", "tool", Side::After);
                content
            };
            (*index, CallResult { call_id: call.id.clone(), tool: call.name.clone(), content })
        })
        .collect();
    while let Some((call_index, result)) = results.next().await {
        left -= 1;
        let absorb = left == 0 && sessions.is_empty() && agent.queue == QueueMode::Steer;
        let commit = CommitResult { turn: turn.clone(), step, call_index, result, absorb };
        engine.store.commit(commit).await?;
    }
    if sessions.is_empty() {
        return Ok(false);
    }
    let (policy, team) = (desk.policy.clone(), engine.team.clone());
    let made =
        engine.store.commit(CommitCalls { turn: turn.clone(), step, calls: sessions, policy, team }).await?;
    engine.follow(&made.after);
    Ok(made.suspended)
}

fn interrupted_result() -> String {
    json!({
        "status": "error",
        "code": "interrupted",
        "message": "interrupted: the process stopped while this ran; its effect is unknown",
    })
    .to_string()
}

async fn suspend(engine: &Engine, turn: &Turn, step: i64, pause: Duration) -> Result<Progress, StoreError> {
    let due_at = engine.store.now() + i64::try_from(pause.as_millis()).unwrap_or(i64::MAX / 2);
    engine.store.commit(Suspend { turn: turn.clone(), step, kind: WaitKind::Model, due_at }).await?;
    engine.wake();
    Ok(Progress::Left(None))
}

async fn finish(
    engine: &Arc<Engine>,
    turn: &Turn,
    desk: &Desk,
    agent: Option<&Agent>,
    end: End,
) -> Result<Progress, StoreError> {
    let Ready { end, parts, text } = ready(engine, turn, desk, agent, end);
    let said = end.status == TurnStatus::Done;
    let ties = desk.ties.bind(turn).then(|| desk.ties.clone());
    // What may not be shown at all takes no place in the chat's pace.
    let sure = turn.exchange_id.is_none() && (!desk.ties.spawned || desk.ties.trigger == ItemKind::User);
    let send_within = if parts.is_empty() || !sure { None } else { engine.team.outlet.send_now(&desk.place) };
    let visible = !parts.is_empty();
    let finished = engine
        .store
        .commit(Finish {
            turn: turn.clone(),
            step: end.step,
            completion: end.completion,
            status: end.status,
            reason: end.reason,
            parts,
            text,
            ties,
            kind: if said { "answer" } else { "notice" },
            send_within,
            team: engine.team.clone(),
            by: (!engine.drain.is_cancelled()).then(|| engine.by.clone()),
        })
        .await?;
    engine.follow(&finished.after);
    match finished.delivery {
        Some(delivery) => engine.team.outlet.dispatch(delivery),
        None if visible => engine.team.outlet.hint(turn.conversation_id),
        None => {}
    }
    Ok(Progress::Left(finished.next))
}

/// An end with what is shown of it.
struct Ready {
    end: End,
    parts: Vec<Part>,
    /// The words themselves.
    text: String,
}

/// Renders how a turn ends. An answer in which there is nothing to see is an empty one, which only the
/// channel can know.
fn ready(engine: &Engine, turn: &Turn, desk: &Desk, agent: Option<&Agent>, mut end: End) -> Ready {
    let Some(text) = end.text.take() else { return Ready { end, parts: Vec::new(), text: String::new() } };
    let show = |text: &str, speaker| {
        let outgoing = Outgoing { text: text.to_owned(), speaker, reply_to: None };
        engine.team.outlet.render(&desk.place, &outgoing)
    };
    if end.status != TurnStatus::Done {
        return Ready { parts: show(&text, Speaker::Program), end, text };
    }
    let parts = show(&text, speaker(engine, turn, desk, agent));
    if let (true, Some(agent)) = (parts.is_empty(), agent) {
        (end.status, end.reason) = (TurnStatus::Failed, Some("empty_answer".into()));
        let text = phrases::empty_answer(&agent.name);
        return Ready { parts: show(&text, Speaker::Program), end, text };
    }
    Ready { end, parts, text }
}

fn speaker(engine: &Engine, turn: &Turn, desk: &Desk, agent: Option<&Agent>) -> Speaker {
    let name = engine.team.persona(desk.ties.label.as_deref(), &turn.agent);
    let bound = || engine.team.outlet.bound_agent(&desk.place).as_deref() == Some(turn.agent.as_str());
    match agent {
        None => Speaker::Program,
        Some(_) if !desk.ties.spawned && bound() => Speaker::Bound(name),
        Some(_) => Speaker::Persona(name),
    }
}

/// Everything a turn looks at.
struct Desk {
    place: Place,
    ties: Ties,
    policy: Policy,
    roster: Vec<Seat>,
    entries: Vec<Entry>,
}

/// Reads where a turn stands, with `known` of its transcript.
async fn open(engine: &Engine, turn: &Turn, known: Vec<Entry>) -> Result<Desk, StoreError> {
    let after = known.last().map(|entry| entry.seq);
    let desk = engine.store.read(Open { engine, turn, after }).await?;
    Ok(Desk { entries: transcripts::join(known, desk.entries, turn), ..desk })
}

struct Open<'a> {
    engine: &'a Engine,
    turn: &'a Turn,
    /// The transcript is known up to this entry.
    after: Option<i64>,
}

#[async_trait]
impl Read for Open<'_> {
    type Output = Desk;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Desk, StoreError> {
        // A turn that was stopped before it was registered, or taken over, asks no model in vain.
        let (place, ties) = turns::desk(tx, self.turn).await?;
        let tied = ties.spawned || self.turn.exchange_id.is_some();
        let policy = if tied { Policy::of_turn(tx, self.turn).await? } else { Policy::default() };
        let roster = match ties.alone {
            true => Vec::new(),
            false => seats::around(tx, self.turn, &self.engine.team.agents).await?,
        };
        let entries = transcripts::read(tx, self.turn, self.after).await?;
        Ok(Desk { place, ties, policy, roster, entries })
    }
}

/// What a step has added to the transcript, if the turn is still the caller's.
struct More<'a> {
    turn: &'a Turn,
    after: Option<i64>,
}

#[async_trait]
impl Read for More<'_> {
    type Output = Vec<Entry>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Entry>, StoreError> {
        turns::check(tx, self.turn).await?;
        transcripts::read(tx, self.turn, self.after).await
    }
}
