//! Calls for deliveries and what they have shown: T6 and T7.

use roundtable_contract::{Conversation, MessageId};

use super::{Delivery, NEVER, State};
use crate::store::conversations::{self, About, Place};
use crate::store::{StoreError, Tx, chats, messages, params, sql};

/// Marks a call as on its way (T6). `after` is kept from an earlier call that may have been seen. A new message goes to
/// where the chat is now, the second step of one to where the first is. Other messages of the chat that were made by the
/// time `stuck_until` are passed.
/// [`StoreError::Stale`]: not now, because the delivery has changed, or because another new message of the
/// chat is on its way.
pub async fn start_call(
    tx: &mut Tx<'_>,
    delivery: &Delivery,
    within: i64,
    stuck_until: i64,
) -> Result<Delivery, StoreError> {
    // The second step of a two-step delivery has its number and need not be alone.
    if delivery.message.is_none() {
        // Who stops it has its row first, and then says so in the chat.
        tx.lock(
            sql!(
                lite: "SELECT id FROM deliveries WHERE id = $1",
                pg: "SELECT id FROM deliveries WHERE id = $1 FOR UPDATE"
            ),
            params![delivery.id],
        )
        .await?;
        chats::lock(tx, delivery.conversation_id).await?;
        if chats::is_busy(tx, delivery.conversation_id, stuck_until).await? {
            return Err(StoreError::Stale);
        }
    }
    let row = tx
        .optional(
            sql!(
                "UPDATE deliveries SET state = 'sending', attempts = attempts + 1, call_until = $3,
                     called_in = CASE WHEN message_id IS NOT NULL THEN called_in END,
                     after_id = CASE WHEN unknowns > 0 AND after_id IS NOT NULL AND called_in IS NULL THEN after_id
                         ELSE (SELECT COALESCE(MAX(m.message_id), 0) FROM messages m WHERE m.space_id =
                             (SELECT c.space_id FROM conversations c WHERE c.id = deliveries.conversation_id)) END
                 WHERE id = $1 AND state = $2 AND attempts = $4 AND due_at = $5 RETURNING *"
            ),
            params![
                delivery.id,
                delivery.state.as_str(),
                tx.now() + within,
                delivery.attempts,
                delivery.due_at
            ],
        )
        .await?;
    row.as_ref().map(Delivery::read).transpose()?.ok_or(StoreError::Stale)
}

/// What a call, or a look at the platform, has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// It is visible (T7).
    Sent(MessageId),
    /// Its stub is visible; the text comes next.
    Stubbed(MessageId),
    /// The thread is there.
    Opened(Thread),
    /// It is not, and may be tried again at this time.
    Later {
        /// When.
        due_at: i64,
        /// Why.
        error: String,
    },
    /// It may be, but is tried again at this time all the same, and may then be seen twice.
    Repeated {
        /// When.
        due_at: i64,
        /// Why.
        error: String,
    },
    /// It may be; look again at this time.
    Unknown {
        /// When.
        due_at: i64,
        /// Why.
        error: String,
    },
    /// It is not by this call, but may be by an earlier one; look again at this time.
    StillUnknown {
        /// When.
        due_at: i64,
        /// Why.
        error: String,
    },
    /// It is not and never will be, unless an earlier call has shown it that nobody may look for.
    Failed(String),
}

/// A thread that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// Its conversation.
    pub address: Conversation,
    /// Its id space.
    pub space: String,
}

/// Records what is known about a delivery now, that was called or looked for `there`. What is visible stays so, whatever
/// is learned later; anything else counts only while the delivery is as it was `seen`: whoever has lost the account
/// meanwhile changes nothing, and gets `false`. A look counts no call, but it moves when the delivery is due.
pub async fn settle(
    tx: &mut Tx<'_>,
    seen: &Delivery,
    there: &Place,
    shown: &Shown,
) -> Result<bool, StoreError> {
    let id = seen.id;
    let Conversation { account, chat, thread } = &there.address;
    let (state, message, due_at, error) = match shown {
        Shown::Sent(message) => (State::Sent, Some(message.0), None, None),
        Shown::Opened(_) => (State::Sent, None, None, None),
        // The text goes in by an edit, which needs no looking for: the second step is a new call.
        Shown::Stubbed(message) => (State::Pending, Some(message.0), None, None),
        Shown::Later { due_at, error } | Shown::Repeated { due_at, error } => {
            (State::Pending, None, Some(*due_at), Some(error))
        }
        Shown::Unknown { due_at, error } | Shown::StillUnknown { due_at, error } => {
            (State::Unknown, None, Some(*due_at), Some(error))
        }
        Shown::Failed(error) => (State::Failed, None, None, Some(error)),
    };
    // Where the chat moves just now, this waits for the row, and sees what that has noted there, but not the new address.
    let changed = tx.execute(
        sql!(
            "UPDATE deliveries SET state = $2, message_id = COALESCE($3, message_id), due_at = COALESCE($4, due_at),
                 error = $5,
                 called_in = CASE WHEN $3 IS NULL THEN called_in ELSE COALESCE(NULLIF((SELECT c.id FROM conversations c
                         WHERE c.channel = $13 AND c.account = $14 AND c.chat = $15 AND c.thread = $16), conversation_id),
                     CASE WHEN message_id IS NULL OR message_id = $3 THEN called_in END) END,
                 unknowns = unknowns + CASE WHEN state = 'sending' THEN $10 ELSE 0 END,
                 stray = CASE WHEN $11 = 1 THEN 1 WHEN stray = 1 AND $2 = 'sent' AND ($7 = 'unknown' OR attempts > $8) THEN 2 ELSE stray END,
                 newest_at_loss = CASE WHEN state = 'sending' AND $10 = 1
                     THEN (SELECT MAX(made.id) FROM deliveries AS made) ELSE newest_at_loss END,
                 sent_at = CASE WHEN $2 = 'sent' THEN $6 ELSE sent_at END
             WHERE id = $1 AND state <> 'sent'
               AND ($2 = 'sent' OR (state = $7 AND attempts = $8 AND unknowns = $9 AND due_at = $12))"
        ),
        params![
            id,
            state.as_str(),
            message,
            due_at,
            error.map(String::as_str),
            tx.now(),
            seen.state.as_str(),
            seen.attempts,
            seen.unknowns,
            i64::from(matches!(shown, Shown::Unknown { .. })),
            i64::from(is_stray(seen, shown)),
            seen.due_at,
            &account.channel,
            &account.name,
            chat.as_str(),
            thread.as_ref().map_or("", |thread| thread.as_str()),
        ],
    )
    .await?;
    if let Shown::Sent(message) | Shown::Stubbed(message) = shown {
        messages::delivered(tx, *message, id, there.space_id).await?;
    }
    match shown {
        Shown::Opened(thread) => opened(tx, id, there, thread).await.map(|()| changed == 1),
        Shown::Stubbed(message) if changed == 0 => stub_seen_late(tx, seen, there, *message).await,
        _ => Ok(changed == 1),
    }
}

