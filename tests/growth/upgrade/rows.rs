//! What a database of each schema held, as the program of that schema wrote it. Later schemas have all these columns.
//!
//! A new migration gets rows here for what it adds. `{ann}` and the like are numbers of the platform, `{now}` and
//! `{hour_ago}` times: that of an hour ago is when the last node died.

/// The rows that came with each schema. The fifth added indexes and a view, which hold nothing of their own.
const BY_SCHEMA: [(i64, &str); 9] = [
    (1, CORE),
    (1, UNDER_WAY),
    (2, TEAM),
    (2, WAITING),
    (2, LOST),
    (3, NODES),
    (4, FORGETTING),
    (6, PAUSES),
    (7, MOVED),
];

/// All rows of a database with this schema.
pub(super) fn of(schema: i64) -> String {
    BY_SCHEMA.iter().filter(|(since, _)| *since <= schema).map(|(_, rows)| *rows).collect()
}

/// A chat with Ann: a question that was answered, one that is not, and a word of the program that is not sent.
const CORE: &str = r#"
INSERT INTO spaces (id, channel, account, name) VALUES (1, 'telegram', 'main', 'common');
INSERT INTO conversations (id, channel, account, chat, thread, kind, title, space_id, created_at)
    VALUES (1, 'telegram', 'main', '{ann}', '', 'direct', NULL, 1, 1700000000000);
INSERT INTO trees (id, created_at) VALUES (1, 1700000000000);
INSERT INTO sessions (id, tree_id, key, generation, kind, agent, label, conversation_id, parent_id, depth, task, next_seq,
        input_tokens, output_tokens, cost_micros, created_at, updated_at, archived_at)
    VALUES (1, 1, 'agent:manager:telegram:main:dm:{ann}', 1, 'direct', 'manager', NULL, 1, NULL, 0, NULL, 3,
        20, 10, 0, 1700000000000, 1700000000000, NULL);
INSERT INTO inbox (id, session_id, tree_id, kind, wake, conversation_id, sender, sender_name, message_id, body, not_before,
        created_at, turn_id)
    VALUES (1, 1, 1, 'user', 1, 1, '{ann}', 'Ann', 2, '{"text":"remember the number 42"}', 0, 1700000000000, 1),
           (2, 1, 1, 'user', 1, 1, '{ann}', 'Ann', 4, '{"text":"which number was it?"}', 0, 1700000000000, NULL);
INSERT INTO turns (id, session_id, tree_id, generation, agent, status, trigger_id, conversation_id, node, token, lease_until,
        held_at, claims, step, deadline, created_at, ended_at)
    VALUES (1, 1, 1, 1, 'manager', 'done', 1, 1, 'node-1', 1, 0, 1700000000000, 0, 1, 1700000900000, 1700000000000,
        1700000000000);
INSERT INTO entries (session_id, seq, tree_id, generation, turn_id, step, role, provenance, author, author_name, body,
        model, input_tokens, cached_tokens, output_tokens, cost_micros, created_at)
    VALUES (1, 1, 1, 1, 1, 0, 'user', 'user', '{ann}', 'Ann', '{"text":"remember the number 42"}',
        NULL, NULL, NULL, NULL, NULL, 1700000000000),
           (1, 2, 1, 1, 1, 1, 'assistant', 'agent', 'manager', 'Manager', '{"text":"I shall."}',
        'fake', 20, 0, 10, 0, 1700000000000);
INSERT INTO deliveries (id, conversation_id, tree_id, session_id, turn_id, kind, answer, part, parts, body, state, after_id,
        message_id, attempts, unknowns, due_at, created_at, sent_at)
    VALUES (1, 1, 1, 1, 1, 'answer', 'turn:1', 0, 1, '{"body":"{\"text\":\"I shall.\"}","text":"I shall."}', 'sent', 2,
        3, 1, 0, 1700000000000, 1700000000000, 1700000000000),
           (2, 1, NULL, NULL, NULL, 'notice', 'notice:1', 0, 1,
        '{"body":"{\"text\":\"on its way\"}","text":"on its way"}', 'pending', NULL,
        NULL, 0, 0, 1700000000000, {now}, NULL);
INSERT INTO messages (space_id, message_id, conversation_id, delivery_id, session_id, created_at)
    VALUES (1, 2, 1, NULL, NULL, 1700000000000), (1, 3, 1, 1, 1, 1700000000000), (1, 4, 1, NULL, NULL, 1700000000000);
"#;

