//! `/steer`: a word into a turn at work.

use super::{Asked, Done};
use crate::control::{self, Steered, Word};
use crate::engine::Effects;
use crate::phrases;
use crate::store::inbox::Author;
use crate::store::{StoreError, Tx};

pub(super) async fn steer(
    tx: &mut Tx<'_>,
    asked: &Asked<'_>,
    label: &str,
    text: &str,
) -> Result<Done, StoreError> {
    let target = match asked.called(label) {
        Ok(target) => target,
        Err(nobody) => return Ok(Done::said(nobody)),
    };
    let session = asked.found_or_made(tx, &target).await?;
    let word = Word {
        conversation_id: asked.place.id,
        author: Author::person(&asked.message.sender),
        text,
        piece: asked.held.piece(),
        not_before: asked.held.until(tx.now()),
    };
    let mut after = Effects::default();
    let text = match control::steer(tx, &asked.edges.team, session, asked.whose(), &word, &mut after).await? {
        Steered::AtWork => phrases::steered(label),
        Steered::Woken => phrases::woken(label),
        Steered::Archived => phrases::archived(label),
        Steered::Full(waiting) => phrases::inbox_full(label, waiting),
        Steered::NotTheirs => phrases::not_yours(label),
    };
    Ok(Done { text: Some(text), after })
}