/// A stub is visible `there` of a delivery that has changed since it was `seen`: whoever sends it next fills that one in,
/// and where it is looked for that is now. `false`: it has a message already.
async fn stub_seen_late(
    tx: &mut Tx<'_>,
    seen: &Delivery,
    there: &Place,
    message: MessageId,
) -> Result<bool, StoreError> {
    // While its chat moves there are two places where it could be.
    chats::lock(tx, seen.conversation_id).await?;
    let Conversation { account, chat, thread } = &there.address;
    let changed = tx
        .execute(
            sql!(
                "UPDATE deliveries SET message_id = $2,
                     called_in = NULLIF((SELECT c.id FROM conversations c
                         WHERE c.channel = $5 AND c.account = $6 AND c.chat = $7 AND c.thread = $8), conversation_id),
                     state = CASE WHEN state = 'unknown' AND due_at < $4 THEN 'pending' ELSE state END,
                     due_at = CASE WHEN state = 'unknown' AND due_at < $4 THEN $3 ELSE due_at END
                 WHERE id = $1 AND state <> 'sent' AND message_id IS NULL"
            ),
            params![
                seen.id,
                message.0,
                tx.now(),
                NEVER,
                &account.channel,
                &account.name,
                chat.as_str(),
                thread.as_ref().map_or("", |thread| thread.as_str()),
            ],
        )
        .await?;
    Ok(changed == 1)
}

/// Whether nobody looks any more for a message that may be visible.
fn is_stray(seen: &Delivery, shown: &Shown) -> bool {
    let is_over =
        matches!(shown, Shown::Repeated { .. } | Shown::Unknown { due_at: NEVER, .. } | Shown::Failed(_));
    seen.state == State::Unknown && is_over
}

/// Makes the conversation of a thread that was opened at `home`, for the run that asked for it.
async fn opened(tx: &mut Tx<'_>, id: i64, home: &Place, thread: &Thread) -> Result<(), StoreError> {
    let row = tx.one(sql!("SELECT * FROM deliveries WHERE id = $1"), params![id]).await?;
    let delivery = Delivery::read(&row)?;
    let about = About {
        kind: home.kind,
        title: Some(&delivery.part.body),
        guild: home.guild.as_deref(),
        parent: (thread.address.chat != home.address.chat).then_some(&home.address.chat),
        space: &thread.space,
    };
    let place = conversations::find_or_create(tx, &thread.address, &about).await?;
    match delivery.opens_for {
        Some(run_id) => conversations::opened_for(tx, place.id, run_id).await,
        None => Ok(()),
    }
}

/// The thread of this name in a chat that is being opened; for the platform's own event about it.
pub async fn opening_thread(
    tx: &mut Tx<'_>,
    address: &Conversation,
    name: &str,
) -> Result<Option<Delivery>, StoreError> {
    let rows = tx
        .all(
            sql!(
                "SELECT d.* FROM deliveries d JOIN conversations c ON c.id = d.conversation_id
                 WHERE c.channel = $1 AND c.account = $2 AND c.chat = $3 AND d.kind = 'thread' AND d.attempts > 0
                   AND d.state IN ('pending', 'sending', 'unknown') ORDER BY d.id"
            ),
            params![&address.account.channel, &address.account.name, address.chat.as_str()],
        )
        .await?;
    for row in &rows {
        let delivery = Delivery::read(row)?;
        if delivery.part.body == name {
            return Ok(Some(delivery));
        }
    }
    Ok(None)
}
