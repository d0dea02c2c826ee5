-- The team: labels, forks, runs, exchanges, waits of a step, focus, and threads that we opened.

ALTER TABLE conversations ADD COLUMN guild TEXT;
-- The chat that this conversation's chat is a thread of, where threads are chats of their own (Discord).
ALTER TABLE conversations ADD COLUMN parent TEXT;
-- The run that this thread was opened for.
ALTER TABLE conversations ADD COLUMN run_id INTEGER;

-- The label in lower case: labels are compared without case.
ALTER TABLE sessions ADD COLUMN label_key TEXT;
-- The model it thinks with, where it is not its agent's.
ALTER TABLE sessions ADD COLUMN model TEXT;
-- A forked session begins with what another had said up to an entry.
ALTER TABLE sessions ADD COLUMN fork_id INTEGER;
ALTER TABLE sessions ADD COLUMN fork_generation INTEGER;
ALTER TABLE sessions ADD COLUMN fork_seq INTEGER;
CREATE UNIQUE INDEX sessions_by_label ON sessions (tree_id, label_key) WHERE label_key IS NOT NULL AND archived_at IS NULL;
CREATE INDEX sessions_by_parent ON sessions (parent_id) WHERE parent_id IS NOT NULL;

ALTER TABLE runs ADD COLUMN mode TEXT NOT NULL DEFAULT 'run';
ALTER TABLE runs ADD COLUMN cleanup TEXT NOT NULL DEFAULT 'keep';
-- The wait that took the outcome; without one it became an inbox item.
ALTER TABLE runs ADD COLUMN wait_id INTEGER;
CREATE INDEX runs_by_session ON runs (session_id);
CREATE INDEX runs_by_conversation ON runs (conversation_id);
CREATE INDEX runs_live ON runs (requester_id) WHERE ended_at IS NULL;
CREATE INDEX runs_due ON runs (due_at) WHERE ended_at IS NULL;
CREATE INDEX runs_opening ON runs (id) WHERE status = 'opening';
CREATE INDEX deliveries_by_run ON deliveries (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX conversations_by_run ON conversations (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX runs_by_wait ON runs (wait_id) WHERE wait_id IS NOT NULL;

ALTER TABLE exchanges ADD COLUMN policy TEXT NOT NULL DEFAULT '[]';
ALTER TABLE exchanges ADD COLUMN max_turns INTEGER NOT NULL DEFAULT 5;
-- The session whose word it is.
ALTER TABLE exchanges ADD COLUMN next_id INTEGER NOT NULL DEFAULT 0;
CREATE INDEX exchanges_open ON exchanges (next_id) WHERE ended_at IS NULL;

-- The calls of one step may wait for several things; the turn goes on when none is left.
DROP INDEX waits_open;
CREATE UNIQUE INDEX waits_open ON waits (turn_id, step, call_index) WHERE resolved_at IS NULL;
CREATE INDEX waits_by_session ON waits (session_id) WHERE resolved_at IS NULL;
CREATE INDEX waits_by_target ON waits (target_id) WHERE resolved_at IS NULL AND target_id IS NOT NULL;
CREATE INDEX waits_by_tree ON waits (tree_id) WHERE resolved_at IS NULL;
CREATE INDEX waits_by_exchange ON waits (exchange_id) WHERE resolved_at IS NULL AND exchange_id IS NOT NULL;
CREATE INDEX waits_by_turn ON waits (turn_id);
CREATE INDEX turns_waiting ON turns (id) WHERE status = 'waiting';
-- What restricts the tools of the turn that it starts, where another agent has caused it.
ALTER TABLE inbox ADD COLUMN policy TEXT;
CREATE INDEX inbox_by_run ON inbox (run_id) WHERE run_id IS NOT NULL;

-- One row: when a node was last seen at work. Due times move by the time during which none was.
CREATE TABLE attendance (
    id INTEGER NOT NULL PRIMARY KEY,
    seen_at INTEGER NOT NULL
);

-- Whom a person (or, with no user, everyone) speaks to in a conversation.
CREATE TABLE focuses (
    conversation_id INTEGER NOT NULL,
    user_id TEXT NOT NULL,
    session_id INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, user_id)
) STRICT, WITHOUT ROWID;
