-- Sessions with something on its way from, to or below them, as often as there is something. All others are at rest.
CREATE VIEW sessions_at_work (session_id) AS
    SELECT session_id FROM turns WHERE status IN ('running', 'waiting')
    UNION ALL SELECT session_id FROM inbox WHERE turn_id IS NULL AND wake = 1
    UNION ALL SELECT session_id FROM deliveries WHERE state IN ('pending', 'sending', 'unknown')
    UNION ALL SELECT target_id FROM waits WHERE resolved_at IS NULL
    UNION ALL SELECT sender_id FROM exchanges WHERE ended_at IS NULL
    UNION ALL SELECT target_id FROM exchanges WHERE ended_at IS NULL
    UNION ALL SELECT requester_id FROM runs WHERE ended_at IS NULL
    UNION ALL SELECT r.session_id FROM runs r WHERE r.ended_at IS NULL
        OR EXISTS (SELECT 1 FROM turns t WHERE t.session_id = r.requester_id AND t.status IN ('running', 'waiting'))
        OR EXISTS (SELECT 1 FROM inbox i WHERE i.run_id = r.id AND i.turn_id IS NULL);
