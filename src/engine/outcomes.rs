//! The end of a run: its outcome is stored and goes to exactly one place at its requester, the open wait that covers
//! it or else an inbox item; and people are told as the run says.

use roundtable_contract::{Outgoing, Part, Speaker};
use serde_json::json;

use super::close;
use super::effects::Effects;
use super::team::Team;
use crate::agents::is_silent;
use crate::phrases;
use crate::store::conversations::{self, Place};
use crate::store::deliveries::{self, Author, NewAnswer};
use crate::store::inbox::{self, Body, ItemKind, NewItem};
use crate::store::runs::{self, Announce, Outcome, Run, RunStatus};
use crate::store::sessions::{self, Session};
use crate::store::waits::{self, Coverage, Wait};
use crate::store::{StoreError, Tx, trees, turns};
use crate::tools::Policy;
use crate::tools::sessions::outcome_json;

/// After the first of a batch has ended, its requester is woken at the latest so many milliseconds later.
const BATCH: i64 = 60_000;

/// Messages of the platform that one posted result may take.
const POSTED_PARTS: usize = 2;

/// Characters of a result that are rendered to see whether it is too long for its share: more than two messages of
/// any platform take, and few enough to be quick.
const PROBED: usize = 10_000;

/// How an outcome is made known in its conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// As the run says.
    AsAsked,
    /// Not at all: people have seen it, or have ended it themselves.
    Seen,
}

/// Ends a live run and gives its outcome away. `false`: it had ended. The caller holds the tree's lock.
pub async fn end_run(
    tx: &mut Tx<'_>,
    team: &Team,
    run: &Run,
    outcome: Outcome,
    show: Show,
    after: &mut Effects,
) -> Result<bool, StoreError> {
    let child = sessions::get(tx, run.session_id).await?;
    let requester = requester(tx, run).await?;
    // Also that of a turn which `/new keep` has left to its generation.
    let covering = waits::covering(tx, run.requester_id, run.requester_generation).await?;
    if !runs::end(tx, run.id, &outcome, covering.first().map(|wait| wait.id)).await? {
        return Ok(false);
    }
    let run = Run { ended_at: Some(tx.now()), outcome: Some(outcome), ..run.clone() };
    // A child that was made to stay is there for what comes after its first result.
    if run.cleanup == runs::Cleanup::Archive && run.mode == runs::Mode::Run {
        sessions::archive(tx, child.id).await?;
    }
    after.work |= waits::changed(tx, child.tree_id, child.id).await?;
    let asked = show == Show::AsAsked && run.announce == Announce::Post;
    let posts = asked || (show == Show::AsAsked && requester.is_none());
    match (covering.first(), requester) {
        // Whoever waits hears it and speaks of it, also a turn of an earlier generation.
        (Some(wait), _) => {
            let elsewhere = turns::get(tx, wait.turn_id).await?.conversation_id != run.conversation_id;
            if asked && elsewhere {
                // That is at work for other people: these would not hear it.
                post(tx, team, &run, &child, after).await?;
            } else if asked {
                line(tx, team, &run, &child, after).await?;
            }
            after.work |= end_waits(tx, &run, &covering).await?;
        }
        (None, Some(requester)) => {
            let posted = posts && post(tx, team, &run, &child, after).await?;
            #[cfg(feature = "planted-faults")]
            if super::planted::tells_late(&run, after) {
                return Ok(true);
            }
            tell(tx, &run, &child, &requester, posted || show == Show::Seen).await?;
            after.work = true;
        }
        (None, None) => {
            if posts {
                post(tx, team, &run, &child, after).await?;
            }
            // Nobody is woken who would end it.
            Box::pin(close::end_left(tx, team, run.requester_id, after)).await?;
        }
    }
    Ok(true)
}

/// Ends those of a step's waits for children that end with this run. The first has its outcome, which is told once; the
/// others end with it too, or nothing would end them. Says whether one has ended.
async fn end_waits(tx: &mut Tx<'_>, run: &Run, waits: &[Wait]) -> Result<bool, StoreError> {
    let last = runs::count_live(tx, run.requester_id, run.requester_generation).await? == 0;
    let mut ended = false;
    for wait in waits.iter().filter(|wait| last || wait.coverage == Some(Coverage::Any)) {
        ended |= waits::resolve(tx, wait.id, "ended").await?;
    }
    Ok(ended)
}

/// Who learns of an outcome: the one who asked or, if that session is gone, the next above it. `None`: that of an
/// earlier generation, or nobody is left.
async fn requester(tx: &mut Tx<'_>, run: &Run) -> Result<Option<Session>, StoreError> {
    let asked = sessions::get(tx, run.requester_id).await?;
    if !asked.archived {
        return Ok((asked.generation == run.requester_generation).then_some(asked));
    }
    for id in trees::ancestors(tx, run.requester_id).await? {
        let above = sessions::get(tx, id).await?;
        if !above.archived {
            return Ok(Some(above));
        }
    }
    Ok(None)
}