/// What was under way when the last node died: Dan's turn, whose model had asked for a call; Fay's, which waited for the
/// model; and an answer to Gil, which he sees and nobody knows of.
const UNDER_WAY: &str = r#"
INSERT INTO conversations (id, channel, account, chat, thread, kind, title, space_id, created_at)
    VALUES (11, 'telegram', 'main', '{dan}', '', 'direct', NULL, 1, 1700000000000),
           (12, 'telegram', 'main', '{fay}', '', 'direct', NULL, 1, 1700000000000),
           (13, 'telegram', 'main', '{gil}', '', 'direct', NULL, 1, 1700000000000);
INSERT INTO trees (id, created_at) VALUES (11, 1700000000000), (12, 1700000000000), (13, 1700000000000);
INSERT INTO sessions (id, tree_id, key, generation, kind, agent, conversation_id, depth, next_seq, created_at, updated_at)
    VALUES (11, 11, 'agent:manager:telegram:main:dm:{dan}', 1, 'direct', 'manager', 11, 0, 3, 1700000000000, {hour_ago}),
           (12, 12, 'agent:manager:telegram:main:dm:{fay}', 1, 'direct', 'manager', 12, 0, 2, 1700000000000, {hour_ago}),
           (13, 13, 'agent:manager:telegram:main:dm:{gil}', 1, 'direct', 'manager', 13, 0, 3, 1700000000000, {hour_ago});
INSERT INTO inbox (id, session_id, tree_id, kind, wake, conversation_id, sender, sender_name, message_id, body, not_before,
        created_at, turn_id)
    VALUES (11, 11, 11, 'user', 1, 11, '{dan}', 'Dan', NULL, '{"text":"who is there?"}', 0, {hour_ago}, 11),
           (12, 12, 12, 'user', 1, 12, '{fay}', 'Fay', NULL, '{"text":"are you busy?"}', 0, {hour_ago}, 12),
           (13, 13, 13, 'user', 1, 13, '{gil}', 'Gil', NULL, '{"text":"how many are left?"}', 0, {hour_ago}, 13);
INSERT INTO turns (id, session_id, tree_id, generation, agent, status, trigger_id, conversation_id, node, token, lease_until,
        held_at, claims, step, deadline, reason, created_at, ended_at)
    VALUES (11, 11, 11, 1, 'manager', 'running', 11, 11, 'node-1', 1, {hour_ago} + 15000, {hour_ago}, 0, 1,
        {hour_ago} + 600000, NULL, {hour_ago}, NULL),
           (12, 12, 12, 1, 'manager', 'waiting', 12, 12, 'node-1', 1, 0, {hour_ago}, 0, 0,
        {hour_ago} + 600000, 'model', {hour_ago}, NULL),
           (13, 13, 13, 1, 'manager', 'done', 13, 13, 'node-1', 1, 0, {hour_ago}, 0, 1,
        {hour_ago} + 600000, NULL, {hour_ago}, {hour_ago});
INSERT INTO entries (session_id, seq, tree_id, generation, turn_id, step, role, provenance, author, author_name, body,
        created_at)
    VALUES (11, 1, 11, 1, 11, 0, 'user', 'user', '{dan}', 'Dan', '{"text":"who is there?"}', {hour_ago}),
           (11, 2, 11, 1, 11, 1, 'assistant', 'agent', 'manager', 'Manager',
        '{"text":"","calls":[{"id":"call-1","name":"agents_list","arguments":{}}]}', {hour_ago}),
           (12, 1, 12, 1, 12, 0, 'user', 'user', '{fay}', 'Fay', '{"text":"are you busy?"}', {hour_ago}),
           (13, 1, 13, 1, 13, 0, 'user', 'user', '{gil}', 'Gil', '{"text":"how many are left?"}', {hour_ago}),
           (13, 2, 13, 1, 13, 1, 'assistant', 'agent', 'manager', 'Manager', '{"text":"Twelve."}', {hour_ago});
INSERT INTO waits (id, turn_id, session_id, tree_id, kind, step, due_at, created_at)
    VALUES (12, 12, 12, 12, 'model', 1, {hour_ago} + 60000, {hour_ago});
INSERT INTO deliveries (id, conversation_id, tree_id, session_id, turn_id, kind, answer, part, parts, body, state, after_id,
        attempts, unknowns, due_at, call_until, created_at)
    VALUES (13, 13, 13, 13, 13, 'answer', 'turn:13', 0, 1, '{"body":"{\"text\":\"Twelve.\"}","text":"Twelve."}', 'sending',
        {shown} - 1, 1, 0, {hour_ago}, {hour_ago} + 10000, {hour_ago});
