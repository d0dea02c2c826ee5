-- The newest delivery that there was when it was not known any more what the last call of this one had shown. Until then
-- nothing was made after that call, whatever the times say of a clock that was set back.
ALTER TABLE deliveries ADD COLUMN newest_at_loss BIGINT;
