//! Erasing what was taken out of use, a few pieces at a time.

use async_trait::async_trait;

use crate::store::retention::{self, Erased};
use crate::store::{StoreError, Transaction, Tx, sessions, trees};

/// So many pieces of one session go in one transaction: a session of the usual size as a whole.
const PIECES: usize = 4;

/// Erases some of the session that is due, or all of it.
pub struct Erase;

/// What [`Erase`] has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Of which session.
    pub session_id: i64,
    /// How far that one is erased.
    pub erased: Erased,
}

#[async_trait]
impl Transaction for Erase {
    type Output = Option<Piece>;
    const NAME: &'static str = "erase";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Piece>, StoreError> {
        let Some(session_id) = retention::next(tx).await? else { return Ok(None) };
        let tree_id = sessions::get(tx, session_id).await?.tree_id;
        trees::lock(tx, tree_id).await?;
        sessions::hold(tx, session_id).await?;
        let mut erased = Erased::More;
        for _ in 0..PIECES {
            erased = retention::erase(tx, session_id, tree_id).await?;
            if erased != Erased::More {
                break;
            }
        }
        Ok(Some(Piece { session_id, erased }))
    }
}
