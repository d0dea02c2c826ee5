//! Transcripts of sessions at work, kept between their steps and turns.
//!
//! Entries never change and are only added behind the others, so what was read once need not be read again.
//! Nothing hangs on what is kept: a load asks the database for what is behind it, and for all when nothing is.

use std::collections::HashMap;
use std::sync::Mutex;

use super::lock;
use crate::store::entries::{self, Entry};
use crate::store::turns::Turn;
use crate::store::{StoreError, Tx, sessions};

/// Entries of a session that its turns look at; what of them does not fit the model's window is left out later.
const NEWEST: usize = 400;

/// Bytes of all sessions that are kept; in memory it is some times that. With more, all are forgotten, which costs a
/// read each.
const KEPT: usize = 4 << 20;

/// Bytes of one session that are kept: a longer one would have the others forgotten again and again.
const MOST_OF_ONE: usize = KEPT / 4;

/// What is kept, by session.
#[derive(Default)]
pub(super) struct Transcripts(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    by_session: HashMap<i64, Vec<Entry>>,
    bytes: usize,
}

impl Transcripts {
    /// Takes what is kept of the turn's session and generation. Nobody else needs it: the turn is the only one.
    pub(super) fn take(&self, turn: &Turn) -> Vec<Entry> {
        let mut kept = lock(&self.0);
        let mut entries = kept.remove(turn.session_id);
        if entries.first().is_some_and(|entry| entry.generation != turn.generation) {
            entries.clear();
        }
        entries
    }

    /// Keeps nothing of a session: it was erased.
    pub(super) fn forget(&self, session_id: i64) {
        lock(&self.0).remove(session_id);
    }

    /// Keeps what was read.
    pub(super) fn keep(&self, turn: &Turn, entries: Vec<Entry>) {
        let mut kept = lock(&self.0);
        kept.remove(turn.session_id);
        let bytes = bytes(&entries);
        if bytes > MOST_OF_ONE {
            return;
        }
        if kept.bytes + bytes > KEPT {
            *kept = Kept::default();
        }
        kept.bytes += bytes;
        kept.by_session.insert(turn.session_id, entries);
    }
}

impl Kept {
    fn remove(&mut self, session_id: i64) -> Vec<Entry> {
        let entries = self.by_session.remove(&session_id).unwrap_or_default();
        self.bytes -= bytes(&entries);
        entries
    }
}

fn bytes(entries: &[Entry]) -> usize {
    entries.iter().map(|entry| size_of::<Entry>() + entry.size).sum()
}

/// Reads what the database has behind the entry `after`; without one, the newest entries, and in any case those
/// of the turn itself: its question is among them.
pub(super) async fn read(tx: &mut Tx<'_>, turn: &Turn, after: Option<i64>) -> Result<Vec<Entry>, StoreError> {
    if let Some(after) = after {
        return entries::behind(tx, turn.session_id, turn.generation, after).await;
    }
    let mut limit = NEWEST;
    loop {
        let count = i64::try_from(limit).unwrap_or(i64::MAX);
        let entries = entries::newest(tx, turn.session_id, turn.generation, count).await?;
        if entries.len() < limit {
            return Ok([forked(tx, turn, NEWEST.saturating_sub(entries.len())).await?, entries].concat());
        }
        if entries.first().is_some_and(|oldest| oldest.turn_id != turn.id) {
            return Ok(entries);
        }
        limit *= 2;
    }
}

/// What the turn's session began with, if it was forked from another: entries of that one, which may be a fork
/// itself. Only its first generation knows of them.
async fn forked(tx: &mut Tx<'_>, turn: &Turn, mut room: usize) -> Result<Vec<Entry>, StoreError> {
    let mut before = Vec::new();
    let mut fork = if turn.generation == 1 { sessions::fork(tx, turn.session_id).await? } else { None };
    while let Some(sessions::Fork { session_id, generation, seq }) = fork
        && room > 0
    {
        let count = i64::try_from(room).unwrap_or(i64::MAX);
        let mut entries = entries::up_to(tx, session_id, generation, seq, count).await?;
        // Numbers order the entries of one session only: those of another come before the first.
        for entry in &mut entries {
            entry.seq = 0;
        }
        room -= entries.len().min(room);
        before = [entries, before].concat();
        fork = if generation == 1 { sessions::fork(tx, session_id).await? } else { None };
    }
    Ok(before)
}

