//! Focus: whom a person, or everyone, speaks to in a conversation until further notice.

use roundtable_contract::UserId;

use super::{StoreError, Tx, params, sql};

/// The name under which everyone's focus is stored.
const EVERYONE: &str = "";

/// Sets the focus of a person, or with `None` of everyone.
pub async fn set(
    tx: &mut Tx<'_>,
    conversation_id: i64,
    user: Option<&UserId>,
    session_id: i64,
) -> Result<(), StoreError> {
    tx.execute(
        sql!(
            "INSERT INTO focuses (conversation_id, user_id, session_id, created_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (conversation_id, user_id) DO UPDATE SET session_id = excluded.session_id,
                 created_at = excluded.created_at"
        ),
        params![conversation_id, user.map_or(EVERYONE, UserId::as_str), session_id, tx.now()],
    )
    .await?;
    Ok(())
}

/// Takes the focus of a person, or with `None` everyone's, away; `false`: there was none.
pub async fn clear(tx: &mut Tx<'_>, conversation_id: i64, user: Option<&UserId>) -> Result<bool, StoreError> {
    let changed = tx
        .execute(
            sql!("DELETE FROM focuses WHERE conversation_id = $1 AND user_id = $2"),
            params![conversation_id, user.map_or(EVERYONE, UserId::as_str)],
        )
        .await?;
    Ok(changed > 0)
}
