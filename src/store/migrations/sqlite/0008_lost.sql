-- Messages that will never be shown are counted among many that are.
CREATE INDEX deliveries_failed ON deliveries (state) WHERE state = 'failed';
-- A message of ours may be visible under a number that nobody knows: it was given up, or sent once more. 1: if its own
-- number is known, that number is lower; 2: it may be higher too.
ALTER TABLE deliveries ADD COLUMN stray INTEGER NOT NULL DEFAULT 0;
UPDATE deliveries SET stray = 1 WHERE state = 'unknown' AND due_at = 9223372036854775807;
CREATE INDEX deliveries_stray ON deliveries (conversation_id) WHERE stray > 0;
-- A node that was told to stop takes nothing any more.
ALTER TABLE nodes ADD COLUMN draining INTEGER NOT NULL DEFAULT 0;
-- How far a channel of Discord was read is kept with its server, which says whose of a bot's connections it is.
UPDATE cursors SET scope = (
    SELECT MIN(c.guild) || '/' || cursors.scope FROM conversations c
    WHERE c.channel = 'discord' AND c.account = cursors.account AND c.chat = cursors.scope AND c.guild IS NOT NULL)
WHERE channel = 'discord' AND EXISTS (
    SELECT 1 FROM conversations c
    WHERE c.channel = 'discord' AND c.account = cursors.account AND c.chat = cursors.scope AND c.guild IS NOT NULL);
