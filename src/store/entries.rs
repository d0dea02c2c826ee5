//! Entries: the lines of a session's transcript. Append-only; only the session's own turn writes them.

use super::turns::Turn;
use super::{Row, StoreError, Tx, params, sessions, sql, words};
use crate::models::{Answer, Usage};
use crate::store::inbox::{Body, Item, ItemKind};

words!(
    /// Whose part an entry is in the model's conversation.
    Role {
        /// Something that came in.
        User = "user",
        /// The model's answer.
        Assistant = "assistant",
        /// The result of a call.
        Tool = "tool",
    }
);

/// The result of a call, as it is stored and shown to the model.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CallResult {
    /// The call it answers.
    pub call_id: String,
    /// The tool's name.
    pub tool: String,
    /// JSON or text.
    pub content: String,
}

/// What an entry holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Something that came in, and who said it.
    Input {
        /// Person, agent, run or program.
        kind: ItemKind,
        /// The name to show.
        author: String,
        /// What was said.
        body: Body,
    },
    /// What the model said and asked for.
    Answer(Answer),
    /// The result of one call.
    Result(CallResult),
}

/// A stored entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its number in the session, from 1.
    pub seq: i64,
    /// The generation it belongs to.
    pub generation: i64,
    /// The turn that wrote it.
    pub turn_id: i64,
    /// The step of that turn; input is step 0 or the step it was absorbed before.
    pub step: i64,
    /// For results: which call of the step.
    pub call_index: Option<i64>,
    /// What it holds.
    pub content: Content,
    /// The bytes of that, as it is stored.
    pub size: usize,
    /// When it was written.
    pub created_at: i64,
}

fn read(row: &Row) -> Result<Entry, StoreError> {
    let content = match Role::read(row.text("role")?)? {
        Role::User => Content::Input {
            kind: ItemKind::read(row.text("provenance")?)?,
            author: row.get("author_name")?,
            body: row.json("body")?,
        },
        Role::Assistant => Content::Answer(row.json("body")?),
        Role::Tool => Content::Result(row.json("body")?),
    };
    Ok(Entry {
        seq: row.get("seq")?,
        generation: row.get("generation")?,
        turn_id: row.get("turn_id")?,
        step: row.get("step")?,
        call_index: row.get("call_index")?,
        content,
        size: row.text("body")?.len(),
        created_at: row.get("created_at")?,
    })
}

struct New<'a> {
    seq: i64,
    step: i64,
    call_index: Option<i64>,
    role: Role,
    provenance: &'a str,
    author: &'a str,
    author_name: &'a str,
    body: String,
    spent: Option<(&'a str, &'a Usage)>,
}

async fn append(tx: &mut Tx<'_>, turn: &Turn, new: New<'_>) -> Result<(), StoreError> {
    let usage = new.spent.map(|(_, usage)| usage);
    tx.execute(
        sql!(
            "INSERT INTO entries (session_id, seq, tree_id, generation, turn_id, step, call_index, role, provenance,
                 author, author_name, body, model, input_tokens, cached_tokens, output_tokens, cost_micros, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)"
        ),
        params![
            turn.session_id,
            new.seq,
            turn.tree_id,
            turn.generation,
            turn.id,
            new.step,
            new.call_index,
            new.role.as_str(),
            new.provenance,
            new.author,
            new.author_name,
            new.body,
            new.spent.map(|(model, _)| model),
            usage.map(|usage| stored(usage.input)),
            usage.map(|usage| stored(usage.cached)),
            usage.map(|usage| stored(usage.output)),
            usage.and_then(|usage| usage.cost_micros).map(stored),
            tx.now(),
        ],
    )
    .await?;
    Ok(())
}

fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn json<T: serde::Serialize>(body: &T) -> String {
    serde_json::to_string(body).expect("plain data is always JSON")
}

/// Writes the items that a turn consumes; pieces of one message become one entry. Locks the session.
pub async fn append_input(tx: &mut Tx<'_>, turn: &Turn, step: i64, items: &[Item]) -> Result<(), StoreError> {
    let merged = merge(items);
    let first = sessions::reserve(tx, turn.session_id, stored(merged.len() as u64)).await?;
    for (seq, (item, body)) in (first..).zip(&merged) {
        let new = New {
            seq,
            step,
            call_index: None,
            role: Role::User,
            provenance: item.kind.as_str(),
            author: &item.sender,
            author_name: &item.sender_name,
            body: json(body),
            spent: None,
        };
        append(tx, turn, new).await?;
    }
    Ok(())
}