"#;

/// A chat with Bob, in which he speaks to a helper: a child that begins with what he had said, thinks with a model of its
/// own and has not begun with its task, whose time was over soon after the last node was seen. And a scout that was asked
/// something and may use one tool for it.
const TEAM: &str = r#"
INSERT INTO attendance (id, seen_at) VALUES (1, {hour_ago}), (2, {hour_ago});
INSERT INTO conversations (id, channel, account, chat, thread, kind, title, guild, parent, run_id, space_id, created_at)
    VALUES (2, 'telegram', 'main', '{bob}', '', 'direct', NULL, NULL, NULL, NULL, 1, 1700000000000),
           (3, 'discord', 'main', '902', '', 'group', 'plans', '900', '901', 1, 1, 1700000000000);
INSERT INTO trees (id, created_at) VALUES (2, 1700000000000);
INSERT INTO sessions (id, tree_id, key, generation, kind, agent, label, label_key, conversation_id, parent_id, depth, task,
        model, fork_id, fork_generation, fork_seq, next_seq, created_at, updated_at)
    VALUES (2, 2, 'agent:manager:telegram:main:dm:{bob}', 1, 'direct', 'manager', NULL, NULL, 2, NULL, 0, NULL,
        NULL, NULL, NULL, NULL, 3, 1700000000000, 1700000000000),
           (3, 2, 'agent:coder:subagent:3', 1, 'subagent', 'coder', 'Helper', 'helper', 2, 2, 1, 'stand by',
        'other', 2, 1, 2, 1, 1700000000000, 1700000000000),
           (4, 2, 'agent:researcher:subagent:4', 1, 'subagent', 'researcher', 'scout', 'scout', 2, 2, 1, 'look around',
        NULL, NULL, NULL, NULL, 1, 1700000000000, 1700000000000);
INSERT INTO runs (id, tree_id, session_id, requester_id, requester_generation, turn_id, step, call_index, conversation_id,
        status, announce, policy, task, due_at, outcome, created_at, ended_at, mode, cleanup, wait_id)
    VALUES (1, 2, 3, 2, 1, 2, 1, 0, 2,
        'running', 'post', '[]', 'stand by', {hour_ago} + 600000, NULL, {hour_ago}, NULL, 'session', 'archive', NULL),
           (2, 2, 4, 2, 1, 2, 1, 1, 2,
        'done', 'post', '[]', 'look around', 1700000900000, '{"status":"done","text":"nothing here"}', 1700000000000,
        1700000000000, 'session', 'keep', 7);
INSERT INTO exchanges (id, tree_id, sender_id, target_id, conversation_id, reply_back, turns, max_turns, policy, next_id,
        due_at, ended_at, reason, created_at)
    VALUES (1, 2, 2, 4, 2, 0, 1, 3, '[{"tools":["agents_list"],"deny":[]}]', 4, NULL, NULL, NULL, {hour_ago});
INSERT INTO inbox (id, session_id, tree_id, kind, wake, conversation_id, exchange_id, run_id, sender, sender_name,
        message_id, policy, body, not_before, created_at, turn_id)
    VALUES (3, 2, 2, 'user', 1, 2, NULL, NULL, '{bob}', 'Bob', 5, NULL, '{"text":"my cat is called Tom"}', 0,
        1700000000000, 2),
           (4, 3, 2, 'task', 1, 2, NULL, 1, 'agent:manager:telegram:main:dm:{bob}', 'manager', NULL, '[]',
        '{"text":"stand by"}', 0, {hour_ago}, NULL),
           (5, 4, 2, 'agent', 1, 2, 1, NULL, 'agent:manager:telegram:main:dm:{bob}', 'manager', NULL,
        '[{"tools":["agents_list"],"deny":[]}]', '{"text":"how is it?"}', 0, {hour_ago}, NULL);
INSERT INTO turns (id, session_id, tree_id, generation, agent, status, trigger_id, conversation_id, node, token, lease_until,
        held_at, claims, step, deadline, created_at, ended_at)
    VALUES (2, 2, 2, 1, 'manager', 'done', 3, 2, 'node-1', 1, 0, 1700000000000, 0, 1, 1700000900000, 1700000000000,
        1700000000000);
INSERT INTO entries (session_id, seq, tree_id, generation, turn_id, step, role, provenance, author, author_name, body,
        created_at)
    VALUES (2, 1, 2, 1, 2, 0, 'user', 'user', '{bob}', 'Bob', '{"text":"my cat is called Tom"}', 1700000000000),
           (2, 2, 2, 1, 2, 1, 'assistant', 'agent', 'manager', 'Manager', '{"text":"I see."}', 1700000000000);
