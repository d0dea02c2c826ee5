-- The address that a conversation had before its chat moved: who is addressed there is meant here.
ALTER TABLE conversations ADD COLUMN moved_to INTEGER;
-- When it got the address of today.
ALTER TABLE conversations ADD COLUMN moved_at INTEGER;
-- The conversation's earlier address, where the call for a delivery was made before its chat moved.
ALTER TABLE deliveries ADD COLUMN called_in INTEGER;
