-- Messages that will never be shown are counted among many that are.
CREATE INDEX deliveries_failed ON deliveries (state) WHERE state = 'failed';
-- A message of ours may be visible under a number that nobody knows: it was given up, or sent once more. 1: if its own
-- number is known, that number is lower; 2: it may be higher too.
ALTER TABLE deliveries ADD COLUMN stray INTEGER NOT NULL DEFAULT 0;
UPDATE deliveries SET stray = 1 WHERE state = 'unknown' AND due_at = 9223372036854775807;
CREATE INDEX deliveries_stray ON deliveries (conversation_id) WHERE stray > 0;
