//! Steering: a person's word into a turn at work.

use super::reach;
use crate::engine::{Effects, Team, Whose, interrupt};
use crate::store::inbox::{self, Author, Body, ItemKind, NewItem};
use crate::store::{StoreError, Tx, sessions, turns};

/// What a person says.
#[derive(Debug, Clone, Copy)]
pub struct Word<'a> {
    /// Where they are: where a session that is idle answers.
    pub conversation_id: i64,
    /// Who they are.
    pub author: Author<'a>,
    /// The word.
    pub text: &'a str,
    /// The name of the message that it is the first piece of.
    pub piece: Option<&'a str>,
    /// No turn reads it before this time; 0: it may at once.
    pub not_before: i64,
}

/// What has become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steered {
    /// The turn at work reads it.
    AtWork,
    /// The session was idle and answers it.
    Woken,
    /// The session is archived. Nothing was changed.
    Archived,
    /// So many items wait already. Nothing was changed.
    Full(usize),
    /// The session works for somebody else. Nothing was changed.
    NotTheirs,
}

/// Puts a word into a session's turn at work, wherever that answers; an idle session is woken.
///
/// # Errors
///
/// Those of the database.
pub async fn steer(
    tx: &mut Tx<'_>,
    team: &Team,
    session_id: i64,
    whose: Whose<'_>,
    word: &Word<'_>,
    after: &mut Effects,
) -> Result<Steered, StoreError> {
    let session = sessions::lock(tx, session_id).await?;
    if session.archived {
        return Ok(Steered::Archived);
    }
    let Some(whose) = reach(tx, session_id, whose).await? else { return Ok(Steered::NotTheirs) };
    if let (Whose::Sender(sender), Some(turn)) = (whose, session.open_turn)
        && turns::asked_by(tx, turn).await? != sender
    {
        return Ok(Steered::NotTheirs);
    }
    let cap = team.agents.get(&session.agent).map_or(i64::MAX, |agent| agent.inbox_cap);
    if session.pending >= cap {
        return Ok(Steered::Full(usize::try_from(session.pending).unwrap_or(0)));
    }
    let conversation_id = match session.open_turn {
        Some(turn) => turns::get(tx, turn).await?.conversation_id,
        None => word.conversation_id,
    };
    let body = Body { text: word.text.to_owned(), ..Body::default() };
    let item = NewItem {
        merge_key: word.piece,
        not_before: word.not_before,
        ..NewItem::new(ItemKind::User, word.author, &session, conversation_id, &body)
    };
    inbox::push(tx, &item).await?;
    after.work = true;
    if session.open_turn.is_some() {
        interrupt(tx, session_id, conversation_id, after).await?;
        return Ok(Steered::AtWork);
    }
    Ok(Steered::Woken)
}