INSERT INTO focuses (conversation_id, user_id, session_id, created_at) VALUES (2, '{bob}', 3, {hour_ago});
"#;

/// A chat with Hal, in which the manager waits until soon after the last node died for what its clerk says, who has not
/// begun to answer.
const WAITING: &str = r#"
INSERT INTO conversations (id, channel, account, chat, thread, kind, title, space_id, created_at)
    VALUES (14, 'telegram', 'main', '{hal}', '', 'direct', NULL, 1, 1700000000000);
INSERT INTO trees (id, created_at) VALUES (14, 1700000000000);
INSERT INTO sessions (id, tree_id, key, generation, kind, agent, label, label_key, conversation_id, parent_id, depth, task,
        next_seq, created_at, updated_at)
    VALUES (14, 14, 'agent:manager:telegram:main:dm:{hal}', 1, 'direct', 'manager', NULL, NULL, 14, NULL, 0, NULL,
        3, 1700000000000, {hour_ago}),
           (15, 14, 'agent:coder:subagent:15', 1, 'subagent', 'coder', 'clerk', 'clerk', 14, 14, 1, 'keep the books',
        1, 1700000000000, {hour_ago});
INSERT INTO runs (id, tree_id, session_id, requester_id, requester_generation, turn_id, step, call_index, conversation_id,
        status, announce, policy, task, due_at, outcome, created_at, ended_at, mode, cleanup)
    VALUES (3, 14, 15, 14, 1, 0, 15, 0, 14, 'done', 'post', '[]', 'keep the books', 1700000900000,
        '{"status":"done","text":"they are kept"}', 1700000000000, 1700000000000, 'session', 'keep');
INSERT INTO exchanges (id, tree_id, sender_id, target_id, conversation_id, reply_back, turns, max_turns, policy, next_id,
        due_at, created_at)
    VALUES (2, 14, 14, 15, 14, 0, 1, 5, '[]', 15, {hour_ago} + 600000, {hour_ago});
INSERT INTO inbox (id, session_id, tree_id, kind, wake, conversation_id, exchange_id, sender, sender_name, message_id, policy,
        body, not_before, created_at, turn_id)
    VALUES (14, 14, 14, 'user', 1, 14, NULL, '{hal}', 'Hal', NULL, NULL, '{"text":"what do I owe?"}', 0, {hour_ago}, 14),
           (15, 15, 14, 'agent', 1, 14, 2, 'agent:manager:telegram:main:dm:{hal}', 'manager', NULL, '[]',
        '{"text":"add it up"}', 0, {hour_ago}, NULL);
INSERT INTO turns (id, session_id, tree_id, generation, agent, status, trigger_id, conversation_id, node, token, lease_until,
        held_at, claims, step, deadline, reason, created_at)
    VALUES (14, 14, 14, 1, 'manager', 'waiting', 14, 14, 'node-1', 1, 0, {hour_ago}, 0, 1, {hour_ago} + 600000, 'reply',
        {hour_ago});
INSERT INTO entries (session_id, seq, tree_id, generation, turn_id, step, role, provenance, author, author_name, body,
        created_at)
    VALUES (14, 1, 14, 1, 14, 0, 'user', 'user', '{hal}', 'Hal', '{"text":"what do I owe?"}', {hour_ago}),
           (14, 2, 14, 1, 14, 1, 'assistant', 'agent', 'manager', 'Manager', '{"text":"","calls":[{"id":"call-1",
        "name":"sessions_send","arguments":{"label":"clerk","message":"add it up","timeoutSeconds":600}}]}', {hour_ago});
INSERT INTO waits (id, turn_id, session_id, tree_id, kind, step, call_index, exchange_id, target_id, due_at, created_at)
    VALUES (14, 14, 14, 14, 'reply', 1, 0, 2, 15, {hour_ago} + 600000, {hour_ago});
"#;

/// A word to Dan that may have been shown and was given up; and how far a channel of Discord was read.
const LOST: &str = r#"
INSERT INTO deliveries (id, conversation_id, kind, answer, part, parts, body, state, after_id, attempts, unknowns, due_at,
        call_until, created_at)
    VALUES (16, 11, 'notice', 'notice:16', 0, 1, '{"body":"{\"text\":\"are you there?\"}","text":"are you there?"}',
        'unknown', 2, 1, 1, 9223372036854775807, {hour_ago}, {hour_ago});
