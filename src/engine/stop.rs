//! Stopping: what a session is doing and has still to do ends, and all that it started with it.

use roundtable_contract::Outgoing;
use serde_json::json;

use super::effects::Effects;
use super::outcomes::{self, Show};
use super::team::Team;
use crate::phrases;
use crate::store::deliveries::{self, NewAnswer};
use crate::store::exchanges::{self, Exchange};
use crate::store::inbox::{self, Item, ItemKind};
use crate::store::runs::{self, Outcome, RunStatus};
use crate::store::sessions::{self, Session};
use crate::store::turns::{self, Claimant, NewTurn, TurnStatus};
use crate::store::waits::WaitKind;
use crate::store::{StoreError, Tx, conversations, entries, trees, waits};

/// Whose work may be touched, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose<'a> {
    /// Everybody's, by the program itself, or by an agent what it has started.
    Everybodys,
    /// Everybody's, by this person: an owner, somebody in a private chat, or whose wish all of it was.
    EverybodysBy(&'a str),
    /// That of this sender, by themselves.
    Sender(&'a str),
}

impl<'a> Whose<'a> {
    /// The person who touches it.
    fn person(self) -> Option<&'a str> {
        match self {
            Self::Everybodys => None,
            Self::EverybodysBy(person) | Self::Sender(person) => Some(person),
        }
    }

    /// The same with everybody's work.
    fn unbounded(self) -> Self {
        self.person().map_or(Self::Everybodys, Self::EverybodysBy)
    }
}

/// What a stop has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// Work of these was stopped; the session itself first, if it had any.
    Stopped(Vec<String>),
    /// There was nothing to stop.
    Nothing,
    /// What runs is somebody else's. Nothing was changed.
    NotTheirs,
}

/// Stops what a session is doing and has still to do, with all below it: open turns are cancelled, waiting input is
/// consumed unanswered, what was not sent yet is not sent, runs end as cancelled for `reason`. Who asked for the
/// session's own run learns of it, unless it is stopped too; people are told by the caller.
pub async fn stop(
    tx: &mut Tx<'_>,
    team: &Team,
    session_id: i64,
    whose: Whose<'_>,
    reason: &str,
    after: &mut Effects,
) -> Result<Stop, StoreError> {
    let tree_id = sessions::get(tx, session_id).await?.tree_id;
    trees::lock(tx, tree_id).await?;
    let Some(own) = halt(tx, team, session_id, whose, after).await? else { return Ok(Stop::NotTheirs) };
    let mut names: Vec<String> = own.into_iter().collect();
    for child in below(tx, session_id, whose).await? {
        names.extend(halt(tx, team, child, whose.unbounded(), after).await?.flatten());
        if let Some(run) = live_run(tx, child).await? {
            runs::end(tx, run.id, &cancelled(reason), None).await?;
        }
    }
    if let Some(run) = live_run(tx, session_id).await? {
        outcomes::end_run(tx, team, &run, cancelled(reason), Show::Seen, after).await?;
    }
    after.work |= waits::changed(tx, tree_id, session_id).await?;
    Ok(if names.is_empty() { Stop::Nothing } else { Stop::Stopped(names) })
}

pub(super) fn cancelled(reason: &str) -> Outcome {
    Outcome { status: RunStatus::Cancelled, text: String::new(), reason: Some(reason.to_owned()) }
}

/// The run that a session was made for, if it has not ended.
pub(super) async fn live_run(tx: &mut Tx<'_>, session_id: i64) -> Result<Option<runs::Run>, StoreError> {
    Ok(runs::of_session(tx, session_id).await?.filter(|run| run.ended_at.is_none()))
}

/// The sessions below one that go with it: all, or those that the sender's own turns have started, and theirs.
async fn below(tx: &mut Tx<'_>, session_id: i64, whose: Whose<'_>) -> Result<Vec<i64>, StoreError> {
    let Whose::Sender(sender) = whose else { return trees::descendants(tx, session_id).await };
    let mut all = Vec::new();
    for run in runs::live_children(tx, session_id).await? {
        if runs::asked_by(tx, &run).await? == sender {
            all.push(run.session_id);
            all.extend(trees::descendants(tx, run.session_id).await?);
        }
    }
    Ok(all)
}

/// Stops one session; gives its name if it had something to do. `None`: it works for somebody else.
async fn halt(
    tx: &mut Tx<'_>,
    team: &Team,
    session_id: i64,
    whose: Whose<'_>,
    after: &mut Effects,
) -> Result<Option<Option<String>>, StoreError> {
    let session = sessions::lock(tx, session_id).await?;
    // Before its waits, as whoever answers it in another tree does.
    exchanges::hold_open(tx, session_id).await?;
    let mut items = inbox::pending(tx, session_id).await?;
    if let Whose::Sender(sender) = whose {
        let mut theirs = Vec::new();
        for item in items {
            // Also what agents have to say about what they wished for.
            if turns::person_behind(tx, item.id).await? == sender {
                theirs.push(item);
            }
        }
        items = theirs;
        if let Some(turn_id) = session.open_turn
            && turns::asked_by(tx, turn_id).await? != sender
        {
            return Ok(None);
        }
    }
    if session.open_turn.is_none() && items.is_empty() {
        return Ok(Some(None));
    }
    leave_exchanges(tx, &session, whose, after).await?;
    let turn_id = match session.open_turn {
        Some(turn_id) => {
            turns::cancel(tx, turn_id, "stopped").await?;
            turn_id
        }
        None => record(tx, &session, &items[0]).await?,
    };
    match whose {
        Whose::Everybodys | Whose::EverybodysBy(_) => deliveries::cancel_of_session(tx, session_id).await?,
        Whose::Sender(_) => deliveries::cancel_of_turn(tx, turn_id).await?,
    }
    consume(tx, turn_id, &items).await?;
    tell_unread(tx, team, &session, whose, &items, after).await?;
    after.cancelled.push(turn_id);
    Ok(Some(Some(session.name().to_owned())))
}

