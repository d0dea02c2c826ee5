//! Transcripts of sessions at work: how far back they are read, and which are kept between turns.
//!
//! Entries never change and are only added behind the others, so what was read once need not be read again.
//! Nothing hangs on what is kept: a load asks the database for what is behind it, and for all when nothing is.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::lock;
use crate::store::entries::{self, Content, Entry};
use crate::store::sessions::{self, Fork};
use crate::store::turns::Turn;
use crate::store::{StoreError, Tx};

/// Entries of a session that its turns look at, and how many of them are read at once.
const NEWEST: usize = 400;
const PAGE: usize = 100;

/// Stored bytes that are looked at for each token of a model's window. A request takes 2.5 bytes of text at most for each
/// (`FILL` in [`super::context`] of what [`crate::models::tokens`] counts); twice that leaves room for what JSON adds.
const OF_TOKEN: usize = 5;

/// Bytes of memory for all sessions that are kept. With more, those at rest longest are forgotten, which costs a read each.
const KEPT: usize = 4 << 20;

/// Bytes of one session that are kept: a longer one would have many others forgotten.
const MOST_OF_ONE: usize = KEPT / 4;

/// Bytes that a call takes beside its text: a list of calls has room for four, an object of JSON for three members and
/// their index.
const CALL: usize = 1024;

/// How transcripts are read, and which are kept.
pub(super) struct Transcripts {
    /// Stored bytes of a session that its turns look at.
    longest: usize,
    kept: Mutex<Kept>,
}

/// What is kept: sessions, the one at rest longest first. There are few enough to look through.
#[derive(Default)]
struct Kept {
    sessions: VecDeque<(i64, Vec<Entry>)>,
    bytes: usize,
}

impl Transcripts {
    /// Keeps none yet. `window`: tokens of the widest model.
    pub(super) fn new(window: u32) -> Self {
        let window = usize::try_from(window).unwrap_or(usize::MAX);
        Self { longest: window.saturating_mul(OF_TOKEN), kept: Mutex::default() }
    }

    /// Takes what is kept of the turn's session and generation. Nobody else needs it: the turn is the only one.
    pub(super) fn take(&self, turn: &Turn) -> Vec<Entry> {
        let mut kept = lock(&self.kept);
        let mut entries = kept.remove(turn.session_id);
        // The first may be of another session, with a generation of that one's.
        if entries.last().is_some_and(|entry| entry.generation != turn.generation) {
            entries.clear();
        }
        entries
    }

    /// Keeps nothing of a session: it was erased.
    pub(super) fn forget(&self, session_id: i64) {
        lock(&self.kept).remove(session_id);
    }

    /// Keeps what was read.
    pub(super) fn keep(&self, turn: &Turn, entries: Vec<Entry>) {
        let mut kept = lock(&self.kept);
        kept.remove(turn.session_id);
        let bytes = bytes(&entries);
        if bytes > MOST_OF_ONE {
            return;
        }
        while kept.bytes + bytes > KEPT
            && let Some((_, oldest)) = kept.sessions.pop_front()
        {
            kept.bytes -= self::bytes(&oldest);
        }
        kept.bytes += bytes;
        kept.sessions.push_back((turn.session_id, entries));
    }

    /// Reads what the database has behind the entry `after`; without one, the newest entries as far as turns look, and in
    /// any case those of the turn itself: its question is among them.
    pub(super) async fn read(
        &self,
        tx: &mut Tx<'_>,
        turn: &Turn,
        after: Option<i64>,
    ) -> Result<Vec<Entry>, StoreError> {
        if let Some(after) = after {
            return entries::behind(tx, turn.session_id, turn.generation, after).await;
        }
        let mut found: Vec<Entry> = Vec::new();
        let mut stored = 0;
        let own = Fork { session_id: turn.session_id, generation: turn.generation, seq: i64::MAX };
        let mut from = Some(own);
        while let Some(Fork { session_id, generation, seq }) = from {
            let page = entries::up_to(tx, session_id, generation, seq, PAGE).await?;
            stored += page.iter().map(|entry| entry.size).sum::<usize>();
            from = match page.first() {
                Some(oldest) if page.len() == PAGE => {
                    Some(Fork { seq: oldest.seq - 1, session_id, generation })
                }
                // It may be a fork itself, of which only its first generation knows.
                _ if generation == 1 => sessions::fork(tx, session_id).await?,
                _ => None,
            };
            // Numbers order the entries of one session only: those of another come before the first.
            let number = |entry: Entry| Entry {
                seq: if session_id == turn.session_id { entry.seq } else { 0 },
                ..entry
            };
            found.extend(page.into_iter().rev().map(number));
            let of_turn = found.last().is_none_or(|oldest| oldest.turn_id == turn.id);
            if !of_turn && (found.len() >= NEWEST || stored >= self.longest) {
                break;
            }
        }
        found.reverse();
        Ok(found)
    }