INSERT INTO cursors (channel, account, scope, position, updated_at) VALUES ('discord', 'main', '902', 5, {hour_ago});
"#;

/// A node that has died.
const NODES: &str = "
INSERT INTO nodes (name, started_at, seen_at, until) VALUES ('east-1', {hour_ago}, {hour_ago}, {hour_ago} + 15000);";

/// A session that is to be erased, and is not yet.
const FORGETTING: &str = r#"
INSERT INTO trees (id, created_at) VALUES (5, 1700000000000);
INSERT INTO sessions (id, tree_id, key, generation, kind, agent, conversation_id, depth, next_seq, created_at, updated_at,
        archived_at, erase_at)
    VALUES (5, 5, 'erased:5', 1, 'direct', 'manager', NULL, 0, 2, 1700000000000, 1700000000000, 1700000000000,
        1700000000000);
INSERT INTO entries (session_id, seq, tree_id, generation, turn_id, step, role, provenance, author, author_name, body,
        created_at)
    VALUES (5, 1, 5, 1, 5, 0, 'user', 'user', '7', 'Cat', '{"text":"forget me"}', 1700000000000);
"#;

/// Eve's chat, to which nothing may be sent for an hour, and something that waits for that.
const PAUSES: &str = r#"
INSERT INTO conversations (id, channel, account, chat, thread, kind, space_id, created_at)
    VALUES (6, 'telegram', 'main', '{eve}', '', 'direct', 1, 1700000000000);
INSERT INTO deliveries (id, conversation_id, kind, answer, part, parts, body, state, attempts, unknowns, due_at, created_at)
    VALUES (3, 6, 'notice', 'notice:3', 0, 1, '{"body":"{\"text\":\"not yet\"}","text":"not yet"}', 'pending', 0, 0,
        1700000000000, {now});
INSERT INTO pauses (channel, account, chat, until) VALUES ('telegram', 'main', '{eve}', {now} + 3600000);
"#;

/// The cooks, whose group became a supergroup while it was not known whether an answer had been seen there.
const MOVED: &str = r#"
INSERT INTO spaces (id, channel, account, name) VALUES (2, 'telegram', 'main', '{cooks}');
INSERT INTO conversations (id, channel, account, chat, thread, kind, title, space_id, created_at, moved_to, moved_at)
    VALUES (7, 'telegram', 'main', '{cooks}', '', 'group', 'cooks', 2, 1700000000000, NULL, {now}),
           (8, 'telegram', 'main', '{old}', '', 'group', 'cooks', 1, 1700000000000, 7, NULL);
INSERT INTO trees (id, created_at) VALUES (7, 1700000000000);
INSERT INTO sessions (id, tree_id, key, generation, kind, agent, conversation_id, depth, next_seq, created_at, updated_at)
    VALUES (7, 7, 'agent:manager:telegram:main:group:{old}', 1, 'group', 'manager', 7, 0, 3, 1700000000000, {now});
INSERT INTO inbox (id, session_id, tree_id, kind, wake, conversation_id, sender, sender_name, message_id, body, not_before,
        created_at, turn_id)
    VALUES (7, 7, 7, 'user', 1, 7, '{ann}', 'Ann', 100, '{"text":"what is for lunch?"}', 0, {now}, 7);
INSERT INTO turns (id, session_id, tree_id, generation, agent, status, trigger_id, conversation_id, node, token, lease_until,
        held_at, claims, step, deadline, created_at, ended_at)
    VALUES (7, 7, 7, 1, 'manager', 'done', 7, 7, 'node-1', 1, 0, {now}, 0, 1, {now} + 900000, {now}, {now});
INSERT INTO entries (session_id, seq, tree_id, generation, turn_id, step, role, provenance, author, author_name, body,
        created_at)
    VALUES (7, 1, 7, 1, 7, 0, 'user', 'user', '{ann}', 'Ann', '{"text":"what is for lunch?"}', {now}),
           (7, 2, 7, 1, 7, 1, 'assistant', 'agent', 'manager', 'Manager', '{"text":"Soup."}', {now});
INSERT INTO deliveries (id, conversation_id, called_in, tree_id, session_id, turn_id, kind, answer, part, parts, body, state,
        after_id, attempts, unknowns, due_at, call_until, created_at)
    VALUES (7, 7, 8, 7, 7, 7, 'answer', 'turn:7', 0, 1, '{"body":"{\"text\":\"Soup.\"}","text":"Soup."}', 'unknown',
        {asked}, 1, 1, {now}, {now}, {now});
"#;
