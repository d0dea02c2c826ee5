//! Who sits at a conversation's table.

use crate::store::session_lists::{self, Filter, Summary};
use crate::store::{StoreError, Tx, trees};

/// The most sessions of a tree that are shown.
const SEATS: i64 = 100;

/// A session, and how far below the first of its tree it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// The session.
    pub session: Summary,
    /// 0 for the first of a tree.
    pub level: usize,
}

/// The live sessions that work for a conversation: tree by tree, the most recently active first, and each session
/// before its children, which stand in the order they were made.
///
/// # Errors
///
/// Those of the database.
pub async fn table(tx: &mut Tx<'_>, conversation_id: i64) -> Result<Vec<Seat>, StoreError> {
    let mut seats = Vec::new();
    for tree_id in trees::of_conversation(tx, conversation_id).await? {
        let filter = Filter { tree_id: Some(tree_id), ..Filter::default() };
        let mut sessions = session_lists::list(tx, &filter, SEATS).await?;
        sessions.sort_by_key(|session| session.id);
        seat(&sessions, &mut seats);
    }
    Ok(seats)
}

/// Seats the sessions of a tree. One whose parent is archived stands where that would.
fn seat(sessions: &[Summary], seats: &mut Vec<Seat>) {
    let there = |id: Option<i64>| sessions.iter().any(|session| Some(session.id) == id);
    let mut next: Vec<_> =
        sessions.iter().rev().filter(|session| !there(session.parent_id)).map(|s| (s, 0)).collect();
    while let Some((session, level)) = next.pop() {
        seats.push(Seat { session: session.clone(), level });
        let children = sessions.iter().rev().filter(|child| child.parent_id == Some(session.id));
        next.extend(children.map(|child| (child, level + 1)));
    }
}