/// Joins pieces with the same merge key: texts by a line break, attachments in order.
fn merge(items: &[Item]) -> Vec<(&Item, Body)> {
    let mut merged: Vec<(&Item, Body)> = Vec::new();
    for item in items {
        let known = merged.iter_mut().find(|(first, _)| {
            item.merge_key.is_some() && first.merge_key == item.merge_key && first.sender == item.sender
        });
        match known {
            Some((_, body)) => join(body, &item.body),
            None => merged.push((item, item.body.clone())),
        }
    }
    merged
}

fn join(body: &mut Body, piece: &Body) {
    if !body.text.is_empty() && !piece.text.is_empty() {
        body.text.push('\n');
    }
    body.text.push_str(&piece.text);
    body.attachments.extend(piece.attachments.iter().cloned());
    body.quote = body.quote.take().or_else(|| piece.quote.clone());
}

/// Writes a model's answer with what it cost, and gives its number in the session. Locks the session.
pub async fn append_answer(
    tx: &mut Tx<'_>,
    turn: &Turn,
    step: i64,
    answer: &Answer,
    model: &str,
    usage: &Usage,
) -> Result<i64, StoreError> {
    let spent = [usage.input, usage.output, usage.cost_micros.unwrap_or(0)].map(stored);
    let seq = sessions::spend(tx, turn.session_id, 1, spent).await?;
    let new = New {
        seq,
        step,
        call_index: None,
        role: Role::Assistant,
        provenance: "agent",
        author: &turn.agent,
        author_name: &turn.agent,
        body: json(answer),
        spent: Some((model, usage)),
    };
    append(tx, turn, new).await?;
    Ok(seq)
}

/// Writes the result of a call. Locks the session.
pub async fn append_result(
    tx: &mut Tx<'_>,
    turn: &Turn,
    step: i64,
    call_index: i64,
    result: &CallResult,
) -> Result<(), StoreError> {
    let seq = sessions::reserve(tx, turn.session_id, 1).await?;
    let new = New {
        seq,
        step,
        call_index: Some(call_index),
        role: Role::Tool,
        provenance: "agent",
        author: &result.tool,
        author_name: &result.tool,
        body: json(result),
        spent: None,
    };
    append(tx, turn, new).await
}

/// The answer that began a step of a turn.
pub async fn answer_of(tx: &mut Tx<'_>, turn: &Turn, step: i64) -> Result<Option<Answer>, StoreError> {
    let row = tx
        .optional(
            sql!(
                "SELECT body FROM entries WHERE session_id = $1 AND turn_id = $2 AND step = $3 AND role = 'assistant'
                 ORDER BY seq DESC LIMIT 1"
            ),
            params![turn.session_id, turn.id, step],
        )
        .await?;
    row.map(|row| row.json("body")).transpose()
}

/// What a session said at the end of its last turn that was no answer to another agent, if it has ended one well.
pub async fn last_own_words(tx: &mut Tx<'_>, session_id: i64) -> Result<Option<String>, StoreError> {
    let row = tx
        .optional(
            sql!(
                "SELECT e.body FROM entries e JOIN turns t ON t.id = e.turn_id
                 WHERE e.session_id = $1 AND e.role = 'assistant' AND t.exchange_id IS NULL AND t.status = 'done'
                 ORDER BY e.seq DESC LIMIT 1"
            ),
            params![session_id],
        )
        .await?;
    row.map(|row| row.json::<Answer>("body").map(|answer| answer.text)).transpose()
}

/// The newest entries of a session's generation with a number of at most `seq`, oldest first.
pub async fn up_to(
    tx: &mut Tx<'_>,
    session_id: i64,
    generation: i64,
    seq: i64,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut entries = tx
        .all(
            sql!(
                "SELECT seq, generation, turn_id, step, call_index, role, provenance, author_name, body, created_at
                 FROM entries WHERE session_id = $1 AND generation = $2 AND seq <= $4 ORDER BY seq DESC LIMIT $3"
            ),
            params![session_id, generation, limit, seq],
        )
        .await?
        .iter()
        .map(read)
        .collect::<Result<Vec<_>, _>>()?;
    entries.reverse();
    Ok(entries)
}

