//! What the end of a turn means to others: the other side of its exchange, whoever asked for the run, and people.

use super::effects::Effects;
use super::outcomes::{self, Show};
use super::replies;
use super::stop;
use super::team::Team;
use crate::agents::is_silent;
use crate::store::inbox;
use crate::store::runs::{self, Announce, Outcome, RunStatus};
use crate::store::sessions::{self, Session};
use crate::store::turns::{Ties, Turn, TurnStatus};
use crate::store::{StoreError, Tx, entries, waits};

/// The last words of a turn.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// How the turn ended.
    pub status: TurnStatus,
    /// The final text, empty when there is none.
    pub text: &'a str,
    /// Why it failed, when it did: words for people.
    pub failure: Option<&'a str>,
}

impl Said<'_> {
    fn is_silent(&self) -> bool {
        self.failure.is_none() && (self.text.trim().is_empty() || is_silent(self.text))
    }
}

/// Carries out what follows from the end of a turn, and says whether its last words are shown in its conversation.
/// The turn has been left; the caller holds the tree's lock and the session's.
pub async fn close(
    tx: &mut Tx<'_>,
    team: &Team,
    turn: &Turn,
    ties: &Ties,
    said: &Said<'_>,
    after: &mut Effects,
) -> Result<bool, StoreError> {
    let session = sessions::get(tx, turn.session_id).await?;
    let run = match ties.spawned {
        true => stop::live_run(tx, session.id).await?,
        false => None,
    };
    // Whoever has spoken to the session during the turn hears its end.
    let heard_user = inbox::turn_heard_user(tx, turn.id).await?;
    let shown = heard_user
        | match (turn.exchange_id, &run) {
            (Some(exchange), _) => replies::answer(tx, &session, turn, exchange, said, after).await?,
            // The result of a run is its requester's; a child with a thread of its own gives it there too.
            (None, Some(run)) => run.conversation_id != turn.conversation_id,
            (None, None) => true,
        };
    after.work |= waits::changed(tx, session.tree_id, session.id).await?;
    if let Some(run) = run
        && may_end(tx, &session).await?
    {
        let mut seen = shown && !said.is_silent() && run.conversation_id == turn.conversation_id;
        let mut outcome = outcome(said);
        if turn.exchange_id.is_some()
            && let Some(text) = entries::last_own_words(tx, session.id).await?
        {
            // What was said last was for somebody else: the work had its result before.
            (outcome, seen) = (Outcome { status: RunStatus::Done, text, reason: None }, false);
        }
        let show = if seen { Show::Seen } else { Show::AsAsked };
        outcomes::end_run(tx, team, &run, outcome, show, after).await?;
    }
    Ok(shown)
}

/// Ends the live run of a session that is at rest, where nothing will wake it: after `/new keep` the last of what it
/// had asked for before has ended.
pub(super) async fn end_left(
    tx: &mut Tx<'_>,
    team: &Team,
    session_id: i64,
    after: &mut Effects,
) -> Result<(), StoreError> {
    let Some(run) = stop::live_run(tx, session_id).await? else { return Ok(()) };
    // Whoever writes to it at this moment wakes it.
    sessions::hold(tx, session_id).await?;
    let session = sessions::get(tx, session_id).await?;
    if session.open_turn.is_some() || !may_end(tx, &session).await? {
        return Ok(());
    }
    let outcome = match entries::last_own_words(tx, session.id).await? {
        Some(text) => Outcome { status: RunStatus::Done, text, reason: None },
        None => stop::cancelled("a new conversation was begun"),
    };
    outcomes::end_run(tx, team, &run, outcome, Show::AsAsked, after).await.map(drop)
}

/// A run has not ended while its child has children at work or something to read.
async fn may_end(tx: &mut Tx<'_>, child: &Session) -> Result<bool, StoreError> {
    Ok(!inbox::has_work(tx, child.id).await? && runs::live_children(tx, child.id).await?.is_empty())
}

fn outcome(said: &Said<'_>) -> Outcome {
    let status = match said.status {
        TurnStatus::Done => RunStatus::Done,
        TurnStatus::TimedOut => RunStatus::TimedOut,
        TurnStatus::Cancelled => RunStatus::Cancelled,
        TurnStatus::Failed | TurnStatus::Running | TurnStatus::Waiting => RunStatus::Failed,
    };
    Outcome { status, text: said.text.to_owned(), reason: said.failure.map(str::to_owned) }
}

/// Posts the results that a turn was told of and should have passed on, if it has said nothing, or not where the work
/// was asked for. A session that was `alone` when the turn was last begun or resumed has no work elsewhere.
pub async fn post_unspoken(
    tx: &mut Tx<'_>,
    team: &Team,
    turn: &Turn,
    alone: bool,
    said: &Said<'_>,
    after: &mut Effects,
) -> Result<(), StoreError> {
    let spoken = said.failure.is_none() && !said.is_silent();
    if spoken && alone {
        return Ok(());
    }
    for run in runs::told_to(tx, turn.id).await? {
        let heard = spoken && run.conversation_id == turn.conversation_id;
        if run.announce == Announce::Parent && !heard {
            let child = sessions::get(tx, run.session_id).await?;
            outcomes::post(tx, team, &run, &child, after).await?;
        }
    }
    Ok(())
}
