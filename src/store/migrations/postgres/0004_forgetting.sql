-- A session that is to be erased: when that is tried next. Nothing finds it by its key or conversation any more.
ALTER TABLE sessions ADD COLUMN erase_at BIGINT;
CREATE INDEX sessions_to_erase ON sessions (erase_at) WHERE erase_at IS NOT NULL;
CREATE INDEX exchanges_by_sender ON exchanges (sender_id);
CREATE INDEX exchanges_by_target ON exchanges (target_id);
-- The program's own words, which may quote what was said.
CREATE INDEX deliveries_own_words ON deliveries (conversation_id) WHERE session_id IS NULL;
