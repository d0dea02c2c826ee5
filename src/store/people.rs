//! Owners, people who may speak, groups let in at run time, and the owner's code.

use async_trait::async_trait;
use roundtable_contract::{AccountId, ChatId, MessageId, UserId};

use super::conversations::Place;
use super::{StoreError, Transaction, Tx, hints, params, sql};

/// What the database knows that bears on who is admitted and who is spoken to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The sender is an owner.
    pub owner: bool,
    /// The sender was paired.
    pub paired: bool,
    /// Somebody is an owner.
    pub owners_exist: bool,
    /// An owner let this chat in.
    pub chat_allowed: bool,
    /// A near miss was answered here a short while ago.
    pub hinted: bool,
    /// A code waits to be sent.
    pub code_open: bool,
    /// The session that wrote the message that this one answers.
    pub reply_session: Option<i64>,
    /// The session that the sender has chosen to speak to here.
    pub own_focus: Option<i64>,
    /// The session that everyone speaks to here.
    pub common_focus: Option<i64>,
    /// Pieces of a message of the sender are being collected here.
    pub merging: bool,
}

/// Reads the facts about a sender, a chat, and a message that is answered, in one look.
pub async fn facts(
    tx: &mut Tx<'_>,
    place: &Place,
    user: &UserId,
    answered: Option<MessageId>,
) -> Result<Facts, StoreError> {
    let row = tx
        .one(
            sql!(
                "SELECT (SELECT role FROM people WHERE channel = $1 AND user_id = $3) AS role,
                     (SELECT COUNT(*) FROM people WHERE role = 'owner') AS owners,
                     (SELECT COUNT(*) FROM allowed_chats WHERE channel = $1 AND account = $2 AND chat = $4) AS allowed,
                     (SELECT COUNT(*) FROM owner_codes WHERE ended_at IS NULL AND expires_at > $7) AS codes,
                     (SELECT COUNT(*) FROM hints
                      WHERE conversation_id = $8 AND name = 'near miss' AND said_at > $9) AS hinted,
                     (SELECT COUNT(*) FROM inbox WHERE conversation_id = $8 AND sender = $3 AND turn_id IS NULL
                          AND merge_key IS NOT NULL AND not_before > $7) AS merging,
                     (SELECT m.session_id FROM messages m JOIN sessions s ON s.id = m.session_id
                      WHERE m.space_id = $5 AND m.message_id = $6 AND s.erase_at IS NULL) AS reply_session,
                     (SELECT session_id FROM focuses WHERE conversation_id = $8 AND user_id = $3) AS own_focus,
                     (SELECT session_id FROM focuses WHERE conversation_id = $8 AND user_id = '') AS common_focus"
            ),
            params![
                &place.address.account.channel,
                &place.address.account.name,
                user.as_str(),
                place.address.chat.as_str(),
                place.space_id,
                answered.map(|id| id.0),
                tx.now(),
                place.id,
                tx.now() - hints::QUIET,
            ],
        )
        .await?;
    let role: Option<String> = row.get("role")?;
    Ok(Facts {
        owner: role.as_deref() == Some("owner"),
        paired: role.as_deref() == Some("paired"),
        owners_exist: row.get::<i64>("owners")? > 0,
        chat_allowed: row.get::<i64>("allowed")? > 0,
        hinted: row.get::<i64>("hinted")? > 0,
        code_open: row.get::<i64>("codes")? > 0,
        reply_session: row.get("reply_session")?,
        own_focus: row.get("own_focus")?,
        common_focus: row.get("common_focus")?,
        merging: row.get::<i64>("merging")? > 0,
    })
}

/// Makes a person an owner.
pub async fn make_owner(tx: &mut Tx<'_>, channel: &str, user: &UserId, name: &str) -> Result<(), StoreError> {
    tx.execute(
        sql!(
            "INSERT INTO people (channel, user_id, name, role, created_at) VALUES ($1, $2, $3, 'owner', $4)
             ON CONFLICT (channel, user_id) DO UPDATE SET role = 'owner'"
        ),
        params![channel, user.as_str(), name, tx.now()],
    )
    .await?;
    Ok(())
}

/// Lets a group in.
pub async fn allow_chat(
    tx: &mut Tx<'_>,
    account: &AccountId,
    chat: &ChatId,
    by: &UserId,
) -> Result<(), StoreError> {
    tx.execute(
        sql!(
            "INSERT INTO allowed_chats (channel, account, chat, allowed_by, created_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (channel, account, chat) DO NOTHING"
        ),
        params![&account.channel, &account.name, chat.as_str(), by.as_str(), tx.now()],
    )
    .await?;
    Ok(())
}

/// Stores a new owner's code and voids all earlier ones; does nothing when there is an owner already.
/// Says whether the code counts.
pub struct NewCode {
    /// The code, normalised.
    pub code: String,
    /// How long it can be used, in milliseconds.
    pub life: i64,
}

#[async_trait]
impl Transaction for NewCode {
    type Output = bool;
    const NAME: &'static str = "new_code";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let expires_at = tx.now() + self.life;
        new_code(tx, &self.code, expires_at).await
    }
}

async fn new_code(tx: &mut Tx<'_>, code: &str, expires_at: i64) -> Result<bool, StoreError> {
    let owners: i64 = tx
        .one(sql!("SELECT COUNT(*) AS owners FROM people WHERE role = 'owner'"), params![])
        .await?
        .get("owners")?;
    if owners > 0 {
        return Ok(false);
    }
    void_codes(tx).await?;
    tx.execute(sql!("INSERT INTO owner_codes (code, expires_at) VALUES ($1, $2)"), params![code, expires_at])
        .await?;
    Ok(true)
}

async fn void_codes(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    tx.execute(sql!("UPDATE owner_codes SET ended_at = $1 WHERE ended_at IS NULL"), params![tx.now()])
        .await?;
    Ok(())
}

/// Counts a try of this sender in the last hour and returns how many there were before it.
pub async fn count_try(tx: &mut Tx<'_>, channel: &str, user: &UserId) -> Result<i64, StoreError> {
    let hour_ago = tx.now() - 3_600_000;
    let row = tx
        .one(
            sql!(
                "INSERT INTO code_tries (channel, user_id, tries, since) VALUES ($1, $2, 1, $3)
                 ON CONFLICT (channel, user_id) DO UPDATE SET
                     tries = CASE WHEN code_tries.since < $4 THEN 1 ELSE code_tries.tries + 1 END,
                     since = CASE WHEN code_tries.since < $4 THEN excluded.since ELSE code_tries.since END
                 RETURNING tries"
            ),
            params![channel, user.as_str(), tx.now(), hour_ago],
        )
        .await?;
    Ok(row.get::<i64>("tries")? - 1)
}

/// Uses a code up; `false`: it is wrong, used or too old.
pub async fn use_code(tx: &mut Tx<'_>, code: &str) -> Result<bool, StoreError> {
    let changed = tx
        .execute(
            sql!("UPDATE owner_codes SET ended_at = $2 WHERE code = $1 AND ended_at IS NULL AND expires_at > $2"),
            params![code, tx.now()],
        )
        .await?;
    Ok(changed == 1)
}

/// Takes back what [`allow_chat`] did; `false`: the chat was not let in that way.
pub async fn disallow_chat(tx: &mut Tx<'_>, account: &AccountId, chat: &ChatId) -> Result<bool, StoreError> {
    let changed = tx
        .execute(
            sql!("DELETE FROM allowed_chats WHERE channel = $1 AND account = $2 AND chat = $3"),
            params![&account.channel, &account.name, chat.as_str()],
        )
        .await?;
    Ok(changed > 0)
}