    /// Joins what was known and what is new, and leaves out what is too old or more than any model can be told, but
    /// nothing of the turn itself.
    pub(super) fn join(&self, mut known: Vec<Entry>, new: Vec<Entry>, turn: &Turn) -> Vec<Entry> {
        known.extend(new);
        let mut stored: usize = known.iter().map(|entry| entry.size).sum();
        let mut old = 0;
        for entry in &known {
            let surplus = known.len() - old > NEWEST || stored > self.longest;
            if !surplus || entry.turn_id == turn.id {
                break;
            }
            stored -= entry.size;
            old += 1;
        }
        known.drain(..old);
        known
    }
}

impl Kept {
    fn remove(&mut self, session_id: i64) -> Vec<Entry> {
        let at = self.sessions.iter().position(|(id, _)| *id == session_id);
        let entries =
            at.and_then(|at| self.sessions.remove(at)).map_or_else(Vec::new, |(_, entries)| entries);
        self.bytes -= bytes(&entries);
        entries
    }
}

/// Bytes of memory that entries take, about.
fn bytes(entries: &[Entry]) -> usize {
    entries.iter().map(|entry| size_of::<Entry>() + entry.size + calls(&entry.content) * CALL).sum()
}

fn calls(content: &Content) -> usize {
    match content {
        Content::Answer(answer) => answer.calls.len(),
        Content::Input { .. } | Content::Result(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Answer;

    /// Tokens, more than any of these tests needs.
    const WINDOW: u32 = 10_000_000;

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
        let kept = Transcripts::new(WINDOW);
        kept.keep(&turn(1, 1), entries(1..4, 1, 7));
        assert!(kept.take(&turn(2, 1)).is_empty());
        assert_eq!(kept.take(&turn(1, 1)).len(), 3);
        assert!(kept.take(&turn(1, 1)).is_empty(), "it was taken");
        kept.keep(&turn(1, 1), entries(1..4, 1, 7));
        assert!(kept.take(&turn(1, 2)).is_empty(), "a new generation begins without the old");
        kept.keep(&turn(1, 1), [entries(0..1, 2, 3), entries(1..4, 1, 7)].concat());
        assert!(kept.take(&turn(1, 2)).is_empty(), "nor with what it was forked from");
    }

    #[test]
    fn not_everything_is_kept() {
        let kept = Transcripts::new(WINDOW);
        let of_one = bytes(&entries(1..401, 1, 7));
        let sessions = i64::try_from(2 * KEPT / of_one).unwrap();
        for session in 0..sessions {
            kept.keep(&turn(session, 1), entries(1..401, 1, 7));
            kept.keep(&turn(session, 1), entries(1..401, 1, 7));
        }
        let left = |session: i64| kept.take(&turn(session, 1)).len();
        assert_eq!(left(sessions - 1), NEWEST, "the last is there");
        assert_eq!(left(0), 0, "the first is not");
        let others = (0..sessions).map(left).filter(|left| *left > 0).count();
        assert!(of_one * (others + 1) <= KEPT, "{others} others");
        assert_eq!(lock(&kept.kept).bytes, 0);
    }

    #[test]
    fn those_at_rest_longest_are_forgotten() {
        let kept = Transcripts::new(WINDOW);
        let sessions = i64::try_from(2 * KEPT / bytes(&entries(1..401, 1, 7))).unwrap();
        for session in 1..sessions {
            kept.keep(&turn(0, 1), entries(1..401, 1, 7));
            kept.keep(&turn(session, 1), entries(1..401, 1, 7));
        }
        assert_eq!(kept.take(&turn(0, 1)).len(), NEWEST, "it was at work all the time");
        assert!(kept.take(&turn(1, 1)).is_empty());
    }

    #[test]
    fn a_long_one_is_not_kept_at_the_cost_of_others() {
        let kept = Transcripts::new(WINDOW);
        kept.keep(&turn(1, 1), entries(1..4, 1, 7));
        kept.keep(&turn(2, 1), entries(1..4, 1, 7));
        kept.keep(&turn(2, 1), entries(1..20_000, 1, 7));
        assert_eq!(kept.take(&turn(1, 1)).len(), 3);
        assert!(kept.take(&turn(2, 1)).is_empty(), "nor is a part of it");
        assert_eq!(lock(&kept.kept).bytes, 0);
    }

    #[test]
    fn what_no_model_can_be_told_is_left_out_but_nothing_of_the_turn_itself() {
        let kept = Transcripts::new(2_000);
        let joined = kept.join(entries(1..101, 1, 6), entries(101..103, 1, 7), &turn(1, 1));
        assert_eq!((joined.len(), joined[0].seq), (10, 93));
        let own = kept.join(entries(1..101, 1, 7), entries(101..103, 1, 7), &turn(1, 1));
        assert_eq!(own.len(), 102);
    }

    #[test]
    fn the_oldest_are_left_out_but_nothing_of_the_turn_itself() {
        let kept = Transcripts::new(WINDOW);
        let joined = kept.join(entries(1..401, 1, 6), entries(401..403, 1, 7), &turn(1, 1));
        assert_eq!((joined.len(), joined[0].seq), (NEWEST, 3));
        let own = kept.join(entries(1..401, 1, 7), entries(401..403, 1, 7), &turn(1, 1));
        assert_eq!(own.len(), 402);
    }
}
