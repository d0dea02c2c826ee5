//! Pauses that a platform has asked for: whoever has the account next keeps them too.

use roundtable_contract::{AccountId, ChatId};

use super::{StoreError, Tx, params, sql};

/// Stores that nothing goes to a chat of the account, or to any (`None`), before `until`. A longer pause stays.
pub async fn extend(
    tx: &mut Tx<'_>,
    account: &AccountId,
    chat: Option<&ChatId>,
    until: i64,
) -> Result<(), StoreError> {
    tx.execute(
        sql!(
            "INSERT INTO pauses (channel, account, chat, until) VALUES ($1, $2, $3, $4)
             ON CONFLICT (channel, account, chat) DO UPDATE SET until = excluded.until
             WHERE pauses.until < excluded.until"
        ),
        params![&account.channel, &account.name, chat.map_or("", ChatId::as_str), until],
    )
    .await?;
    Ok(())
}

/// The pauses of an account that are not over: the chat, or `None` for all of them, and until when.
pub async fn of_account(
    tx: &mut Tx<'_>,
    account: &AccountId,
) -> Result<Vec<(Option<ChatId>, i64)>, StoreError> {
    tx.all(
        sql!("SELECT chat, until FROM pauses WHERE channel = $1 AND account = $2 AND until > $3"),
        params![&account.channel, &account.name, tx.now()],
    )
    .await?
    .iter()
    .map(|row| {
        let chat: String = row.get("chat")?;
        Ok(((!chat.is_empty()).then(|| ChatId::new(chat)), row.get("until")?))
    })
    .collect()
}
