-- Times are milliseconds since 1970; flags are 0 or 1; ids rise with time.
-- There are no foreign keys: their hidden row locks would break the lock order of ARCHITECTURE.md.

-- A counter that numbers messages: conversations that share one are in the same space.
CREATE TABLE spaces (
    id INTEGER PRIMARY KEY,
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (channel, account, name)
) STRICT;

CREATE TABLE conversations (
    id INTEGER PRIMARY KEY,
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    chat TEXT NOT NULL,
    thread TEXT NOT NULL,
    kind TEXT NOT NULL,
    title TEXT,
    space_id INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (channel, account, chat, thread)
) STRICT;

-- Every message whose number is known: those we received and those we delivered.
CREATE TABLE messages (
    space_id INTEGER NOT NULL,
    message_id INTEGER NOT NULL,
    conversation_id INTEGER NOT NULL,
    delivery_id INTEGER,
    session_id INTEGER,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (space_id, message_id)
) STRICT, WITHOUT ROWID;

-- Every platform event that was taken, for the dedupe, with the rule that decided about it.
CREATE TABLE events (
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    key TEXT NOT NULL,
    conversation_id INTEGER NOT NULL,
    rule TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (channel, account, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE cursors (
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    scope TEXT NOT NULL,
    position INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (channel, account, scope)
) STRICT, WITHOUT ROWID;

CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    node TEXT NOT NULL,
    token INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who may speak: owners and paired people of a platform.
CREATE TABLE people (
    channel TEXT NOT NULL,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (channel, user_id)
) STRICT, WITHOUT ROWID;

-- Groups that an owner let in at run time, beside the configured ones.
CREATE TABLE allowed_chats (
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    chat TEXT NOT NULL,
    allowed_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (channel, account, chat)
) STRICT, WITHOUT ROWID;

-- What the program has said in a conversation and need not say again soon.
CREATE TABLE hints (
    conversation_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    said_at INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE owner_codes (
    code TEXT NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE code_tries (
    channel TEXT NOT NULL,
    user_id TEXT NOT NULL,
    tries INTEGER NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (channel, user_id)
) STRICT, WITHOUT ROWID;

-- A tree is all sessions that grew from one; facts about all of them are locked here.
CREATE TABLE trees (
    id INTEGER PRIMARY KEY,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    tree_id INTEGER NOT NULL,
    key TEXT NOT NULL UNIQUE,
    generation INTEGER NOT NULL,
    kind TEXT NOT NULL,
    agent TEXT NOT NULL,
    label TEXT,
    conversation_id INTEGER,
    parent_id INTEGER,
    depth INTEGER NOT NULL,
    task TEXT,
    next_seq INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0,
    cost_micros INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    archived_at INTEGER
) STRICT;
CREATE UNIQUE INDEX sessions_by_conversation ON sessions (conversation_id, agent) WHERE kind <> 'subagent';
CREATE INDEX sessions_by_update ON sessions (updated_at);
CREATE INDEX sessions_by_tree ON sessions (tree_id);

CREATE TABLE inbox (
    id INTEGER PRIMARY KEY,
    session_id INTEGER NOT NULL,
    tree_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    wake INTEGER NOT NULL,
    conversation_id INTEGER NOT NULL,
    exchange_id INTEGER,
    run_id INTEGER,
    sender TEXT NOT NULL,
    sender_name TEXT NOT NULL,
    message_id INTEGER,
    body TEXT NOT NULL,
    merge_key TEXT,
    not_before INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    turn_id INTEGER
) STRICT;
CREATE INDEX inbox_pending ON inbox (session_id, id) WHERE turn_id IS NULL;
CREATE INDEX inbox_merging ON inbox (conversation_id, sender) WHERE turn_id IS NULL AND merge_key IS NOT NULL;
CREATE INDEX inbox_by_message ON inbox (conversation_id, message_id) WHERE message_id IS NOT NULL;
CREATE INDEX inbox_by_turn ON inbox (turn_id) WHERE turn_id IS NOT NULL;

CREATE TABLE turns (
    id INTEGER PRIMARY KEY,
    session_id INTEGER NOT NULL,
    tree_id INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    agent TEXT NOT NULL,
    status TEXT NOT NULL,
    trigger_id INTEGER NOT NULL,
    conversation_id INTEGER NOT NULL,
    exchange_id INTEGER,
    node TEXT NOT NULL,
    token INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    held_at INTEGER NOT NULL,
    claims INTEGER NOT NULL,
    step INTEGER NOT NULL,
    deadline INTEGER NOT NULL,
    reason TEXT,
    created_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT;
CREATE UNIQUE INDEX turns_open ON turns (session_id) WHERE status IN ('running', 'waiting');
CREATE INDEX turns_leased ON turns (lease_until) WHERE status = 'running';
CREATE INDEX turns_by_session ON turns (session_id, id);

CREATE TABLE entries (
    session_id INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    tree_id INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    turn_id INTEGER NOT NULL,
    step INTEGER NOT NULL,
    call_index INTEGER,
    role TEXT NOT NULL,
    provenance TEXT NOT NULL,
    author TEXT NOT NULL,
    author_name TEXT NOT NULL,
    body TEXT NOT NULL,
    model TEXT,
    input_tokens INTEGER,
    cached_tokens INTEGER,
    output_tokens INTEGER,
    cost_micros INTEGER,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (session_id, seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX entries_by_call ON entries (turn_id, step, call_index) WHERE call_index IS NOT NULL;

-- What a waiting turn waits for; the first resolver wins.
CREATE TABLE waits (
    id INTEGER PRIMARY KEY,
    turn_id INTEGER NOT NULL,
    session_id INTEGER NOT NULL,
    tree_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    step INTEGER NOT NULL,
    call_index INTEGER,
    exchange_id INTEGER,
    target_id INTEGER,
    coverage TEXT,
    due_at INTEGER,
    resolved_at INTEGER,
    outcome TEXT,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX waits_open ON waits (turn_id) WHERE resolved_at IS NULL;
CREATE INDEX waits_due ON waits (due_at) WHERE resolved_at IS NULL;

CREATE TABLE exchanges (
    id INTEGER PRIMARY KEY,
    tree_id INTEGER NOT NULL,
    sender_id INTEGER NOT NULL,
    target_id INTEGER NOT NULL,
    conversation_id INTEGER NOT NULL,
    reply_back INTEGER NOT NULL,
    turns INTEGER NOT NULL,
    due_at INTEGER,
    ended_at INTEGER,
    reason TEXT,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    tree_id INTEGER NOT NULL,
    session_id INTEGER NOT NULL,
    requester_id INTEGER NOT NULL,
    requester_generation INTEGER NOT NULL,
    turn_id INTEGER NOT NULL,
    step INTEGER NOT NULL,
    call_index INTEGER NOT NULL,
    conversation_id INTEGER NOT NULL,
    status TEXT NOT NULL,
    announce TEXT NOT NULL,
    policy TEXT NOT NULL,
    task TEXT NOT NULL,
    due_at INTEGER,
    outcome TEXT,
    created_at INTEGER NOT NULL,
    ended_at INTEGER,
    UNIQUE (turn_id, step, call_index)
) STRICT;

CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY,
    conversation_id INTEGER NOT NULL,
    tree_id INTEGER,
    session_id INTEGER,
    turn_id INTEGER,
    run_id INTEGER,
    kind TEXT NOT NULL,
    answer TEXT NOT NULL,
    part INTEGER NOT NULL,
    parts INTEGER NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL,
    after_id INTEGER,
    message_id INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    unknowns INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL,
    call_until INTEGER,
    error TEXT,
    created_at INTEGER NOT NULL,
    sent_at INTEGER
) STRICT;
CREATE INDEX deliveries_open ON deliveries (conversation_id, id) WHERE state IN ('pending', 'sending', 'unknown');
CREATE INDEX deliveries_by_turn ON deliveries (turn_id) WHERE turn_id IS NOT NULL;

-- The local channel's own side: what a terminal or page shows, one row for each line.
CREATE TABLE local_lines (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    chat TEXT NOT NULL,
    delivery TEXT UNIQUE,
    sender TEXT NOT NULL,
    text TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX local_lines_by_chat ON local_lines (account, chat, id);
