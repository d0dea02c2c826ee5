//! Conversations: exact external addresses, and the counters that number their messages.

use roundtable_contract::{AccountId, ChatId, ChatKind, Conversation};

use super::deliveries::NEVER;
use super::{Row, StoreError, Tx, params, sql};

/// A stored conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its row.
    pub id: i64,
    /// The counter that numbers its messages.
    pub space_id: i64,
    /// Private chat or group.
    pub kind: ChatKind,
    /// The address.
    pub address: Conversation,
    /// The chat's title, if it has one.
    pub title: Option<String>,
    /// The server, on a platform that has them.
    pub guild: Option<String>,
    /// The chat that this one is a thread of, where threads are chats of their own.
    pub parent: Option<ChatId>,
    /// The run that this thread was opened for.
    pub run_id: Option<i64>,
    /// When its chat moved to this address, if it ever did.
    pub moved_at: Option<i64>,
}

/// What is known of a conversation beside its address.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// Private chat or group.
    pub kind: ChatKind,
    /// The chat's title.
    pub title: Option<&'a str>,
    /// The server.
    pub guild: Option<&'a str>,
    /// The chat that this one is a thread of.
    pub parent: Option<&'a ChatId>,
    /// The adapter's id space.
    pub space: &'a str,
}

fn kind_word(kind: ChatKind) -> &'static str {
    match kind {
        ChatKind::Direct => "direct",
        ChatKind::Group => "group",
    }
}

pub(super) fn read(row: &Row) -> Result<Place, StoreError> {
    let thread: String = row.get("thread")?;
    let account = AccountId::new(row.get::<String>("channel")?, row.get::<String>("account")?);
    let chat = Conversation::chat(account, row.get::<String>("chat")?);
    Ok(Place {
        id: row.get("id")?,
        space_id: row.get("space_id")?,
        kind: if row.get::<String>("kind")? == "direct" { ChatKind::Direct } else { ChatKind::Group },
        address: if thread.is_empty() { chat } else { chat.with_thread(thread) },
        title: row.get("title")?,
        guild: row.get("guild")?,
        parent: row.get::<Option<String>>("parent")?.map(ChatId::new),
        run_id: row.get("run_id")?,
        moved_at: row.get("moved_at")?,
    })
}

fn thread(address: &Conversation) -> &str {
    address.thread.as_ref().map_or("", |thread| thread.as_str())
}