/// A part of a transcript, from the newest entry backwards.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// The session, all its generations.
    pub session_id: i64,
    /// Only entries with a lower number.
    pub before: Option<i64>,
    /// Skip so many.
    pub offset: i64,
    /// At most so many.
    pub limit: i64,
    /// Results of calls too.
    pub tools: bool,
}

/// The entries of a page, oldest first.
pub async fn page(tx: &mut Tx<'_>, page: &Page) -> Result<Vec<Entry>, StoreError> {
    let mut entries = tx
        .all(
            sql!(
                "SELECT * FROM entries WHERE session_id = $1 AND (CAST($2 AS BIGINT) IS NULL OR seq < $2)
                   AND (CAST($5 AS BIGINT) = 1 OR role <> 'tool') ORDER BY seq DESC LIMIT $4 OFFSET $3"
            ),
            params![page.session_id, page.before, page.offset, page.limit, page.tools],
        )
        .await?
        .iter()
        .map(read)
        .collect::<Result<Vec<_>, _>>()?;
    entries.reverse();
    Ok(entries)
}

/// Where a fork of a turn's session that is made in this step ends: before the answer that began the step, whose
/// calls have no results yet. `None`: there is nothing before it.
pub async fn before_step(
    tx: &mut Tx<'_>,
    turn: &Turn,
    step: i64,
) -> Result<Option<sessions::Fork>, StoreError> {
    let row = tx
        .optional(
            sql!(
                "SELECT MIN(seq) AS seq FROM entries
                 WHERE session_id = $1 AND turn_id = $2 AND step = $3 AND role = 'assistant'"
            ),
            params![turn.session_id, turn.id, step],
        )
        .await?;
    let first = row.map(|row| row.get::<Option<i64>>("seq")).transpose()?.flatten();
    Ok(first.filter(|seq| *seq > 1).map(|seq| sessions::Fork {
        session_id: turn.session_id,
        generation: turn.generation,
        seq: seq - 1,
    }))
}

/// Entries of a session's generation behind `after`, oldest first.
pub async fn behind(
    tx: &mut Tx<'_>,
    session_id: i64,
    generation: i64,
    after: i64,
) -> Result<Vec<Entry>, StoreError> {
    tx.all(
        sql!(
            "SELECT seq, generation, turn_id, step, call_index, role, provenance, author_name, body, created_at
             FROM entries WHERE session_id = $1 AND generation = $2 AND seq > $3 ORDER BY seq"
        ),
        params![session_id, generation, after],
    )
    .await?
    .iter()
    .map(read)
    .collect()
}

/// Entries of the session with this key, whatever the generation, behind `after`, oldest first.
pub async fn of_key(tx: &mut Tx<'_>, key: &str, after: i64, limit: i64) -> Result<Vec<Entry>, StoreError> {
    tx.all(
        sql!(
            "SELECT e.* FROM entries e JOIN sessions s ON s.id = e.session_id
             WHERE s.key = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $3"
        ),
        params![key, after, limit],
    )
    .await?
    .iter()
    .map(read)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(id: i64, key: Option<&str>, text: &str) -> Item {
        Item {
            id,
            kind: ItemKind::User,
            wake: true,
            conversation_id: 1,
            exchange_id: None,
            run_id: None,
            sender: "ann".into(),
            sender_name: "Ann".into(),
            message_id: None,
            policy: None,
            body: Body { text: text.into(), ..Body::default() },
            merge_key: key.map(Into::into),
            not_before: 0,
        }
    }

    #[test]
    fn pieces_of_one_message_become_one_entry() {
        let items = [piece(1, Some("a"), "one"), piece(2, None, "between"), piece(3, Some("a"), "two")];
        let texts: Vec<_> = merge(&items).into_iter().map(|(_, body)| body.text).collect();
        assert_eq!(texts, ["one\ntwo", "between"]);
    }
}
