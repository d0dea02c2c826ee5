//! `/pair`, and codes by themselves.

use roundtable_contract::{ChatKind, Message};

use crate::phrases;
use crate::store::{StoreError, Tx, people};

/// Tries that a sender has with codes in an hour.
const TRIES: i64 = 5;

pub(super) async fn pair(
    tx: &mut Tx<'_>,
    message: &Message,
    code: &str,
) -> Result<Option<String>, StoreError> {
    if message.chat_kind == ChatKind::Group {
        // Only the right code is worth voiding, and only it gets an answer: a guess in a group tells nothing.
        let shown = people::use_code(tx, code).await?;
        return Ok(shown.then(phrases::code_voided));
    }
    let sender = &message.sender;
    let tried = people::count_try(tx, &message.conversation.account.channel, &sender.id).await?;
    if tried >= TRIES {
        return Ok(Some(phrases::wrong_code(0)));
    }
    if !people::use_code(tx, code).await? {
        return Ok(Some(phrases::wrong_code(u32::try_from(TRIES - tried - 1).unwrap_or(0))));
    }
    people::make_owner(tx, &message.conversation.account.channel, &sender.id, &sender.name).await?;
    Ok(Some(phrases::owner_paired(&sender.name)))
}
