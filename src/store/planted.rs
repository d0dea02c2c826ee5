//! Faults in the database's work that are planted on purpose, see [`roundtable_contract::planted`].

use std::cell::{Cell, RefCell};

use roundtable_contract::planted::{Fault, is_planted};

use super::lite::{Lite, LiteRow};
use super::turns::{self, Turn};
use super::{Param, StoreError, Tx};

thread_local! {
    /// The transaction at work shares its commit with one before it: on PostgreSQL the two would run side by side.
    static BESIDE: Cell<bool> = const { Cell::new(false) };
    /// It should have waited for that one.
    static UNLOCKED: Cell<bool> = const { Cell::new(false) };
    /// A connection that does not see what is not committed.
    static EARLIER: RefCell<Option<Lite>> = const { RefCell::new(None) };
}

/// The next transaction of a group begins.
pub(super) fn begins(beside: bool) {
    BESIDE.set(beside);
    UNLOCKED.set(false);
}

/// The transaction does not wait for the tree's lock.
pub(super) fn unlock() {
    UNLOCKED.set(BESIDE.get() && is_planted(Fault::NoTreeLock));
}

/// Reads rows; of facts that the tree's lock protects, those of before the other transaction, as a transaction sees
/// them that did not wait.
pub(super) fn rows(
    conn: &mut Lite,
    sql: &str,
    params: &[Param<'_>],
    limit: usize,
) -> Result<Vec<LiteRow>, StoreError> {
    let of_tree = ["FROM runs", "FROM waits"].iter().any(|table| sql.contains(table));
    if UNLOCKED.get() && of_tree && sql.trim_start().starts_with("SELECT") {
        return EARLIER.with_borrow_mut(|earlier| {
            let earlier = match earlier {
                Some(earlier) => earlier,
                None => earlier.insert(conn.beside()?),
            };
            earlier.rows(sql, params, limit)
        });
    }
    wrote(sql);
    conn.rows(sql, params, limit)
}

/// A transaction sees what it has written itself.
pub(super) fn wrote(sql: &str) {
    let of_tree = ["INTO runs", "UPDATE runs", "INTO waits", "UPDATE waits"];
    if of_tree.iter().any(|change| sql.contains(change)) {
        UNLOCKED.set(false);
    }
}

/// Whether an event that was taken is taken again.
pub(super) fn takes_twice() -> bool {
    is_planted(Fault::NoDedupe)
}

/// The turn as whoever owns it now has it.
pub(super) async fn unchecked(tx: &mut Tx<'_>, turn: &Turn) -> Result<Turn, StoreError> {
    if !is_planted(Fault::NoToken) {
        return Ok(turn.clone());
    }
    let token = turns::get(tx, turn.id).await?.token;
    Ok(Turn { token, ..turn.clone() })
}