/// Joins what was known and what is new, and leaves out what is too old, but nothing of the turn itself.
pub(super) fn join(mut known: Vec<Entry>, new: Vec<Entry>, turn: &Turn) -> Vec<Entry> {
    known.extend(new);
    let surplus = known.len().saturating_sub(NEWEST);
    let old = known[..surplus].iter().take_while(|entry| entry.turn_id != turn.id).count();
    known.drain(..old);
    known
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Answer;
    use crate::store::entries::Content;

    fn entries(range: std::ops::Range<i64>, generation: i64, turn_id: i64) -> Vec<Entry> {
        let content = Content::Answer(Answer::default());
        range
            .map(|seq| Entry {
                seq,
                generation,
                turn_id,
                step: 1,
                call_index: None,
                content: content.clone(),
                size: 1_000,
                created_at: 0,
            })
            .collect()
    }

    fn turn(session_id: i64, generation: i64) -> Turn {
        Turn {
            id: 7,
            token: 1,
            session_id,
            tree_id: 1,
            generation,
            agent: "a".into(),
            trigger_id: 1,
            conversation_id: 1,
            exchange_id: None,
            claims: 1,
            deadline: 0,
        }
    }

    #[test]
    fn what_is_kept_is_of_one_session_and_generation() {
        let kept = Transcripts::default();
        kept.keep(&turn(1, 1), entries(1..4, 1, 7));
        assert!(kept.take(&turn(2, 1)).is_empty());
        assert_eq!(kept.take(&turn(1, 1)).len(), 3);
        assert!(kept.take(&turn(1, 1)).is_empty(), "it was taken");
        kept.keep(&turn(1, 1), entries(1..4, 1, 7));
        assert!(kept.take(&turn(1, 2)).is_empty(), "a new generation begins without the old");
    }

    #[test]
    fn not_everything_is_kept() {
        let kept = Transcripts::default();
        let of_one = bytes(&entries(1..401, 1, 7));
        let sessions = i64::try_from(2 * KEPT / of_one).unwrap();
        for session in 0..sessions {
            kept.keep(&turn(session, 1), entries(1..401, 1, 7));
            kept.keep(&turn(session, 1), entries(1..401, 1, 7));
        }
        let left = |session: i64| kept.take(&turn(session, 1)).len();
        assert_eq!(left(sessions - 1), NEWEST, "the last is there");
        let others = (0..sessions).map(left).filter(|left| *left > 0).count();
        assert!(of_one * (others + 1) <= KEPT, "{others} others");
        assert_eq!(lock(&kept.0).bytes, 0);
    }

    #[test]
    fn a_long_one_is_not_kept_at_the_cost_of_others() {
        let kept = Transcripts::default();
        kept.keep(&turn(1, 1), entries(1..4, 1, 7));
        kept.keep(&turn(2, 1), entries(1..4, 1, 7));
        kept.keep(&turn(2, 1), entries(1..20_000, 1, 7));
        assert_eq!(kept.take(&turn(1, 1)).len(), 3);
        assert!(kept.take(&turn(2, 1)).is_empty(), "nor is a part of it");
        assert_eq!(lock(&kept.0).bytes, 0);
    }

    #[test]
    fn the_oldest_are_left_out_but_nothing_of_the_turn_itself() {
        let joined = join(entries(1..401, 1, 6), entries(401..403, 1, 7), &turn(1, 1));
        assert_eq!((joined.len(), joined[0].seq), (NEWEST, 3));
        let own = join(entries(1..401, 1, 7), entries(401..403, 1, 7), &turn(1, 1));
        assert_eq!(own.len(), 402);
    }
}