/// Opens a turn that has ended: what nobody works at is given to it.
pub(super) async fn record(tx: &mut Tx<'_>, session: &Session, trigger: &Item) -> Result<i64, StoreError> {
    let nobody = Claimant { node: String::new(), lease: 0 };
    let new = NewTurn { session, trigger, timeout: 0, status: TurnStatus::Cancelled };
    Ok(turns::open(tx, &new, &nobody).await?.id)
}

async fn consume(tx: &mut Tx<'_>, turn_id: i64, items: &[Item]) -> Result<(), StoreError> {
    if items.is_empty() {
        return Ok(());
    }
    let turn = turns::get(tx, turn_id).await?;
    inbox::consume(tx, items, turn_id).await?;
    entries::append_input(tx, &turn, 0, items).await
}

/// Those whose messages waited are told, in each conversation once, unless they have stopped it themselves. What becomes of
/// the task of a run they hear with its end.
async fn tell_unread(
    tx: &mut Tx<'_>,
    team: &Team,
    session: &Session,
    whose: Whose<'_>,
    items: &[Item],
    after: &mut Effects,
) -> Result<(), StoreError> {
    let mut told = Vec::new();
    let of_others = |item: &&Item| {
        item.kind == ItemKind::User && item.run_id.is_none() && whose.person() != Some(item.sender.as_str())
    };
    for item in items.iter().filter(of_others) {
        if told.contains(&item.conversation_id) {
            continue;
        }
        told.push(item.conversation_id);
        let place = conversations::get(tx, item.conversation_id).await?;
        let text = phrases::stopped_unread(session.name());
        let new = NewAnswer {
            conversation_id: place.id,
            author: None,
            kind: "notice",
            name: &format!("unread:{}", item.id),
            parts: &team.outlet.render(&place, &Outgoing::of_program(text)),
            send_within: None,
        };
        deliveries::insert(tx, &new).await?;
    }
    after.said.extend(told);
    Ok(())
}

/// Whoever waits for a word of this session is told that there will be none, and no late answer wakes it; but what is
/// talked about for others goes on.
async fn leave_exchanges(
    tx: &mut Tx<'_>,
    session: &Session,
    whose: Whose<'_>,
    after: &mut Effects,
) -> Result<(), StoreError> {
    for exchange in exchanges::awaited_by(tx, session.id).await? {
        if is_theirs(tx, &exchange, whose).await? {
            exchanges::end(tx, exchange.id, "stopped").await?;
        }
    }
    for exchange in exchanges::owed_by(tx, session.id).await? {
        if !is_theirs(tx, &exchange, whose).await? {
            continue;
        }
        exchanges::end(tx, exchange.id, "stopped").await?;
        if let Some(wait) =
            waits::of_exchange(tx, exchange.id).await?.filter(|wait| wait.session_id != session.id)
        {
            let message = format!("{} was stopped and will not answer.", session.name());
            let outcome = json!({
                "status": "error", "code": "stopped", "message": message,
                "sessionKey": session.key, "label": session.name(),
            });
            after.work |= waits::resolve(tx, wait.id, &outcome.to_string()).await?;
        }
    }
    Ok(())
}

/// Whether somebody's wish is behind the newest message of an exchange.
async fn is_theirs(tx: &mut Tx<'_>, exchange: &Exchange, whose: Whose<'_>) -> Result<bool, StoreError> {
    let Whose::Sender(sender) = whose else { return Ok(true) };
    Ok(match exchanges::newest_message(tx, exchange).await? {
        Some(item) => turns::person_behind(tx, item).await? == sender,
        None => false,
    })
}

/// A person has written to a session in the conversation of its open turn: the turn's waits for other agents are over,
/// so that it can read the message. A pause that the model asked for is kept.
pub async fn interrupt(
    tx: &mut Tx<'_>,
    session_id: i64,
    conversation_id: i64,
    after: &mut Effects,
) -> Result<(), StoreError> {
    if !turns::is_open_in(tx, session_id, conversation_id).await? {
        return Ok(());
    }
    for wait in waits::open_of_session(tx, session_id).await? {
        if wait.kind != WaitKind::Model {
            after.work |= waits::resolve(tx, wait.id, waits::INTERRUPTED).await?;
        }
    }
    Ok(())
}
