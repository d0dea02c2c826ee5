-- The newest delivery that there was when a stray became one: none up to it was made after the stray's last call. Times
-- alone do not tell, for a clock may have been set back.
ALTER TABLE deliveries ADD COLUMN stray_up_to INTEGER;
UPDATE deliveries SET stray_up_to = (SELECT MAX(id) FROM deliveries) WHERE stray > 0;
