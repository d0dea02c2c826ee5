//! What becomes of the words with which a turn of an exchange ends: they are an answer to the other side.

use serde_json::json;

use super::close::Said;
use super::effects::Effects;
use crate::agents::is_silent;
use crate::store::exchanges::{self, Exchange};
use crate::store::inbox::{self, Author, Body, ItemKind, NewItem};
use crate::store::sessions::{self, Session};
use crate::store::turns::{self, Turn};
use crate::store::{StoreError, Tx, waits};
use crate::tools::Policy;

/// Gives the last words of a turn to the other side of its exchange. Returns whether they are shown in the
/// conversation too.
pub async fn answer(
    tx: &mut Tx<'_>,
    session: &Session,
    turn: &Turn,
    exchange_id: i64,
    said: &Said<'_>,
    after: &mut Effects,
) -> Result<bool, StoreError> {
    let exchange = exchanges::take(tx, exchange_id).await?;
    if exchange.ended || exchange.next_id != session.id {
        // It has answered with a tool, or nobody waits for its word any more, perhaps because nobody is there.
        return Ok(false);
    }
    let partner = exchange.partner(session.id);
    let wait = waits::of_exchange(tx, exchange.id).await?.filter(|wait| wait.session_id == partner);
    if let Some(wait) = wait
        && waits::resolve(tx, wait.id, &reply(session, said).to_string()).await?
    {
        exchanges::end(tx, exchange.id, "answered").await?;
        after.work = true;
        return Ok(false);
    }
    let silent = said.failure.is_none() && (said.text.trim().is_empty() || is_silent(said.text));
    if silent {
        exchanges::end(tx, exchange.id, "silent").await?;
        return Ok(false);
    }
    let partner = sessions::get(tx, partner).await?;
    let asked = turns::sending(tx, turn.trigger_id).await?;
    if asked.is_some_and(|asked| asked.generation != partner.generation) {
        // After `/new keep` what was asked for before is shown and wakes nobody.
        exchanges::end(tx, exchange.id, "answered").await?;
        return Ok(true);
    }
    let late = exchange.due_at.is_some();
    let goes_on = exchange.reply_back && said.failure.is_none() && exchange.turns <= exchange.max_turns;
    if goes_on {
        exchanges::spoken(tx, exchange.id, partner.id, None).await?;
    } else {
        exchanges::end(tx, exchange.id, if late { "answered late" } else { "answered" }).await?;
    }
    pass_on(tx, session, &partner, &exchange, said, Wake { wake: late || goes_on, goes_on }).await?;
    after.work |= late || goes_on;
    Ok(!late)
}

struct Wake {
    wake: bool,
    goes_on: bool,
}

async fn pass_on(
    tx: &mut Tx<'_>,
    session: &Session,
    partner: &Session,
    exchange: &Exchange,
    said: &Said<'_>,
    Wake { wake, goes_on }: Wake,
) -> Result<(), StoreError> {
    let text = said.failure.unwrap_or(said.text).to_owned();
    // Nothing but a turn is restricted.
    let policy = if wake { Policy::in_exchange(exchange, partner.id).to_carry() } else { None };
    let (author, body) = (Author::session(session), Body { text, ..Body::default() });
    let item = NewItem {
        wake,
        exchange_id: goes_on.then_some(exchange.id),
        policy: policy.as_deref(),
        ..NewItem::new(ItemKind::Agent, author, partner, exchange.conversation_id, &body)
    };
    inbox::push(tx, &item).await?;
    Ok(())
}

/// The answer as the model of a waiting session gets it.
fn reply(session: &Session, said: &Said<'_>) -> serde_json::Value {
    let (status, key, text) = match said.failure {
        Some(reason) => ("error", "message", reason),
        None if said.text.trim().is_empty() || is_silent(said.text) => {
            return json!({
                "status": "no_reply", "sessionKey": session.key, "label": session.name(),
            });
        }
        None => ("ok", "reply", said.text),
    };
    json!({"status": status, "sessionKey": session.key, "label": session.name(), key: text})
}