/// Puts the outcome into the requester's inbox. It is woken once for all that one of its turns has asked for.
pub(super) async fn tell(
    tx: &mut Tx<'_>,
    run: &Run,
    child: &Session,
    requester: &Session,
    seen: bool,
) -> Result<(), StoreError> {
    let key = format!("batch:{}", run.turn_id);
    let not_before = if runs::live_siblings(tx, run.turn_id).await? == 0 {
        inbox::hold_batch(tx, requester.id, &key, 0).await?;
        0
    } else {
        inbox::batch_due(tx, requester.id, &key).await?.unwrap_or(tx.now() + BATCH)
    };
    let mut told = outcome_json(run, child);
    told["shown"] = json!(seen);
    let policy = Policy::stored(&run.policy).of_asker().to_carry();
    let (author, body) = (inbox::Author::session(child), Body { text: told.to_string(), ..Body::default() });
    let item = NewItem {
        run_id: Some(run.id),
        policy: policy.as_deref(),
        merge_key: (run.turn_id != 0).then_some(key.as_str()),
        not_before,
        ..NewItem::new(ItemKind::Announce, author, requester, run.conversation_id, &body)
    };
    inbox::push(tx, &item).await?;
    Ok(())
}

/// One line: the requester waits for the result and will speak of it.
async fn line(
    tx: &mut Tx<'_>,
    team: &Team,
    run: &Run,
    child: &Session,
    after: &mut Effects,
) -> Result<(), StoreError> {
    let cost = sessions::cost_micros(tx, child.id).await?;
    let outcome = run.outcome.as_ref();
    let status = outcome.map_or(run.status, |outcome| outcome.status);
    let reason = outcome.and_then(|outcome| outcome.reason.as_deref());
    let text = phrases::run_ended(child.name(), status, reason, run.seconds(), cost);
    let place = conversations::get(tx, run.conversation_id).await?;
    let parts = team.outlet.render(&place, &Outgoing::of_program(text));
    show(tx, run, "line", &parts, after).await
}

/// Posts a result under the child's name; `false`: there is nothing to see. The result of a child with a thread of
/// its own stands there, and here is only a line.
pub async fn post(
    tx: &mut Tx<'_>,
    team: &Team,
    run: &Run,
    child: &Session,
    after: &mut Effects,
) -> Result<bool, StoreError> {
    let Some(outcome) = &run.outcome else { return Ok(false) };
    let elsewhere = child.conversation_id.is_some_and(|id| id != run.conversation_id);
    if outcome.status != RunStatus::Done || elsewhere {
        line(tx, team, run, child, after).await?;
        return Ok(outcome.status != RunStatus::Done);
    }
    if outcome.text.trim().is_empty() || is_silent(&outcome.text) {
        return Ok(false);
    }
    let place = conversations::get(tx, run.conversation_id).await?;
    let speaker = Speaker::Persona(team.persona(child.label.as_deref(), &child.agent));
    let parts = short(team, &place, &outcome.text, &speaker, child.name());
    show(tx, run, "answer", &parts, after).await?;
    Ok(true)
}

/// Renders a text so that it takes no more than its share of the conversation.
fn short(team: &Team, place: &Place, text: &str, speaker: &Speaker, name: &str) -> Vec<Part> {
    let render = |text: String| {
        team.outlet.render(place, &Outgoing { text, speaker: speaker.clone(), reply_to: None })
    };
    // Of a text that is far too long no more is rendered than shows that it is.
    let head: String = text.chars().take(PROBED).collect();
    let whole = head.len() == text.len();
    let mut parts = render(head);
    if parts.len() <= POSTED_PARTS && !whole {
        parts = render(text.to_owned());
    }
    if parts.len() <= POSTED_PARTS {
        return parts;
    }
    let mut chars: usize = parts[..POSTED_PARTS].iter().map(|part| part.text.chars().count()).sum();
    loop {
        // Markup and the closing words take room, so it is tried with less and less.
        chars = chars * 9 / 10;
        let cut: String = text.chars().take(chars).collect();
        let parts = render(format!("{cut}…\n\n{}", phrases::cut_short(name)));
        if parts.len() <= POSTED_PARTS || chars < 100 {
            return parts;
        }
    }
}

async fn show(
    tx: &mut Tx<'_>,
    run: &Run,
    kind: &str,
    parts: &[Part],
    after: &mut Effects,
) -> Result<(), StoreError> {
    let author =
        Author { tree_id: run.tree_id, session_id: run.session_id, turn_id: None, run_id: Some(run.id) };
    let new = NewAnswer {
        conversation_id: run.conversation_id,
        author: Some(author),
        kind: if kind == "line" { "notice" } else { "answer" },
        name: &format!("run:{}:{kind}", run.id),
        parts,
        send_within: None,
    };
    deliveries::insert(tx, &new).await?;
    after.said.push(run.conversation_id);
    Ok(())
}
