//! What a turn looks at, read from the database: all of it at the beginning, and after each step what was added.

use async_trait::async_trait;

use super::roster::Seat;
use super::transcripts::Transcripts;
use super::{Engine, seats};
use crate::store::conversations::Place;
use crate::store::entries::Entry;
use crate::store::inbox::ItemKind;
use crate::store::turns::{self, Ties, Turn};
use crate::store::{Read, StoreError, Tx};
use crate::tools::Policy;

/// Everything a turn looks at.
pub(super) struct Desk {
    pub(super) place: Place,
    pub(super) ties: Ties,
    pub(super) policy: Policy,
    pub(super) roster: Vec<Seat>,
    pub(super) entries: Vec<Entry>,
}

/// Reads where a turn stands, with `known` of its transcript.
pub(super) async fn open(engine: &Engine, turn: &Turn, known: Vec<Entry>) -> Result<Desk, StoreError> {
    let after = known.last().map(|entry| entry.seq);
    let desk = engine.store.read(Open { engine, turn, after }).await?;
    Ok(Desk { entries: engine.transcripts.join(known, desk.entries, turn), ..desk })
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
        let tied = ties.spawned || ties.trigger != ItemKind::User;
        let policy = if tied { Policy::of_turn(tx, self.turn).await? } else { Policy::default() };
        let roster = match ties.alone {
            true => Vec::new(),
            false => seats::around(tx, self.turn, &self.engine.team.agents).await?,
        };
        let entries = self.engine.transcripts.read(tx, self.turn, self.after).await?;
        Ok(Desk { place, ties, policy, roster, entries })
    }
}

/// What a step has added to the transcript, if the turn is still the caller's.
pub(super) struct More<'a> {
    pub(super) transcripts: &'a Transcripts,
    pub(super) turn: &'a Turn,
    /// The transcript is known up to this entry.
    pub(super) after: Option<i64>,
}

#[async_trait]
impl Read for More<'_> {
    type Output = Vec<Entry>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Entry>, StoreError> {
        turns::check(tx, self.turn).await?;
        self.transcripts.read(tx, self.turn, self.after).await
    }
}