/// The conversation with this address, if it is known. With an address that it had before its chat moved, it is the
/// one of today with the counter of then.
pub async fn find(tx: &mut Tx<'_>, address: &Conversation) -> Result<Option<Place>, StoreError> {
    let row = tx
        .optional(
            sql!(
                "SELECT now.id, now.channel, now.account, now.chat, now.thread, now.kind, now.title, now.guild, now.parent,
                     now.run_id, now.moved_at, c.space_id
                 FROM conversations c JOIN conversations now ON now.id = COALESCE(c.moved_to, c.id)
                 WHERE c.channel = $1 AND c.account = $2 AND c.chat = $3 AND c.thread = $4"
            ),
            params![&address.account.channel, &address.account.name, address.chat.as_str(), thread(address)],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// The conversation with this address; made when it is new.
pub async fn find_or_create(
    tx: &mut Tx<'_>,
    address: &Conversation,
    about: &About<'_>,
) -> Result<Place, StoreError> {
    if let Some(place) = find(tx, address).await? {
        return Ok(place);
    }
    let space_id = space_id(tx, &address.account, about.space).await?;
    tx.execute(
        sql!(
            "INSERT INTO conversations (channel, account, chat, thread, kind, title, guild, parent, space_id,
                 created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (channel, account, chat, thread) DO NOTHING"
        ),
        params![
            &address.account.channel,
            &address.account.name,
            address.chat.as_str(),
            thread(address),
            kind_word(about.kind),
            about.title,
            about.guild,
            about.parent.map(ChatId::as_str),
            space_id,
            tx.now(),
        ],
    )
    .await?;
    // Another node may have been faster, and the chat may even have moved.
    Ok(find(tx, address).await?.expect("it is there now, and no conversation is ever removed"))
}

/// A thread that we opened: it is for this run.
pub async fn opened_for(tx: &mut Tx<'_>, id: i64, run_id: i64) -> Result<(), StoreError> {
    tx.execute(sql!("UPDATE conversations SET run_id = $2 WHERE id = $1"), params![id, run_id]).await?;
    Ok(())
}

/// Whether there is a thread for this run.
pub async fn is_opened_for(tx: &mut Tx<'_>, run_id: i64) -> Result<bool, StoreError> {
    let row =
        tx.optional(sql!("SELECT id FROM conversations WHERE run_id = $1 LIMIT 1"), params![run_id]).await?;
    Ok(row.is_some())
}

/// The conversation with this row id.
pub async fn get(tx: &mut Tx<'_>, id: i64) -> Result<Place, StoreError> {
    let row = tx
        .one(
            sql!(
                "SELECT id, channel, account, chat, thread, kind, title, guild, parent, run_id, moved_at, space_id
                 FROM conversations WHERE id = $1"
            ),
            params![id],
        )
        .await?;
    read(&row)
}

/// Whether something is still to be answered, to be sent or to be looked for in a conversation.
pub async fn busy(tx: &mut Tx<'_>, id: i64) -> Result<bool, StoreError> {
    tx.one(
        sql!(
            "SELECT CASE WHEN EXISTS (SELECT 1 FROM deliveries d
                     WHERE d.conversation_id = $1 AND d.state IN ('pending', 'sending', 'unknown') AND d.due_at < $2)
                 OR EXISTS (SELECT 1 FROM sessions s WHERE s.conversation_id = $1 AND s.kind <> 'subagent' AND (
                     EXISTS (SELECT 1 FROM turns t WHERE t.session_id = s.id AND t.status IN ('running', 'waiting'))
                     OR EXISTS (SELECT 1 FROM inbox i
                         WHERE i.session_id = s.id AND i.turn_id IS NULL AND i.wake = 1)))
                 THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS busy"
        ),
        params![id, NEVER],
    )
    .await?
    .flag("busy")
}

/// A chat continues under another id: everything that was kept under the old one goes on under the new, and the old
/// address stays known: what was said there is looked for and filled in there. A conversation that already exists under
/// the new id keeps its own history. `space` is the new space; its row is returned.
pub async fn moved(
    tx: &mut Tx<'_>,
    account: &AccountId,
    from: &ChatId,
    to: &ChatId,
    space: &str,
) -> Result<i64, StoreError> {
    let space_id = space_id(tx, account, space).await?;
    let here = params![&account.channel, &account.name, from.as_str(), to.as_str()];
    tx.lock(
        sql!(
            lite: "SELECT id FROM conversations WHERE channel = $1 AND account = $2 AND chat IN ($3, $4)",
            pg: "SELECT id FROM conversations WHERE channel = $1 AND account = $2 AND chat IN ($3, $4)
                 ORDER BY id FOR UPDATE"
        ),
        here,
    )
    .await?;
    let moving = tx
        .all(
            sql!(
                "SELECT id FROM conversations
                 WHERE channel = $1 AND account = $2 AND chat = $3 AND moved_to IS NULL AND NOT EXISTS (
                     SELECT 1 FROM conversations AS taken
                     WHERE taken.channel = $1 AND taken.account = $2 AND taken.chat = $4
                       AND taken.thread = conversations.thread) ORDER BY id"
            ),
            here,
        )
        .await?;
    for row in &moving {
        readdress(tx, row.get("id")?, to, space_id).await?;
    }
    tx.execute(
        sql!(
            "INSERT INTO allowed_chats (channel, account, chat, allowed_by, created_at)
             SELECT channel, account, $4, allowed_by, created_at FROM allowed_chats
             WHERE channel = $1 AND account = $2 AND chat = $3
             ON CONFLICT (channel, account, chat) DO NOTHING"
        ),
        params![&account.channel, &account.name, from.as_str(), to.as_str()],
    )
    .await?;
    Ok(space_id)
}

/// Gives a conversation another chat. Its earlier address becomes a row of its own.
async fn readdress(tx: &mut Tx<'_>, id: i64, to: &ChatId, space_id: i64) -> Result<(), StoreError> {
    let old = get(tx, id).await?;
    tx.execute(
        sql!("UPDATE conversations SET chat = $2, space_id = $3, moved_at = $4 WHERE id = $1"),
        params![id, to.as_str(), space_id, tx.now()],
    )
    .await?;
    let row = tx
        .one(
            sql!(
                "INSERT INTO conversations (channel, account, chat, thread, kind, title, guild, parent, space_id, created_at,
                     moved_to)
                 SELECT channel, account, CAST($2 AS TEXT), thread, kind, title, guild, parent, CAST($3 AS BIGINT),
                     created_at, id
                 FROM conversations WHERE id = $1 RETURNING id"
            ),
            params![id, old.address.chat.as_str(), old.space_id],
        )
        .await?;
    let before: i64 = row.get("id")?;
    tx.execute(
        sql!(
            "UPDATE deliveries SET called_in = $2
             WHERE conversation_id = $1 AND called_in IS NULL
               AND (message_id IS NOT NULL OR state IN ('sending', 'unknown'))"
        ),
        params![id, before],
    )
    .await?;
    Ok(())
}

async fn space_id(tx: &mut Tx<'_>, account: &AccountId, name: &str) -> Result<i64, StoreError> {
    tx.one(
        sql!(
            "INSERT INTO spaces (channel, account, name) VALUES ($1, $2, $3)
             ON CONFLICT (channel, account, name) DO UPDATE SET name = excluded.name RETURNING id"
        ),
        params![&account.channel, &account.name, name],
    )
    .await?
    .get("id")
}
