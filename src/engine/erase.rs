//! Erasing what was taken out of use, a piece at a time.

use async_trait::async_trait;

use crate::store::retention::{self, Erased};
use crate::store::{StoreError, Transaction, Tx, sessions, trees};

/// Erases a piece of the session that is due.
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
        let erased = retention::erase(tx, session_id, tree_id).await?;
        Ok(Some(Piece { session_id, erased }))
    }
}
