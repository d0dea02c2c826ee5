//! Patience with an agent that looks at its children again and again: it is told how to wait for them.

use serde_json::{Value, json};

use crate::models::ToolCall;
use crate::store::entries;
use crate::store::turns::Turn;
use crate::store::{StoreError, Tx, runs};
use crate::tools::sessions::only_looks;

/// What a look is told that is the same as the call before it, while children are at work.
const HINT: &str = "You have just looked at the same thing, and children of yours are at work. sessions_yield waits \
                    for them and returns their results.";

/// The result of a session call, with a hint if it is an equal look in a row and there are children to wait for.
pub async fn with_hint(
    tx: &mut Tx<'_>,
    turn: &Turn,
    (step, index): (i64, i64),
    call: &ToolCall,
    mut result: Value,
) -> Result<Value, StoreError> {
    let looks = only_looks(&call.name) && call.name != "sessions_yield";
    if looks
        && before(tx, turn, step, index).await?.is_some_and(|before| before.asks_the_same(call))
        && runs::count_live(tx, turn.session_id, turn.generation).await? > 0
    {
        result["hint"] = json!(HINT);
    }
    Ok(result)
}

/// The call of a turn before this one.
async fn before(tx: &mut Tx<'_>, turn: &Turn, step: i64, index: i64) -> Result<Option<ToolCall>, StoreError> {
    let of_step = if index > 0 { step } else { step - 1 };
    if of_step == 0 {
        // There is none, which takes the whole transcript to find out.
        return Ok(None);
    }
    let Some(answer) = entries::answer_of(tx, turn, of_step).await? else { return Ok(None) };
    let mut calls = answer.calls;
    if let Ok(end) = usize::try_from(index)
        && end > 0
    {
        calls.truncate(end);
    }
    Ok(calls.pop())
}
