//! The rules that a statement can look after, whenever a transaction is over.

use super::super::node::{MAX_CHILDREN, MAX_DEPTH, MAX_REPLIES, MAX_SESSIONS, Setup};

/// A session has no turn, and nothing from which one will begin.
macro_rules! idle {
    ($session:literal) => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM turns t WHERE t.session_id = ",
            $session,
            " AND t.status IN ('running', 'waiting'))
             AND NOT EXISTS (SELECT 1 FROM inbox i WHERE i.session_id = ",
            $session,
            " AND i.turn_id IS NULL AND i.wake = 1 AND i.not_before < 9223372036854775807)"
        )
    };
}

/// What must never be, with a statement that counts it.
pub(super) const NEVER: [(&str, &str); 12] = [
    (
        "waits for children that nobody can end",
        "SELECT COUNT(*) AS broken FROM waits w JOIN turns t ON t.id = w.turn_id
         WHERE w.resolved_at IS NULL AND w.kind = 'runs' AND NOT EXISTS (
             SELECT 1 FROM runs r WHERE r.requester_id = w.session_id AND r.requester_generation = t.generation
                AND r.ended_at IS NULL)",
    ),
    (
        "live runs that nobody works at",
        concat!(
            "SELECT COUNT(*) AS broken FROM runs r WHERE r.ended_at IS NULL AND r.status <> 'opening' AND ",
            idle!("r.session_id"),
            " AND NOT EXISTS (SELECT 1 FROM runs c WHERE c.requester_id = r.session_id AND c.ended_at IS NULL)"
        ),
    ),
    (
        "exchanges that nobody will answer",
        concat!("SELECT COUNT(*) AS broken FROM exchanges e WHERE e.ended_at IS NULL AND ", idle!("e.next_id")),
    ),
    (
        "waits that nothing ends",
        "SELECT COUNT(*) AS broken FROM waits w WHERE w.resolved_at IS NULL AND w.kind <> 'runs' AND w.due_at IS NULL",
    ),
    (
        "waits for an answer in an exchange that has ended, or in which it is another's word",
        "SELECT COUNT(*) AS broken FROM waits w JOIN exchanges e ON e.id = w.exchange_id
         WHERE w.resolved_at IS NULL AND (e.ended_at IS NOT NULL OR e.next_id <> w.target_id)",
    ),
    (
        "open waits of turns that do not wait",
        "SELECT COUNT(*) AS broken FROM waits w JOIN turns t ON t.id = w.turn_id
         WHERE w.resolved_at IS NULL AND t.status <> 'waiting'",
    ),
    (
        "turns that wait for nothing that ever was",
        "SELECT COUNT(*) AS broken FROM turns t
         WHERE t.status = 'waiting' AND NOT EXISTS (SELECT 1 FROM waits w WHERE w.turn_id = t.id)",
    ),
    (
        "steps that were answered twice",
        "SELECT COUNT(*) AS broken FROM (SELECT 1 AS one FROM entries WHERE role = 'assistant'
             GROUP BY turn_id, step HAVING COUNT(*) > 1) twice",
    ),
    (
        "parts that were stored twice",
        "SELECT COUNT(*) AS broken FROM (SELECT 1 AS one FROM deliveries
             GROUP BY answer, part HAVING COUNT(*) > 1) twice",
    ),
    (
        "messages that were taken twice",
        "SELECT COUNT(*) AS broken FROM (SELECT 1 AS one FROM inbox WHERE message_id IS NOT NULL AND wake = 1
             GROUP BY session_id, conversation_id, message_id HAVING COUNT(*) > 1) twice",
    ),
    (
        // What was stopped with its requester, or asked for before `/new`, is nobody's.
        "outcomes of runs that are not in exactly one place",
        "SELECT COUNT(*) AS broken FROM (
             SELECT r.id, r.status, s.archived_at, s.generation - r.requester_generation AS renewed,
                 (CASE WHEN r.wait_id IS NULL THEN 0 ELSE 1 END)
                     + (SELECT COUNT(*) FROM inbox i WHERE i.run_id = r.id AND i.kind = 'announce') AS places
             FROM runs r JOIN sessions s ON s.id = r.requester_id WHERE r.ended_at IS NOT NULL) run
         WHERE places > 1 OR (places = 0 AND status <> 'cancelled' AND archived_at IS NULL AND renewed = 0)",
    ),
    (
        "runs that ended without an outcome",
        "SELECT COUNT(*) AS broken FROM runs WHERE (ended_at IS NULL) <> (outcome IS NULL)",
    ),
];

/// A number, with a statement that reads it, and its limit in a world.
type Limit = (&'static str, &'static str, fn(&Setup) -> i64);

/// Numbers with limits.
pub(super) const LIMITS: [Limit; 6] = [
    (
        "live children of one session",
        "SELECT COALESCE(MAX(live), 0) AS most FROM (SELECT COUNT(*) AS live FROM runs WHERE ended_at IS NULL
             AND turn_id <> 0 GROUP BY requester_id) counted",
        |_| MAX_CHILDREN,
    ),
    ("levels", "SELECT COALESCE(MAX(depth), 0) AS most FROM sessions", |_| MAX_DEPTH),
    (
        "live sessions of one tree",
        "SELECT COALESCE(MAX(live), 0) AS most FROM (SELECT COUNT(*) AS live FROM sessions s
             WHERE s.archived_at IS NULL AND (s.parent_id IS NULL
                 OR EXISTS (SELECT 1 FROM runs r WHERE r.session_id = s.id AND r.ended_at IS NULL))
             GROUP BY s.tree_id) counted",
        |_| MAX_SESSIONS,
    ),
    ("answers in one exchange", "SELECT COALESCE(MAX(turns - 1), 0) AS most FROM exchanges", |_| MAX_REPLIES),
    (
        "messages that wait for one session",
        "SELECT COALESCE(MAX(unread), 0) AS most FROM (SELECT COUNT(*) AS unread FROM inbox
             WHERE turn_id IS NULL AND wake = 1 AND kind = 'user' GROUP BY session_id) counted",
        |setup| setup.inbox_cap,
    ),
    (
        // On all nodes together, and also those that nobody drives: whoever takes them up asks nobody.
        "turns of the worker at work",
        "SELECT COUNT(*) AS most FROM turns WHERE status = 'running' AND agent = 'worker'",
        |setup| if setup.max_turns == 0 { i64::MAX } else { setup.max_turns },
    ),
];
