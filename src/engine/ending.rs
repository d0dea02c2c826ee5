//! How a turn ends, what is shown of it, and the commit that ends it.

use std::sync::Arc;

use roundtable_contract::{Outgoing, Part, Speaker};

use super::Engine;
use super::commit::Finish;
use super::desk::Desk;
use super::turn::{self, Ending, Runaway};
use crate::agents::Agent;
use crate::models::Completion;
use crate::phrases;
use crate::store::StoreError;
use crate::store::turns::{Turn, TurnStatus};

/// How a turn ends.
pub(super) struct End {
    pub(super) completion: Option<Completion>,
    pub(super) step: i64,
    pub(super) status: TurnStatus,
    pub(super) reason: Option<String>,
    /// What is said, if anything is.
    pub(super) text: Option<String>,
}

impl End {
    /// The turn could not.
    pub(super) fn failed(step: i64, reason: &str, text: String) -> Self {
        Self {
            completion: None,
            step,
            status: TurnStatus::Failed,
            reason: Some(reason.into()),
            text: Some(text),
        }
    }
}

/// The end by an answer without calls.
pub(super) fn ended(agent: &Agent, step: i64, completion: Completion) -> End {
    let text = match turn::ending(&completion.answer) {
        Ending::Say => Some(completion.answer.text.clone()),
        Ending::Silent => None,
        Ending::Empty => {
            let phrase = if completion.cut { phrases::cut_before_a_word } else { phrases::empty_answer };
            let text = Some(phrase(&agent.name));
            let reason = Some("empty_answer".into());
            return End { completion: Some(completion), step, status: TurnStatus::Failed, reason, text };
        }
    };
    End { completion: Some(completion), step, status: TurnStatus::Done, reason: None, text }
}

/// The end of a turn that would go on for ever.
pub(super) fn stopped(agent: &Agent, why: &Runaway) -> End {
    match why {
        Runaway::Loop { tool } => End::failed(0, "loop", phrases::looping(&agent.name, tool)),
        Runaway::Steps => End::failed(0, "steps", phrases::too_many_steps(&agent.name, turn::MAX_STEPS)),
    }
}

/// Ends the turn, and returns the session's next one, claimed.
pub(super) async fn finish(
    engine: &Arc<Engine>,
    turn: &Turn,
    desk: &Desk,
    agent: Option<&Agent>,
    end: End,
) -> Result<Option<Turn>, StoreError> {
    let Ready { end, parts, text } = ready(engine, turn, desk, agent, end);
    let said = end.status == TurnStatus::Done;
    let ties = desk.ties.bind(turn).then(|| desk.ties.clone());
    // What may not be shown at all takes no place in the chat's pace.
    let sure = turn.exchange_id.is_none() && desk.ties.is_spoken_with();
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
            alone: desk.ties.alone,
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
    Ok(finished.next)
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
    let Some(mut text) = end.text.take() else {
        return Ready { end, parts: Vec::new(), text: String::new() };
    };
    let show = |text: &str, speaker| {
        let outgoing = Outgoing { text: text.to_owned(), speaker, reply_to: None };
        engine.team.outlet.render(&desk.place, &outgoing)
    };
    if end.status != TurnStatus::Done {
        return Ready { parts: show(&text, Speaker::Program), end, text };
    }
    let mut parts = show(&text, speaker(engine, turn, desk, agent));
    if let (true, Some(agent)) = (parts.is_empty(), agent) {
        (end.status, end.reason) = (TurnStatus::Failed, Some("empty_answer".into()));
        let text = phrases::empty_answer(&agent.name);
        return Ready { parts: show(&text, Speaker::Program), end, text };
    }
    if end.completion.as_ref().is_some_and(|completion| completion.cut) {
        // A message of its own: the answer may have been cut within a block of code.
        let note = phrases::answer_cut();
        parts.extend(show(&note, Speaker::Program));
        text = format!("{text}\n\n{note}");
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
